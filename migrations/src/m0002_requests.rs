//! What is kept of requests: answers for who asks again, and documents that are named by a hash.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::spelling::create;

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_requests"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, TABLES).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let connection = manager.get_connection();
            connection.execute_unprepared(EXPECT_REVISION).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            let drop = "DROP FUNCTION relata_expect_revision (BIGINT)";
            manager.get_connection().execute_unprepared(drop).await?;
        }
        for table in ["relata_answer", "relata_document"] {
            manager
                .drop_table(Table::drop().table(Alias::new(table)).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// Fails where the catalogue is at another revision, so that a writer learns of it in the round
/// trip in which it takes its turn.
const EXPECT_REVISION: &str = "
    CREATE FUNCTION relata_expect_revision (expected BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT coalesce(max(revision), 0) FROM relata_catalogue) <> expected THEN
            RAISE EXCEPTION 'the catalogue has moved on' USING ERRCODE = 'RL001';
        END IF;
    END $$";

const TABLES: &[&str] = &[
    // The answer to each request that came with an idempotency key. `body` is the SHA-256 of what
    // was asked.
    "CREATE TABLE relata_answer (
        actor {text} NOT NULL,
        key {text} NOT NULL,
        body {bytes} NOT NULL,
        answer {bytes} NOT NULL,
        at BIGINT NOT NULL,
        PRIMARY KEY (actor, key)
    )",
    "CREATE INDEX relata_answer_at ON relata_answer (at)",
    // Documents that clients may name by their SHA-256 instead of sending them.
    "CREATE TABLE relata_document (
        hash {bytes} PRIMARY KEY NOT NULL,
        text {text} NOT NULL,
        actor {text} NOT NULL,
        at BIGINT NOT NULL
    )",
];
