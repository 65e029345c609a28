//! `SQLite`'s one writer, in turns, and commits that several of them share.
//!
//! A commit waits for the disk, and everybody who wants to write waits with it. So whoever is done
//! while others wait hands the transaction on instead: the next one marks a savepoint in it and
//! goes on. The last of a group commits for all of them, and only then is anybody told that their
//! changes are durable. Each member is still all or nothing by itself: what fails goes back to its
//! savepoint.
//!
//! Turns come in the order in which they were asked for. Behind those who waited when a group
//! began to form stands a task that commits it, so that no group stays open for want of a next
//! member.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use std::time::{Duration, Instant};

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::database::Turn;
use crate::error::StoreError;

/// How long is waited for a turn, and how far a group may grow: its first member waits for its
/// last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    /// Transactions that share a commit.
    pub(crate) members: usize,
    /// A group that is older than this takes no further member.
    pub(crate) age: Duration,
    /// Longest wait for a turn.
    pub(crate) wait: Duration,
}

/// The one connection that writes.
pub(crate) struct Writer {
    connection: DatabaseConnection,
    limits: GroupLimits,
    turn: Arc<Semaphore>,
    /// Who has asked for a turn and not begun. A task that will commit a group is not among them.
    waiting: Arc<AtomicUsize>,
    /// Only who has the turn changes it.
    group: Mutex<Option<Group>>,
}

/// A transaction that has been handed on.
struct Group {
    transaction: Arc<DatabaseTransaction>,
    begun: Instant,
    /// Who has done their part and waits for the commit.
    members: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// A task stands in the queue to commit it.
    is_awaited: bool,
    /// The last member's savepoint is still open.
    is_marked: bool,
}

/// A place in a transaction that may be shared. Dropped, it takes back what was done in it.
pub(crate) struct Member {
    writer: Arc<Writer>,
    transaction: Arc<DatabaseTransaction>,
    turn: Turn,
    /// Taken by the end, whichever it is.
    permit: Option<OwnedSemaphorePermit>,
    /// Nobody was there before it: there is no savepoint, all of the transaction is its own.
    is_first: bool,
    runtime: tokio::runtime::Handle,
}

const MARK: &str = "SAVEPOINT member";
const MARK_NEXT: &str = "RELEASE SAVEPOINT member; SAVEPOINT member";
const TAKE_BACK: &str = "ROLLBACK TO SAVEPOINT member; RELEASE SAVEPOINT member";

impl Writer {
    pub(crate) fn new(
        connection: DatabaseConnection,
        limits: GroupLimits,
        waiting: Arc<AtomicUsize>,
    ) -> Arc<Self> {
        Arc::new(Self {
            connection,
            limits,
            turn: Arc::new(Semaphore::new(1)),
            waiting,
            group: Mutex::new(None),
        })
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Waits for the turn and begins. Who comes [`Turn::Alone`] or [`Turn::Long`] shares no
    /// commit: a group that has formed is committed before.
    pub(crate) async fn begin(self: &Arc<Self>, turn: Turn) -> Result<Member, StoreError> {
        let permit = self.permit().await?;
        if turn != Turn::First
            && let Some(group) = self.group().take()
        {
            group.commit().await;
        }
        let joined = self.group().as_ref().map(|group| {
            let mark = if group.is_marked { MARK_NEXT } else { MARK };
            (Arc::clone(&group.transaction), mark)
        });
        let (transaction, is_first) = match joined {
            Some((transaction, mark)) => {
                if let Err(error) = transaction.execute_unprepared(mark).await {
                    // It is lost, with all that was done in it.
                    self.give_up(&error.into());
                    return Err(StoreError::Retryable("a shared transaction was lost".into()));
                }
                (transaction, false)
            }
            None => {
                let transaction = self
                    .connection
                    .begin_with_options(TransactionOptions {
                        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                        ..TransactionOptions::default()
                    })
                    .await?;
                (Arc::new(transaction), true)
            }
        };
        Ok(Member {
            writer: Arc::clone(self),
            transaction,
            turn,
            permit: Some(permit),
            is_first,
            runtime: tokio::runtime::Handle::current(),
        })
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = Arc::clone(&self.turn).acquire_owned();
        tokio::time::timeout(self.limits.wait, permit)
            .await
            .map_err(|late| StoreError::Timeout(Box::new(late)))?
            .map_err(|closed| StoreError::Unavailable(Box::new(closed)))
    }

    fn group(&self) -> MutexGuard<'_, Option<Group>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transaction is lost: nothing that its members did will be there.
    fn give_up(&self, error: &StoreError) {
        let Some(group) = self.group().take() else {
            return;
        };
        tracing::error!(%error, members = group.members.len(), "a shared transaction was lost");
        group.tell(&Err(()));
    }

    /// Commits the group when its turn comes, unless somebody has done so by then.
    fn await_group(self: &Arc<Self>) {
        let writer = Arc::clone(self);
        tokio::spawn(async move {
            let permit = Arc::clone(&writer.turn).acquire_owned().await;
            let group = writer.group().take();
            if let Some(group) = group {
                group.commit().await;
            }
            drop(permit);
        });
    }
}

impl Group {
    /// Commits for all members, and tells them.
    async fn commit(self) {
        let done = match Arc::into_inner(self.transaction) {
            Some(transaction) => transaction.commit().await.map_err(StoreError::from),
            None => Err(StoreError::Abandoned),
        };
        match (done, self.members) {
            (Err(error), mut members) if members.len() == 1 => {
                if let Some(only) = members.pop() {
                    let _ = only.send(Err(error));
                }
            }
            (done, members) => {
                if let Err(error) = &done {
                    tracing::warn!(%error, members = members.len(), "a shared commit failed");
                }
                metrics::histogram!("relata_commit_members").record(members.len() as f64);
                tell(members, &done.map_err(drop));
            }
        }
    }

    fn tell(self, done: &Result<(), ()>) {
        tell(self.members, done);
    }
}

/// Nobody knows whose mistake it was that a shared commit failed: each tries again, and at last
/// alone.
fn tell(members: Vec<oneshot::Sender<Result<(), StoreError>>>, done: &Result<(), ()>) {
    for member in members {
        // One that has given up waiting is told nothing.
        let _ = member.send(
            done.map_err(|()| StoreError::Retryable("a shared commit failed".into())),
        );
    }
}

impl Member {
    pub(crate) fn transaction(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// Makes everything durable: at once, or together with those who are waiting to write.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        let writer = Arc::clone(&self.writer);
        let permit = self.permit.take();
        let mut group = writer.group().take().unwrap_or_else(|| Group {
            transaction: Arc::clone(&self.transaction),
            begun: Instant::now(),
            members: Vec::new(),
            is_awaited: false,
            is_marked: false,
        });
        group.members.push(sender);
        group.is_marked = !self.is_first;
        let turn = self.turn;
        drop(self);
        let goes_on = turn == Turn::First
            && writer.waiting.load(Ordering::Relaxed) > 0
            && group.members.len() < writer.limits.members
            && group.begun.elapsed() < writer.limits.age;
        if goes_on {
            if !std::mem::replace(&mut group.is_awaited, true) {
                writer.await_group();
            }
            *writer.group() = Some(group);
            drop(permit);
        } else {
            // In a task of its own: others wait for it as well.
            tokio::spawn(async move {
                group.commit().await;
                drop(permit);
            });
        }
        receiver.await.unwrap_or(Err(StoreError::Abandoned))
    }

    /// Takes back what was done.
    pub(crate) async fn rollback(mut self) {
        if let Some(permit) = self.permit.take() {
            take_back(Arc::clone(&self.writer), self.release(), permit).await;
        }
    }

    /// The shared transaction; its own ends by being dropped.
    fn release(&mut self) -> Option<Arc<DatabaseTransaction>> {
        (!self.is_first).then(|| Arc::clone(&self.transaction))
    }
}

async fn take_back(
    writer: Arc<Writer>,
    shared: Option<Arc<DatabaseTransaction>>,
    permit: OwnedSemaphorePermit,
) {
    if let Some(transaction) = shared {
        let taken_back = transaction.execute_unprepared(TAKE_BACK).await;
        drop(transaction);
        match taken_back {
            Ok(_) => {
                if let Some(group) = writer.group().as_mut() {
                    group.is_marked = false;
                }
            }
            Err(error) => writer.give_up(&error.into()),
        }
    }
    drop(permit);
}

impl Drop for Member {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let shared = self.release();
        let writer = Arc::clone(&self.writer);
        // Whose own it was, it is rolled back by its connection, which nobody gets before.
        if shared.is_some() {
            self.runtime.spawn(take_back(writer, shared, permit));
        }
    }
}
