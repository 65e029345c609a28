//! Records become a file: CSV, XLSX, JSON Lines, vCards.
//!
//! What is exported imports again to the same records. So the columns are called as an import maps
//! them (`name.given`, `company.id`), and a cell says exactly what the field holds: in the short
//! form that people read where that means the same, else as JSON. Texts that a spreadsheet would
//! take for formulas get an apostrophe in front, which an import takes off again
//! ([`imports::written`](crate::imports)).
//!
//! Records are read page by page on one snapshot and written as they come, so memory stays flat.

mod cells;
mod columns;
mod writer;

use std::io::{Seek as _, Write};

use futures_util::future::BoxFuture;
use relata_catalog::{ObjectIndex, Value};
use relata_store::{
    Find, Lock, Record,
    filter::{ColumnRef, Direction, Filter, Nulls, Operand, Operator, OrderTerm, SystemColumn},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    AppError, Caller, Unit, Workspace,
    access::authorise_admin,
    files,
    imports::Format,
    jobs::{self, End, JobInfo, JobKind, JobState, NewJob, Task},
};

use columns::{Columns, Targets};
use writer::Writer;

/// Records of a page.
const PAGE: u64 = 1_000;

/// Which records are exported, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportOptions {
    /// Singular name of the object.
    pub object: String,
    /// What the file shall be.
    pub format: Format,
    /// Columns, as an import maps them: `id`, `name`, `name.family`, `company.name`. A whole field
    /// stands for all of its parts. Empty: everything that an import would take back.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The condition, as lists take it; without, all records outside the trash.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Json>,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportCounts {
    /// Records that there are to export.
    pub records: u64,
    /// Those that have been written.
    pub done: u64,
}

/// Reads conditions as lists take them. Another room knows their form; it is told to a workspace
/// by [`Workspace::read_conditions_by`].
pub trait Conditions: Send + Sync {
    /// The condition on records of an object, with its operands.
    ///
    /// # Errors
    /// All that is wrong with it, with paths inside it.
    fn read<'c>(
        &'c self,
        workspace: &'c Workspace,
        caller: &'c Caller,
        object: &'c str,
        condition: &'c Json,
    ) -> BoxFuture<'c, Result<Filter, AppError>>;
}

/// Writes records to a file, and says how many.
///
/// `progress` hears how far it is, and stops it by `false`.
///
/// # Errors
/// `FORBIDDEN`; `BAD_INPUT` for what is wrong with the options; `LIMIT_EXCEEDED` for what the format
/// can't hold; `UNAVAILABLE` when the file can't be written.
pub async fn export_to(
    workspace: &Workspace,
    caller: &Caller,
    options: &ExportOptions,
    out: impl Write + Send,
    progress: &mut (dyn FnMut(ExportCounts) -> bool + Send),
) -> Result<ExportCounts, AppError> {
    authorise_admin(caller)?;
    let unit = workspace.snapshot(caller).await?;
    let columns = Columns::resolve(unit.catalogue(), options)?;
    let filter = match &options.condition {
        Some(condition) => {
            workspace
                .condition(caller, &options.object, condition)
                .await?
        }
        None => Filter::And(Vec::new()),
    };
    let count = unit
        .transaction()
        .count(
            unit.catalogue(),
            columns.object,
            &filter,
            relata_store::filter::Deleted::Exclude,
        )
        .await?;
    let mut counts = ExportCounts {
        records: u64::try_from(count).unwrap_or_default(),
        done: 0,
    };
    let mut writer = Writer::new(options.format, &columns, out, counts.records)?;
    let mut after = None;
    loop {
        let page = page(&unit, columns.object, &filter, after).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.id);
        let targets = Targets::find(&unit, &columns, &page).await?;
        for record in &page {
            writer.write(&unit, &columns, &targets, record)?;
        }
        counts.done += page.len() as u64;
        if !progress(counts) {
            return Ok(counts);
        }
    }
    writer.finish()?;
    Ok(counts)
}

/// Records behind one, in the order of their ids.
async fn page(
    unit: &Unit,
    object: ObjectIndex,
    filter: &Filter,
    after: Option<Uuid>,
) -> Result<Vec<Record>, AppError> {
    let id = ColumnRef::System(SystemColumn::Id);
    let behind = after.map(|id_before| Filter::Compare {
        column: id,
        operator: Operator::Gt,
        operand: Operand::Value(Value::Reference(id_before)),
    });
    let conditions = behind.into_iter().chain([filter.clone()]).collect();
    let find = Find {
        order: vec![OrderTerm {
            through: Vec::new(),
            column: id,
            direction: Direction::Ascending,
            nulls: Nulls::Last,
        }],
        limit: Some(PAGE),
        lock: Lock::None,
        ..Find::new(object, Filter::And(conditions))
    };
    Ok(unit.transaction().find(unit.catalogue(), &find).await?)
}

/// Has records exported by a job; its file is what has been made.
///
/// # Errors
/// `FORBIDDEN`, `BAD_INPUT`.
pub async fn export_start(
    workspace: &Workspace,
    caller: &Caller,
    options: &ExportOptions,
) -> Result<JobInfo, AppError> {
    authorise_admin(caller)?;
    Columns::resolve(&workspace.state().catalogue, options)?;
    if let Some(condition) = &options.condition {
        workspace
            .condition(caller, &options.object, condition)
            .await?;
    }
    let new = NewJob {
        kind: JobKind::Export,
        options: json!(options),
        counts: json!(ExportCounts::default()),
        file: None,
    };
    jobs::job_create(workspace, caller, new).await
}

/// Does an export. One that was broken off begins anew: nothing of it was to be seen.
pub(crate) async fn carry_out(task: &Task) -> Result<End, AppError> {
    let options: ExportOptions = task.options()?;
    let mut file = tempfile::tempfile().map_err(writer::not_written)?;
    let mut stopped = None;
    let counts = export_to(
        &task.workspace,
        &task.caller,
        &options,
        &mut file,
        &mut |counts| {
            task.report(&json!(counts));
            stopped = task.is_stopped();
            stopped.is_none()
        },
    )
    .await?;
    if let Some(state) = stopped {
        return Ok(End::of(state, json!(counts), 0));
    }
    file.rewind().map_err(writer::not_written)?;
    let name = format!("{}.{}", options.object, extension(options.format));
    let kept = files::keep(&task.workspace, &task.caller, &name, file).await?;
    Ok(End {
        file: Some(kept.id),
        ..End::of(JobState::Done, json!(counts), 0)
    })
}

fn extension(format: Format) -> &'static str {
    match format {
        Format::Csv => "csv",
        Format::Xlsx => "xlsx",
        Format::Jsonl => "jsonl",
        Format::Vcard => "vcf",
    }
}
