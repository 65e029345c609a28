//! Runs compiled reads: on connections that can only read, or in a write transaction.

use std::sync::Arc;
use std::time::Duration;

use relata_catalog::Catalogue;

use super::{
    Compiled, CursorKey, Directory, Parameter, Parameters, known, postgres, sqlite, transaction,
};
use crate::{Backend, Record, StoreError, Transaction};

/// How reads are run. All of them are limits with sensible defaults.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// `sqlite://relata.db` (the file is there already) or `postgres://…`.
    pub url: String,
    /// Connections, each with its own thread on SQLite.
    pub readers: usize,
    /// What cursors are signed with.
    pub cursor_key: CursorKey,
    /// Longest run of one request's reads on SQLite, and of one statement on PostgreSQL; longest
    /// wait for a connection.
    pub time_max: Duration,
    /// Longest run of reads on the thread that asks for them, on SQLite; what takes longer runs on
    /// a reading thread. Zero: all of them do.
    pub here_max: Duration,
    /// A statement that takes this long is named in a warning.
    pub slow_statement: Duration,
    /// Prepared statements kept for each connection.
    pub statements_max: usize,
    /// Requests that wait for a reader on SQLite; the next ones wait to wait.
    pub queue_max: usize,
    /// Most bytes of one answer.
    pub answer_bytes_max: usize,
}

impl ReaderOptions {
    /// The defaults for this database.
    #[must_use]
    pub fn new(url: impl Into<String>, cursor_key: CursorKey) -> Self {
        Self {
            url: url.into(),
            readers: 4,
            cursor_key,
            time_max: Duration::from_secs(30),
            here_max: Duration::from_millis(1),
            slow_statement: Duration::from_millis(200),
            statements_max: 256,
            queue_max: 1_024,
            answer_bytes_max: 64 << 20,
        }
    }
}

/// Runs compiled reads.
#[derive(Debug)]
pub struct Reader {
    way: Way,
    options: Arc<ReaderOptions>,
}

#[derive(Debug)]
enum Way {
    Sqlite(sqlite::Readers),
    Postgres(Box<postgres::Pool>),
}

impl Reader {
    /// Opens the connections (the first of them on PostgreSQL). The database must be there.
    ///
    /// # Errors
    /// [`StoreError::Options`] for a URL that cannot be used, [`StoreError::Unavailable`] when the
    /// database cannot be reached.
    pub async fn open(options: &ReaderOptions) -> Result<Self, StoreError> {
        let options = Arc::new(options.clone());
        let way = if options.url.starts_with("sqlite:") {
            Way::Sqlite(sqlite::Readers::open(Arc::clone(&options)).await?)
        } else {
            let pool = postgres::Pool::open(Arc::clone(&options)).await?;
            Way::Postgres(Box::new(pool))
        };
        Ok(Self { way, options })
    }

    /// Which database it reads.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.way {
            Way::Sqlite(_) => Backend::Sqlite,
            Way::Postgres(_) => Backend::Postgres,
        }
    }

    /// Closes the connections. What is asked afterwards is answered with
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) {
        match &self.way {
            Way::Sqlite(readers) => readers.close().await,
            Way::Postgres(pool) => pool.close(),
        }
    }

    /// Runs all reads of a request in one snapshot: the JSON text of each.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`], [`StoreError::Timeout`], [`StoreError::Unavailable`], or what
    /// the database says. Nothing is answered in part.
    pub async fn run(
        &self,
        reads: &[(Arc<Compiled>, Vec<Parameter>)],
        directory: Arc<dyn Directory>,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        for (compiled, _) in reads {
            self.check(compiled)?;
        }
        metrics::counter!("relata_reads_total").increment(reads.len() as u64);
        match &self.way {
            Way::Sqlite(readers) => readers.run(reads, directory).await,
            Way::Postgres(pool) => pool.run(reads, &*directory).await,
        }
    }

    /// Runs a read with the rows of a write transaction, which sees its own changes.
    ///
    /// # Errors
    /// As [`Reader::run`], and [`StoreError::Retryable`].
    pub async fn run_in(
        &self,
        tx: &Transaction,
        compiled: &Compiled,
        parameters: &Parameters,
        directory: &dyn Directory,
    ) -> Result<Vec<u8>, StoreError> {
        self.check(compiled)?;
        transaction::run(tx, compiled, parameters, directory, &self.options).await
    }

    /// What the read of one record answers of this one, which is as it stands in the transaction.
    /// `None` where more is selected than its own row: then it has to be read.
    ///
    /// # Errors
    /// [`StoreError::Value`] when the record is none of the catalogue's.
    pub fn write_known(
        &self,
        compiled: &Compiled,
        catalogue: &Catalogue,
        record: &Record,
        parameters: &Parameters,
        directory: &dyn Directory,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.check(compiled)?;
        known::write(
            compiled,
            catalogue,
            record,
            parameters,
            directory,
            &self.options,
        )
    }

    /// A read compiled for the other database has another SQL.
    fn check(&self, compiled: &Compiled) -> Result<(), StoreError> {
        if compiled.backend == self.backend() {
            Ok(())
        } else {
            Err(StoreError::value(
                "read",
                "was compiled for another database than the reader's",
            ))
        }
    }
}
