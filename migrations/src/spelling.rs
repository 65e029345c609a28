//! Types of columns, as each database spells them.

use sea_orm_migration::sea_orm::DbBackend;

/// The types, as each database spells them.
pub(crate) fn spelled(statement: &str, backend: DbBackend) -> String {
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
