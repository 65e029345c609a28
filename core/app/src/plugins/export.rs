//! The records of a plugin's objects as one file, before they go.

use relata_catalog::{ObjectIndex, to_json};
use relata_store::{
    Find, Lock, Turn,
    filter::{
        ColumnRef, Deleted, Direction, Filter, Nulls, Operand, Operator, OrderTerm, SystemColumn,
    },
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{AppError, Caller, Workspace, uploads};

/// Records that are read at once.
const PAGE_ROWS: u64 = 1_000;
/// Most bytes of an export.
const EXPORT_BYTES_MAX: usize = 256 << 20;

/// Writes all records of the objects that the plugin owns, the trash included, into a file with
/// one JSON document per line, and gives the file's id.
pub(super) async fn plugin_export(
    workspace: &Workspace,
    caller: &Caller,
    id: &str,
) -> Result<Uuid, AppError> {
    let (transaction, state) = workspace.begin(Turn::Long).await?;
    let mut file = Vec::new();
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
                file.extend_from_slice(line.to_string().as_bytes());
                file.push(b'\n');
            }
            if file.len() > EXPORT_BYTES_MAX {
                return Err(AppError::LimitExceeded(format!(
                    "the records of {id} are more than {EXPORT_BYTES_MAX} bytes; uninstall with KEEP"
                )));
            }
            last = records.last().map(|record| record.id);
            if (records.len() as u64) < PAGE_ROWS {
                break;
            }
        }
    }
    transaction.rollback().await;
    let upload = uploads::keep(workspace, caller, &format!("{id}.jsonl"), file).await?;
    Ok(upload.id)
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
