//! Tables and indexes in one text, with types of columns as each database spells them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Carries the statements out, in order.
pub(crate) async fn create(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let backend = manager.get_database_backend();
    for statement in statements {
        manager
            .get_connection()
            .execute_unprepared(&spelled(statement, backend))
            .await?;
    }
    Ok(())
}

/// The types, as each database spells them.
fn spelled(statement: &str, backend: DbBackend) -> String {
    let spellings: [(&str, &str); 4] = match backend {
        DbBackend::Postgres => [
            (
                "{serial}",
                "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            ),
            ("{text}", "TEXT COLLATE \"C\""),
            ("{uuid}", "UUID"),
            ("{bytes}", "BYTEA"),
        ],
        _ => [
            ("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            ("{text}", "TEXT"),
            ("{uuid}", "BLOB"),
            ("{bytes}", "BLOB"),
        ],
    };
    spellings
        .iter()
        .fold(statement.to_owned(), |text, (name, spelling)| {
            text.replace(name, spelling)
        })
}
