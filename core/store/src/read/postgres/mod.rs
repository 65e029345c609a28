//! PostgreSQL: its own small pool, one statement for each level and all its parents, and as few
//! round trips as there are levels below each other.
//!
//! A request that needs one statement runs it alone. Any other runs in one REPEATABLE READ READ
//! ONLY transaction: BEGIN is sent with the first statements and COMMIT with the last, without
//! waiting in between.

pub(crate) mod binary;
mod pool;

pub(crate) use pool::Pool;

use std::borrow::Cow;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use futures_util::TryStreamExt as _;
use tokio_postgres::Statement;
use tokio_postgres::types::{FromSql, ToSql, Type};
use uuid::Uuid;

use self::pool::Lease;
use super::bind::Bind;
use super::gather::{Gathered, Parents, Table};
use super::plan::{Execution, Level};
use super::rows::{Row, unexpected};
use super::writer::Writer;
use super::{Compiled, Directory, Parameter};
use crate::StoreError;

impl Pool {
    /// Runs all reads of a request in one snapshot.
    pub(crate) async fn run(
        &self,
        reads: &[(std::sync::Arc<Compiled>, Vec<Parameter>)],
        directory: &dyn Directory,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let options = self.options();
        let executions = reads
            .iter()
            .map(|(compiled, parameters)| Execution::new(compiled, parameters, &options.cursor_key))
            .collect::<Result<Vec<_>, _>>()?;
        let mut gathered = self.gather(&executions).await?;
        executions
            .iter()
            .zip(&mut gathered)
            .map(|(execution, gathered)| {
                let mut out = Vec::with_capacity(4_096);
                Writer::new(
                    execution,
                    directory,
                    &options.cursor_key,
                    options.answer_bytes_max,
                )
                .write(&mut out, &mut gathered.source())?;
                Ok(out)
            })
            .collect()
    }

    /// Fetches, and once more on a new connection when the old one turns out to have been lost
    /// while it was idle: nothing has been changed.
    async fn gather<'e>(
        &self,
        executions: &'e [Execution<'e>],
    ) -> Result<Vec<Gathered<'e, tokio_postgres::Row>>, StoreError> {
        let mut lease = self.lease().await?;
        let reused = lease.is_reused();
        match fetch(&mut lease, executions).await {
            Ok(gathered) => {
                lease.give_back();
                Ok(gathered)
            }
            Err(failure) if reused && (lease.is_lost() || failure.means_new_connection()) => {
                drop(lease);
                self.forget_idle();
                let mut lease = self.lease().await?;
                let gathered = fetch(&mut lease, executions).await?;
                lease.give_back();
                Ok(gathered)
            }
            Err(failure) => Err(failure.error),
        }
    }
}

/// Why fetching failed.
struct Failure {
    error: StoreError,
    /// Whether a prepared statement no longer fits the tables.
    outdated: bool,
}

impl Failure {
    fn means_new_connection(&self) -> bool {
        self.outdated || matches!(self.error, StoreError::Unavailable(_))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            outdated: false,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::SqlState;
        Self {
            outdated: error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED),
            error: error.into(),
        }
    }
}

/// A level of one of the reads, about to be asked.
struct Question<'e> {
    read: usize,
    level: &'e Level,
    parents: Option<Parents>,
    ids: Option<Bind>,
}

type Answer = Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>;
type Sent<'f> = Pin<Box<dyn Future<Output = Answer> + Send + 'f>>;

async fn fetch<'e>(
    lease: &mut Lease,
    executions: &'e [Execution<'e>],
) -> Result<Vec<Gathered<'e, tokio_postgres::Row>>, Failure> {
    let statements: usize = executions
        .iter()
        .map(|execution| execution.levels.len())
        .sum();
    let waves = executions
        .iter()
        .map(|execution| execution.compiled.depth())
        .max()
        .unwrap_or_default();
    let in_transaction = statements > 1;
    let mut gathered: Vec<Gathered<'e, tokio_postgres::Row>> =
        executions.iter().map(Gathered::new).collect();
    for wave in 0..waves {
        let questions = questions(executions, &mut gathered, wave)?;
        let begin = in_transaction && wave == 0;
        let commit = in_transaction && wave + 1 == waves;
        ask(lease, executions, &mut gathered, questions, begin, commit).await?;
    }
    Ok(gathered)
}

/// The levels at this depth whose parents are there; the others are answered at once.
fn questions<'e>(
    executions: &'e [Execution<'e>],
    gathered: &mut [Gathered<'e, tokio_postgres::Row>],
    depth: usize,
) -> Result<Vec<Question<'e>>, StoreError> {
    let mut questions = Vec::new();
    for (read, execution) in executions.iter().enumerate() {
        let levels = execution.compiled.levels.iter();
        for level in levels.filter(|level| level.depth == depth) {
            match gathered[read].parents(level)? {
                Some(parents) if parents.ids.is_empty() => {
                    gathered[read].add(level, Table::none(parents));
                }
                parents => questions.push(Question {
                    read,
                    level,
                    ids: parents
                        .as_ref()
                        .map(|parents| Bind::Uuids(parents.ids.clone())),
                    parents,
                }),
            }
        }
    }
    Ok(questions)
}

/// Sends a wave of statements without waiting for the answers in between.
async fn ask<'e>(
    lease: &mut Lease,
    executions: &'e [Execution<'e>],
    gathered: &mut [Gathered<'e, tokio_postgres::Row>],
    questions: Vec<Question<'e>>,
    begin: bool,
    commit: bool,
) -> Result<(), Failure> {
    let mut statements = Vec::with_capacity(questions.len());
    for question in &questions {
        let bound = &executions[question.read].levels[question.level.index];
        statements.push(lease.prepare(&bound.sql).await?);
    }
    let client = lease.client();
    let mut sent: Vec<Sent<'_>> = Vec::with_capacity(questions.len() + 2);
    if begin {
        sent.push(command(
            client,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        ));
    }
    for (question, statement) in questions.iter().zip(&statements) {
        let bound = &executions[question.read].levels[question.level.index];
        sent.push(query(
            client,
            statement,
            question.ids.as_ref(),
            &bound.binds,
        ));
    }
    if commit {
        sent.push(command(client, "COMMIT"));
    }
    let started = Instant::now();
    let mut answers = in_order(sent).await?;
    let took = started.elapsed();
    if begin {
        answers.remove(0);
    }
    for (question, rows) in questions.into_iter().zip(answers) {
        let bound = &executions[question.read].levels[question.level.index];
        tracing::debug!(
            statement = &*bound.sql,
            rows = rows.len(),
            took_us = took.as_micros() as u64,
            "read"
        );
        crate::observe::record(&bound.sql, took, lease.slow_statement());
        let table = match question.parents {
            Some(parents) => Table::nested(rows, question.level.last_column(), parents)?,
            None => Table::root(rows),
        };
        gathered[question.read].add(question.level, table);
    }
    Ok(())
}

fn command<'f>(client: &'f tokio_postgres::Client, text: &'static str) -> Sent<'f> {
    Box::pin(async move {
        client.batch_execute(text).await?;
        Ok(Vec::new())
    })
}

fn query<'f>(
    client: &'f tokio_postgres::Client,
    statement: &'f Statement,
    ids: Option<&'f Bind>,
    binds: &'f [Cow<'f, Bind>],
) -> Sent<'f> {
    Box::pin(async move {
        let values: Vec<&(dyn ToSql + Sync)> = ids
            .into_iter()
            .chain(binds.iter().map(Cow::as_ref))
            .map(|bind| bind as &(dyn ToSql + Sync))
            .collect();
        client
            .query_raw(statement, values)
            .await?
            .try_collect()
            .await
    })
}

/// Waits for all of them. They are polled in their order, and each sends its message when it is
/// polled first: so the server gets them in that order.
async fn in_order(mut sent: Vec<Sent<'_>>) -> Result<Vec<Vec<tokio_postgres::Row>>, Failure> {
    let mut answers: Vec<Option<Vec<tokio_postgres::Row>>> = sent.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, answer) in sent.iter_mut().zip(&mut answers) {
            if answer.is_some() {
                continue;
            }
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(rows)) => *answer = Some(rows),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => waiting = true,
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    })
    .await?;
    Ok(answers.into_iter().flatten().collect())
}

/// A column's bytes, of whatever type.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(
        _type: &Type,
        raw: &'r [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_type: &Type) -> bool {
        true
    }
}

fn bytes(row: &tokio_postgres::Row, position: usize) -> Result<Option<&[u8]>, StoreError> {
    row.try_get::<_, Option<Raw<'_>>>(position)
        .map(|raw| raw.map(|raw| raw.0))
        .map_err(|_| unexpected(position, "in the row"))
}

impl Row for tokio_postgres::Row {
    fn is_null(&self, position: usize) -> Result<bool, StoreError> {
        Ok(bytes(self, position)?.is_none())
    }

    fn text(&self, position: usize) -> Result<Option<&str>, StoreError> {
        binary::text(position, bytes(self, position)?)
    }

    fn integer(&self, position: usize) -> Result<Option<i64>, StoreError> {
        binary::integer(position, bytes(self, position)?)
    }

    fn boolean(&self, position: usize) -> Result<Option<bool>, StoreError> {
        binary::boolean(position, bytes(self, position)?)
    }

    fn uuid(&self, position: usize) -> Result<Option<Uuid>, StoreError> {
        binary::uuid(position, bytes(self, position)?)
    }

    fn decimal(&self, position: usize, scale: u32) -> Result<Option<i64>, StoreError> {
        binary::decimal(position, bytes(self, position)?, scale)
    }

    fn day(&self, position: usize) -> Result<Option<i64>, StoreError> {
        binary::day(position, bytes(self, position)?)
    }

    fn instant(&self, position: usize) -> Result<Option<i64>, StoreError> {
        binary::instant(position, bytes(self, position)?)
    }

    fn write_list(&self, position: usize, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        binary::write_list(position, bytes(self, position)?, out)
    }
}
