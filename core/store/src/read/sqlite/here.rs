//! Reads on the thread that asks for them.
//!
//! To hand a read to another thread and to be woken by it costs more than most reads do: about
//! 20 µs against 6 for a record by its id. So a read that is known to be quick, or not known yet,
//! is run where it is asked for, with a short deadline. One that passes the deadline is given up
//! and runs again on a reading thread, and so do the next ones of its kind: an asynchronous
//! worker is never held for long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{Asked, answer, connect, end_snapshot};
use crate::StoreError;
use crate::read::Directory;
use crate::read::reader::ReaderOptions;

/// Connections for those who read by themselves.
#[derive(Debug)]
pub(super) struct Here {
    idle: Mutex<Vec<Connection>>,
    closed: AtomicBool,
    longest: Duration,
}

impl Here {
    /// One connection for each of the machine's processors: more can't read at the same time.
    pub(super) fn open(
        path: &std::path::Path,
        options: &ReaderOptions,
    ) -> Result<Self, StoreError> {
        let count = if options.here_max.is_zero() {
            0
        } else {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        };
        let idle = (0..count)
            .map(|_| {
                let connection = connect(path, options)?;
                // Whoever waits here keeps others waiting: a reading thread can wait.
                connection.busy_timeout(Duration::ZERO)?;
                Ok(connection)
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Self {
            idle: Mutex::new(idle),
            closed: AtomicBool::new(false),
            longest: options.here_max,
        })
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answers; `None` where a reading thread has to give them.
    pub(super) fn run(
        &self,
        reads: &[Asked],
        directory: &dyn Directory,
        options: &ReaderOptions,
    ) -> Option<Result<Vec<Vec<u8>>, StoreError>> {
        let expected: Duration = reads
            .iter()
            .map(|(compiled, _)| compiled.pace.expected())
            .sum();
        // Half: what takes as long as the deadline on average passes it half of the time.
        if expected > self.longest / 2 {
            return None;
        }
        // In a panic the connection is not put back.
        let connection = self.lock().pop()?;
        let began = Instant::now();
        let result = answer(&connection, reads, directory, began + self.longest, options);
        end_snapshot(&connection);
        if !self.closed.load(Ordering::Acquire) {
            self.lock().push(connection);
        }
        match result {
            Err(StoreError::Timeout(_) | StoreError::Retryable(_) | StoreError::Unavailable(_)) => {
                metrics::counter!("relata_reads_moved_total").increment(1);
                for (compiled, _) in reads {
                    compiled.pace.note(began.elapsed());
                }
                None
            }
            result => Some(result),
        }
    }
}
