//! Connections that only read. One request has one for itself until it has ended well; one that
//! failed or was abandoned on the way is closed, never given to the next.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::super::reader::ReaderOptions;
use crate::StoreError;

/// Longest wait for the server to answer a new connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// The connections of a reader.
#[derive(Debug)]
pub(crate) struct Pool {
    config: Config,
    options: Arc<ReaderOptions>,
    idle: Arc<Mutex<Vec<Link>>>,
    permits: Arc<Semaphore>,
}

/// One connection.
#[derive(Debug)]
struct Link {
    client: Client,
    statements: Statements,
}

impl Pool {
    pub(crate) async fn open(options: Arc<ReaderOptions>) -> Result<Self, StoreError> {
        let mut config = Config::from_str(&options.url).map_err(|error| {
            StoreError::Options(format!("the database URL cannot be read: {error}"))
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIME_MAX);
        }
        if config.get_application_name().is_none() {
            config.application_name("relata-read");
        }
        let pool = Self {
            config,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(options.readers.max(1))),
            options,
        };
        pool.lease().await?.give_back();
        Ok(pool)
    }

    pub(crate) fn options(&self) -> &ReaderOptions {
        &self.options
    }

    /// A connection for one request.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        let permit = tokio::time::timeout(
            self.options.time_max,
            Arc::clone(&self.permits).acquire_owned(),
        )
        .await
        .map_err(|elapsed| StoreError::Timeout(Box::new(elapsed)))?
        .map_err(|closed| StoreError::Unavailable(Box::new(closed)))?;
        let idle = self.take_idle();
        let reused = idle.is_some();
        let link = match idle {
            Some(link) => link,
            None => self.connect().await?,
        };
        Ok(Lease {
            link: Some(link),
            reused,
            idle: Arc::clone(&self.idle),
            slow_statement: self.options.slow_statement,
            _permit: permit,
        })
    }

    fn take_idle(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(link) = idle.pop() {
            if !link.client.is_closed() {
                return Some(link);
            }
        }
        None
    }

    /// Closes connections that wait, and lets nobody have one any more.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.forget_idle();
    }

    /// Closes connections that wait: what one of them has lost, the others have too.
    pub(super) fn forget_idle(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    async fn connect(&self) -> Result<Link, StoreError> {
        let (client, connection) = self
            .config
            .connect(NoTls)
            .await
            .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "a reading connection has ended");
            }
        });
        // A plan is made for a handful of milliseconds: compiling it costs more.
        client
            .batch_execute(&format!(
                "SET default_transaction_read_only = on; SET statement_timeout = {}; \
                 SET idle_in_transaction_session_timeout = {}; SET jit = off; SET TimeZone = 'UTC'",
                millis(self.options.time_max),
                millis(self.options.time_max),
            ))
            .await?;
        Ok(Link {
            client,
            statements: Statements::new(self.options.statements_max.max(1)),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// A connection in the hands of one request.
#[derive(Debug)]
pub(super) struct Lease {
    /// Present until it is given back.
    link: Option<Link>,
    reused: bool,
    idle: Arc<Mutex<Vec<Link>>>,
    slow_statement: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Whether it waited in the pool before, and may have been lost there.
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    pub(super) fn is_lost(&self) -> bool {
        self.link
            .as_ref()
            .is_none_or(|link| link.client.is_closed())
    }

    pub(super) fn slow_statement(&self) -> Duration {
        self.slow_statement
    }

    pub(super) fn client(&self) -> &Client {
        &self.link().client
    }

    fn link(&self) -> &Link {
        self.link
            .as_ref()
            .expect("present until give_back, which consumes")
    }

    /// The statement with this text, prepared on this connection.
    pub(super) async fn prepare(
        &mut self,
        sql: &Arc<str>,
    ) -> Result<Statement, tokio_postgres::Error> {
        let link = self
            .link
            .as_mut()
            .expect("present until give_back, which consumes");
        if let Some(statement) = link.statements.find(sql) {
            return Ok(statement);
        }
        let statement = link.client.prepare(sql).await?;
        link.statements.keep(Arc::clone(sql), statement.clone());
        Ok(statement)
    }

    /// The request has ended well: the next may have the connection.
    pub(super) fn give_back(mut self) {
        if let Some(link) = self.link.take() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(link);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Not given back: whatever still runs is of no use to anybody.
        if let Some(link) = self.link.take()
            && !link.client.is_closed()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let cancel = link.client.cancel_token();
            runtime.spawn(async move {
                // What cannot be cancelled ends by the statement's time limit.
                let _ = tokio::time::timeout(CONNECT_TIME_MAX, cancel.cancel_query(NoTls)).await;
            });
        }
    }
}

/// The prepared statements of one connection: as many as allowed, the longest unused goes first.
#[derive(Debug)]
struct Statements {
    by_text: HashMap<Arc<str>, (Statement, u64)>,
    most: usize,
    uses: u64,
}

impl Statements {
    fn new(most: usize) -> Self {
        Self {
            by_text: HashMap::new(),
            most,
            uses: 0,
        }
    }

    fn find(&mut self, sql: &str) -> Option<Statement> {
        self.uses += 1;
        let (statement, used) = self.by_text.get_mut(sql)?;
        *used = self.uses;
        Some(statement.clone())
    }

    fn keep(&mut self, sql: Arc<str>, statement: Statement) {
        if self.by_text.len() >= self.most {
            let oldest = self
                .by_text
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(text, _)| Arc::clone(text));
            if let Some(oldest) = oldest {
                self.by_text.remove(&oldest);
            }
        }
        self.by_text.insert(sql, (statement, self.uses));
    }
}
