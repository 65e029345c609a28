//! Jobs: work that outlives the request that asked for it.

use async_graphql::{Context, Enum, ID, Object, Result};
use relata_app::imports::{self, ERRORS_MAX};
use relata_app::jobs::{self, JobInfo};
use serde_json::json;

use super::error::graphql;
use super::scalars::{DateTime, JsonScalar};
use super::{Administrator, caller, uuid, workspace};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "jobs::JobKind")]
enum JobKind {
    /// Brings a file in.
    Import,
    /// Takes an import back.
    Undo,
    /// Writes records to a file.
    Export,
    /// Looks for records that may be the same.
    Duplicates,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "jobs::JobState")]
enum JobState {
    /// It waits: jobs are done one after the other.
    Queued,
    /// Somebody works on it.
    Running,
    /// It has done what it could.
    Done,
    /// It has done nothing more since something was wrong.
    Failed,
    /// Somebody has stopped it. What it had done until then stays.
    Cancelled,
    /// What it had done was taken back.
    Undone,
}

/// Work that outlives the request that asked for it.
pub(super) struct Job(pub(super) JobInfo);

/// Work that outlives the request that asked for it.
#[Object]
impl Job {
    /// Id; grows with time.
    async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// What it does.
    async fn kind(&self) -> JobKind {
        self.0.kind.into()
    }

    /// Where it stands.
    async fn state(&self) -> JobState {
        self.0.state.into()
    }

    /// Who asked for it: `user:<id>`, `token:<id>` or `system`.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// What was asked for.
    async fn options(&self) -> JsonScalar {
        JsonScalar(self.0.options.clone())
    }

    /// Id of the file that it reads, or has made; `GET /files/{id}` gives it.
    async fn file(&self) -> Option<ID> {
        self.0.file.map(ID::from)
    }

    /// How far it is. Of an import: `{rows, done, skipped, created, updated, unchanged, related,
    /// bad, errors}`; of an export `{records, done}`; of a search for duplicates `{records, done,
    /// pairs, sets}`.
    async fn counts(&self) -> JsonScalar {
        JsonScalar(self.0.counts.clone())
    }

    /// Why it failed: `{code, message, issues}`.
    async fn error(&self) -> Option<JsonScalar> {
        self.0.error.as_ref().map(|error| JsonScalar(json!(error)))
    }

    /// What is wrong with rows: `[{line, column, code, message}]`, the first so many, at most
    /// 1,000.
    async fn errors(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: u16,
    ) -> Result<JsonScalar> {
        let first = usize::from(first).min(ERRORS_MAX);
        imports::import_errors(workspace(context), caller(context), self.0.id, first)
            .await
            .map(|errors| JsonScalar(json!(errors)))
            .map_err(graphql)
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When somebody began to work on it.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime)
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}

#[derive(Default)]
pub(super) struct JobQuery;

#[Object(guard = "Administrator")]
impl JobQuery {
    /// The job with this id.
    async fn job(&self, context: &Context<'_>, id: ID) -> Result<Option<Job>> {
        let Ok(id) = id.parse() else {
            return Ok(None);
        };
        jobs::job_get(workspace(context), caller(context), id)
            .await
            .map(|job| job.map(Job))
            .map_err(graphql)
    }

    /// Jobs, newest first: at most 500, older than the job `after`.
    async fn jobs(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: u64,
        after: Option<ID>,
    ) -> Result<Vec<Job>> {
        let after = after.map(|id| uuid(&id, "job")).transpose()?;
        jobs::jobs_list(workspace(context), caller(context), first, after)
            .await
            .map(|jobs| jobs.into_iter().map(Job).collect())
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct JobMutation;

#[Object(guard = "Administrator")]
impl JobMutation {
    /// Stops a job. What it has done until then stays; of an import that is all or nothing, nothing
    /// does.
    async fn cancel_job(&self, context: &Context<'_>, id: ID) -> Result<Job> {
        let id = uuid(&id, "job")?;
        jobs::job_cancel(workspace(context), caller(context), id)
            .await
            .map(Job)
            .map_err(graphql)
    }
}
