//! One request, one transaction: begun, carried out, committed, and tried again when others were
//! in the way. Or one snapshot, which is only read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use relata_catalog::{Catalogue, CoerceContext};
use relata_store::{Backend, Record, Transaction, Turn};
use tracing::Instrument as _;

use crate::{AppError, Caller, State, Workspace};

/// Tries of one transaction, the first included.
pub const TRIES_MAX: u32 = 6;
/// Failures after which a try waits until nobody else writes.
const TRIES_BESIDE_OTHERS: u32 = 2;
/// Longest wait before the second try; doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(4);

/// A transaction in progress, on somebody's behalf. Clones share the transaction; everything
/// done by them is committed together, or not at all.
#[derive(Clone)]
pub struct Unit {
    shared: Arc<Shared>,
    caller: Arc<Caller>,
    chain: Chain,
    expected: Option<Arc<Record>>,
}

struct Shared {
    workspace: Workspace,
    state: Arc<State>,
    transaction: Transaction,
    now: i64,
    coercion: CoerceContext,
    turn: Turn,
    writes: AtomicU64,
}

/// Hooks that led to a write, outermost first.
pub(crate) type Chain = Arc<[Link]>;

/// One hook of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Id of the plugin.
    pub(crate) plugin: String,
    /// Name of the hook.
    pub(crate) hook: String,
    /// The record whose write called it.
    pub(crate) record: uuid::Uuid,
    /// Singular name of its object.
    pub(crate) object: String,
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Unit")
            .field("actor", &self.caller.actor)
            .field("revision", &self.shared.state.revision)
            .finish_non_exhaustive()
    }
}

impl Unit {
    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.shared.workspace
    }

    /// What the workspace is in this transaction. Indices of objects and fields that are given to
    /// functions with a unit are positions in this catalogue.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.shared.state
    }

    /// The catalogue of [`Unit::state`].
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.shared.state.catalogue
    }

    /// The transaction, for reads; writes go through the steps of [`crate::records`].
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.shared.transaction
    }

    /// On whose behalf it runs.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// When it began, in microseconds since 1970: the one clock of the transaction.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.shared.now
    }

    pub(crate) fn coercion(&self) -> &CoerceContext {
        &self.shared.coercion
    }

    pub(crate) fn actor_text(&self) -> String {
        self.caller.actor.to_string()
    }

    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The same transaction as somebody else, one hook deeper where a hook led to it.
    pub(crate) fn acting_as(&self, caller: Caller, chain: Chain) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            caller: Arc::new(caller),
            chain,
            expected: self.expected.clone(),
        }
    }

    /// The same transaction, in which rules see this record as it is about to become: who changes
    /// what points at it must write that before the record itself.
    pub(crate) fn expecting(&self, record: Record) -> Self {
        Self {
            expected: Some(Arc::new(record)),
            ..self.clone()
        }
    }

    /// A record that was read, or what is expected of it.
    pub(crate) fn expected(&self, record: Record) -> Record {
        match &self.expected {
            Some(expected) if expected.id == record.id => Record::clone(expected),
            _ => record,
        }
    }

    /// Whether nobody else writes while this transaction runs.
    pub(crate) fn is_alone(&self) -> bool {
        self.shared.turn == Turn::Alone || self.transaction().backend() == Backend::Sqlite
    }

    /// Counts what was written. Consumers of the outbox are woken after the commit.
    pub(crate) fn note_write(&self) {
        self.shared.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was written so far.
    pub(crate) fn writes(&self) -> u64 {
        self.shared.writes.load(Ordering::Relaxed)
    }
}

impl Workspace {
    /// Runs `work` in one transaction and commits it. When other transactions were in the way it
    /// runs again, on the state of that moment, so `work` does nothing outside the transaction
    /// and resolves names anew from [`Unit::state`].
    ///
    /// # Errors
    /// What `work` says, with everything undone; `CONFLICT` when the tries are used up.
    pub async fn transact<T, F>(&self, caller: &Caller, work: F) -> Result<T, AppError>
    where
        F: Fn(Unit) -> BoxFuture<'static, Result<T, AppError>>,
    {
        self.transact_in(Turn::First, caller, work).await
    }

    /// As [`Workspace::transact`], for work that may take long: nobody who is done waits for it.
    ///
    /// # Errors
    /// As there.
    pub async fn transact_long<T, F>(&self, caller: &Caller, work: F) -> Result<T, AppError>
    where
        F: Fn(Unit) -> BoxFuture<'static, Result<T, AppError>>,
    {
        self.transact_in(Turn::Long, caller, work).await
    }

    async fn transact_in<T, F>(
        &self,
        first_turn: Turn,
        caller: &Caller,
        work: F,
    ) -> Result<T, AppError>
    where
        F: Fn(Unit) -> BoxFuture<'static, Result<T, AppError>>,
    {
        let mut failures = 0;
        loop {
            let turn = if failures < TRIES_BESIDE_OTHERS {
                first_turn
            } else {
                Turn::Alone
            };
            match self.try_once(caller, turn, &work).await {
                Err(error) if error.is_retryable() && failures + 1 < TRIES_MAX => {
                    failures += 1;
                    tracing::debug!(failures, "a transaction is tried again");
                    metrics::counter!("relata_transaction_retries_total").increment(1);
                    tokio::time::sleep(pause(failures)).await;
                }
                result => return result,
            }
        }
    }

    /// A unit that can only read, on one snapshot. It takes no turn, so it holds up nobody who
    /// writes; it ends when the last of its clones is dropped.
    ///
    /// # Errors
    /// `TIMEOUT` when too many are read at once.
    pub async fn snapshot(&self, caller: &Caller) -> Result<Unit, AppError> {
        let (transaction, state) = self.begin_snapshot().await?;
        // Nothing is written, so the turn is asked by nobody.
        Ok(Session::new(self, state, transaction, Turn::First, caller).unit(caller))
    }

    async fn try_once<T, F>(&self, caller: &Caller, turn: Turn, work: &F) -> Result<T, AppError>
    where
        F: Fn(Unit) -> BoxFuture<'static, Result<T, AppError>>,
    {
        let (transaction, state) = self.begin(turn).await?;
        let session = Session::new(self, state, transaction, turn, caller);
        let done = work(session.unit(caller))
            .instrument(tracing::debug_span!("transaction", actor = %caller.actor))
            .await?;
        session.commit().await?;
        Ok(done)
    }
}

/// Who holds the end of a transaction: the units that it gives out must be gone by then.
pub(crate) struct Session {
    shared: Arc<Shared>,
}

impl Session {
    pub(crate) fn new(
        workspace: &Workspace,
        state: Arc<State>,
        transaction: Transaction,
        turn: Turn,
        caller: &Caller,
    ) -> Self {
        let now = crate::clock::now_micros();
        let options = workspace.options();
        Self {
            shared: Arc::new(Shared {
                workspace: workspace.clone(),
                state,
                transaction,
                now,
                coercion: CoerceContext {
                    region: options.region.clone(),
                    currency: options.currency.clone(),
                    now_micros: now,
                    zone: Some(caller.zone.clone()),
                },
                turn,
                writes: AtomicU64::new(0),
            }),
        }
    }

    pub(crate) fn unit(&self, caller: &Caller) -> Unit {
        Unit {
            shared: Arc::clone(&self.shared),
            caller: Arc::new(caller.clone()),
            chain: Arc::from([]),
            expected: None,
        }
    }

    /// Makes everything durable and wakes who waits for it.
    pub(crate) async fn commit(self) -> Result<(), AppError> {
        let Some(shared) = Arc::into_inner(self.shared) else {
            return Err(AppError::broken(
                "a unit was kept beyond the work that it was given to",
            ));
        };
        shared
            .transaction
            .commit()
            .instrument(tracing::debug_span!("commit"))
            .await?;
        if shared.writes.into_inner() > 0 {
            shared.workspace.wake_consumers();
        }
        Ok(())
    }
}

/// Up to the doubled pause: what collided must not collide again at the same distance.
fn pause(failures: u32) -> Duration {
    let longest = PAUSE_FIRST * 2_u32.saturating_pow(failures.min(6));
    // The low bits of a fresh UUID are as random as a pause has to be.
    let share = uuid::Uuid::now_v7().as_u128() % 768;
    longest.mul_f64((256.0 + share as f64) / 1_024.0)
}
