//! Rows of a file become records: through the same write as every other record, so defaults,
//! rules, hooks and gates hold.
//!
//! A file is [read](source) as rows, whatever it is; its columns are [mapped](mapping) to fields,
//! by who imports it or by a [guess]; and a [job](crate::jobs) [writes](run) them chunk by chunk.
//! All rows become records, or none does. [`ImportMode::Partial`] is the exception that its name
//! says: good rows stay, bad ones are reported. Either can be [undone](undo) as a whole.

mod bad_rows;
mod cells;
mod guess;
mod keys;
mod mapping;
mod plan;
mod preview;
mod run;
mod source;
mod undo;

use std::sync::Arc;

use relata_catalog::{Issue, Issues};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    AppError, Caller, Workspace,
    access::authorise_admin,
    jobs::{self, JobInfo, JobKind, JobState, NewJob},
};

pub use bad_rows::import_bad_rows;
pub use cells::DateOrder;
pub use guess::Guess;
pub use preview::{ImportPreview, import_preview};
pub use source::{
    CELL_BYTES_MAX, COLUMNS_MAX, EXPANDED_BYTES_MAX, Encoding, FILE_BYTES_MAX, Format, ROWS_MAX,
};
pub use undo::{UndoCounts, UndoOptions, import_undo};

pub(crate) use cells::written;
pub(crate) use mapping::parts;
pub(crate) use run::{Part, carry_out};
pub(crate) use undo::carry_out as carry_out_undo;

use plan::Plan;
use source::{Source, SourceOptions};

/// Most errors of a report; what comes after is counted only.
pub const ERRORS_MAX: usize = 1_000;

/// How a file becomes records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ImportOptions {
    /// `COLUMN=FIELD`, `COLUMN=FIELD.PART` (`lastname=name.family`), or
    /// `COLUMN=RELATION.FIELD` (`customer=customer.email`: the record whose field has this value).
    /// Also `COLUMN=id` and `COLUMN=owner`.
    pub map: Vec<String>,
    /// `FIELD=VALUE` or `FIELD.PART=VALUE`: the same for every row.
    pub set: Vec<String>,
    /// Columns: a row in which one of them is empty is passed over.
    pub skip_empty: Vec<String>,
    /// Columns: of rows that are equal in all of them only the first is taken.
    pub distinct: Vec<String>,
    /// What one bad row means for the others.
    pub mode: ImportMode,
    /// Says what would happen, and changes nothing.
    pub dry_run: bool,
    /// What a row does.
    pub action: ImportAction,
    /// Fields of a unique key, or `id`: by what records are found that are changed.
    pub on: Vec<String>,
    /// What an empty cell does to a record. Without, it empties the field where rows are found by
    /// their ids (what was exported comes back), and leaves it alone elsewhere.
    pub empty: Option<Empty>,
    /// Records that relations name by a key and that aren't there are created, with the key alone.
    pub create_missing: bool,
    /// Records may enter stages whose gates they don't meet.
    pub override_gates: bool,
    /// Which of the numbers of `05/04/2026` is what.
    pub date_order: Option<DateOrder>,
    /// Numbers are written `1.234,56`.
    pub decimal_comma: bool,
    /// What the file must be; without, whatever its bytes say.
    pub format: Option<Format>,
    /// Encoding of its text; without, it is told by the bytes.
    pub encoding: Option<Encoding>,
    /// Between the columns of a CSV file; without, it is told by the first lines.
    pub delimiter: Option<char>,
    /// Sheet of a workbook; without, the first.
    pub sheet: Option<String>,
}

impl ImportOptions {
    fn source(&self) -> SourceOptions {
        SourceOptions {
            format: self.format,
            encoding: self.encoding,
            delimiter: self.delimiter,
            sheet: self.sheet.clone(),
        }
    }

    fn empty(&self) -> Empty {
        let by_id = self.on.iter().any(|name| name == "id");
        self.empty
            .unwrap_or(if by_id { Empty::Clear } else { Empty::Keep })
    }
}

/// What one bad row means for the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportMode {
    /// All rows become records, or none, in one transaction.
    #[default]
    AllOrNone,
    /// Good rows become records, bad ones are reported. Chunk by chunk: others write in between.
    Partial,
}

/// What a row does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportAction {
    /// Makes a record.
    #[default]
    Create,
    /// Changes the record that it names; it must be there.
    Update,
    /// Changes it, or makes it.
    Upsert,
}

/// What an empty cell does to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Empty {
    /// Nothing: the field stays as it is, or gets its default.
    Keep,
    /// The field becomes empty.
    Clear,
}

/// What has become of the rows so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImportCounts {
    /// Rows in the file, without the header.
    pub rows: u64,
    /// Rows that have been dealt with.
    pub done: u64,
    /// Rows passed over because they were told to be.
    pub skipped: u64,
    /// Records made. In a dry run: that would be.
    pub created: u64,
    /// Records changed.
    pub updated: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Records made because relations name them.
    pub related: u64,
    /// Rows with something wrong in them.
    pub bad: u64,
    /// Number of errors, also of those that are not listed.
    pub errors: u64,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImportReport {
    /// The job: what was imported can be undone by it.
    pub job: Option<Uuid>,
    /// Rows in the file, without the header.
    pub rows: u64,
    /// Rows passed over because they were told to be.
    pub skipped: u64,
    /// Records made. 0 when a row was bad and all or none was asked for; in a dry run those that
    /// would be.
    pub created: u64,
    /// Records changed.
    pub updated: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Records made because relations name them.
    pub related: u64,
    /// Number of errors, also of those that are not listed.
    pub error_count: u64,
    /// The first errors, by line.
    pub errors: Vec<RowError>,
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowError {
    /// Line in the file, from 1 (the header).
    pub line: u64,
    /// The column, where one is to blame.
    pub column: Option<String>,
    /// Stable code.
    pub code: String,
    /// For a person.
    pub message: String,
}

/// What a job of the kind `IMPORT` is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportJob {
    /// Singular name of the object.
    pub(crate) object: String,
    pub(crate) options: ImportOptions,
}

/// Has a file imported by a job. What is wrong with the file or the options as such is told at
/// once.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND` (the file), `BAD_INPUT`, `LIMIT_EXCEEDED`.
pub async fn import_start(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    file: Uuid,
    options: &ImportOptions,
) -> Result<JobInfo, AppError> {
    authorise_admin(caller)?;
    let source = open(workspace, caller, file, options).await?;
    let (_, map) = Plan::resolve_guessed(workspace, caller, object, &source, options)?;
    let mut options = options.clone();
    // What was guessed now is what will be done, whatever the catalogue says by then.
    options.map = map;
    let job = ImportJob {
        object: object.to_owned(),
        options,
    };
    let counts = ImportCounts {
        rows: source.rows,
        ..ImportCounts::default()
    };
    jobs::job_create(
        workspace,
        caller,
        NewJob {
            kind: JobKind::Import,
            options: serde_json::json!(job),
            counts: serde_json::json!(counts),
            file: Some(file),
        },
    )
    .await
}

/// [`import_start`], and waits for what comes of it.
///
/// # Errors
/// As there, and what made the job fail. Bad rows are not an error: they are in the report.
pub async fn import_now(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    file: Uuid,
    options: &ImportOptions,
) -> Result<ImportReport, AppError> {
    let job = import_start(workspace, caller, object, file, options).await?;
    let ended = jobs::job_ended(workspace, job.id).await?;
    import_report(workspace, caller, ended.id).await
}

/// What an import that has ended came to.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; what made the job fail.
pub async fn import_report(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
) -> Result<ImportReport, AppError> {
    let job = jobs::job_get(workspace, caller, id)
        .await?
        .filter(|job| job.kind == JobKind::Import)
        .ok_or_else(|| AppError::NotFound(format!("there is no import with the id {id}")))?;
    let counts: ImportCounts = serde_json::from_value(job.counts).unwrap_or_default();
    let errors = import_errors(workspace, caller, id, ERRORS_MAX).await?;
    if counts.errors == 0
        && matches!(job.state, JobState::Failed | JobState::Cancelled)
        && let Some(error) = job.error
    {
        return Err(error.into_error());
    }
    let is_undone = job.state == JobState::Failed;
    let made = |count: u64| if is_undone { 0 } else { count };
    Ok(ImportReport {
        job: Some(id),
        rows: counts.rows,
        skipped: counts.skipped,
        created: made(counts.created),
        updated: made(counts.updated),
        unchanged: made(counts.unchanged),
        related: made(counts.related),
        error_count: counts.errors,
        errors,
    })
}

/// What is wrong with the rows of an import, by line: the first so many.
///
/// # Errors
/// `FORBIDDEN`.
pub async fn import_errors(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
    max: usize,
) -> Result<Vec<RowError>, AppError> {
    authorise_admin(caller)?;
    let mut errors = Vec::new();
    let mut from = 0;
    while errors.len() < max {
        let parts = jobs::parts::<Part>(workspace, id, from).await?;
        let Some((last, _)) = parts.last() else {
            break;
        };
        from = last + 1;
        errors.extend(parts.into_iter().flat_map(|(_, part)| part.errors));
    }
    errors.sort_by_key(|error| error.line);
    errors.truncate(max);
    Ok(errors)
}

/// The file, opened beside those who answer requests.
async fn open(
    workspace: &Workspace,
    caller: &Caller,
    file: Uuid,
    options: &ImportOptions,
) -> Result<Arc<Source>, AppError> {
    let bytes = crate::files::file_bytes(workspace, caller, file, FILE_BYTES_MAX as u64).await?;
    let bytes: Arc<[u8]> = bytes.into();
    let options = options.source();
    let opened = tokio::task::spawn_blocking(move || Source::open(bytes, &options)).await;
    match opened {
        Ok(source) => Ok(Arc::new(source?)),
        // A reader of somebody else's formats that gives up in its own way: the file is to blame.
        Err(_) => Err(AppError::bad_input_issues(Issues::from(
            Issue::new("BAD_FILE", "the file can't be read: it is broken").at("file"),
        ))),
    }
}
