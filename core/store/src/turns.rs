//! `SQLite`'s one writer, in turns, and commits that several of them share.
//!
//! A commit waits for the disk, and everybody who wants to write waits with it. So whoever is done
//! while others wait hands the transaction on instead: the next one marks a savepoint in it and
//! goes on. The last of a group commits for all of them, and only then is anybody told that their
//! changes are durable. Each member is still all or nothing by itself: what fails goes back to its
//! savepoint.
//!
//! Turns come in the order in which they were asked for. Behind those who wait stands a task that
//! commits the group, so that none stays open for want of a next member. When its turn comes and
//! others have come meanwhile, it lets them join, while the group is young: as long as it takes in
//! proportion to its commit.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use std::time::{Duration, Instant};

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::database::Turn;
use crate::error::StoreError;
use crate::pace::Pace;

/// How long is waited for a turn, and how far a group may grow: its first member waits for its
/// last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    /// Transactions that share a commit.
    pub(crate) members: usize,
    /// A group that is older than this takes no further member, unless commits are slow
    /// ([`COMMITS_OF_AGE`]).
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
    commits: Arc<Commits>,
    /// Only who has the turn changes it.
    group: Mutex<Option<Group>>,
}

/// What is known of commits.
#[derive(Debug, Default)]
struct Commits {
    count: AtomicU64,
    pace: Pace,
}

/// On a slow disk a group may grow for so many times what its commit takes: a tenth of the time is
/// spent on commits then.
const COMMITS_OF_AGE: u32 = 10;
/// But no longer: its first member waits.
const AGE_MAX: Duration = Duration::from_millis(50);

/// A transaction that has been handed on.
struct Group {
    commits: Arc<Commits>,
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
    turn: Turn,
    /// Taken by the end, whichever it is.
    held: Option<Held>,
    /// Nobody was there before it: there is no savepoint, all of the transaction is its own.
    is_first: bool,
    runtime: tokio::runtime::Handle,
}

/// Declared in the order in which they must go: who has the next turn finds the transaction in
/// nobody else's hands.
struct Held {
    transaction: Arc<DatabaseTransaction>,
    _permit: OwnedSemaphorePermit,
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
            commits: Arc::default(),
            group: Mutex::new(None),
        })
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// How many there were.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.count.load(Ordering::Relaxed)
    }

    /// Waits for the turn and begins. Who comes [`Turn::Alone`] or [`Turn::Long`] shares no
    /// commit: a group that has formed is committed before.
    pub(crate) async fn begin(self: &Arc<Self>, turn: Turn) -> Result<Member, StoreError> {
        let permit = self.permit().await?;
        if turn != Turn::First
            && let Some(group) = self.take_group()
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
                    return Err(StoreError::Retryable(
                        "a shared transaction was lost".into(),
                    ));
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
            turn,
            held: Some(Held {
                transaction,
                _permit: permit,
            }),
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

    fn take_group(&self) -> Option<Group> {
        self.group().take()
    }

    /// The transaction is lost: nothing that its members did will be there.
    fn give_up(&self, error: &StoreError) {
        let Some(group) = self.take_group() else {
            return;
        };
        tracing::error!(%error, members = group.members.len(), "a shared transaction was lost");
        tell(group.members, &Err(()));
    }

    /// Commits the group when its turn comes, unless somebody has done so by then.
    fn await_group(self: &Arc<Self>) {
        let writer = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let permit = Arc::clone(&writer.turn).acquire_owned().await;
                match writer.take_group() {
                    Some(group) if writer.may_grow(&group) => {
                        *writer.group() = Some(group);
                        // Behind those who have come meanwhile.
                        drop(permit);
                    }
                    Some(group) => {
                        group.commit().await;
                        return;
                    }
                    None => return,
                }
            }
        });
    }

    /// Whether others wait, and may still join.
    fn may_grow(&self, group: &Group) -> bool {
        let slow = (self.commits.pace.expected() * COMMITS_OF_AGE).min(AGE_MAX);
        self.waiting.load(Ordering::Relaxed) > 0
            && group.members.len() < self.limits.members
            && group.begun.elapsed() < self.limits.age.max(slow)
    }
}

impl Group {
    /// Commits for all members, and tells them.
    async fn commit(self) {
        let started = Instant::now();
        let done = match Arc::into_inner(self.transaction) {
            Some(transaction) => transaction.commit().await.map_err(StoreError::from),
            None => Err(StoreError::Abandoned),
        };
        self.commits.count.fetch_add(1, Ordering::Relaxed);
        self.commits.pace.note(started.elapsed());
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
}

/// Nobody knows whose mistake it was that a shared commit failed: each tries again, and at last
/// alone.
fn tell(members: Vec<oneshot::Sender<Result<(), StoreError>>>, done: &Result<(), ()>) {
    for member in members {
        // One that has given up waiting is told nothing.
        let _ =
            member.send(done.map_err(|()| StoreError::Retryable("a shared commit failed".into())));
    }
}

impl Member {
    pub(crate) fn transaction(&self) -> &DatabaseTransaction {
        let held = self.held.as_ref();
        &held
            .expect("present until the end, which consumes")
            .transaction
    }

    /// Makes everything durable: at once, or together with those who are waiting to write.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        let writer = Arc::clone(&self.writer);
        let Some(Held {
            transaction,
            _permit: permit,
        }) = self.held.take()
        else {
            return Err(StoreError::Abandoned);
        };
        let mut group = writer.take_group().unwrap_or_else(|| Group {
            commits: Arc::clone(&writer.commits),
            transaction: Arc::clone(&transaction),
            begun: Instant::now(),
            members: Vec::new(),
            is_awaited: false,
            is_marked: false,
        });
        group.members.push(sender);
        group.is_marked = !self.is_first;
        drop(transaction);
        if self.turn == Turn::First && writer.may_grow(&group) {
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
        if let Some(held) = self.held.take() {
            take_back(&self.writer, held, self.is_first).await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        let (writer, is_first) = (Arc::clone(&self.writer), self.is_first);
        self.runtime
            .spawn(async move { take_back(&writer, held, is_first).await });
    }
}

/// Whose own it was, it is rolled back by being dropped: the connection does so before anybody
/// gets it.
async fn take_back(writer: &Writer, held: Held, is_first: bool) {
    if is_first {
        return;
    }
    match held.transaction.execute_unprepared(TAKE_BACK).await {
        Ok(_) => {
            if let Some(group) = writer.group().as_mut() {
                group.is_marked = false;
            }
        }
        Err(error) => writer.give_up(&error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures_util::future::join_all;

    use crate::database::{Database, DatabaseOptions, Turn};
    use crate::error::StoreError;

    struct Place {
        _folder: tempfile::TempDir,
        database: Database,
    }

    async fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("t.db").display());
        let database = Database::open(&DatabaseOptions {
            // However slow the machine: groups form as long as somebody waits.
            group_age_max: std::time::Duration::from_secs(60),
            ..DatabaseOptions::new(url)
        })
        .await
        .unwrap();
        let transaction = database.begin(Turn::Alone).await.unwrap();
        transaction
            .execute_text(
                "CREATE TABLE target (id INTEGER PRIMARY KEY);
                 CREATE TABLE row (id INTEGER PRIMARY KEY, target INTEGER
                     REFERENCES target (id) DEFERRABLE INITIALLY DEFERRED)",
            )
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        Place {
            _folder: folder,
            database,
        }
    }

    impl Place {
        async fn insert(&self, turn: Turn, id: usize) -> Result<(), StoreError> {
            let transaction = self.database.begin(turn).await?;
            transaction
                .execute_text(&format!("INSERT INTO row (id) VALUES ({id})"))
                .await?;
            transaction.commit().await
        }

        /// As a reader on another connection sees them.
        async fn rows(&self) -> Vec<i64> {
            let snapshot = self.database.snapshot().await.unwrap();
            let rows = snapshot
                .query_all(snapshot.statement("SELECT id FROM row ORDER BY id", Vec::new()))
                .await
                .unwrap();
            rows.iter()
                .map(|row| row.try_get_by_index(0).unwrap())
                .collect()
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_waits_shares_a_commit() {
        let place = place().await;
        let before = place.database.turns();
        let done = join_all((0..100).map(|id| place.insert(Turn::First, id))).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        assert_eq!(place.rows().await, (0..100).collect::<Vec<i64>>());
        let after = place.database.turns();
        assert_eq!(after.taken - before.taken, 100);
        assert_eq!((after.held, after.waiting), (0, 0));
        let commits = after.commits - before.commits;
        assert!(commits <= 10, "{commits} commits for 100 writers");
        // Nobody waits: each has its own, at once.
        for id in 100..103 {
            place.insert(Turn::First, id).await.unwrap();
        }
        assert_eq!(place.database.turns().commits - after.commits, 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_fails_takes_back_its_own_alone() {
        let place = place().await;
        let done = join_all((0..60).map(|id| {
            let place = &place;
            async move {
                match id % 3 {
                    0 => place.insert(Turn::First, id).await,
                    1 => {
                        let transaction = place.database.begin(Turn::First).await?;
                        let insert = format!("INSERT INTO row (id) VALUES ({id})");
                        transaction.execute_text(&insert).await?;
                        // The same once more: it fails, and the transaction is dropped.
                        transaction.execute_text(&insert).await?;
                        transaction.commit().await
                    }
                    _ => {
                        let transaction = place.database.begin(Turn::First).await?;
                        let insert = format!("INSERT INTO row (id) VALUES ({id})");
                        transaction.execute_text(&insert).await?;
                        transaction.rollback().await;
                        Ok(())
                    }
                }
            }
        }))
        .await;
        for (id, done) in done.iter().enumerate() {
            assert_eq!(done.is_ok(), id % 3 != 1, "{id}: {done:?}");
        }
        let kept: Vec<i64> = (0..60).filter(|id| id % 3 == 0).collect();
        assert_eq!(place.rows().await, kept);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_long_turn_keeps_nobody_waiting() {
        let place = std::sync::Arc::new(place().await);
        let first = place.database.begin(Turn::First).await.unwrap();
        first
            .execute_text("INSERT INTO row (id) VALUES (1)")
            .await
            .unwrap();
        let long = {
            let place = place.clone();
            tokio::spawn(async move { place.database.begin(Turn::Long).await.unwrap() })
        };
        while place.database.turns().waiting == 0 {
            tokio::task::yield_now().await;
        }
        // It is acknowledged while the long one still runs.
        first.commit().await.unwrap();
        let long = long.await.unwrap();
        assert_eq!(place.rows().await, [1]);
        long.execute_text("INSERT INTO row (id) VALUES (2)")
            .await
            .unwrap();
        long.commit().await.unwrap();
        assert_eq!(place.rows().await, [1, 2]);
    }

    /// A waiting client goes away after a group has formed in front of it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_group_is_committed_although_nobody_comes_next() {
        let place = std::sync::Arc::new(place().await);
        let first = place.database.begin(Turn::First).await.unwrap();
        let next = {
            let place = place.clone();
            tokio::spawn(async move {
                let _transaction = place.database.begin(Turn::First).await;
                std::future::pending::<()>().await;
            })
        };
        while place.database.turns().waiting == 0 {
            tokio::task::yield_now().await;
        }
        first
            .execute_text("INSERT INTO row (id) VALUES (1)")
            .await
            .unwrap();
        let committed = tokio::spawn(first.commit());
        while place.database.turns().waiting > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            place.rows().await,
            [] as [i64; 0],
            "not before it is durable"
        );
        next.abort();
        committed.await.unwrap().unwrap();
        assert_eq!(place.rows().await, [1]);
    }

    /// What is checked at the commit fails for all who share it; then each tries alone, and only
    /// one has a mistake.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_failed_commit_is_tried_by_each_alone() {
        let place = place().await;
        let done = join_all((0..20).map(|id| {
            let place = &place;
            async move {
                let target = if id == 7 { "99" } else { "NULL" };
                let mut turn = Turn::First;
                loop {
                    let transaction = place.database.begin(turn).await?;
                    transaction
                        .execute_text(&format!("INSERT INTO row VALUES ({id}, {target})"))
                        .await?;
                    match transaction.commit().await {
                        Err(StoreError::Retryable(_)) => turn = Turn::Alone,
                        done => return done,
                    }
                }
            }
        }))
        .await;
        for (id, done) in done.iter().enumerate() {
            match (id, done) {
                (7, Err(StoreError::Referenced)) => {}
                (7, other) => panic!("{other:?}"),
                (_, done) => assert!(done.is_ok(), "{id}: {done:?}"),
            }
        }
        assert_eq!(place.rows().await.len(), 19);
    }
}
