//! The records of a plugin's objects as one file, before they go.

use std::io::{BufWriter, Seek as _, Write as _};

use relata_catalog::{ObjectIndex, to_json};
use relata_store::{
    Find, Lock, Turn,
    filter::{
        ColumnRef, Deleted, Direction, Filter, Nulls, Operand, Operator, OrderTerm, SystemColumn,
    },
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{AppError, Caller, Workspace, files};

/// Records that are read at once.
const PAGE_ROWS: u64 = 1_000;

/// Writes all records of the objects that the plugin owns, the trash included, into a file with
/// one JSON document per line, and gives the file's id.
pub(super) async fn plugin_export(
    workspace: &Workspace,
    caller: &Caller,
    id: &str,
) -> Result<Uuid, AppError> {
    let (transaction, state) = workspace.begin(Turn::Long).await?;
    let not_written = |error: std::io::Error| AppError::internal(&error);
    let mut file = BufWriter::new(tempfile::tempfile().map_err(not_written)?);
    let mut bytes = 0;
    for (position, object) in state.catalogue.objects.iter().enumerate() {
        if object.owner() != id {
            continue;
        }
        let mut last: Option<Uuid> = None;
        loop {
            let find = Find {
                object: ObjectIndex(position),
                filter: last.map_or(Filter::And(Vec::new()), after),
                order: vec![by_id()],
                limit: Some(PAGE_ROWS),
                deleted: Deleted::Include,
                lock: Lock::None,
            };
            let records = transaction.find(&state.catalogue, &find).await?;
            for record in &records {
                let mut values = Map::new();
                for (field, value) in object.fields.iter().zip(&record.values) {
                    values.insert(field.name.clone(), to_json(&field.kind, value));
                }
                let line = json!({
                    "object": object.singular,
                    "id": record.id.to_string(),
                    "version": record.version,
                    "deleted": record.deleted_at.is_some(),
                    "values": Json::Object(values),
                });
                let line = line.to_string();
                bytes += line.len() as u64 + 1;
                writeln!(file, "{line}").map_err(not_written)?;
            }
            if bytes > files::MADE_BYTES_MAX {
                return Err(AppError::LimitExceeded(format!(
                    "the records of {id} are more than {} bytes; uninstall with KEEP",
                    files::MADE_BYTES_MAX
                )));
            }
            last = records.last().map(|record| record.id);
            if (records.len() as u64) < PAGE_ROWS {
                break;
            }
        }
    }
    transaction.rollback().await;
    let mut file = file
        .into_inner()
        .map_err(|error| not_written(error.into_error()))?;
    file.rewind().map_err(not_written)?;
    let kept = files::keep(workspace, caller, &format!("{id}.jsonl"), file).await?;
    Ok(kept.id)
}

fn after(id: Uuid) -> Filter {
    Filter::Compare {
        column: ColumnRef::System(SystemColumn::Id),
        operator: Operator::Gt,
        operand: Operand::from(id),
    }
}

fn by_id() -> OrderTerm {
    OrderTerm {
        through: Vec::new(),
        column: ColumnRef::System(SystemColumn::Id),
        direction: Direction::Ascending,
        nulls: Nulls::Last,
    }
}
