//! A transaction: everything that changes a workspace goes through one, and a plugin's query reads
//! in one that can only read ([`Database::snapshot`]).
//!
//! Invariant: it is committed as a whole by [`Transaction::commit`], or not at all. Dropping it,
//! or the future that holds it, rolls it back; a statement that was abandoned on the way makes the
//! commit fail, unless a savepoint from before it was come back to.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbErr, ExecResult, QueryResult, Statement, Value,
};

use crate::database::{Access, Backend, Database, Turn};
use crate::error::StoreError;
use crate::observe::Observed;
use crate::turns::Member;

/// A transaction. Methods take `&self`, so that it can stand behind an `Arc`; statements run one
/// after the other. Rolls back when dropped.
pub struct Transaction {
    /// Present until committed, rolled back or dropped.
    inner: Option<Inner>,
    database: Database,
    access: Access,
    /// See [`Observed::running`].
    running: AtomicU32,
    savepoints: AtomicU32,
    /// It has written a revision of the catalogue.
    pub(crate) has_written_catalogue: AtomicBool,
    /// Where it was begun: its connection goes back to the pool by a task there, wherever it is
    /// dropped.
    runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Transaction")
    }
}

/// The database's transaction.
pub(crate) enum Inner {
    Own(DatabaseTransaction),
    /// `SQLite`'s writer: others may share its commit.
    Shared(Member),
}

impl Inner {
    fn connection(&self) -> &DatabaseTransaction {
        match self {
            Self::Own(transaction) => transaction,
            Self::Shared(member) => member.transaction(),
        }
    }
}

/// A place in a transaction to come back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Savepoint {
    number: u32,
    /// Statements that had been abandoned before it.
    running: u32,
}

impl Transaction {
    pub(crate) fn new(inner: Inner, database: Database, access: Access) -> Self {
        Self {
            inner: Some(inner),
            database,
            access,
            running: AtomicU32::new(0),
            savepoints: AtomicU32::new(0),
            has_written_catalogue: AtomicBool::new(false),
            runtime: tokio::runtime::Handle::current(),
        }
    }

    /// Which database it is on.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.database.backend()
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// [`StoreError::Retryable`] when another transaction was in the way,
    /// [`StoreError::Abandoned`] when a statement was dropped before it had ended. Nothing has
    /// been written then.
    #[tracing::instrument(level = "debug", name = "commit", skip(self))]
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if self.running.load(Ordering::Acquire) > 0 {
            return Err(StoreError::Abandoned);
        }
        let started = std::time::Instant::now();
        let inner = self
            .inner
            .take()
            .expect("present until here: commit consumes");
        let result = match inner {
            Inner::Own(transaction) => transaction.commit().await.map_err(StoreError::from),
            Inner::Shared(member) => {
                // Its turn ends here; the commit may be shared with those who have the next ones.
                self.end_turn();
                member.commit().await
            }
        };
        crate::observe::record("COMMIT", started.elapsed(), self.slow());
        result
    }

    /// Undoes everything. Dropping does the same in the background.
    pub async fn rollback(mut self) {
        let inner = self
            .inner
            .take()
            .expect("present until here: rollback consumes");
        match inner {
            Inner::Own(transaction) => {
                if let Err(error) = transaction.rollback().await {
                    // The connection is broken; the database rolls back by itself.
                    tracing::warn!(%error, "a transaction could not be rolled back by its client");
                }
            }
            Inner::Shared(member) => member.rollback().await,
        }
    }

    /// Marks a place to come back to, so that a part may fail without the whole.
    ///
    /// # Errors
    /// What the database says.
    pub async fn savepoint(&self) -> Result<Savepoint, StoreError> {
        let savepoint = Savepoint {
            number: self.savepoints.fetch_add(1, Ordering::Relaxed),
            running: self.running.load(Ordering::Acquire),
        };
        self.execute_text(&format!("SAVEPOINT part_{}", savepoint.number))
            .await?;
        Ok(savepoint)
    }

    /// Keeps what was done since the savepoint.
    ///
    /// # Errors
    /// What the database says.
    pub async fn release(&self, savepoint: Savepoint) -> Result<(), StoreError> {
        self.execute_text(&format!("RELEASE SAVEPOINT part_{}", savepoint.number))
            .await
    }

    /// Undoes what was done since the savepoint, and goes on from there. A statement that was
    /// abandoned since is undone with the rest, whatever it did: the connection ends it before it
    /// takes the next one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rollback_to(&self, savepoint: Savepoint) -> Result<(), StoreError> {
        self.execute_text(&format!(
            "ROLLBACK TO SAVEPOINT part_{0}; RELEASE SAVEPOINT part_{0}",
            savepoint.number
        ))
        .await?;
        self.running.store(savepoint.running, Ordering::Release);
        Ok(())
    }

    /// `PostgreSQL`: isolation and turn. A lock on a table is taken before the snapshot: what is
    /// then read is what the one before has left. And whether the catalogue is at a revision
    /// ([`StoreError::VersionConflict`] where it isn't). All in one round trip.
    pub(crate) async fn take_turn(
        &self,
        turn: Turn,
        revision: Option<u64>,
    ) -> Result<(), StoreError> {
        let mode = lock_mode(turn);
        let expected = revision.map_or_else(String::new, |revision| {
            format!("; SELECT relata_expect_revision({revision})")
        });
        self.execute_text(&format!(
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; LOCK TABLE relata_turn IN {mode} MODE{expected}"
        ))
        .await
    }

    /// `PostgreSQL`: takes another turn on the way; no snapshot is fresh then.
    pub(crate) async fn take_turn_again(&self, turn: Turn) -> Result<(), StoreError> {
        let mode = lock_mode(turn);
        self.execute_text(&format!("LOCK TABLE relata_turn IN {mode} MODE"))
            .await
    }

    /// Runs a statement that returns no rows.
    pub(crate) async fn execute(&self, statement: Statement) -> Result<ExecResult, StoreError> {
        let result = self.statements().execute_raw(statement).await;
        self.explained(result).await
    }

    /// Runs text without parameters, one or several statements.
    pub(crate) async fn execute_text(&self, sql: &str) -> Result<(), StoreError> {
        let result = self.statements().execute_unprepared(sql).await;
        self.explained(result).await.map(|_| ())
    }

    /// Runs a statement and gives its first row.
    pub(crate) async fn query_one(
        &self,
        statement: Statement,
    ) -> Result<Option<QueryResult>, StoreError> {
        let result = self.statements().query_one_raw(statement).await;
        self.explained(result).await
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn query_all(
        &self,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let result = self.statements().query_all_raw(statement).await;
        self.explained(result).await
    }

    /// A statement for this database. Placeholders are `$1` … on `PostgreSQL` and `?` on `SQLite`
    /// (which takes `?1` as well).
    pub(crate) fn statement(&self, sql: impl Into<String>, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend().sea(), sql, values)
    }

    /// The connection for entities of platform tables; their errors go through
    /// [`Transaction::explained`].
    pub(crate) fn statements(&self) -> Observed<'_, DatabaseTransaction> {
        Observed {
            connection: self
                .inner
                .as_ref()
                .expect("present until commit and rollback, which consume")
                .connection(),
            slow: self.slow(),
            running: Some(&self.running),
        }
    }

    /// The error in the store's terms. On `SQLite` a violated unique key is looked up by the
    /// columns that the message names; a failed statement does not end the transaction there.
    pub(crate) async fn explained<T>(&self, result: Result<T, DbErr>) -> Result<T, StoreError> {
        match result.map_err(StoreError::from) {
            Err(StoreError::Unique { index }) if self.backend() == Backend::Sqlite => {
                Err(StoreError::Unique {
                    index: self.unique_index_over(&index).await.unwrap_or(index),
                })
            }
            other => other,
        }
    }

    /// The unique index over `table.column, table.column`.
    async fn unique_index_over(&self, subject: &str) -> Option<String> {
        let columns: Vec<(&str, &str)> = subject
            .split(", ")
            .map(|column| column.split_once('.'))
            .collect::<Option<_>>()?;
        let (table, _) = columns.first()?;
        let rows = self
            .statements()
            .query_all_raw(self.statement(
                "SELECT l.name, i.name FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS i \
                 WHERE l.\"unique\" ORDER BY l.name, i.seqno",
                vec![(*table).into()],
            ))
            .await
            .ok()?;
        let mut indexes: Vec<(String, Vec<String>)> = Vec::new();
        for row in rows {
            let index: String = row.try_get_by_index(0).ok()?;
            let column: String = row.try_get_by_index(1).ok()?;
            match indexes.last_mut() {
                Some((name, columns)) if *name == index => columns.push(column),
                _ => indexes.push((index, vec![column])),
            }
        }
        indexes
            .into_iter()
            .find(|(_, of_index)| of_index.iter().eq(columns.iter().map(|(_, name)| name)))
            .map(|(name, _)| name)
    }

    /// Counts the turn as ended, once.
    fn end_turn(&mut self) {
        if std::mem::replace(&mut self.access, Access::Snapshot) == Access::Write {
            self.database.turn_ended();
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Whether nobody else can write what it reads: `SQLite`'s one writer.
    pub(crate) fn is_only_writer(&self) -> bool {
        self.access == Access::Write && self.backend() == Backend::Sqlite
    }

    fn slow(&self) -> std::time::Duration {
        self.database.options().slow_statement
    }
}

fn lock_mode(turn: Turn) -> &'static str {
    match turn {
        Turn::First | Turn::Long => "ROW SHARE",
        Turn::Alone => "EXCLUSIVE",
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
        drop(self.inner.take());
        self.end_turn();
    }
}

impl Backend {
    /// As sea-orm calls it.
    pub(crate) fn sea(self) -> sea_orm::DbBackend {
        match self {
            Self::Sqlite => sea_orm::DbBackend::Sqlite,
            Self::Postgres => sea_orm::DbBackend::Postgres,
        }
    }
}
