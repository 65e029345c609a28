//! Jobs: what is to be done, how far it is, who does it, and what became of each part.
//!
//! A job belongs to whoever has claimed it last ([`Job::claim`]). Moving it on asks for that number
//! in the same transaction as the work, so that of two who both believe to have it, one commits.

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::database::{Backend, Database};
use crate::error::StoreError;
use crate::transaction::Transaction;

/// Waits for somebody to take it.
pub const QUEUED: &str = "QUEUED";
/// Somebody has taken it.
pub const RUNNING: &str = "RUNNING";

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// UUIDv7: jobs are taken in this order.
    pub id: Uuid,
    /// What it does.
    pub kind: String,
    /// [`QUEUED`], [`RUNNING`], or how it has ended.
    pub state: String,
    /// On whose behalf, JSON.
    pub caller: String,
    /// What was asked for, JSON.
    pub options: String,
    /// The file that it reads, or that it has made.
    pub file: Option<Uuid>,
    /// How often it was taken.
    pub claim: i64,
    /// How far it is, in steps of its own.
    pub position: i64,
    /// What has been done so far, JSON.
    pub counts: String,
    /// Why it failed, JSON.
    pub error: Option<String>,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub created_at: i64,
    /// Likewise, when it was first taken.
    pub started_at: Option<i64>,
    /// Likewise, when it ended.
    pub ended_at: Option<i64>,
}

/// Who works on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLease {
    /// The process.
    pub holder: Uuid,
    /// Until when nobody else takes it; microseconds since 1970-01-01T00:00:00Z.
    pub until: i64,
    /// Whether it shall stop.
    pub cancelled: bool,
}

/// How a job has ended.
#[derive(Debug, Clone, Copy)]
pub struct JobEnd<'a> {
    /// The state.
    pub state: &'a str,
    /// See [`Job::error`].
    pub error: Option<&'a str>,
    /// See [`Job::counts`].
    pub counts: &'a str,
    /// See [`Job::position`].
    pub position: i64,
    /// The file that it has made, if it has made one.
    pub file: Option<Uuid>,
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_job")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub state: String,
        pub caller: String,
        pub options: String,
        pub file: Option<Uuid>,
        pub claim: i64,
        pub position: i64,
        pub counts: String,
        pub error: Option<String>,
        pub created_at: i64,
        pub started_at: Option<i64>,
        pub ended_at: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod lease {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_job_lease")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job: Uuid,
        pub holder: Uuid,
        pub until: i64,
        pub cancelled: bool,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod part {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_job_part")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub part: i64,
        pub body: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for Job {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            caller: row.caller,
            options: row.options,
            file: row.file,
            claim: row.claim,
            position: row.position,
            counts: row.counts,
            error: row.error,
            created_at: row.created_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
        }
    }
}

impl From<lease::Model> for JobLease {
    fn from(row: lease::Model) -> Self {
        Self {
            holder: row.holder,
            until: row.until,
            cancelled: row.cancelled,
        }
    }
}

impl From<part::Model> for (i64, String) {
    fn from(row: part::Model) -> Self {
        (row.part, row.body)
    }
}

impl Transaction {
    /// Adds a job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_job(&self, job: &Job) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: ActiveValue::Set(job.id),
            kind: ActiveValue::Set(job.kind.clone()),
            state: ActiveValue::Set(job.state.clone()),
            caller: ActiveValue::Set(job.caller.clone()),
            options: ActiveValue::Set(job.options.clone()),
            file: ActiveValue::Set(job.file),
            claim: ActiveValue::Set(job.claim),
            position: ActiveValue::Set(job.position),
            counts: ActiveValue::Set(job.counts.clone()),
            error: ActiveValue::Set(job.error.clone()),
            created_at: ActiveValue::Set(job.created_at),
            started_at: ActiveValue::Set(job.started_at),
            ended_at: ActiveValue::Set(job.ended_at),
        };
        let result = row::Entity::insert(row)
            .exec_without_returning(&self.statements())
            .await;
        self.explained(result).await.map(|_| ())
    }

    /// Which of these files jobs refer to.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn files_of_jobs(&self, files: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let found = row::Entity::find()
            .select_only()
            .column(row::Column::File)
            .filter(row::Column::File.is_in(files.iter().copied()))
            .into_tuple()
            .all(&self.statements())
            .await;
        self.explained(found).await
    }

    /// A job, as this transaction sees it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn job(&self, id: Uuid) -> Result<Option<Job>, StoreError> {
        let found = row::Entity::find_by_id(id).one(&self.statements()).await;
        Ok(self.explained(found).await?.map(Job::from))
    }

    /// Takes the next job for a process, until an instant: one whose process is gone, else the
    /// oldest that waits. None while another one is at work: they go one after the other.
    ///
    /// # Errors
    /// [`StoreError::Retryable`] when another process takes one at the same time.
    pub async fn claim_job(
        &self,
        holder: Uuid,
        now: i64,
        until: i64,
    ) -> Result<Option<Job>, StoreError> {
        let found = row::Entity::find()
            .filter(row::Column::State.is_in([QUEUED, RUNNING]))
            .order_by_asc(row::Column::State.eq(QUEUED))
            .order_by_asc(row::Column::Id)
            .limit(1)
            .one(&self.statements())
            .await;
        let Some(mut job) = self.explained(found).await?.map(Job::from) else {
            return Ok(None);
        };
        let found = lease::Entity::find_by_id(job.id)
            .one(&self.statements())
            .await;
        let known = self.explained(found).await?.map(JobLease::from);
        if let Some(lease) = known.filter(|_| job.state == RUNNING) {
            // SQLite has one process: whoever else had it is gone.
            let is_alive = match self.backend() {
                Backend::Sqlite => lease.holder == holder,
                Backend::Postgres => lease.until > now,
            };
            if is_alive {
                return Ok(None);
            }
        }
        job.claim += 1;
        job.state = RUNNING.to_owned();
        job.started_at = job.started_at.or(Some(now));
        let change = row::ActiveModel {
            claim: ActiveValue::Set(job.claim),
            state: ActiveValue::Set(job.state.clone()),
            started_at: ActiveValue::Set(job.started_at),
            ..Default::default()
        };
        let updated = row::Entity::update_many()
            .set(change)
            .filter(row::Column::Id.eq(job.id))
            .exec(&self.statements())
            .await;
        self.explained(updated).await?;
        let deleted = lease::Entity::delete_by_id(job.id)
            .exec(&self.statements())
            .await;
        self.explained(deleted).await?;
        let row = lease::ActiveModel {
            job: ActiveValue::Set(job.id),
            holder: ActiveValue::Set(holder),
            until: ActiveValue::Set(until),
            // Who wants it to stop wants so of whoever does it.
            cancelled: ActiveValue::Set(known.is_some_and(|lease| lease.cancelled)),
        };
        let inserted = lease::Entity::insert(row)
            .exec_without_returning(&self.statements())
            .await;
        self.explained(inserted).await?;
        Ok(Some(job))
    }

    /// Says that a process still works on a job. False when another one has it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn renew_job(&self, job: Uuid, holder: Uuid, until: i64) -> Result<bool, StoreError> {
        let change = lease::ActiveModel {
            until: ActiveValue::Set(until),
            ..Default::default()
        };
        let updated = lease::Entity::update_many()
            .set(change)
            .filter(lease::Column::Job.eq(job))
            .filter(lease::Column::Holder.eq(holder))
            .exec(&self.statements())
            .await;
        Ok(self.explained(updated).await?.rows_affected > 0)
    }

    /// Asks whoever works on a job to stop.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cancel_job(&self, job: Uuid) -> Result<bool, StoreError> {
        let change = lease::ActiveModel {
            cancelled: ActiveValue::Set(true),
            ..Default::default()
        };
        let updated = lease::Entity::update_many()
            .set(change)
            .filter(lease::Column::Job.eq(job))
            .exec(&self.statements())
            .await;
        Ok(self.explained(updated).await?.rows_affected > 0)
    }

    /// Moves a job on. False, with nothing changed, when another one has it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn advance_job(
        &self,
        job: Uuid,
        claim: i64,
        position: i64,
        counts: &str,
    ) -> Result<bool, StoreError> {
        let change = row::ActiveModel {
            position: ActiveValue::Set(position),
            counts: ActiveValue::Set(counts.to_owned()),
            ..Default::default()
        };
        let updated = row::Entity::update_many()
            .set(change)
            .filter(row::Column::Id.eq(job))
            .filter(row::Column::Claim.eq(claim))
            .filter(row::Column::State.eq(RUNNING))
            .exec(&self.statements())
            .await;
        Ok(self.explained(updated).await?.rows_affected > 0)
    }

    /// Ends a job. False, with nothing changed, when another one has it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_job(
        &self,
        job: Uuid,
        claim: i64,
        end: &JobEnd<'_>,
    ) -> Result<bool, StoreError> {
        let change = row::ActiveModel {
            state: ActiveValue::Set(end.state.to_owned()),
            error: ActiveValue::Set(end.error.map(str::to_owned)),
            counts: ActiveValue::Set(end.counts.to_owned()),
            position: ActiveValue::Set(end.position),
            file: end
                .file
                .map_or(ActiveValue::NotSet, |file| ActiveValue::Set(Some(file))),
            ended_at: ActiveValue::Set(Some(end.at)),
            ..Default::default()
        };
        let updated = row::Entity::update_many()
            .set(change)
            .filter(row::Column::Id.eq(job))
            .filter(row::Column::Claim.eq(claim))
            .exec(&self.statements())
            .await;
        if self.explained(updated).await?.rows_affected == 0 {
            return Ok(false);
        }
        let deleted = lease::Entity::delete_by_id(job)
            .exec(&self.statements())
            .await;
        self.explained(deleted).await?;
        Ok(true)
    }

    /// Gives a job that nobody works on another state. False when it was in none of `from`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_job_state(
        &self,
        job: Uuid,
        from: &[&str],
        to: &str,
        ended_at: i64,
    ) -> Result<bool, StoreError> {
        let change = row::ActiveModel {
            state: ActiveValue::Set(to.to_owned()),
            ended_at: ActiveValue::Set(Some(ended_at)),
            ..Default::default()
        };
        let updated = row::Entity::update_many()
            .set(change)
            .filter(row::Column::Id.eq(job))
            .filter(row::Column::State.is_in(from.iter().copied()))
            .exec(&self.statements())
            .await;
        Ok(self.explained(updated).await?.rows_affected > 0)
    }

    /// Keeps what became of a part of a job, in the place of what was kept of it before.
    ///
    /// # Errors
    /// What the database says.
    pub async fn put_job_part(&self, job: Uuid, part: i64, body: &str) -> Result<(), StoreError> {
        let deleted = part::Entity::delete_by_id((job, part))
            .exec(&self.statements())
            .await;
        self.explained(deleted).await?;
        let row = part::ActiveModel {
            job: ActiveValue::Set(job),
            part: ActiveValue::Set(part),
            body: ActiveValue::Set(body.to_owned()),
        };
        let inserted = part::Entity::insert(row)
            .exec_without_returning(&self.statements())
            .await;
        self.explained(inserted).await.map(|_| ())
    }

    /// What became of a part of a job, as this transaction sees it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn job_part(&self, job: Uuid, part: i64) -> Result<Option<String>, StoreError> {
        let found = part::Entity::find_by_id((job, part))
            .one(&self.statements())
            .await;
        Ok(self.explained(found).await?.map(|part| part.body))
    }

    /// Forgets jobs that ended before an instant, with their parts and files.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prune_jobs(&self, before: i64) -> Result<u64, StoreError> {
        /// Parts of a large import are many; the rest goes the next time.
        const AT_ONCE: u64 = 20;
        let found = row::Entity::find()
            .filter(row::Column::EndedAt.lt(before))
            .limit(AT_ONCE)
            .all(&self.statements())
            .await;
        let jobs = self.explained(found).await?;
        for job in &jobs {
            let deleted = part::Entity::delete_many()
                .filter(part::Column::Job.eq(job.id))
                .exec(&self.statements())
                .await;
            self.explained(deleted).await?;
            let deleted = row::Entity::delete_by_id(job.id)
                .exec(&self.statements())
                .await;
            self.explained(deleted).await?;
        }
        Ok(jobs.len() as u64)
    }
}

impl Database {
    /// A job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn job(&self, id: Uuid) -> Result<Option<Job>, StoreError> {
        let row = row::Entity::find_by_id(id).one(&self.platform()).await?;
        Ok(row.map(Job::from))
    }

    /// Jobs, newest first: at most `first`, older than the job `after`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn jobs(&self, after: Option<Uuid>, first: u64) -> Result<Vec<Job>, StoreError> {
        let mut select = row::Entity::find().order_by_desc(row::Column::Id);
        if let Some(after) = after {
            select = select.filter(row::Column::Id.lt(after));
        }
        let rows = select.limit(first).all(&self.platform()).await?;
        Ok(rows.into_iter().map(Job::from).collect())
    }

    /// Whether anything waits for somebody to take it, or for whoever has it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn has_open_jobs(&self) -> Result<bool, StoreError> {
        let found = row::Entity::find()
            .filter(row::Column::State.is_in([QUEUED, RUNNING]))
            .limit(1)
            .one(&self.platform())
            .await?;
        Ok(found.is_some())
    }

    /// Who works on a job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn job_lease(&self, job: Uuid) -> Result<Option<JobLease>, StoreError> {
        let row = lease::Entity::find_by_id(job).one(&self.platform()).await?;
        Ok(row.map(JobLease::from))
    }

    /// What became of the parts of a job, in order: at most `first`, from `from` on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn job_parts(
        &self,
        job: Uuid,
        from: i64,
        first: u64,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let rows = part::Entity::find()
            .filter(part::Column::Job.eq(job))
            .filter(part::Column::Part.gte(from))
            .order_by_asc(part::Column::Part)
            .limit(first)
            .all(&self.platform())
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}
