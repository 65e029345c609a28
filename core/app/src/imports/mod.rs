//! Rows of a CSV file become records: through the same write as every other record, so defaults,
//! rules, hooks and gates hold.
//!
//! A file is read whole and checked as far as possible before the first write; then all rows
//! become records in one transaction, or none does. [`ImportMode::Partial`] is the exception that
//! its name says: good rows stay, bad ones are reported.
//!
//! Not here: guessing the mapping, updating what exists, undo.

mod cells;
mod mapping;

use std::{collections::HashMap, io::Read, sync::Arc};

use relata_catalog::{CoerceContext, ObjectIndex, PathSegment};
use relata_store::filter::{ColumnRef, Deleted, Filter, Operand, Operator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use self::mapping::{Lookup, Mapping};
use crate::{
    AppError, Caller, Unit, Workspace,
    records::{self, BulkMode},
};

/// Most rows of a file.
pub const ROWS_MAX: usize = 1_000_000;
/// Most bytes of a file.
pub const FILE_BYTES_MAX: usize = 256 << 20;
/// Most columns of a file.
pub const COLUMNS_MAX: usize = 2_000;
/// Most errors of a report; what comes after is counted only.
pub const ERRORS_MAX: usize = 1_000;
/// Rows that are written by one statement.
const CHUNK_ROWS: usize = 500;

/// How a file becomes records.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ImportOptions {
    /// `COLUMN=FIELD`, `COLUMN=FIELD.PART` (`lastname=name.family`), or
    /// `COLUMN=RELATION.FIELD` (`customer=customer.email`: the record whose field has this value).
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
}

/// What one bad row means for the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportMode {
    /// All rows become records, or none.
    #[default]
    AllOrNone,
    /// Good rows become records, bad ones are reported.
    Partial,
}

/// Records after which the planner of queries is told what the tables hold now.
const BULK_ROWS: u64 = 1_000;

/// What became of a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Rows in the file, without the header.
    pub rows: u64,
    /// Rows passed over because they were told to be.
    pub skipped: u64,
    /// Records made. 0 when a row was bad and all or none was asked for, or in a dry run.
    pub created: u64,
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

/// Imports a CSV file (UTF-8, with a header) as records of one object.
///
/// `progress` hears how many rows are done.
///
/// # Errors
/// `BAD_INPUT` when the file or the mapping can't be read. Bad rows are not an error: they are in
/// the report.
pub async fn import_csv(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    file: impl Read,
    options: &ImportOptions,
    progress: Arc<dyn Fn(u64) + Send + Sync>,
) -> Result<ImportReport, AppError> {
    let state = workspace.state();
    let (index, _) = state.catalogue.object_named(object).ok_or_else(|| {
        let names: Vec<&str> = state
            .catalogue
            .objects
            .iter()
            .map(|object| object.singular.as_str())
            .collect();
        AppError::bad_input(format!(
            "there is no object `{object}`; there are {}",
            names.join(", ")
        ))
    })?;
    let table = Table::read(file)?;
    let context = CoerceContext {
        region: workspace.options().region.clone(),
        currency: workspace.options().currency.clone(),
        now_micros: crate::clock::now_micros(),
        zone: Some(caller.zone.clone()),
    };
    let mapping = Mapping::resolve(&state.catalogue, index, &table.header, options, context)?;
    let (rows, skipped, mut errors) = mapping.rows(&table, options);

    let job = Arc::new(Job {
        object: index,
        mapping,
        rows,
        progress,
    });
    let mut report = ImportReport {
        rows: table.rows.len() as u64,
        skipped,
        ..ImportReport::default()
    };
    match options.mode {
        ImportMode::AllOrNone => {
            // After a bad cell nothing will stay, but the other rows may have faults of their own.
            let stays = !options.dry_run && errors.is_empty();
            let (created, row_errors) = all_or_none(workspace, caller, &job, !stays).await?;
            report.created = created;
            errors.extend(row_errors);
        }
        ImportMode::Partial => {
            let (created, row_errors) = partial(workspace, caller, &job, options.dry_run).await?;
            report.created = created;
            errors.extend(row_errors);
        }
    }
    if options.mode == ImportMode::AllOrNone && !errors.is_empty() {
        report.created = 0;
    }
    errors.sort_by_key(|error| error.line);
    report.error_count = errors.len() as u64;
    errors.truncate(ERRORS_MAX);
    report.errors = errors;
    if report.created >= BULK_ROWS
        && !options.dry_run
        && let Err(error) = workspace.database().refresh_statistics().await
    {
        // The records are there all the same; the database will see them in its own time.
        tracing::warn!(%error, "the statistics of the imported records could not be refreshed");
    }
    Ok(report)
}

/// The file's cells.
struct Table {
    header: Vec<String>,
    /// Line and cells.
    rows: Vec<(u64, csv::StringRecord)>,
}

impl Table {
    fn read(file: impl Read) -> Result<Self, AppError> {
        let mut text = String::new();
        file.take(FILE_BYTES_MAX as u64 + 1)
            .read_to_string(&mut text)
            .map_err(|error| {
                AppError::bad_input(format!("the file can't be read as UTF-8 text: {error}"))
            })?;
        if text.len() > FILE_BYTES_MAX {
            return Err(AppError::LimitExceeded(format!(
                "the file is larger than {FILE_BYTES_MAX} bytes"
            )));
        }
        // Spreadsheets put a byte order mark in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut reader = csv::ReaderBuilder::new()
            .flexible(false)
            .from_reader(text.as_bytes());
        let header: Vec<String> = reader
            .headers()
            .map_err(|error| AppError::bad_input(format!("the header can't be read: {error}")))?
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        if header.len() > COLUMNS_MAX {
            return Err(AppError::LimitExceeded(format!(
                "the file has {} columns; at most {COLUMNS_MAX} can be read",
                header.len()
            )));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record
                .map_err(|error| AppError::bad_input(format!("the file can't be read: {error}")))?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push((line, record));
            if rows.len() > ROWS_MAX {
                return Err(AppError::LimitExceeded(format!(
                    "the file has more than {ROWS_MAX} rows"
                )));
            }
        }
        Ok(Self { header, rows })
    }
}

/// One row, as far as it can be known without the database.
#[derive(Debug, Clone)]
struct Row {
    line: u64,
    data: Map<String, Json>,
    /// Values by which relations are found: position in the mapping's lookups, and the text.
    lookups: Vec<(usize, String)>,
}

struct Job {
    object: ObjectIndex,
    mapping: Mapping,
    rows: Vec<Row>,
    progress: Arc<dyn Fn(u64) + Send + Sync>,
}

/// What ends a transaction that shall not stay.
enum Ending {
    Bad(Vec<RowError>),
    Dry,
}

async fn all_or_none(
    workspace: &Workspace,
    caller: &Caller,
    job: &Arc<Job>,
    dry_run: bool,
) -> Result<(u64, Vec<RowError>), AppError> {
    let ending: Arc<std::sync::Mutex<Option<Ending>>> = Arc::default();
    let job = Arc::clone(job);
    let written = workspace
        .transact_long(caller, {
            let ending = Arc::clone(&ending);
            move |unit: Unit| {
                let (job, ending) = (Arc::clone(&job), Arc::clone(&ending));
                Box::pin(async move {
                    let (ids, errors) = write_all(&unit, &job).await?;
                    let outcome = if !errors.is_empty() {
                        Ending::Bad(errors)
                    } else if dry_run {
                        Ending::Dry
                    } else {
                        return Ok(ids);
                    };
                    *ending.lock().expect("nobody panics while holding it") = Some(outcome);
                    // An error is what makes the transaction roll back.
                    Err(AppError::bad_input("the import is not carried out"))
                })
            }
        })
        .await;
    let ending = ending
        .lock()
        .expect("nobody panics while holding it")
        .take();
    match (written, ending) {
        (Ok(created), _) => Ok((created, Vec::new())),
        (Err(_), Some(Ending::Bad(errors))) => Ok((0, errors)),
        (Err(_), Some(Ending::Dry)) => Ok((0, Vec::new())),
        (Err(error), None) => Err(error),
    }
}

/// Writes all rows in one transaction; goes on after a bad row to report the others as well.
async fn write_all(unit: &Unit, job: &Job) -> Result<(u64, Vec<RowError>), AppError> {
    let mut finder = Finder::default();
    let mut errors = Vec::new();
    let mut created: Vec<(usize, Uuid)> = Vec::with_capacity(job.rows.len());
    for (chunk_number, chunk) in job.rows.chunks(CHUNK_ROWS).enumerate() {
        let mut data = Vec::with_capacity(chunk.len());
        let mut positions = Vec::with_capacity(chunk.len());
        for (offset, row) in chunk.iter().enumerate() {
            match finder.complete(unit, job, row).await? {
                Ok(complete) => {
                    data.push(complete);
                    positions.push(chunk_number * CHUNK_ROWS + offset);
                }
                Err(faults) => errors.extend(faults),
            }
        }
        match records::record_create_bulk(unit, job.object, &data, BulkMode::AllOrNone).await {
            Ok(bulk) => created.extend(positions.into_iter().zip(bulk.ids)),
            Err(error) => {
                let faults = row_errors(&job.mapping, &error, |index| {
                    positions
                        .get(index)
                        .map_or(0, |position| job.rows[*position].line)
                });
                // What is not a row's fault is the caller's to hear.
                let Some(faults) = faults else {
                    return Err(error);
                };
                errors.extend(faults);
                if errors.len() >= ERRORS_MAX {
                    return Ok((0, errors));
                }
            }
        }
        (job.progress)(((chunk_number + 1) * CHUNK_ROWS).min(job.rows.len()) as u64);
    }
    if errors.is_empty() {
        errors.extend(link_to_own(unit, job, &mut finder, &created).await?);
    }
    Ok((created.len() as u64, errors))
}

/// Relations to the same object are set when all rows are there: a row may name a later one.
async fn link_to_own(
    unit: &Unit,
    job: &Job,
    finder: &mut Finder,
    created: &[(usize, Uuid)],
) -> Result<Vec<RowError>, AppError> {
    let mut errors = Vec::new();
    for (position, id) in created {
        let row = &job.rows[*position];
        let mut data = Map::new();
        for (number, text) in &row.lookups {
            let lookup = &job.mapping.lookups[*number];
            if lookup.target != job.object {
                continue;
            }
            match finder.find(unit, lookup, *number, text).await? {
                Ok(target) => {
                    data.insert(lookup.relation.clone(), connect(target));
                }
                Err(fault) => errors.push(RowError {
                    line: row.line,
                    ..fault
                }),
            }
        }
        if !data.is_empty()
            && let Err(error) = records::record_update(unit, job.object, *id, &data, None).await
        {
            match row_errors(&job.mapping, &error, |_| row.line) {
                Some(faults) => errors.extend(faults),
                None => return Err(error),
            }
        }
    }
    Ok(errors)
}

/// Each chunk in a transaction of its own; where a chunk fails, each of its rows.
async fn partial(
    workspace: &Workspace,
    caller: &Caller,
    job: &Arc<Job>,
    dry_run: bool,
) -> Result<(u64, Vec<RowError>), AppError> {
    let mut created = 0;
    let mut errors = Vec::new();
    for (chunk_number, chunk) in job.rows.chunks(CHUNK_ROWS).enumerate() {
        let (done, faults) = all_or_none(workspace, caller, &job.with_rows(chunk), dry_run).await?;
        if faults.is_empty() {
            created += done;
        } else {
            for row in chunk {
                let (done, faults) = all_or_none(
                    workspace,
                    caller,
                    &job.with_rows(std::slice::from_ref(row)),
                    dry_run,
                )
                .await?;
                created += done;
                errors.extend(faults);
            }
        }
        (job.progress)(((chunk_number + 1) * CHUNK_ROWS).min(job.rows.len()) as u64);
    }
    Ok((created, errors))
}

impl Job {
    /// The same job for some of its rows, silent.
    fn with_rows(&self, rows: &[Row]) -> Arc<Self> {
        Arc::new(Self {
            object: self.object,
            mapping: self.mapping.clone(),
            rows: rows.to_vec(),
            progress: Arc::new(|_| ()),
        })
    }
}

/// Finds the records that relations point at, each value once.
#[derive(Default)]
struct Finder {
    found: HashMap<(usize, String), Result<Uuid, RowError>>,
}

impl Finder {
    /// The row's data with its relations, or what is wrong with them. Relations to the same object
    /// are left for later.
    async fn complete(
        &mut self,
        unit: &Unit,
        job: &Job,
        row: &Row,
    ) -> Result<Result<Map<String, Json>, Vec<RowError>>, AppError> {
        let mut data = row.data.clone();
        let mut faults = Vec::new();
        for (number, text) in &row.lookups {
            let lookup = &job.mapping.lookups[*number];
            if lookup.target == job.object {
                continue;
            }
            match self.find(unit, lookup, *number, text).await? {
                Ok(id) => {
                    data.insert(lookup.relation.clone(), connect(id));
                }
                Err(fault) => faults.push(RowError {
                    line: row.line,
                    ..fault
                }),
            }
        }
        Ok(if faults.is_empty() {
            Ok(data)
        } else {
            Err(faults)
        })
    }

    async fn find(
        &mut self,
        unit: &Unit,
        lookup: &Lookup,
        number: usize,
        text: &str,
    ) -> Result<Result<Uuid, RowError>, AppError> {
        let key = (number, text.to_owned());
        if let Some(known) = self.found.get(&key) {
            return Ok(known.clone());
        }
        let found = look_up(unit, lookup, text).await?;
        self.found.insert(key, found.clone());
        Ok(found)
    }
}

async fn look_up(
    unit: &Unit,
    lookup: &Lookup,
    text: &str,
) -> Result<Result<Uuid, RowError>, AppError> {
    let catalogue = unit.catalogue();
    let target = catalogue.object(lookup.target);
    let fault = |code: &str, message: String| RowError {
        line: 0,
        column: Some(lookup.column.clone()),
        code: code.to_owned(),
        message,
    };
    let name = &target.field(lookup.field).name;
    let value = match cells::comparable(&target.field(lookup.field).kind, text) {
        Ok(value) => value,
        Err(message) => return Ok(Err(fault("BAD_INPUT", message))),
    };
    let filter = Filter::Compare {
        column: ColumnRef::Field {
            field: lookup.field,
            part: 0,
        },
        operator: Operator::Eq,
        operand: Operand::Value(value),
    };
    let mut found = unit
        .transaction()
        .find(
            catalogue,
            &relata_store::Find {
                object: lookup.target,
                filter,
                order: Vec::new(),
                limit: Some(2),
                deleted: Deleted::Exclude,
                lock: relata_store::Lock::None,
            },
        )
        .await?;
    Ok(match found.len() {
        0 => Err(fault(
            "NOT_FOUND",
            format!("there is no {} whose `{name}` is `{text}`", target.singular),
        )),
        1 => Ok(found.remove(0).id),
        _ => Err(fault(
            "AMBIGUOUS",
            format!("more than one {} has `{name}` = `{text}`", target.singular),
        )),
    })
}

fn connect(id: Uuid) -> Json {
    serde_json::json!({"connect": {"id": id}})
}

/// What a failed write says about rows, or nothing when it is no row's fault. Paths of issues
/// begin with the row's position where several were written.
fn row_errors(
    mapping: &Mapping,
    error: &AppError,
    line: impl Fn(usize) -> u64,
) -> Option<Vec<RowError>> {
    if error.issues().is_empty() {
        return None;
    }
    let errors = error.issues().iter().map(|issue| {
        let (index, path) = match issue.path.split_first() {
            Some((PathSegment::Index(index), rest)) => (*index, rest),
            _ => (0, issue.path.as_slice()),
        };
        let names: Vec<&str> = path
            .iter()
            .filter_map(|segment| match segment {
                PathSegment::Name(name) => Some(name.as_str()),
                PathSegment::Index(_) => None,
            })
            .collect();
        RowError {
            line: line(index),
            column: mapping.column_of(&names),
            code: issue.code.clone(),
            message: issue.message.clone(),
        }
    });
    Some(errors.collect())
}
