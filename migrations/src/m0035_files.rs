//! What is known of files. Their content lies elsewhere, under the same ids.

use sea_orm_migration::prelude::*;

use crate::spelling::create;

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0035_files"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, TABLES).await?;
        // Files were kept there for a week, on their way into the workspace.
        let uploads = Table::drop().table(Alias::new("relata_upload")).to_owned();
        manager.drop_table(uploads).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let files = Table::drop().table(Alias::new("relata_file")).to_owned();
        manager.drop_table(files).await?;
        create(manager, UPLOADS).await
    }
}

const TABLES: &[&str] = &[
    // A row is there before its content and goes after it. Columns of records point here.
    // `user_id` is who is behind the actor; `unheld_since`, when somebody who looked found that no
    // record holds the file.
    "CREATE TABLE relata_file (
        id {uuid} PRIMARY KEY NOT NULL,
        name {text} NOT NULL,
        content_type {text} NOT NULL,
        size BIGINT NOT NULL,
        sha256 {text} NOT NULL,
        actor {text} NOT NULL,
        user_id {uuid},
        at BIGINT NOT NULL,
        state {text} NOT NULL,
        unheld_since BIGINT
    )",
    "CREATE INDEX relata_file_unfinished ON relata_file (id) WHERE state <> 'KEPT'",
];

const UPLOADS: &[&str] = &["CREATE TABLE relata_upload (
        id {uuid} PRIMARY KEY NOT NULL,
        name {text} NOT NULL,
        bytes {bytes} NOT NULL,
        sha256 {text} NOT NULL,
        actor {text} NOT NULL,
        at BIGINT NOT NULL
    )"];
