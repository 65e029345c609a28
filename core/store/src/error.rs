//! What can go wrong in the store, told apart by what the caller can do about it.
//!
//! The codes of both databases are read here and nowhere else.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::read::CompileError;

/// The cause as the driver tells it.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A unique key has this value already. The index is the physical one
    /// ([`Unique::index`](relata_catalog::Unique::index)) on both databases.
    #[error("a unique key is violated: {index}")]
    Unique {
        /// Physical name of the index.
        index: String,
    },
    /// Another transaction was in the way (40001, 40P01, `SQLITE_BUSY`): the whole transaction may
    /// be tried again.
    #[error("another transaction was in the way")]
    Retryable(#[source] Source),
    /// The record is at another version than the writer thought; or the catalogue is at another
    /// revision than the plan starts from.
    #[error("the version has moved on")]
    VersionConflict,
    /// There is no such record.
    #[error("there is no such record")]
    NotFound,
    /// Other records point at it.
    #[error("other records point at it")]
    Referenced,
    /// A cursor was made by another order, or by nobody.
    #[error("the cursor does not belong to this list")]
    BadCursor,
    /// A statement, a lock or a turn took longer than its limit.
    #[error("the database took longer than allowed")]
    Timeout(#[source] Source),
    /// The database cannot be reached, is shutting down, or its disk is full.
    #[error("the database is not available")]
    Unavailable(#[source] Source),
    /// The database was written by a newer `relata`.
    #[error(
        "the database was written by a newer relata ({found}; this one knows {known}): use that version"
    )]
    Newer {
        /// What the database holds.
        found: String,
        /// What this program knows.
        known: String,
    },
    /// Another process has the workspace open for changing.
    #[error(
        "{database} is in use by another process{holder}: talk to the running server with --server URL --token T, or stop it first"
    )]
    Held {
        /// The database file.
        database: String,
        /// ` (process 123)`, where it is known.
        holder: String,
    },
    /// The settings cannot be used.
    #[error("{0}")]
    Options(String),
    /// The workspace, its file or the transaction at hand was opened for reading only.
    #[error("nothing can be written here: it was opened for reading only")]
    ReadOnly,
    /// A statement of the transaction was abandoned before it had ended, so that nobody knows what
    /// it did: the transaction was rolled back.
    #[error("a statement of the transaction was abandoned; it was rolled back")]
    Abandoned,
    /// A sum that its type cannot hold. It is told, never rounded.
    #[error("a sum is too large: whole numbers end at 2^53 − 1")]
    SumTooLarge,
    /// A condition or an order that cannot be compiled.
    #[error(transparent)]
    Condition(Box<CompileError>),
    /// A value does not fit its column: a mistake of the program, since values are checked before.
    #[error("{column}: {reason}")]
    Value {
        /// The column.
        column: String,
        /// Why.
        reason: String,
    },
    /// Anything else the database said.
    #[error("the database refused a statement")]
    Database(#[source] Source),
}

impl StoreError {
    /// Whether the same transaction may succeed when it is tried again as a whole.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable(_))
    }

    /// What was read from a row is not what was written: damage, or a mistake of the program.
    pub(crate) fn value(column: &str, reason: impl Into<String>) -> Self {
        Self::Value {
            column: column.to_owned(),
            reason: reason.into(),
        }
    }
}

impl From<CompileError> for StoreError {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Operand(error) => error,
            other => Self::Condition(Box::new(other)),
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => from_sqlx(cause),
            DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout) => {
                Self::Timeout(Box::new(error))
            }
            DbErr::ConnectionAcquire(_) => Self::Unavailable(Box::new(error)),
            other => Self::Database(Box::new(other)),
        }
    }
}

fn from_sqlx(error: std::sync::Arc<sqlx::Error>) -> StoreError {
    match &*error {
        sqlx::Error::Database(cause) => {
            let code = cause.code().unwrap_or_default().into_owned();
            match classified(&code) {
                Class::Unique => StoreError::Unique {
                    // SQLite names columns, or the index where it is over an expression; the
                    // transaction finds the index that has these columns.
                    index: cause.constraint().map_or_else(
                        || sqlite_unique_subject(cause.message()).to_owned(),
                        str::to_owned,
                    ),
                },
                class => of_class(class, Box::new(error)),
            }
        }
        sqlx::Error::PoolTimedOut => StoreError::Timeout(Box::new(error)),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StoreError::Unavailable(Box::new(error)),
        _ => StoreError::Database(Box::new(error)),
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let class = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => {
                classified(&failure.extended_code.to_string())
            }
            _ => Class::Other,
        };
        of_class(class, Box::new(error))
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let class = match error.code() {
            Some(state) => classified(state.code()),
            None if error.is_closed() => Class::Unavailable,
            None if std::error::Error::source(&error).is_some_and(|s| s.is::<std::io::Error>()) => {
                Class::Unavailable
            }
            None => Class::Other,
        };
        of_class(class, Box::new(error))
    }
}

/// What a code means to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Unique,
    Retryable,
    Referenced,
    Moved,
    Timeout,
    Unavailable,
    ReadOnly,
    Other,
}

fn of_class(class: Class, source: Source) -> StoreError {
    match class {
        Class::Retryable => StoreError::Retryable(source),
        Class::Referenced => StoreError::Referenced,
        Class::Moved => StoreError::VersionConflict,
        Class::Timeout => StoreError::Timeout(source),
        Class::Unavailable => StoreError::Unavailable(source),
        Class::ReadOnly => StoreError::ReadOnly,
        Class::Unique | Class::Other => StoreError::Database(source),
    }
}

/// PostgreSQL's SQLSTATE has five characters; SQLite's extended result codes are numbers that are
/// not five digits long.
fn classified(code: &str) -> Class {
    if code.len() == 5 {
        return classified_sqlstate(code);
    }
    match code.parse::<u32>() {
        Ok(2067 | 1555) => Class::Unique,
        Ok(787) => Class::Referenced,
        Ok(number) => match number & 0xff {
            5 | 6 => Class::Retryable,          // BUSY, LOCKED
            8 => Class::ReadOnly,               // READONLY
            9 => Class::Timeout,                // INTERRUPT
            10 | 13 | 14 => Class::Unavailable, // IOERR, FULL, CANTOPEN
            _ => Class::Other,
        },
        Err(_) => Class::Other,
    }
}

fn classified_sqlstate(code: &str) -> Class {
    match code {
        "23505" => Class::Unique,
        "40001" | "40P01" => Class::Retryable,
        "23503" => Class::Referenced,
        // Ours: `relata_expect_revision`.
        "RL001" => Class::Moved,
        "25006" => Class::ReadOnly,
        // Query cancelled by statement_timeout; a lock not got within lock_timeout; a transaction
        // that sat idle for too long.
        "57014" | "55P03" | "25P03" => Class::Timeout,
        // Shutting down, crashed, starting up, too many connections, disk or memory full.
        "57P01" | "57P02" | "57P03" | "53300" | "53100" | "53200" => Class::Unavailable,
        _ if code.starts_with("08") => Class::Unavailable,
        _ => Class::Other,
    }
}

/// `UNIQUE constraint failed: rec_company.symbol, rec_company.market` or
/// `UNIQUE constraint failed: index 'name'`: what stands behind the colon, or the index's name.
fn sqlite_unique_subject(message: &str) -> &str {
    let subject = message
        .split_once("constraint failed: ")
        .map_or(message, |(_, subject)| subject);
    subject
        .strip_prefix("index '")
        .and_then(|name| name.strip_suffix('\''))
        .unwrap_or(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for (code, class) in [
            ("23505", Class::Unique),
            ("2067", Class::Unique),
            ("1555", Class::Unique),
            ("40001", Class::Retryable),
            ("40P01", Class::Retryable),
            ("5", Class::Retryable),
            ("517", Class::Retryable),
            ("787", Class::Referenced),
            ("23503", Class::Referenced),
            ("RL001", Class::Moved),
            ("55P03", Class::Timeout),
            ("08006", Class::Unavailable),
            ("25006", Class::ReadOnly),
            ("8", Class::ReadOnly),
            ("13", Class::Unavailable),
            ("42P01", Class::Other),
            ("1", Class::Other),
        ] {
            assert_eq!(classified(code), class, "{code}");
        }
    }

    #[test]
    fn sqlite_names_columns_or_the_index() {
        assert_eq!(
            sqlite_unique_subject("UNIQUE constraint failed: rec_company.a, rec_company.b"),
            "rec_company.a, rec_company.b"
        );
        assert_eq!(
            sqlite_unique_subject("UNIQUE constraint failed: index 'uq_company_a'"),
            "uq_company_a"
        );
    }
}
