//! The platform's own tables: what a workspace needs beside its records.
//!
//! Records' tables are not made here: they are made by plans (`relata-store`, `ddl`), from the
//! catalogue. What stands here is the same in every workspace, and a migration that has been
//! released never changes.
//!
//! Instants are microseconds since 1970-01-01T00:00:00Z in 64-bit integers, ids are UUIDs (16
//! bytes on `SQLite`), documents are JSON in text: the same bytes on both databases, so that one
//! reader serves both.

mod m0001_platform;
mod m0002_requests;
mod m0013_jobs;
mod m0034_merges;
mod m0035_files;
mod m0036_duplicates;
mod spelling;

use sea_orm_migration::prelude::*;

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_platform::Migration),
            Box::new(m0002_requests::Migration),
            Box::new(m0013_jobs::Migration),
            Box::new(m0034_merges::Migration),
            Box::new(m0035_files::Migration),
            Box::new(m0036_duplicates::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        // The platform's tables all begin with `relata_`; objects' tables with `rec_`.
        Alias::new("relata_migration").into_iden()
    }
}
