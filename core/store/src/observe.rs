//! Every statement that goes through sea-orm is timed here: a span, a histogram, and a warning
//! that names a slow one. Parameters are never shown: they are customers' data.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tracing::Instrument;

/// A connection whose statements are timed.
pub(crate) struct Observed<'a, C> {
    pub(crate) connection: &'a C,
    pub(crate) slow: Duration,
    /// Counts statements that have begun and not ended. One whose future is dropped never ends:
    /// then nobody knows what it did, and its transaction must not be committed.
    pub(crate) running: Option<&'a AtomicU32>,
}

impl<C: ConnectionTrait> Observed<'_, C> {
    async fn timed<T>(
        &self,
        sql: &str,
        work: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let span = tracing::debug_span!("sql", statement = sql);
        if let Some(running) = self.running {
            running.fetch_add(1, Ordering::AcqRel);
        }
        let started = Instant::now();
        let result = work.instrument(span).await;
        if let Some(running) = self.running {
            running.fetch_sub(1, Ordering::AcqRel);
        }
        record(sql, started.elapsed(), self.slow);
        result
    }
}

/// Counts one statement, and warns if it was slow. For statements that do not go through sea-orm
/// as well.
pub(crate) fn record(sql: &str, took: Duration, slow: Duration) {
    metrics::histogram!("relata_statement_seconds", "verb" => verb(sql)).record(took);
    if took >= slow {
        tracing::warn!(
            statement = shortened(sql),
            took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            limit_ms = u64::try_from(slow.as_millis()).unwrap_or(u64::MAX),
            "slow statement"
        );
    }
}

/// First word of the statement: few enough to be a metric's label.
fn verb(sql: &str) -> &'static str {
    let first = sql.split_whitespace().next().unwrap_or_default();
    [
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "WITH",
    ]
    .into_iter()
    .find(|verb| first.eq_ignore_ascii_case(verb))
    .unwrap_or("other")
}

fn shortened(sql: &str) -> &str {
    const SHOWN_BYTES_MAX: usize = 500;
    &sql[..sql.floor_char_boundary(SHOWN_BYTES_MAX)]
}

#[async_trait::async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Observed<'_, C> {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let sql = statement.sql.clone();
        self.timed(&sql, self.connection.execute_raw(statement))
            .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.timed(sql, self.connection.execute_unprepared(sql))
            .await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let sql = statement.sql.clone();
        self.timed(&sql, self.connection.query_one_raw(statement))
            .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let sql = statement.sql.clone();
        self.timed(&sql, self.connection.query_all_raw(statement))
            .await
    }
}
