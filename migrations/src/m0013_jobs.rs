//! Work that outlives the request that asked for it: imports, exports, and what undoes them.

use sea_orm_migration::prelude::*;

use crate::spelling::create;

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0013_jobs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, TABLES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["relata_job_part", "relata_job_lease", "relata_job"] {
            manager
                .drop_table(Table::drop().table(Alias::new(table)).to_owned())
                .await?;
        }
        Ok(())
    }
}

const TABLES: &[&str] = &[
    // `caller` (on whose behalf), `options` and `counts` are JSON. `claim` counts who has taken
    // the job: who finds another number has lost it.
    "CREATE TABLE relata_job (
        id {uuid} PRIMARY KEY NOT NULL,
        kind {text} NOT NULL,
        state {text} NOT NULL,
        caller {text} NOT NULL,
        options {text} NOT NULL,
        file {uuid},
        claim BIGINT NOT NULL,
        position BIGINT NOT NULL,
        counts {text} NOT NULL,
        error {text},
        created_at BIGINT NOT NULL,
        started_at BIGINT,
        ended_at BIGINT
    )",
    "CREATE INDEX relata_job_state ON relata_job (state)",
    // Apart from the job's row: who says that it still lives must not be in the way of the
    // transaction that moves the job.
    "CREATE TABLE relata_job_lease (
        job {uuid} PRIMARY KEY NOT NULL,
        holder {uuid} NOT NULL,
        until BIGINT NOT NULL,
        cancelled BOOLEAN NOT NULL
    )",
    // What became of the rows that one step of a job covered, JSON.
    "CREATE TABLE relata_job_part (
        job {uuid} NOT NULL,
        part BIGINT NOT NULL,
        body {text} NOT NULL,
        PRIMARY KEY (job, part)
    )",
];
