//! Everything that the first release needs.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::spelling::create;

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_platform"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, TABLES).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(TURN).await?;
        }
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "the first migration is not undone: drop the database instead".to_owned(),
        ))
    }
}

/// Never holds a row: write transactions lock it, shared for the first turn, alone after repeated
/// conflicts and for changes of the catalogue. A lock on a table is taken before the snapshot of
/// a serializable transaction, which an advisory lock inside it is not.
const TURN: &str = "CREATE TABLE relata_turn (nothing BOOLEAN)";

const TABLES: &[&str] = &[
    // One row for each revision of the catalogue: the whole of it, and how it came about.
    "CREATE TABLE relata_catalogue (
        revision BIGINT PRIMARY KEY,
        format BIGINT NOT NULL,
        catalogue {text} NOT NULL,
        steps {text} NOT NULL,
        actor {text} NOT NULL,
        at BIGINT NOT NULL
    )",
    // Tables and columns that were removed from the catalogue. A row stays when its element has
    // been dropped for good, so that a physical name never comes again with another type.
    "CREATE TABLE relata_parked (
        id {serial},
        element {text} NOT NULL,
        object_key {text} NOT NULL,
        field_key {text},
        table_name {text} NOT NULL,
        column_base {text},
        columns {text} NOT NULL,
        revision BIGINT NOT NULL,
        actor {text} NOT NULL,
        since BIGINT NOT NULL,
        dropped_at BIGINT
    )",
    // Gapless numbers, and all numbers on SQLite.
    "CREATE TABLE relata_counter (
        key {text} PRIMARY KEY,
        next BIGINT NOT NULL
    )",
    // What became of each record. `fields` is a JSON list of {field, old, new}.
    "CREATE TABLE relata_history (
        id {serial},
        object {text} NOT NULL,
        record {uuid} NOT NULL,
        version BIGINT NOT NULL,
        at BIGINT NOT NULL,
        actor {text} NOT NULL,
        change {text} NOT NULL,
        fields {text} NOT NULL
    )",
    "CREATE INDEX relata_history_record ON relata_history (record, id)",
    // Passages through pipelines. `seconds`: how long the record had stood in the stage it left.
    "CREATE TABLE relata_passage (
        id {serial},
        object {text} NOT NULL,
        record {uuid} NOT NULL,
        field {text} NOT NULL,
        from_pipeline {text},
        from_stage {text},
        to_pipeline {text},
        to_stage {text},
        at BIGINT NOT NULL,
        seconds BIGINT,
        actor {text} NOT NULL,
        reason {text}
    )",
    "CREATE INDEX relata_passage_record ON relata_passage (record, field, id)",
    // What is told to consumers after the commit. Order: (xact, sequence).
    "CREATE TABLE relata_outbox (
        sequence {serial},
        xact BIGINT NOT NULL,
        object {text} NOT NULL,
        record {uuid} NOT NULL,
        version BIGINT NOT NULL,
        change {text} NOT NULL,
        actor {text} NOT NULL,
        at BIGINT NOT NULL,
        fields {text} NOT NULL
    )",
    "CREATE INDEX relata_outbox_order ON relata_outbox (xact, sequence)",
    "CREATE INDEX relata_outbox_at ON relata_outbox (at)",
    // How far each consumer has come, and which process serves it until when.
    "CREATE TABLE relata_delivery (
        consumer {text} PRIMARY KEY,
        xact BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        attempts BIGINT NOT NULL,
        retry_at BIGINT,
        last_error {text},
        holder {text},
        held_until BIGINT NOT NULL
    )",
    // What a consumer gave up.
    "CREATE TABLE relata_dead_letter (
        id {serial},
        consumer {text} NOT NULL,
        entry {text} NOT NULL,
        error {text} NOT NULL,
        attempts BIGINT NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE INDEX relata_dead_letter_consumer ON relata_dead_letter (consumer, id)",
    "CREATE TABLE relata_user (
        id {uuid} PRIMARY KEY NOT NULL,
        email {text} NOT NULL,
        email_folded {text} NOT NULL,
        name {text} NOT NULL,
        password_hash {text},
        is_admin BOOLEAN NOT NULL,
        locale {text},
        zone {text},
        created_at BIGINT NOT NULL
    )",
    "CREATE UNIQUE INDEX relata_user_email ON relata_user (email_folded)",
    // `hash` is the SHA-256 of a token of 256 random bits: nothing to guess, so nothing to slow.
    "CREATE TABLE relata_token (
        id {uuid} PRIMARY KEY NOT NULL,
        user_id {uuid} NOT NULL REFERENCES relata_user (id) ON DELETE CASCADE,
        name {text} NOT NULL,
        hash {bytes} NOT NULL,
        expires_at BIGINT,
        last_used_at BIGINT,
        created_at BIGINT NOT NULL
    )",
    "CREATE UNIQUE INDEX relata_token_hash ON relata_token (hash)",
    "CREATE INDEX relata_token_user ON relata_token (user_id)",
    "CREATE TABLE relata_plugin (
        id {text} PRIMARY KEY NOT NULL,
        version {text} NOT NULL,
        sha256 {text} NOT NULL,
        package {bytes} NOT NULL,
        enabled BOOLEAN NOT NULL,
        suspended {text},
        grants {text} NOT NULL,
        settings {text} NOT NULL,
        prefix {text} NOT NULL,
        faults BIGINT NOT NULL,
        installed_at BIGINT NOT NULL
    )",
    "CREATE UNIQUE INDEX relata_plugin_prefix ON relata_plugin (prefix)",
    "CREATE TABLE relata_upload (
        id {uuid} PRIMARY KEY NOT NULL,
        name {text} NOT NULL,
        bytes {bytes} NOT NULL,
        sha256 {text} NOT NULL,
        actor {text} NOT NULL,
        at BIGINT NOT NULL
    )",
];
