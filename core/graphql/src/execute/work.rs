//! What a mutation does in its transaction, as often as the transaction is tried.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use relata_app::{
    AppError, Unit,
    duplicates::distinct::{duplicates_dismiss, duplicates_undismiss},
    idempotency::{self, Repeatable},
    operations,
    records::{
        MergeRequest, Written, record_create, record_delete, record_destroy, record_merge,
        record_restore, record_unmerge, record_update,
    },
};
use relata_catalog::{ObjectIndex, Value};
use relata_store::{Record, read::Parameter};
use serde_json::{Map, Value as Json};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{Reading, bulk::BulkJob};
use crate::plan::pick;

/// A change with its values: everything that a further try needs.
pub(super) enum Write {
    Create {
        data: Map<String, Json>,
    },
    Update {
        id: Uuid,
        data: Map<String, Json>,
        if_version: Option<i64>,
    },
    Delete {
        id: Uuid,
    },
    Restore {
        id: Uuid,
    },
    Destroy {
        id: Uuid,
    },
    Merge(MergeRequest),
}

/// One root field of a mutation.
pub(super) enum Job {
    Write {
        object: ObjectIndex,
        write: Write,
        read: Option<Reading>,
    },
    Bulk(Box<BulkJob>),
    Unmerge {
        object: ObjectIndex,
        id: Uuid,
        picked: pick::Picked,
    },
    Dismiss {
        object: ObjectIndex,
        ids: Vec<Uuid>,
        is_taken_back: bool,
    },
    Plugin {
        field: String,
        arguments: Map<String, Json>,
        pick: pick::Picked,
    },
    Known(Bytes),
}

/// All root fields of a mutation, as often as the transaction is tried.
pub(super) struct Work {
    pub(super) jobs: Vec<Job>,
    /// Their response keys.
    pub(super) keys: Vec<String>,
    /// Where the client may send the request again.
    pub(super) repeatable: Option<Repeatable>,
    /// Of the catalogue that the jobs were made for.
    pub(super) revision: u64,
    /// The job at hand: where a failure belongs.
    pub(super) reached: AtomicUsize,
    /// The transaction sees another revision.
    pub(super) moved: AtomicBool,
    /// Nothing was begun: the request itself is not one to carry out.
    pub(super) refused: AtomicBool,
}

/// What a mutation came to.
pub(super) enum Done {
    /// What each root field answers.
    Now(Vec<Bytes>),
    /// It was carried out before; the whole response.
    Before(Bytes),
}

impl Work {
    pub(super) fn run(self: Arc<Self>, unit: Unit) -> BoxFuture<'static, Result<Done, AppError>> {
        Box::pin(async move {
            if unit.state().revision != self.revision {
                self.moved.store(true, Ordering::Relaxed);
                return Err(AppError::Unavailable(
                    "the catalogue has moved on".to_owned(),
                ));
            }
            if let Some(repeatable) = &self.repeatable {
                match idempotency::answer_before(&unit, repeatable).await {
                    Ok(Some(body)) => return Ok(Done::Before(Bytes::from(body))),
                    Ok(None) => {}
                    Err(error) => {
                        let is_refusal = matches!(error, AppError::BadInput { .. });
                        self.refused.store(is_refusal, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
            let mut written = Vec::with_capacity(self.jobs.len());
            for (position, job) in self.jobs.iter().enumerate() {
                self.reached.store(position, Ordering::Relaxed);
                written.push(job.run(&unit).await?);
            }
            self.reached.store(self.jobs.len(), Ordering::Relaxed);
            if let Some(repeatable) = &self.repeatable {
                let members = self.keys.iter().map(String::as_str).zip(&written);
                let body = super::body("", Some(members));
                idempotency::answer_keep(&unit, repeatable, &body).await?;
            }
            Ok(Done::Now(written))
        })
    }
}

impl Job {
    /// Whether it may take much longer than a change of one record: others that are done must not
    /// wait for it.
    pub(super) fn may_take_long(&self) -> bool {
        match self {
            Self::Known(_) | Self::Dismiss { .. } => false,
            Self::Bulk(_) | Self::Plugin { .. } | Self::Unmerge { .. } => true,
            // Others may go with it.
            Self::Write { write, .. } => {
                !matches!(write, Write::Create { .. } | Write::Update { .. })
            }
        }
    }

    async fn run(&self, unit: &Unit) -> Result<Bytes, AppError> {
        match self {
            Self::Known(bytes) => Ok(bytes.clone()),
            Self::Bulk(job) => job.run(unit).await,
            Self::Unmerge { object, id, picked } => {
                let undone = record_unmerge(unit, *object, *id).await?;
                let json = picked.apply(&super::merge::json_of_undone(&undone));
                Ok(Bytes::from(json.to_string()))
            }
            Self::Dismiss {
                object,
                ids,
                is_taken_back,
            } => {
                let pairs = match is_taken_back {
                    false => duplicates_dismiss(unit, *object, ids).await?,
                    true => duplicates_undismiss(unit, *object, ids).await?,
                };
                Ok(Bytes::from(pairs.to_string()))
            }
            Self::Plugin {
                field,
                arguments,
                pick,
            } => {
                let result =
                    operations::operation_call(unit, field, Json::Object(arguments.clone()))
                        .await?;
                Ok(Bytes::from(pick.apply(&result).to_string()))
            }
            Self::Write {
                object,
                write,
                read,
            } => {
                let written = write.run(unit, *object).await?;
                let Some(read) = read else {
                    return Ok(Bytes::from(format!("\"{}\"", written.id)));
                };
                if let Some(record) = &written.record
                    && let Some(json) = write_known(unit, read, record)?
                {
                    return Ok(Bytes::from(json));
                }
                let id = Parameter::Value(Value::Reference(written.id));
                Ok(Bytes::from(read_back(unit, read, id).await?))
            }
        }
    }
}

/// What is selected of records that were written, as their transaction sees them. They are its
/// first parameter, which no client gives.
pub(super) async fn read_back(
    unit: &Unit,
    (compiled, parameters): &Reading,
    written: Parameter,
) -> Result<Vec<u8>, AppError> {
    let parameters = of_written(parameters, written);
    let json = unit
        .workspace()
        .reader()
        .run_in(
            unit.transaction(),
            compiled,
            &parameters,
            &*unit.state().directory,
        )
        .instrument(tracing::debug_span!("sql"))
        .await?;
    Ok(json)
}

/// What is selected of a record that is at hand, where that is its own row alone.
fn write_known(
    unit: &Unit,
    (compiled, parameters): &Reading,
    record: &Record,
) -> Result<Option<Vec<u8>>, AppError> {
    let json = unit.workspace().reader().write_known(
        compiled,
        unit.catalogue(),
        record,
        &of_written(parameters, Parameter::Value(Value::Reference(record.id))),
        &*unit.state().directory,
    )?;
    Ok(json)
}

fn of_written(parameters: &[Parameter], written: Parameter) -> Vec<Parameter> {
    let mut parameters = parameters.to_vec();
    if let Some(first) = parameters.first_mut() {
        *first = written;
    }
    parameters
}

impl Write {
    /// What the client gave; nothing where there is none.
    pub(super) fn data(&self) -> Option<&Map<String, Json>> {
        match self {
            Self::Create { data } | Self::Update { data, .. } => Some(data),
            Self::Merge(request) => Some(&request.data),
            Self::Delete { .. } | Self::Restore { .. } | Self::Destroy { .. } => None,
        }
    }

    /// Carries it out. Paths of issues begin at the argument.
    async fn run(&self, unit: &Unit, object: ObjectIndex) -> Result<Written, AppError> {
        let unread = |id| Written { id, record: None };
        let in_data = |error: AppError| match error {
            error @ AppError::VersionConflict { .. } => error,
            error => error.at("data"),
        };
        match self {
            Self::Create { data } => record_create(unit, object, data).await.map_err(in_data),
            Self::Update {
                id,
                data,
                if_version,
            } => record_update(unit, object, *id, data, *if_version)
                .await
                .map_err(in_data),
            Self::Delete { id } => record_delete(unit, object, *id).await.map(|()| unread(*id)),
            Self::Restore { id } => record_restore(unit, object, *id)
                .await
                .map(|()| unread(*id)),
            Self::Destroy { id } => record_destroy(unit, object, *id)
                .await
                .map(|()| unread(*id)),
            Self::Merge(request) => record_merge(unit, object, request).await,
        }
    }
}
