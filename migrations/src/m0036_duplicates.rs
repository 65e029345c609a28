//! Records that may be the same: what the last search over an object has found, and which of them
//! a person has said are different.

use sea_orm_migration::prelude::*;

use crate::spelling::create;

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0036_duplicates"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, TABLES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "relata_distinct",
            "relata_duplicate_set",
            "relata_duplicate_run",
        ] {
            manager
                .drop_table(Table::drop().table(Alias::new(table)).to_owned())
                .await?;
        }
        Ok(())
    }
}

const TABLES: &[&str] = &[
    // Of each object the search whose sets are shown: the last one that has come to its end.
    "CREATE TABLE relata_duplicate_run (
        object {text} PRIMARY KEY NOT NULL,
        run {uuid} NOT NULL,
        at BIGINT NOT NULL
    )",
    // `place` counts from 1, the highest score first; `score` is in ten-thousandths; `members` are
    // ids with blanks between them.
    "CREATE TABLE relata_duplicate_set (
        run {uuid} NOT NULL,
        place BIGINT NOT NULL,
        score BIGINT NOT NULL,
        members {text} NOT NULL,
        PRIMARY KEY (run, place)
    )",
    // `low` is the smaller id.
    "CREATE TABLE relata_distinct (
        low {uuid} NOT NULL,
        high {uuid} NOT NULL,
        object {text} NOT NULL,
        at BIGINT NOT NULL,
        actor {text} NOT NULL,
        PRIMARY KEY (low, high)
    )",
    "CREATE INDEX relata_distinct_high ON relata_distinct (high)",
    "CREATE INDEX relata_distinct_object ON relata_distinct (object)",
];
