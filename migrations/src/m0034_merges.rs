//! Records that were merged away: whose id answers for theirs, and what undoes the merge.

use sea_orm_migration::prelude::*;

use crate::spelling::create;

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0034_merges"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, TABLES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["relata_merge_loser", "relata_merge"] {
            manager
                .drop_table(Table::drop().table(Alias::new(table)).to_owned())
                .await?;
        }
        Ok(())
    }
}

const TABLES: &[&str] = &[
    // `undo` is JSON: what has moved, and what the survivor was before.
    "CREATE TABLE relata_merge (
        id {uuid} PRIMARY KEY NOT NULL,
        object {text} NOT NULL,
        survivor {uuid} NOT NULL,
        at BIGINT NOT NULL,
        actor {text} NOT NULL,
        undo {text} NOT NULL
    )",
    // A row stands as long as the record is in the trash because of the merge. `survivor` may
    // itself have been merged away.
    "CREATE TABLE relata_merge_loser (
        loser {uuid} PRIMARY KEY NOT NULL,
        survivor {uuid} NOT NULL,
        merge {uuid} NOT NULL
    )",
    "CREATE INDEX relata_merge_loser_merge ON relata_merge_loser (merge)",
    "CREATE INDEX relata_merge_loser_survivor ON relata_merge_loser (survivor)",
];
