//! An import is taken back: what it has created goes to the trash (or for good), what it has
//! changed gets its former values again, from the history. Through the steps of every write.
//!
//! Records that somebody has changed since are left alone and listed, unless that is wanted.

use std::collections::HashMap;

use indexmap::IndexMap;
use relata_catalog::{Kind, Object, ObjectIndex};
use relata_store::{Lock, log::HistoryEntry};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{ImportJob, Part, RowError};
use crate::{
    AppError, Caller, Unit, Workspace,
    access::authorise_admin,
    jobs::{self, End, JobInfo, JobKind, JobState, NewJob, Task},
    records,
};

/// Records of a transaction.
const CHUNK: usize = 200;
/// Entries of a record's history that an import can have made: a row, its relations, and what
/// hooks have added.
const ENTRIES_MAX: u64 = 50;

/// How an import is taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UndoOptions {
    /// Also records that somebody has changed since.
    pub force: bool,
    /// What was created is destroyed, not put into the trash.
    pub destroy: bool,
}

/// What a job of the kind `UNDO` is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct UndoJob {
    job: Uuid,
    #[serde(flatten)]
    options: UndoOptions,
}

/// What has been taken back so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UndoCounts {
    /// Records that the import has written.
    pub records: u64,
    /// Those that have been dealt with.
    pub done: u64,
    /// Records that are gone.
    pub removed: u64,
    /// Records that have their former values.
    pub restored: u64,
    /// Records that stay as they are: somebody has changed them since, or something forbids it.
    pub kept: u64,
}

/// What an import did to one record.
#[derive(Debug, Clone)]
struct Touched {
    object: Option<relata_catalog::Key>,
    line: u64,
    /// 0: it was created.
    before: i64,
    after: i64,
}

/// Has an import taken back, by a job.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `BAD_INPUT` where there is nothing to take back.
pub async fn import_undo(
    workspace: &Workspace,
    caller: &Caller,
    import: Uuid,
    options: UndoOptions,
) -> Result<JobInfo, AppError> {
    authorise_admin(caller)?;
    let job = jobs::job_get(workspace, caller, import)
        .await?
        .filter(|job| job.kind == JobKind::Import)
        .ok_or_else(|| AppError::NotFound(format!("there is no import with the id {import}")))?;
    match job.state {
        JobState::Queued | JobState::Running => {
            return Err(AppError::bad_input(
                "the import is not at its end; cancel it, then undo it",
            ));
        }
        JobState::Undone => return Err(AppError::bad_input("the import is undone already")),
        JobState::Done | JobState::Failed | JobState::Cancelled => {}
    }
    jobs::job_create(
        workspace,
        caller,
        NewJob {
            kind: JobKind::Undo,
            options: json!(UndoJob {
                job: import,
                options
            }),
            counts: json!(UndoCounts::default()),
            file: None,
        },
    )
    .await
}

/// Does what an undo has left to do.
pub(crate) async fn carry_out(task: &Task) -> Result<End, AppError> {
    let undo: UndoJob = task.options()?;
    let import = jobs::job_get(&task.workspace, &Caller::system(), undo.job)
        .await?
        .ok_or_else(|| AppError::NotFound("the import is not kept any more".to_owned()))?;
    let of_import: ImportJob =
        serde_json::from_value(import.options).map_err(|error| AppError::internal(&error))?;
    // The last first: what came later may hang on what came before.
    let mut touched: Vec<(Uuid, Touched)> = touched(&task.workspace, undo.job).await?;
    touched.reverse();
    let mut counts: UndoCounts = serde_json::from_str(&task.job.counts).unwrap_or_default();
    counts.records = touched.len() as u64;
    let mut position = task.job.position;
    for (number, chunk) in touched.chunks(CHUNK).enumerate() {
        let number = number as i64;
        if number < task.job.position {
            continue;
        }
        if let Some(state) = task.is_stopped() {
            return Ok(End::of(state, json!(counts), position));
        }
        counts = one_chunk(task, &undo, &of_import.object, number, chunk, counts).await?;
        position = number + 1;
        task.report(&json!(counts));
    }
    let transaction = task
        .workspace
        .database()
        .begin(relata_store::Turn::First)
        .await?;
    let from = [JobState::Done, JobState::Failed, JobState::Cancelled].map(JobState::name);
    let now = crate::clock::now_micros();
    transaction
        .set_job_state(undo.job, &from, JobState::Undone.name(), now)
        .await?;
    transaction.commit().await?;
    Ok(End::of(JobState::Done, json!(counts), position))
}

/// All records that an import has written, in the order in which it first did.
async fn touched(workspace: &Workspace, job: Uuid) -> Result<Vec<(Uuid, Touched)>, AppError> {
    let mut all: IndexMap<Uuid, Touched> = IndexMap::new();
    let mut from = 0;
    loop {
        let parts = jobs::parts::<Part>(workspace, job, from).await?;
        let Some((last, _)) = parts.last() else {
            return Ok(all.into_iter().collect());
        };
        from = last + 1;
        for (_, part) in parts {
            for (object, id) in part.made {
                all.entry(id).or_insert(Touched {
                    object: Some(object),
                    line: 0,
                    before: 0,
                    after: 1,
                });
            }
            for row in part.written {
                if row.before == row.after {
                    continue;
                }
                let known = all.entry(row.id).or_insert(Touched {
                    object: None,
                    line: row.line,
                    before: row.before,
                    after: row.after,
                });
                // Several rows were about the same record.
                known.after = known.after.max(row.after);
            }
        }
    }
}

async fn one_chunk(
    task: &Task,
    undo: &UndoJob,
    object: &str,
    number: i64,
    chunk: &[(Uuid, Touched)],
    counts: UndoCounts,
) -> Result<UndoCounts, AppError> {
    let records: Vec<(Uuid, i64)> = chunk.iter().map(|(id, _)| (*id, i64::MAX)).collect();
    let history = task
        .workspace
        .database()
        .history_of_many(&records, ENTRIES_MAX)
        .await?;
    let shared = std::sync::Arc::new((
        task.clone(),
        undo.clone(),
        object.to_owned(),
        chunk.to_vec(),
        history,
    ));
    task.workspace
        .transact_long(&task.caller, move |unit: Unit| {
            let shared = std::sync::Arc::clone(&shared);
            Box::pin(async move {
                let (task, undo, object, chunk, history) = &*shared;
                let mut counts = counts;
                let mut errors = Vec::new();
                let since = task.job.started_at.unwrap_or(task.job.created_at);
                for (id, touched) in chunk {
                    let entries = history.get(id).map_or(&[][..], Vec::as_slice);
                    let taken = taken_back(&unit, undo, object, *id, touched, entries, since);
                    let kept = match records::attempt(&unit, taken).await? {
                        Ok(Taken::Removed) => {
                            counts.removed += 1;
                            None
                        }
                        Ok(Taken::Restored) => {
                            counts.restored += 1;
                            None
                        }
                        Ok(Taken::Kept(reason)) => Some(("CHANGED_SINCE".to_owned(), reason)),
                        Err(error) => Some((error.code().to_owned(), error.message())),
                    };
                    if let Some((code, message)) = kept {
                        counts.kept += 1;
                        errors.push(RowError {
                            line: touched.line,
                            column: None,
                            code,
                            message: format!("{id}: {message}"),
                        });
                    }
                }
                counts.done += chunk.len() as u64;
                let part = Part {
                    errors,
                    ..Part::default()
                };
                task.keep(&unit, number, &part).await?;
                task.advance(&unit, number + 1, &json!(counts)).await?;
                Ok(counts)
            })
        })
        .await
}

enum Taken {
    Removed,
    Restored,
    Kept(String),
}

async fn taken_back(
    unit: &Unit,
    undo: &UndoJob,
    object: &str,
    id: Uuid,
    touched: &Touched,
    entries: &[HistoryEntry],
    since: i64,
) -> Result<Taken, AppError> {
    let found = match &touched.object {
        Some(key) => unit.catalogue().object_keyed(key),
        None => unit.catalogue().object_named(object),
    };
    let Some((index, described)) = found else {
        return Ok(Taken::Kept("its object is not there any more".to_owned()));
    };
    let described = described.clone();
    let now = unit.transaction().get(&described, id, Lock::Update).await?;
    let Some(record) = now else {
        return Ok(match touched.before {
            0 => Taken::Removed,
            _ => Taken::Kept("it is not there any more".to_owned()),
        });
    };
    let is_created = touched.before == 0;
    if record.deleted_at.is_some() {
        return Ok(if is_created && !undo.options.destroy {
            Taken::Removed
        } else {
            Taken::Kept("it is in the trash".to_owned())
        });
    }
    let is_ours = |entry: &HistoryEntry| entry.actor == unit.actor_text() && entry.at >= since;
    let others = entries
        .iter()
        .any(|entry| entry.version > touched.after && !is_ours(entry));
    // What went before may have emptied its relations: that was nobody else.
    let is_changed = record.version != touched.after
        && (others || record.updated_by != unit.actor_text() || record.updated_at < since);
    if is_changed && !undo.options.force {
        return Ok(Taken::Kept("somebody has changed it since".to_owned()));
    }
    if is_created {
        remove(unit, index, id, undo.options.destroy).await?;
        return Ok(Taken::Removed);
    }
    let former = former(unit, &described, touched, entries);
    records::record_update(unit, index, id, &former, None).await?;
    Ok(Taken::Restored)
}

async fn remove(unit: &Unit, object: ObjectIndex, id: Uuid, destroy: bool) -> Result<(), AppError> {
    if destroy {
        records::record_destroy(unit, object, id).await
    } else {
        records::record_delete(unit, object, id).await
    }
}

/// The values that fields had before the import has changed them. Fields that are gone stay gone.
fn former(
    unit: &Unit,
    object: &Object,
    touched: &Touched,
    entries: &[HistoryEntry],
) -> Map<String, Json> {
    let mut values: HashMap<&relata_catalog::Key, &Json> = HashMap::new();
    // Newest first: the oldest change of the import is the last to say what was before.
    for entry in entries
        .iter()
        .filter(|entry| entry.version > touched.before && entry.version <= touched.after)
    {
        for change in &entry.fields {
            values.insert(&change.field, &change.old);
        }
    }
    let mut data = Map::new();
    for field in &object.fields {
        let Some(old) = values.get(&field.key) else {
            continue;
        };
        let json = match &field.kind {
            Kind::Autonumber { .. } => continue,
            Kind::Stage => match stage(unit, old) {
                Some(json) => json,
                None => continue,
            },
            _ => (*old).clone(),
        };
        data.insert(field.name.clone(), json);
    }
    data
}

/// Stages stand in the history by their keys, and are written by their names. The way back asks no
/// gate.
fn stage(unit: &Unit, old: &Json) -> Option<Json> {
    let key: relata_catalog::Key = serde_json::from_value(old["pipeline"].clone()).ok()?;
    let pipeline = unit.catalogue().pipeline(&key)?;
    let stage = pipeline.stage(old["stage"].as_str()?)?;
    Some(
        json!({ "to": stage.name, "pipeline": pipeline.name, "override": true, "reason": "import undone" }),
    )
}
