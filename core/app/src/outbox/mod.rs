//! After hooks: told from the outbox, at least once, in order, surviving a crash.
//!
//! Each hook is a consumer with a position. A run of entries is delivered in a transaction that
//! also moves the position ([`batch`]), so that what the hook writes happens exactly once; what it
//! does elsewhere happens at least once. A failure is tried again with growing pauses, and put
//! aside after some tries (a dead letter), so that one bad entry doesn't stop a consumer for ever.
//! Several processes on one database share the work: the position's row is taken first.
//!
//! Who waits for an answer goes first: commits that follow each other are looked at together, a
//! batch holds the turn for a bounded time, and between two of them the others write.

mod batch;
mod past;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use relata_catalog::FieldIndex;
use relata_store::{
    Backend,
    log::{Change, Delivery, OutboxEntry, OutboxRow, Position},
};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    AppError, Caller, State, Workspace, hooks,
    plugins::{BoundHook, Status},
};
pub(crate) use batch::Batch;
use batch::{Carried, Outcome};
use past::Past;

/// How the outbox is delivered.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Tries of one entry before it is put aside.
    pub attempts_max: u32,
    /// Pause after the first failure; doubles with each further one.
    pub pause_first: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// How often the outbox is looked at without being woken: other processes write as well.
    pub look_every: Duration,
    /// How long a commit waits for others before the outbox is looked at.
    pub coalesce: Duration,
    /// How far apart the outbox is looked at while commits keep coming.
    pub spacing: Duration,
    /// Entries that are read at once.
    pub page: u32,
    /// Most entries that one transaction delivers.
    pub batch_entries: u32,
    /// A transaction that has held its turn for this long begins no further entry.
    pub batch_time: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            attempts_max: 10,
            pause_first: Duration::from_millis(500),
            pause_max: Duration::from_secs(15 * 60),
            look_every: Duration::from_secs(1),
            coalesce: Duration::from_millis(5),
            spacing: Duration::from_millis(75),
            page: 200,
            batch_entries: 64,
            batch_time: Duration::from_millis(20),
        }
    }
}

/// A position that only passes over entries of no interest is written this rarely: on SQLite it
/// is a turn of the one writer.
const SAVE_PASSED_EVERY: usize = 5_000;

/// Delivers until the workspace is closed.
pub(crate) async fn pump(workspace: Workspace) {
    let mut ending = workspace.ending();
    let mut state = PumpState {
        holder: Uuid::now_v7().simple().to_string(),
        passed: HashMap::new(),
        kept_back: 0,
    };
    // The last round that a commit has called for.
    let mut woken_at: Option<Instant> = None;
    loop {
        let wait = match state.round(&workspace).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "the outbox can't be delivered");
                workspace.options().delivery.look_every
            }
        };
        let woken = tokio::select! {
            _ = ending.wait_for(|ending| *ending) => return,
            () = workspace.outbox_wakes().notified() => true,
            () = tokio::time::sleep(wait) => false,
        };
        if woken {
            // One commit is told at once; many in a row are told together.
            let DeliveryOptions {
                coalesce, spacing, ..
            } = workspace.options().delivery;
            let since = woken_at.map_or(spacing, |at| at.elapsed());
            tokio::select! {
                _ = ending.wait_for(|ending| *ending) => return,
                () = tokio::time::sleep(spacing.saturating_sub(since).max(coalesce)) => {}
            }
            woken_at = Some(Instant::now());
        }
    }
}

struct PumpState {
    /// This process, among those that share the database.
    holder: String,
    /// How far consumers have come in memory, past entries of no interest, and how many those
    /// were since the position was last written.
    passed: HashMap<String, (Position, usize)>,
    /// Rounds in a row in which an older transaction kept something back.
    kept_back: u32,
}

/// Why a consumer is left for now.
enum Left {
    /// There is nothing more.
    Done,
    /// It is tried again after this.
    Later(Duration),
    /// There is more, which an older transaction still keeps back.
    KeptBack,
    /// Another process serves it, or this one is ending.
    Elsewhere,
}

impl PumpState {
    /// Delivers what there is to every consumer; says when to look again.
    async fn round(&mut self, workspace: &Workspace) -> Result<Duration, AppError> {
        let state = workspace.state();
        let DeliveryOptions {
            look_every,
            spacing,
            ..
        } = workspace.options().delivery;
        let mut wait = look_every;
        let mut is_kept_back = false;
        for hook in state.plugins.after() {
            if hook.plugin.status != Status::Enabled || hook.plugin.component.is_none() {
                continue;
            }
            if is_ending(workspace) {
                break;
            }
            let span = tracing::debug_span!("deliver", consumer = hook.consumer());
            match self.serve(workspace, &state, hook).instrument(span).await {
                Ok(Left::Later(pause)) => wait = wait.min(pause),
                Ok(Left::KeptBack) => is_kept_back = true,
                Ok(Left::Done | Left::Elsewhere) => {}
                Err(error) => {
                    tracing::error!(consumer = hook.consumer(), %error, "a delivery could not be noted");
                }
            }
        }
        if is_kept_back {
            // What it waits for may be of another process, whose commit wakes nobody here. It is
            // short as a rule, and an import is not: looked at less and less often.
            wait = wait.min(spacing.saturating_mul(2_u32.saturating_pow(self.kept_back)));
            self.kept_back += 1;
        } else {
            self.kept_back = 0;
        }
        Ok(wait)
    }

    /// Delivers to one consumer until there is nothing more, or until it is to be left for a
    /// while.
    async fn serve(
        &mut self,
        workspace: &Workspace,
        state: &Arc<State>,
        hook: &Arc<BoundHook>,
    ) -> Result<Left, AppError> {
        let consumer = hook.consumer();
        let database = workspace.database();
        let mut delivery = match database.delivery(&consumer).await? {
            Some(known) => known,
            None => Delivery::starting(&consumer, database.outbox_end().await?),
        };
        let now = crate::clock::now_micros();
        if let Some(retry_at) = delivery.retry_at
            && retry_at > now
        {
            return Ok(Left::Later(micros(retry_at - now)));
        }
        if let Some((position, _)) = self.passed.get(&consumer)
            && *position > delivery.position
        {
            delivery.position = *position;
        }
        let DeliveryOptions {
            page,
            batch_entries,
            ..
        } = workspace.options().delivery;
        loop {
            let rows = database
                .outbox_after(delivery.position, u64::from(page))
                .await?;
            let (read, end) = (rows.len(), rows.last().map(|row| row.position));
            let wanted: Vec<OutboxRow> = rows
                .into_iter()
                .filter(|row| concerns(state, hook, &row.entry))
                .collect();
            for rows in wanted.chunks(batch_entries.max(1) as usize) {
                match self
                    .deliver(workspace, state, hook, &mut delivery, rows)
                    .await?
                {
                    Left::Done => {}
                    other => return Ok(other),
                }
            }
            if let Some(end) = end.filter(|end| *end > delivery.position) {
                delivery.position = end;
                self.pass_over(workspace, &delivery, read - wanted.len())
                    .await?;
            }
            if read < page as usize {
                break;
            }
        }
        let is_kept_back = database.backend() == Backend::Postgres
            && database.outbox_goes_on(delivery.position).await?;
        Ok(if is_kept_back {
            Left::KeptBack
        } else {
            Left::Done
        })
    }

    /// Delivers these entries, in as many transactions as it takes.
    async fn deliver(
        &mut self,
        workspace: &Workspace,
        state: &Arc<State>,
        hook: &Arc<BoundHook>,
        delivery: &mut Delivery,
        rows: &[OutboxRow],
    ) -> Result<Left, AppError> {
        let past = Arc::new(past_of(workspace, state, hook, rows).await?);
        let mut left = rows;
        let mut together = rows.len();
        while !left.is_empty() {
            if is_ending(workspace) {
                return Ok(Left::Elsewhere);
            }
            let batch = Arc::new(Batch {
                hook: Arc::clone(hook),
                state: Arc::clone(state),
                delivery: delivery.clone(),
                rows: left[..together.min(left.len())].to_vec(),
                past: Arc::clone(&past),
                holder: self.holder.clone(),
                tried: AtomicBool::new(false),
            });
            let outcome = match batch.carry_out(workspace).await {
                Ok(outcome) => outcome,
                Err(error) if batch.rows.len() > 1 => {
                    // Nobody knows whose failure it is: one by one, each has its own.
                    tracing::warn!(consumer = delivery.consumer, %error, "a batch failed as a whole");
                    together = 1;
                    continue;
                }
                Err(error) => batch.note_lost(workspace, &error).await?,
            };
            let Carried {
                delivery: next,
                entries,
                failure,
                rest,
            } = match outcome {
                Outcome::Carried(carried) => carried,
                Outcome::Elsewhere => return Ok(Left::Elsewhere),
                // The next round is on the new state.
                Outcome::Moved => return Ok(Left::Later(Duration::ZERO)),
            };
            *delivery = next;
            left = &left[entries..];
            if entries > 0 {
                self.passed.remove(&delivery.consumer);
            }
            if let Some(pause) = failure.and_then(|failure| failure.pause) {
                return Ok(Left::Later(pause));
            }
            // Turns come in order: who waits now has its turn before this asks again.
            let_others_write(workspace, rest).await;
        }
        Ok(Left::Done)
    }

    /// Notes in memory that entries of no interest are behind, and now and then in the database.
    async fn pass_over(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery,
        entries: usize,
    ) -> Result<(), AppError> {
        let (position, count) = self
            .passed
            .entry(delivery.consumer.clone())
            .or_insert((delivery.position, 0));
        *position = delivery.position;
        *count += entries;
        if *count >= SAVE_PASSED_EVERY {
            *count = 0;
            let delivery = delivery.clone();
            let holder = self.holder.clone();
            workspace
                .transact(&Caller::system(), move |unit| {
                    let (delivery, holder) = (delivery.clone(), holder.clone());
                    Box::pin(async move {
                        let transaction = unit.transaction();
                        let claimed =
                            batch::claim(transaction, &delivery, &holder, unit.now()).await?;
                        // Never back: another process may have come further.
                        if claimed.is_some_and(|known| known.position < delivery.position) {
                            transaction.save_delivery(&delivery).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(())
    }
}

/// Waits while others write, at most for so long.
async fn let_others_write(workspace: &Workspace, longest: Duration) {
    /// Whoever writes all the time does it more often than this, or is at it.
    const STEP: Duration = Duration::from_millis(4);
    let begun = Instant::now();
    let mut before = workspace.database().turns().taken;
    while begun.elapsed() < longest {
        tokio::time::sleep(STEP).await;
        let now = workspace.database().turns();
        if now.taken == before && now.held == 0 && now.waiting == 0 {
            return;
        }
        before = now.taken;
    }
}

fn is_ending(workspace: &Workspace) -> bool {
    *workspace.ending().borrow()
}

/// What the hook is told of the records of these entries.
async fn past_of(
    workspace: &Workspace,
    state: &State,
    hook: &BoundHook,
    rows: &[OutboxRow],
) -> Result<Past, AppError> {
    let Some((_, object)) = state.catalogue.object_keyed(&hook.object) else {
        return Err(AppError::broken("a hook is bound to no object"));
    };
    let inputs: Vec<FieldIndex> = hook.inputs.iter().flatten().copied().collect();
    Past::read(workspace.database(), object, &inputs, rows).await
}

/// Whether the hook wants to hear of the entry.
fn concerns(state: &State, hook: &BoundHook, entry: &OutboxEntry) -> bool {
    if entry.object != hook.object || !hook.hook.on.contains(&hooks::hook_change(entry.change)) {
        return false;
    }
    if entry.change != Change::Update || hook.hook.fields.is_empty() {
        return true;
    }
    let Some((_, object)) = state.catalogue.object_keyed(&hook.object) else {
        return false;
    };
    hook.triggers
        .iter()
        .any(|index| entry.fields.contains(&object.field(*index).key))
}

fn micros(count: i64) -> Duration {
    Duration::from_micros(u64::try_from(count).unwrap_or_default())
}
