//! The database of one workspace, and who may change it when.
//!
//! - `SQLite`: one writer connection, used in turns (`BEGIN IMMEDIATE`), WAL, `synchronous=FULL`:
//!   what was acknowledged survives `kill -9` and a power cut. Turns come in the order in which
//!   they were asked for. The process that may change the workspace holds a lock on a file beside
//!   the database, so that a second one is told so instead of working behind the first one's back.
//! - `PostgreSQL`: a pool, shared by several processes. Every write transaction is SERIALIZABLE.
//!
//! A snapshot ([`Database::snapshot`]) is a transaction on connections of its own that can only
//! read: it takes no turn, and no writer waits for it.
//!
//! Invariant: nothing writes but a [`Transaction`] (and migrations).

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use relata_migrations::Migrator;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, DatabaseConnection, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use sea_orm_migration::MigratorTrait as _;

use crate::error::StoreError;
use crate::functions::register_for_writing;
use crate::observe::Observed;
use crate::transaction::{Inner, Transaction};
use crate::turns::{GroupLimits, Writer};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// What the workspace is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To read and to change. On `SQLite` one process at a time.
    #[default]
    Change,
    /// To look only (`relata check`, `relata schema`): beside a running server.
    Look,
}

/// How the database is opened. All times and sizes are limits with sensible defaults.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// `sqlite://relata.db?mode=rwc` or `postgres://…`.
    pub url: String,
    /// What for.
    pub purpose: Purpose,
    /// `PostgreSQL`: connections for write transactions.
    pub writers: u32,
    /// Connections for snapshots. They are opened when they are first needed.
    pub snapshots: u32,
    /// A statement that takes this long is named in a warning.
    pub slow_statement: Duration,
    /// Longest wait for a turn to write (`SQLite`) or for a connection.
    pub turn_wait_max: Duration,
    /// `SQLite`: transactions that share a commit, while others wait to write.
    pub group_members_max: usize,
    /// `SQLite`: how long such a group forms, unless commits are slow: then up to ten of them, or
    /// 50 ms. Its first member waits for its last.
    pub group_age_max: Duration,
    /// Longest wait for a lock of another transaction.
    pub lock_wait_max: Duration,
    /// Longest run of one statement (`PostgreSQL`).
    pub statement_time_max: Duration,
}

impl DatabaseOptions {
    /// The defaults for this database.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            purpose: Purpose::Change,
            writers: 16,
            snapshots: 4,
            slow_statement: Duration::from_millis(200),
            turn_wait_max: Duration::from_secs(30),
            group_members_max: 64,
            group_age_max: Duration::from_millis(10),
            lock_wait_max: Duration::from_secs(10),
            statement_time_max: Duration::from_secs(60),
        }
    }
}

/// In which way a transaction takes its turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Turn {
    /// Beside others. On `PostgreSQL` it may fail with [`StoreError::Retryable`].
    #[default]
    First,
    /// The same, and it may take long (an import): on `SQLite` nobody who is done waits for it.
    Long,
    /// With nobody else writing: after repeated conflicts, and for changes of the catalogue.
    /// Waits for those who write, and its snapshot is taken after they have ended. Holds for all
    /// processes on the database.
    Alone,
}

/// Who writes and who waits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// Wait for their turn.
    pub waiting: usize,
    /// Have it. At most one on `SQLite`.
    pub held: usize,
    /// Have had it since the database was opened.
    pub taken: u64,
    /// `SQLite`: commits since then. Several of those who had a turn may share one.
    pub commits: u64,
}

#[derive(Default)]
struct Counters {
    waiting: Arc<AtomicUsize>,
    held: AtomicUsize,
    taken: AtomicU64,
}

/// The database of one workspace. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    backend: Backend,
    options: DatabaseOptions,
    /// Absent when opened for looking only.
    writer: Option<Writers>,
    /// Platform tables outside of transactions. `SQLite`: a small read-only pool; `PostgreSQL`:
    /// the writers' pool.
    platform: DatabaseConnection,
    /// Apart from the platform's: a plugin's query may hold one for seconds, and who asks for a
    /// token or for the revision must not wait for that.
    snapshots: DatabaseConnection,
    turns: Counters,
    /// `SQLite`: the revision of the catalogue, where it has been read since it was last written.
    /// Nobody else can write it.
    revision: Mutex<Option<u64>>,
    /// Held while the process may change the workspace.
    _held: Option<Held>,
}

/// The connections that write.
enum Writers {
    /// Exactly one, used in turns.
    Sqlite(Arc<Writer>),
    Postgres(DatabaseConnection),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Database")
            .field("backend", &self.shared.backend)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database; makes a `SQLite` file that is not there if the URL says so. Tables are
    /// not touched: see [`Database::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Options`] for a URL that cannot be used, [`StoreError::Held`] when another
    /// process may change the workspace, [`StoreError::Unavailable`] when it cannot be reached.
    pub async fn open(options: &DatabaseOptions) -> Result<Self, StoreError> {
        let shared = match backend_of(&options.url)? {
            Backend::Sqlite => open_sqlite(options).await?,
            Backend::Postgres => open_postgres(options).await?,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.shared.backend
    }

    /// How it was opened.
    #[must_use]
    pub fn options(&self) -> &DatabaseOptions {
        &self.shared.options
    }

    /// Applies the platform's migrations, and says which. Several processes may do so at once.
    ///
    /// # Errors
    /// What the database says; then nothing has been applied.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let transaction = self
            .writer()?
            .begin_with_options(TransactionOptions {
                // Later starters wait for the lock below, and then must see what the first did.
                isolation_level: (self.backend() == Backend::Postgres)
                    .then_some(IsolationLevel::ReadCommitted),
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                access_mode: None,
            })
            .await?;
        if self.backend() == Backend::Postgres {
            transaction
                .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                .await?;
        }
        let pending = pending_in(&transaction).await?;
        if !pending.is_empty() {
            Migrator::up(&transaction, None).await?;
        }
        crate::log::outbox::adopt(&transaction, self.backend()).await?;
        transaction.commit().await?;
        Ok(pending)
    }

    /// Migrations that this program has and the database has not.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when the database has some that this program has not.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        pending_in(&self.shared.platform).await
    }

    /// Tells the planner of queries what the tables hold by now. For the end of a bulk write: the
    /// database finds out by itself only after a while, and sorts whole tables until then.
    ///
    /// # Errors
    /// What the database says.
    pub async fn refresh_statistics(&self) -> Result<(), StoreError> {
        let sql = match self.backend() {
            // As on closing: a sample of each index is enough.
            Backend::Sqlite => "PRAGMA analysis_limit = 400; PRAGMA optimize = 0x10002",
            Backend::Postgres => "ANALYZE",
        };
        self.writer()?.execute_unprepared(sql).await?;
        Ok(())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Timeout`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.platform()
            .execute_unprepared("SELECT 1")
            .await
            .map_err(StoreError::from)?;
        Ok(())
    }

    /// Begins a write transaction.
    ///
    /// # Errors
    /// [`StoreError::Timeout`] when the turn does not come within the limit.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn begin(&self, turn: Turn) -> Result<Transaction, StoreError> {
        self.begin_expecting(turn, None).await
    }

    /// Begins a write transaction, if the catalogue is at this revision; gives none where it has
    /// moved on.
    ///
    /// # Errors
    /// As [`Database::begin`].
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn begin_at(
        &self,
        turn: Turn,
        revision: u64,
    ) -> Result<Option<Transaction>, StoreError> {
        let transaction = match self.begin_expecting(turn, Some(revision)).await {
            Ok(transaction) => transaction,
            Err(StoreError::VersionConflict) => return Ok(None),
            Err(error) => return Err(error),
        };
        // PostgreSQL has looked in the round trip of the turn.
        if self.backend() == Backend::Sqlite && transaction.catalogue_revision().await? != revision
        {
            transaction.rollback().await;
            return Ok(None);
        }
        Ok(Some(transaction))
    }

    async fn begin_expecting(
        &self,
        turn: Turn,
        revision: Option<u64>,
    ) -> Result<Transaction, StoreError> {
        let writers = self.shared.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        let asked = Instant::now();
        let waiting = Waiting::among(&self.shared.turns.waiting);
        let inner = match writers {
            Writers::Sqlite(writer) => Inner::Shared(writer.begin(turn).await?),
            Writers::Postgres(pool) => Inner::Own(pool.begin().await?),
        };
        self.shared.turns.held.fetch_add(1, Ordering::Relaxed);
        self.shared.turns.taken.fetch_add(1, Ordering::Relaxed);
        let transaction = Transaction::new(inner, self.clone(), Access::Write);
        if self.backend() == Backend::Postgres {
            transaction.take_turn(turn, revision).await?;
        }
        drop(waiting);
        metrics::histogram!("relata_turn_wait_seconds").record(asked.elapsed());
        Ok(transaction)
    }

    /// Who writes and who waits to, in this process at this moment.
    #[must_use]
    pub fn turns(&self) -> Turns {
        let turns = &self.shared.turns;
        Turns {
            waiting: turns.waiting.load(Ordering::Relaxed),
            held: turns.held.load(Ordering::Relaxed),
            taken: turns.taken.load(Ordering::Relaxed),
            commits: match &self.shared.writer {
                Some(Writers::Sqlite(writer)) => writer.commits(),
                _ => 0,
            },
        }
    }

    /// See [`Shared::revision`].
    pub(crate) fn known_revision(&self) -> MutexGuard<'_, Option<u64>> {
        let known = self.shared.revision.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of a write transaction.
    pub(crate) fn turn_ended(&self) {
        self.shared.turns.held.fetch_sub(1, Ordering::Relaxed);
    }

    /// Begins a transaction that can only read. It takes no turn: nobody who writes waits for it,
    /// and it waits for nobody. Its first read takes the snapshot, and all further ones see the
    /// same. Whatever would write in it fails with [`StoreError::ReadOnly`].
    ///
    /// # Errors
    /// [`StoreError::Timeout`] when no connection comes free within the limit.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn snapshot(&self) -> Result<Transaction, StoreError> {
        let connections = &self.shared.snapshots;
        match self.backend() {
            // The connection itself refuses writes. In the log-ahead mode a deferred transaction
            // that reads sees the moment of its first read until it ends.
            Backend::Sqlite => {
                let inner = connections
                    .begin_with_options(TransactionOptions {
                        sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                        ..TransactionOptions::default()
                    })
                    .await?;
                let inner = Inner::Own(inner);
                Ok(Transaction::new(inner, self.clone(), Access::Snapshot))
            }
            Backend::Postgres => {
                let inner = Inner::Own(connections.begin().await?);
                let transaction = Transaction::new(inner, self.clone(), Access::Snapshot);
                transaction
                    .execute_text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
                Ok(transaction)
            }
        }
    }

    /// Closes all connections; those in use are waited for. Close the [`Reader`](crate::read::Reader)
    /// before.
    pub async fn close(&self) {
        // The writer last: whoever closes last on SQLite puts the log into the file, which a
        // connection that only reads cannot.
        // What cannot be closed properly is closed by the end of the process.
        let _ = self.shared.snapshots.close_by_ref().await;
        let _ = self.shared.platform.close_by_ref().await;
        if let Ok(writer) = self.writer() {
            let _ = writer.close_by_ref().await;
        }
    }

    /// Reads of platform tables outside of transactions.
    pub(crate) fn platform(&self) -> Observed<'_, DatabaseConnection> {
        Observed {
            connection: &self.shared.platform,
            slow: self.shared.options.slow_statement,
            running: None,
        }
    }

    pub(crate) fn writer(&self) -> Result<&DatabaseConnection, StoreError> {
        match &self.shared.writer {
            Some(Writers::Sqlite(writer)) => Ok(writer.connection()),
            Some(Writers::Postgres(pool)) => Ok(pool),
            None => Err(StoreError::ReadOnly),
        }
    }
}

/// Counted among those who wait, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn among(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Key of the advisory lock under which migrations run: any constant that nobody else uses.
const MIGRATION_LOCK: i64 = 0x7265_6c61_7461_0001;

async fn pending_in(connection: &impl sea_orm::ConnectionTrait) -> Result<Vec<String>, StoreError> {
    match Migrator::get_pending_migrations_read_only(connection).await {
        Ok(pending) => Ok(pending
            .into_iter()
            .map(|migration| migration.name().to_owned())
            .collect()),
        // The only thing that the migrator itself complains of: names that it does not know.
        Err(sea_orm::DbErr::Custom(found)) => Err(StoreError::Newer {
            found,
            known: format!("{} migrations", Migrator::migrations().len()),
        }),
        Err(other) => Err(other.into()),
    }
}

fn backend_of(url: &str) -> Result<Backend, StoreError> {
    if url.starts_with("sqlite:") {
        Ok(Backend::Sqlite)
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(Backend::Postgres)
    } else {
        Err(StoreError::Options(format!(
            "the database URL begins with neither sqlite:// nor postgres://: {}",
            url.split("://").next().unwrap_or_default()
        )))
    }
}

async fn open_sqlite(options: &DatabaseOptions) -> Result<Shared, StoreError> {
    let path = sqlite_path(&options.url)?;
    check_place(&path, &options.url)?;
    let held = match options.purpose {
        Purpose::Change => Some(Held::take(&path)?),
        Purpose::Look => None,
    };
    let turns = Counters::default();
    let writer = match options.purpose {
        Purpose::Change => {
            let limits = GroupLimits {
                members: options.group_members_max,
                age: options.group_age_max,
                wait: options.turn_wait_max,
            };
            let connection = connect_sqlite(options, Access::Write).await?;
            let waiting = Arc::clone(&turns.waiting);
            Some(Writers::Sqlite(Writer::new(connection, limits, waiting)))
        }
        Purpose::Look => None,
    };
    let platform = connect_sqlite(options, Access::Platform).await?;
    let snapshots = connect_sqlite(options, Access::Snapshot).await?;
    Ok(Shared {
        backend: Backend::Sqlite,
        options: options.clone(),
        writer,
        platform,
        snapshots,
        turns,
        revision: Mutex::default(),
        _held: held,
    })
}

/// The file that a `sqlite:` URL names.
pub(crate) fn sqlite_path(url: &str) -> Result<PathBuf, StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|error| {
        StoreError::Options(format!("the database URL cannot be read: {error}"))
    })?;
    let path = options.get_filename().to_path_buf();
    // Readers and the writer are several connections: a database in memory would be several too.
    if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Options(
            "a database in memory cannot be served: name a file, as in sqlite://relata.db?mode=rwc"
                .to_owned(),
        ));
    }
    Ok(path)
}

/// What SQLite itself would call "unable to open database file".
fn check_place(path: &Path, url: &str) -> Result<(), StoreError> {
    if path.exists() {
        return Ok(());
    }
    if !url.contains("mode=rwc") {
        return Err(StoreError::Options(format!(
            "there is no database at {}: add ?mode=rwc to the URL to make one",
            path.display()
        )));
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(StoreError::Options(format!(
                "there is no folder {} for the database: make it first",
                folder.display()
            )))
        }
        _ => Ok(()),
    }
}

/// What connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Platform,
    Snapshot,
    Write,
}

async fn connect_sqlite(
    options: &DatabaseOptions,
    access: Access,
) -> Result<DatabaseConnection, StoreError> {
    /// Reads of platform tables are few and short.
    const PLATFORM_READERS: u32 = 2;
    let busy = options.lock_wait_max;
    let mut connect = ConnectOptions::new(options.url.clone());
    connect
        .max_connections(match access {
            Access::Write => 1,
            Access::Platform => PLATFORM_READERS,
            Access::Snapshot => options.snapshots.max(1),
        })
        .connect_lazy(matches!(access, Access::Snapshot))
        .acquire_timeout(options.turn_wait_max)
        // A local file: there is nothing to test, and nothing to gain from opening it again.
        .test_before_acquire(false)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_connect(|connection, _| Box::pin(register_for_writing(connection)))
        })
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite.busy_timeout(busy).foreign_keys(true);
            match access {
                Access::Platform | Access::Snapshot => sqlite
                    .read_only(true)
                    .create_if_missing(false)
                    .pragma("query_only", "ON"),
                Access::Write => sqlite
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    // On macOS, where a plain fsync may stop in the drive's cache.
                    .pragma("fullfsync", "ON")
                    .pragma("checkpoint_fullfsync", "ON")
                    .optimize_on_close(true, 400),
            }
        });
    sea_orm::Database::connect(connect)
        .await
        .map_err(unavailable)
}

async fn open_postgres(options: &DatabaseOptions) -> Result<Shared, StoreError> {
    PgConnectOptions::from_str(&options.url).map_err(|error| {
        StoreError::Options(format!("the database URL cannot be read: {error}"))
    })?;
    let pool = connect_postgres(options, Access::Write).await?;
    let snapshots = connect_postgres(options, Access::Snapshot).await?;
    Ok(Shared {
        backend: Backend::Postgres,
        options: options.clone(),
        writer: (options.purpose == Purpose::Change).then(|| Writers::Postgres(pool.clone())),
        platform: pool,
        snapshots,
        turns: Counters::default(),
        revision: Mutex::default(),
        _held: None,
    })
}

async fn connect_postgres(
    options: &DatabaseOptions,
    access: Access,
) -> Result<DatabaseConnection, StoreError> {
    let lock = options.lock_wait_max.as_millis().to_string();
    let statement = options.statement_time_max.as_millis().to_string();
    let mut connect = ConnectOptions::new(options.url.clone());
    connect
        .max_connections(match access {
            Access::Snapshot => options.snapshots.max(1),
            // The platform's tables are read on the writers' connections.
            Access::Write | Access::Platform => options.writers.max(2),
        })
        .connect_lazy(matches!(access, Access::Snapshot))
        .acquire_timeout(options.turn_wait_max)
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_postgres_opts(move |postgres| {
            postgres.application_name("relata").options([
                ("lock_timeout", lock.as_str()),
                ("statement_timeout", statement.as_str()),
                // A process that hangs inside a transaction must not hold up all others.
                ("idle_in_transaction_session_timeout", statement.as_str()),
                // Notices are about what we do on purpose, such as rolling back after a commit
                // that was refused.
                ("client_min_messages", "error"),
            ])
        });
    sea_orm::Database::connect(connect)
        .await
        .map_err(unavailable)
}

/// Whatever stands in the way of opening the database, it cannot be reached.
fn unavailable(error: sea_orm::DbErr) -> StoreError {
    match StoreError::from(error) {
        StoreError::Database(source) | StoreError::Timeout(source) => {
            StoreError::Unavailable(source)
        }
        other => other,
    }
}

/// The right to change a `SQLite` workspace: a lock on the file `<database>.lock`, which the
/// operating system releases however the process ends.
struct Held {
    _file: File,
}

impl Held {
    fn take(database: &Path) -> Result<Self, StoreError> {
        // By whichever name a file is reached, its lock is the same one.
        let mut name = std::fs::canonicalize(database)
            .unwrap_or_else(|_| database.to_path_buf())
            .into_os_string();
        name.push(".lock");
        let io = |error: std::io::Error| StoreError::Unavailable(Box::new(error));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name)
            .map_err(io)?;
        if file.try_lock().is_err() {
            let mut holder = String::new();
            // Who holds it is a courtesy: without it, the message says less.
            let _ = file.read_to_string(&mut holder);
            return Err(StoreError::Held {
                database: database.display().to_string(),
                holder: match holder.trim().parse::<u32>() {
                    Ok(process) => format!(" (process {process})"),
                    Err(_) => String::new(),
                },
            });
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        write!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What `kill -9` and a power cut cannot take: asked of the writer's own connection.
    #[tokio::test]
    async fn the_writer_is_durable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relata.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let database = Database::open(&DatabaseOptions::new(url)).await.unwrap();
        database.migrate().await.unwrap();
        let transaction = database.begin(Turn::First).await.unwrap();
        for (pragma, expected) in [
            ("synchronous", "2"),
            ("journal_mode", "wal"),
            ("foreign_keys", "1"),
        ] {
            let row = transaction
                .query_one(transaction.statement(
                    format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"),
                    Vec::new(),
                ))
                .await
                .unwrap()
                .unwrap();
            let found: String = row.try_get_by_index(0).unwrap();
            assert_eq!(found, expected, "{pragma}");
        }
    }
}
