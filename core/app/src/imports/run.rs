//! An import at work: chunk after chunk, each in a transaction of its own that moves the job's
//! position with it; or all of them in one.
//!
//! *Invariant:* where a job begins again after a crash, it begins behind what is committed. The
//! chunks of a file are the same each time, because they are cut by rows alone.
//!
//! Relations to records of the import's own object are set in a second pass over the file: a row
//! may name a later one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use relata_catalog::{Key, PathSegment};
use relata_store::platform::jobs::JobEnd;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    ERRORS_MAX, ImportCounts, ImportJob, ImportMode, RowError,
    keys::{Targets, Which},
    mapping::{Mapping, Row, Rows, Seen},
    plan::{self, Plan},
    source::{RawRow, Source},
};
use crate::{
    AppError, Unit,
    jobs::{End, JobError, JobState, Task},
    records::{self, FoundBy, Keyed, KeyedRow},
};

/// Rows of a transaction: enough to write many by one statement, few enough that others who write
/// do not wait for long.
const CHUNK_ROWS: usize = 500;
/// Records after which the planner of queries is told what the tables hold now.
const BULK_ROWS: u64 = 1_000;

/// What became of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Part {
    /// Rows that were written, or had nothing to change.
    pub(crate) written: Vec<WrittenRow>,
    /// Records of other objects that were made because relations name them.
    pub(crate) made: Vec<(Key, Uuid)>,
    /// What is wrong with the others.
    pub(crate) errors: Vec<RowError>,
}

/// What a row became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrittenRow {
    pub(crate) line: u64,
    pub(crate) id: Uuid,
    /// The record's version before; 0 for one that was created.
    pub(crate) before: i64,
    pub(crate) after: i64,
}

/// What the transactions of an import share.
struct Import {
    task: Task,
    job: ImportJob,
    source: Arc<Source>,
    /// The mapping, and the revision of the catalogue that it is for.
    plan: Mutex<Arc<Plan>>,
}

/// A chunk on its way.
struct Chunk {
    number: i64,
    /// Without the rows that are passed over.
    raw: Vec<RawRow>,
    skipped: u64,
}

/// Which pass over the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Write,
    Link,
}

/// Does what an import has left to do.
pub(crate) async fn carry_out(task: &Task) -> Result<End, AppError> {
    let job: ImportJob = task.options()?;
    let file = task
        .job
        .file
        .ok_or_else(|| AppError::broken("an import without a file"))?;
    let source = super::open(&task.workspace, &task.caller, file, &job.options).await?;
    let state = task.workspace.state();
    let context = plan::context(&task.workspace, &task.caller);
    let plan = Plan::resolve(&state, context, &job.object, &source.header, &job.options)?;
    let import = Arc::new(Import {
        task: task.clone(),
        job,
        source,
        plan: Mutex::new(Arc::new(plan)),
    });
    let end = match import.job.options.mode {
        ImportMode::AllOrNone => all_or_none(&import).await?,
        ImportMode::Partial => partial(&import).await?,
    };
    let counts: ImportCounts = serde_json::from_value(end.counts.clone()).unwrap_or_default();
    if counts.created + counts.updated >= BULK_ROWS
        && !import.job.options.dry_run
        && let Err(error) = task.workspace.database().refresh_statistics().await
    {
        // The records are there all the same; the database will see them in its own time.
        tracing::warn!(%error, "the statistics of the imported records could not be refreshed");
    }
    Ok(end)
}

impl Import {
    /// The plan for this revision.
    fn plan_of(&self, unit: &Unit) -> Result<Arc<Plan>, AppError> {
        let mut known = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if known.revision != unit.state().revision {
            let context = unit.coercion().clone();
            let (header, options) = (&self.source.header, &self.job.options);
            let plan = Plan::resolve(unit.state(), context, &self.job.object, header, options)?;
            *known = Arc::new(plan);
        }
        Ok(Arc::clone(&known))
    }

    fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn needs_links(&self) -> bool {
        self.plan().mapping.names_own()
    }

    /// Chunks of a pass.
    fn chunks(&self) -> i64 {
        i64::try_from(self.source.rows.div_ceil(CHUNK_ROWS as u64)).unwrap_or(i64::MAX)
    }

    fn counts(&self) -> ImportCounts {
        let counts: ImportCounts = serde_json::from_str(&self.task.job.counts).unwrap_or_default();
        ImportCounts {
            rows: self.source.rows,
            ..counts
        }
    }

    /// The chunks of a pass, from a position on.
    fn each_chunk(&self, from: i64) -> Chunks<'_> {
        Chunks {
            import: self,
            read: self.source.chunks(CHUNK_ROWS),
            seen: Seen::new(),
            number: 0,
            from,
        }
    }
}

/// See [`Import::each_chunk`].
struct Chunks<'i> {
    import: &'i Import,
    read: tokio::sync::mpsc::Receiver<Result<Vec<RawRow>, AppError>>,
    seen: Seen,
    number: i64,
    from: i64,
}

impl Chunks<'_> {
    async fn next(&mut self) -> Result<Next, AppError> {
        while let Some(raw) = self.read.recv().await {
            let mut raw = raw?;
            let rows = raw.len();
            let plan = self.import.plan();
            raw.retain(|row| !plan.mapping.is_passed_over(row, &mut self.seen));
            let chunk = Chunk {
                number: self.number,
                skipped: (rows - raw.len()) as u64,
                raw,
            };
            self.number += 1;
            if chunk.number < self.from {
                continue;
            }
            return Ok(match self.import.task.is_stopped() {
                Some(state) => Next::Ended(Ended::Stopped(state)),
                None => Next::Chunk(chunk),
            });
        }
        Ok(Next::Ended(Ended::Through))
    }
}

enum Next {
    Chunk(Chunk),
    Ended(Ended),
}

/// How a pass over the file has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// At the end of the file.
    Through,
    /// There are so many errors that nobody reads more.
    Enough,
    /// Somebody wants it to stop.
    Stopped(JobState),
}

// ------------------------------------------------------------------------------------- partial

/// Each chunk in a transaction of its own.
async fn partial(import: &Arc<Import>) -> Result<End, AppError> {
    let passes: &[Pass] = if import.needs_links() && !import.job.options.dry_run {
        &[Pass::Write, Pass::Link]
    } else {
        &[Pass::Write]
    };
    let mut counts = import.counts();
    let chunks = import.chunks();
    let mut position = import.task.job.position;
    for (index, pass) in passes.iter().enumerate() {
        let before = index as i64 * chunks;
        let from = (position - before).max(0);
        if from >= chunks {
            continue;
        }
        let mut chunks = import.each_chunk(from);
        let ended = loop {
            let chunk = match chunks.next().await? {
                Next::Chunk(chunk) => Arc::new(chunk),
                Next::Ended(ended) => break ended,
            };
            let next = before + chunk.number + 1;
            counts = one_chunk(import, chunk, *pass, next, counts).await?;
            position = next;
            import.task.report(&json!(counts));
        };
        if let Ended::Stopped(state) = ended {
            return Ok(End::of(state, json!(counts), position));
        }
    }
    Ok(End::of(JobState::Done, json!(counts), position))
}

/// Writes a chunk and moves the job behind it; in a dry run, only the job.
async fn one_chunk(
    import: &Arc<Import>,
    chunk: Arc<Chunk>,
    pass: Pass,
    next: i64,
    counts: ImportCounts,
) -> Result<ImportCounts, AppError> {
    let is_dry = import.job.options.dry_run;
    let kept: Arc<Mutex<Option<(Part, ImportCounts)>>> = Arc::default();
    let shared = (Arc::clone(import), Arc::clone(&chunk), Arc::clone(&kept));
    let done = import
        .task
        .workspace
        .transact_long(&import.task.caller, move |unit: Unit| {
            let (import, chunk, kept) = shared.clone();
            Box::pin(async move {
                let (part, counts) = in_transaction(&unit, &import, &chunk, pass, counts).await?;
                if is_dry {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    *kept = Some((part, counts));
                    // An error is what makes the transaction roll back.
                    return Err(AppError::bad_input("a dry run"));
                }
                import.task.keep(&unit, chunk.number, &part).await?;
                import.task.advance(&unit, next, &json!(counts)).await?;
                Ok(counts)
            })
        })
        .await;
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((part, counts)) = kept else {
        return done;
    };
    let errors = Part {
        errors: part.errors,
        ..Part::default()
    };
    import
        .task
        .note(chunk.number, &errors, next, &json!(counts))
        .await?;
    Ok(counts)
}

// --------------------------------------------------------------------------------- all or none

/// What came of a transaction that shall not stay.
struct Undone {
    ended: Ended,
    counts: ImportCounts,
    errors: Vec<RowError>,
}

/// All chunks in one transaction, and the end of the job with them.
async fn all_or_none(import: &Arc<Import>) -> Result<End, AppError> {
    let undone: Arc<Mutex<Option<Undone>>> = Arc::default();
    let shared = (Arc::clone(import), Arc::clone(&undone));
    let done = import
        .task
        .workspace
        .transact_long(&import.task.caller, move |unit: Unit| {
            let (import, undone) = shared.clone();
            Box::pin(async move {
                let (counts, errors, ended) = all_in_transaction(&unit, &import).await?;
                if ended == Ended::Through && errors.is_empty() && !import.job.options.dry_run {
                    let counts = json!(counts);
                    let end = JobEnd {
                        state: JobState::Done.name(),
                        error: None,
                        counts: &counts.to_string(),
                        position: import.chunks(),
                        file: None,
                        at: crate::clock::now_micros(),
                    };
                    import.task.end_in(&unit, &end).await?;
                    return Ok(counts);
                }
                *undone.lock().unwrap_or_else(PoisonError::into_inner) = Some(Undone {
                    ended,
                    counts,
                    errors,
                });
                // An error is what makes the transaction roll back.
                Err(AppError::bad_input("the import is not carried out"))
            })
        })
        .await;
    let undone = undone.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (undone, error) = match (done, undone) {
        (Ok(counts), _) => {
            return Ok(End {
                is_committed: true,
                ..End::of(JobState::Done, counts, import.chunks())
            });
        }
        (Err(error), None) => return Err(error),
        (Err(error), Some(undone)) => (undone, error),
    };
    let counts = json!(undone.counts);
    if let Ended::Stopped(state) = undone.ended {
        // Nothing has been done, so all of it is to be done.
        return Ok(End::of(state, json!(import.counts()), 0));
    }
    if undone.errors.is_empty() {
        return Ok(End::of(JobState::Done, counts, 0));
    }
    let part = Part {
        errors: undone.errors,
        ..Part::default()
    };
    import.task.note(0, &part, 0, &counts).await?;
    let mut end = End::of(JobState::Failed, counts, 0);
    if import.job.options.dry_run {
        end.state = JobState::Done;
    } else {
        end.error = Some(JobError::of(&error));
    }
    Ok(end)
}

async fn all_in_transaction(
    unit: &Unit,
    import: &Arc<Import>,
) -> Result<(ImportCounts, Vec<RowError>, Ended), AppError> {
    let mut counts = ImportCounts {
        rows: import.source.rows,
        ..ImportCounts::default()
    };
    let mut errors: Vec<RowError> = Vec::new();
    for pass in [Pass::Write, Pass::Link] {
        if pass == Pass::Link && (!import.needs_links() || !errors.is_empty()) {
            break;
        }
        let mut chunks = import.each_chunk(0);
        let ended = loop {
            let chunk = match chunks.next().await? {
                Next::Chunk(chunk) => chunk,
                Next::Ended(ended) => break ended,
            };
            let (part, now) = in_transaction(unit, import, &chunk, pass, counts).await?;
            counts = now;
            import.task.report(&json!(counts));
            import.task.keep(unit, chunk.number, &part).await?;
            errors.extend(part.errors);
            if errors.len() >= ERRORS_MAX {
                break Ended::Enough;
            }
        };
        if ended != Ended::Through {
            return Ok((counts, errors, ended));
        }
    }
    Ok((counts, errors, Ended::Through))
}

// ------------------------------------------------------------------------------------ a chunk

async fn in_transaction(
    unit: &Unit,
    import: &Import,
    chunk: &Chunk,
    pass: Pass,
    counts: ImportCounts,
) -> Result<(Part, ImportCounts), AppError> {
    let plan = import.plan_of(unit)?;
    let rows = plan.mapping.rows(&chunk.raw, &unit.state().directory);
    match pass {
        Pass::Write => {
            let create_missing = import.job.options.create_missing;
            let (part, mut counts) = written(unit, &plan, rows, create_missing, counts).await?;
            counts.skipped += chunk.skipped;
            counts.done += chunk.skipped + chunk.raw.len() as u64;
            Ok((part, counts))
        }
        Pass::Link => {
            let part = import.task.part(unit, chunk.number).await?;
            linked(unit, &plan, rows, part, counts).await
        }
    }
}

async fn written(
    unit: &Unit,
    plan: &Plan,
    rows: Rows,
    create_missing: bool,
    mut counts: ImportCounts,
) -> Result<(Part, ImportCounts), AppError> {
    let (object, mapping) = (plan.object, &plan.mapping);
    let all: Vec<&Row> = rows.rows.iter().collect();
    let targets = Targets::find(unit, object, mapping, &all, Which::Others, create_missing).await?;
    let mut errors = rows.errors;
    counts.bad += rows.bad;
    let mut lines = Vec::with_capacity(all.len());
    let mut keyed = Vec::with_capacity(all.len());
    for row in rows.rows {
        match targets.of(mapping, object, &row, Which::Others) {
            Ok(relations) => {
                lines.push(row.line);
                let mut data = row.keyed.data;
                data.extend(relations);
                keyed.push(KeyedRow {
                    id: row.keyed.id,
                    data,
                });
            }
            Err(faults) => {
                counts.bad += 1;
                errors.extend(faults);
            }
        }
    }
    let done =
        records::record_write_keyed(unit, object, &keyed, plan.found_by(), plan.keyed()).await?;
    for row in &done.errors {
        counts.bad += 1;
        errors.extend(row_errors(mapping, &row.error, lines[row.index]));
    }
    let mut part = Part::default();
    for row in done.done {
        *match (row.before, row.after) {
            (0, _) => &mut counts.created,
            (before, after) if before == after => &mut counts.unchanged,
            _ => &mut counts.updated,
        } += 1;
        part.written.push(WrittenRow {
            line: lines[row.index],
            id: row.id,
            before: row.before,
            after: row.after,
        });
    }
    counts.related += targets.made.len() as u64;
    let catalogue = unit.catalogue();
    part.made = targets
        .made
        .into_iter()
        .map(|(object, id)| (catalogue.object(object).key.clone(), id))
        .collect();
    counts.errors += errors.len() as u64;
    errors.sort_by_key(|error| error.line);
    part.errors = errors;
    Ok((part, counts))
}

/// Relations to records of the same object, when all rows are there.
async fn linked(
    unit: &Unit,
    plan: &Plan,
    rows: Rows,
    mut part: Part,
    mut counts: ImportCounts,
) -> Result<(Part, ImportCounts), AppError> {
    let (object, mapping) = (plan.object, &plan.mapping);
    let places: HashMap<u64, usize> = part
        .written
        .iter()
        .enumerate()
        .map(|(place, row)| (row.line, place))
        .collect();
    let all: Vec<&Row> = rows
        .rows
        .iter()
        .filter(|row| places.contains_key(&row.line))
        .collect();
    let targets = Targets::find(unit, object, mapping, &all, Which::Own, false).await?;
    let mut errors = Vec::new();
    let (mut lines, mut keyed) = (Vec::new(), Vec::new());
    for row in all {
        match targets.of(mapping, object, row, Which::Own) {
            Ok(mut data) => {
                data.extend(row.own.clone());
                if !data.is_empty() {
                    lines.push(row.line);
                    keyed.push(KeyedRow {
                        id: Some(part.written[places[&row.line]].id),
                        data,
                    });
                }
            }
            Err(faults) => {
                counts.bad += 1;
                errors.extend(faults);
            }
        }
    }
    let done =
        records::record_write_keyed(unit, object, &keyed, FoundBy::Id, Keyed::Update).await?;
    for row in done.errors {
        counts.bad += 1;
        errors.extend(row_errors(mapping, &row.error, lines[row.index]));
    }
    for row in done.done {
        let written = &mut part.written[places[&lines[row.index]]];
        if written.before == written.after && row.after > row.before {
            counts.unchanged -= 1;
            counts.updated += 1;
        }
        written.after = written.after.max(row.after);
    }
    counts.errors += errors.len() as u64;
    part.errors.extend(errors);
    Ok((part, counts))
}

/// What a failed write says about its row.
fn row_errors(mapping: &Mapping, error: &AppError, line: u64) -> Vec<RowError> {
    let issues = records::issues_of(error);
    let of_issue = |issue: relata_catalog::Issue| {
        let names: Vec<&str> = issue
            .path
            .iter()
            .filter_map(|segment| match segment {
                PathSegment::Name(name) => Some(name.as_str()),
                PathSegment::Index(_) => None,
            })
            .collect();
        RowError {
            line,
            column: mapping.column_of(&names),
            code: issue.code.clone(),
            message: issue.message.clone(),
        }
    };
    issues.0.into_iter().map(of_issue).collect()
}
