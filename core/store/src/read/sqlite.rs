//! SQLite: read-only connections. Quick reads run where they are asked for ([`here`]), all others
//! on threads of their own, each with its connection, fed from one queue.
//!
//! There is no round trip, so a nested list runs its statement once for each parent, while the
//! parent's row is being written: JSON goes out straight from SQLite's own buffers. All reads of a
//! request are in one deferred transaction, and so in one snapshot.

mod here;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::cursor::day_of_date;
use super::plan::{Execution, Level};
use super::reader::ReaderOptions;
use super::rows::{Flow, Row, Source, unexpected};
use super::writer::Writer;
use super::{Compiled, Directory, Parameter};
use crate::StoreError;

use self::here::Here;

/// Steps of SQLite's machine between two looks at the clock: about ten microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 2_000;

/// How much longer than its deadline an answer is waited for.
const ANSWER_GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// A read with its parameters.
type Asked = (Arc<Compiled>, Vec<Parameter>);

/// All that reads. The threads end when nobody can ask any more, or are told to.
#[derive(Debug)]
pub(crate) struct Readers {
    here: Here,
    queue: flume::Sender<Message>,
    handles: Mutex<Vec<JoinHandle<()>>>,
    options: Arc<ReaderOptions>,
}

/// What a thread takes from the queue.
enum Message {
    Job(Box<Job>),
    End,
}

struct Job {
    reads: Vec<Asked>,
    directory: Arc<dyn Directory>,
    deadline: Instant,
    span: tracing::Span,
    answer: oneshot::Sender<Result<Vec<Vec<u8>>, StoreError>>,
}

impl Readers {
    pub(crate) async fn open(options: Arc<ReaderOptions>) -> Result<Self, StoreError> {
        let path = crate::database::sqlite_path(&options.url)?;
        let (queue, messages) = flume::bounded(options.queue_max.max(1));
        let mut handles = Vec::new();
        for number in 0..options.readers.max(1) {
            let connection = connect(&path, &options)?;
            let messages = messages.clone();
            let options = Arc::clone(&options);
            let handle = std::thread::Builder::new()
                .name(format!("relata-read-{number}"))
                .spawn(move || serve(&connection, &messages, &options))
                .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
            handles.push(handle);
        }
        Ok(Self {
            here: Here::open(&path, &options)?,
            queue,
            handles: Mutex::new(handles),
            options,
        })
    }

    /// Answers what waits, and closes the connections.
    pub(crate) async fn close(&self) {
        self.here.close();
        let handles =
            std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &handles {
            // Fails when they have ended by themselves.
            let _ = self.queue.send_async(Message::End).await;
        }
        let joined = tokio::task::spawn_blocking(move || {
            for handle in handles {
                // A panic of a reading thread has been told when it happened.
                let _ = handle.join();
            }
        });
        let _ = joined.await;
    }

    pub(crate) async fn run(
        &self,
        reads: &[Asked],
        directory: Arc<dyn Directory>,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        if let Some(result) = self.here.run(reads, &*directory, &self.options) {
            return result;
        }
        let (answer, answered) = oneshot::channel();
        let job = Job {
            reads: reads.to_vec(),
            directory,
            deadline: Instant::now() + self.options.time_max,
            span: tracing::Span::current(),
            answer,
        };
        let ended = || StoreError::Unavailable("the readers have ended".into());
        let message = Message::Job(Box::new(job));
        tokio::time::timeout(self.options.time_max, self.queue.send_async(message))
            .await
            .map_err(|elapsed| StoreError::Timeout(Box::new(elapsed)))?
            .map_err(|_| ended())?;
        // A thread keeps to the deadline itself; only one that ended meanwhile does not answer.
        tokio::time::timeout(self.options.time_max + ANSWER_GRACE, answered)
            .await
            .map_err(|elapsed| StoreError::Timeout(Box::new(elapsed)))?
            .map_err(|_| ended())?
    }
}

fn connect(path: &Path, options: &ReaderOptions) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; \
         PRAGMA cache_size = -16000; PRAGMA mmap_size = 268435456; PRAGMA busy_timeout = 5000;",
    )?;
    // Without it a plan depends on the values that were bound when it was made, LIMIT's among them,
    // and every statement is prepared again for each new value: a fifth of the time of a list.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    crate::functions::register(&connection)?;
    connection.set_prepared_statement_cache_capacity(options.statements_max.max(1));
    Ok(connection)
}

fn serve(connection: &Connection, queue: &flume::Receiver<Message>, options: &ReaderOptions) {
    while let Ok(Message::Job(job)) = queue.recv() {
        // Who has gone away needs no answer.
        if job.answer.is_closed() {
            continue;
        }
        let _entered = job.span.enter();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            answer(
                connection,
                &job.reads,
                &*job.directory,
                job.deadline,
                options,
            )
        }))
        .unwrap_or_else(|_| Err(StoreError::Database("a reader has panicked".into())));
        end_snapshot(connection);
        let _ = job.answer.send(result);
    }
}

/// Ends the snapshot of a request that failed on the way; reading undoes nothing.
fn end_snapshot(connection: &Connection) {
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
}

fn answer(
    connection: &Connection,
    reads: &[Asked],
    directory: &dyn Directory,
    deadline: Instant,
    options: &ReaderOptions,
) -> Result<Vec<Vec<u8>>, StoreError> {
    if Instant::now() > deadline {
        return Err(StoreError::Timeout("no reader was free in time".into()));
    }
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() > deadline))?;
    let statements: usize = reads
        .iter()
        .map(|(compiled, _)| compiled.levels.len())
        .sum();
    // A single statement is a snapshot by itself.
    let snapshot = statements > 1;
    if snapshot {
        connection.prepare_cached("BEGIN")?.raw_execute()?;
    }
    let answers = reads
        .iter()
        .map(|(compiled, parameters)| {
            let began = Instant::now();
            let execution = Execution::new(compiled, parameters, &options.cursor_key)?;
            let mut source = Nested::new(connection, &execution);
            let mut out = Vec::with_capacity(4_096);
            Writer::new(
                &execution,
                directory,
                &options.cursor_key,
                options.answer_bytes_max,
            )
            .write(&mut out, &mut source)?;
            source.tell(options);
            compiled.pace.note(began.elapsed());
            Ok(out)
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    if snapshot {
        connection.prepare_cached("COMMIT")?.raw_execute()?;
    }
    Ok(answers)
}

/// Runs the statement of a level for each parent, when it is asked for its rows.
struct Nested<'c, 'p> {
    connection: &'c Connection,
    execution: &'p Execution<'p>,
    statements: Vec<Prepared<'c>>,
}

/// A level's statement, kept with its values bound from parent to parent.
#[derive(Default)]
struct Prepared<'c> {
    statement: Option<CachedStatement<'c>>,
    runs: u32,
    took: std::time::Duration,
}

impl<'c, 'p> Nested<'c, 'p> {
    fn new(connection: &'c Connection, execution: &'p Execution<'p>) -> Self {
        Self {
            connection,
            execution,
            statements: execution
                .levels
                .iter()
                .map(|_| Prepared::default())
                .collect(),
        }
    }

    fn prepare(&self, level: &Level) -> Result<CachedStatement<'c>, StoreError> {
        let bound = &self.execution.levels[level.index];
        let mut statement = self.connection.prepare_cached(&bound.sql)?;
        let before = usize::from(level.parent.is_some());
        for (index, bind) in bound.binds.iter().enumerate() {
            statement.raw_bind_parameter(before + index + 1, &**bind)?;
        }
        Ok(statement)
    }

    /// Records how long each level took, its nested ones included.
    fn tell(&self, options: &ReaderOptions) {
        for (bound, prepared) in self.execution.levels.iter().zip(&self.statements) {
            if prepared.runs == 0 {
                continue;
            }
            tracing::debug!(
                statement = &*bound.sql,
                runs = prepared.runs,
                took_us = prepared.took.as_micros() as u64,
                "read"
            );
            crate::observe::record(&bound.sql, prepared.took, options.slow_statement);
        }
    }
}

impl Source for Nested<'_, '_> {
    type Row<'row> = rusqlite::Row<'row>;

    fn visit<F>(
        &mut self,
        level: &Level,
        parent: Option<&Self::Row<'_>>,
        mut each: F,
    ) -> Result<(), StoreError>
    where
        F: FnMut(&mut Self, &Self::Row<'_>) -> Result<Flow, StoreError>,
    {
        let started = Instant::now();
        let mut statement = match self.statements[level.index].statement.take() {
            Some(statement) => statement,
            None => self.prepare(level)?,
        };
        if let (Some(place), Some(row)) = (level.parent, parent) {
            let id = row.get_ref(place.column)?;
            statement.raw_bind_parameter(1, ToSqlOutput::Borrowed(id))?;
        }
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if each(self, row)? == Flow::Enough {
                break;
            }
        }
        drop(rows);
        let prepared = &mut self.statements[level.index];
        prepared.statement = Some(statement);
        prepared.runs += 1;
        prepared.took += started.elapsed();
        Ok(())
    }
}

impl Row for rusqlite::Row<'_> {
    fn is_null(&self, position: usize) -> Result<bool, StoreError> {
        Ok(matches!(self.get_ref(position)?, ValueRef::Null))
    }

    fn text(&self, position: usize) -> Result<Option<&str>, StoreError> {
        match self.get_ref(position)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|_| unexpected(position, "text")),
            _ => Err(unexpected(position, "text")),
        }
    }

    fn integer(&self, position: usize) -> Result<Option<i64>, StoreError> {
        match self.get_ref(position)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            _ => Err(unexpected(position, "an integer")),
        }
    }

    fn boolean(&self, position: usize) -> Result<Option<bool>, StoreError> {
        Ok(self.integer(position)?.map(|number| number != 0))
    }

    fn uuid(&self, position: usize) -> Result<Option<Uuid>, StoreError> {
        match self.get_ref(position)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Uuid::from_slice(bytes)
                .map(Some)
                .map_err(|_| unexpected(position, "a UUID")),
            _ => Err(unexpected(position, "a UUID")),
        }
    }

    fn decimal(&self, position: usize, _scale: u32) -> Result<Option<i64>, StoreError> {
        self.integer(position)
    }

    fn day(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.text(position)?
            .map(|text| read_day(position, text))
            .transpose()
    }

    fn instant(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.integer(position)
    }

    fn write_list(&self, position: usize, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        // It is stored as the JSON that is wanted.
        Ok(self
            .text(position)?
            .map(|text| out.extend_from_slice(text.as_bytes()))
            .is_some())
    }
}

/// A date as SQLite holds it.
pub(crate) fn read_day(position: usize, text: &str) -> Result<i64, StoreError> {
    text.parse()
        .ok()
        .and_then(day_of_date)
        .ok_or_else(|| unexpected(position, "a date"))
}
