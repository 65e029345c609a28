//! One transaction that delivers a run of entries to one consumer.
//!
//! Each entry has a savepoint: one that fails undoes only itself. What came before it is committed
//! with it noted as failed, and the position stands in front of it. So what a hook writes happens
//! exactly once, whatever becomes of its neighbours, and one commit pays for all of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use relata_host::{AfterCall, CallError, FaultCause, Plugin, PluginValue, instant_text};
use relata_store::{
    Backend, Transaction, Turn,
    log::{Change, DeadLetter, Delivery, OutboxEntry, OutboxRow, Position},
};
use serde_json::json;
use uuid::Uuid;

use super::{DeliveryOptions, past::Past, past_of};
use crate::{
    Actor, AppError, Caller, State, Workspace, dead_letters, hooks,
    plugins::BoundHook,
    services::PluginServices,
    transact::{Link, Unit},
};

/// A run of entries for one consumer.
pub(crate) struct Batch {
    pub(super) hook: Arc<BoundHook>,
    /// What the hook is bound to.
    pub(super) state: Arc<State>,
    /// Where the consumer stands.
    pub(super) delivery: Delivery,
    /// What it is to hear, in order; at least one.
    pub(super) rows: Vec<OutboxRow>,
    pub(super) past: Arc<Past>,
    /// This process, among those that share the database.
    pub(super) holder: String,
    /// The transaction was tried before, and others were in the way.
    pub(super) tried: AtomicBool,
}

/// What came of a batch.
pub(super) enum Outcome {
    /// Some of it is behind.
    Carried(Carried),
    /// Another process serves this consumer, and further than this.
    Elsewhere,
    /// The catalogue or the plugins are at another revision than the hook is bound to.
    Moved,
}

/// How far a batch has come.
pub(super) struct Carried {
    /// Where the consumer stands now.
    pub(super) delivery: Delivery,
    /// Entries that are behind, given up ones included.
    pub(super) entries: usize,
    /// The entry after the delivered ones has failed.
    pub(super) failure: Option<Failure>,
    /// How long others are let write before the next batch, if they want to.
    pub(super) rest: Duration,
}

/// A failed delivery of one entry.
pub(super) struct Failure {
    /// Until it is tried again; none when it is given up.
    pub(super) pause: Option<Duration>,
    attempts: i64,
    message: String,
}

impl Failure {
    /// After the commit in which it is noted.
    async fn tell(&self, workspace: &Workspace, consumer: &str) {
        tracing::warn!(
            consumer,
            attempts = self.attempts,
            gives_up = self.pause.is_none(),
            error = self.message,
            "a delivery failed"
        );
        if self.pause.is_none() {
            dead_letters::note_given_up(workspace, consumer).await;
        }
    }
}

impl Batch {
    /// Delivers as much of it as the limits allow, in one transaction.
    pub(super) async fn carry_out(
        self: &Arc<Self>,
        workspace: &Workspace,
    ) -> Result<Outcome, AppError> {
        let caller = Caller::system().plugin(&self.hook.plugin.id);
        let batch = Arc::clone(self);
        let outcome = workspace
            .transact_long(&caller, move |unit| {
                let batch = Arc::clone(&batch);
                Box::pin(async move { batch.run(&unit).await })
            })
            .await?;
        if let Outcome::Carried(Carried {
            failure: Some(failure),
            ..
        }) = &outcome
        {
            failure.tell(workspace, &self.delivery.consumer).await;
        }
        Ok(outcome)
    }

    async fn run(&self, unit: &Unit) -> Result<Outcome, AppError> {
        let begun = Instant::now();
        let turns = unit.workspace().database().turns().taken;
        if unit.state().revision != self.state.revision {
            return Ok(Outcome::Moved);
        }
        let Some(component) = &self.hook.plugin.component else {
            return Ok(Outcome::Elsewhere);
        };
        let claimed = claim(unit.transaction(), &self.delivery, &self.holder, unit.now()).await?;
        if claimed.is_none_or(|known| known.position > self.delivery.position) {
            return Ok(Outcome::Elsewhere);
        }
        let options = &unit.workspace().options().delivery;
        // Less to undo when others are in the way again, and a shorter time alone.
        let is_further_try = self.tried.swap(true, Ordering::Relaxed);
        let entries_max = if is_further_try { 1 } else { self.rows.len() };
        let mut carried = Carried {
            delivery: self.delivery.clone(),
            entries: 0,
            failure: None,
            rest: Duration::ZERO,
        };
        for row in self.rows.iter().take(entries_max) {
            if carried.entries > 0 && begun.elapsed() >= options.batch_time {
                break;
            }
            match self.deliver(unit, component, row).await? {
                Ok(()) => {
                    carried.delivery = Delivery::starting(&self.delivery.consumer, row.position);
                    carried.entries += 1;
                }
                Err(error) => {
                    self.note_failure(unit.transaction(), options, &mut carried, row, &error)
                        .await?;
                    break;
                }
            }
        }
        unit.transaction().save_delivery(&carried.delivery).await?;
        carried.rest = rest(unit, begun.elapsed(), turns);
        Ok(Outcome::Carried(carried))
    }

    /// Calls the hook for one entry. What it has done is undone when it fails; an error of the
    /// outer kind is one of the whole transaction.
    async fn deliver(
        &self,
        unit: &Unit,
        component: &Plugin,
        row: &OutboxRow,
    ) -> Result<Result<(), AppError>, AppError> {
        let savepoint = unit.transaction().savepoint().await?;
        match self.call(unit, component, row).await {
            Ok(()) => {
                unit.transaction().release(savepoint).await?;
                Ok(Ok(()))
            }
            // Others were in the way: of all of it, however much is undone.
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => {
                unit.transaction().rollback_to(savepoint).await?;
                Ok(Err(error))
            }
        }
    }

    /// An entry that was given up, once more. The consumer has gone past it: its position stays.
    pub(crate) async fn again(
        workspace: &Workspace,
        state: Arc<State>,
        hook: Arc<BoundHook>,
        entry: OutboxEntry,
    ) -> Result<Self, AppError> {
        let position = Position::START;
        let rows = vec![OutboxRow { position, entry }];
        Ok(Self {
            past: Arc::new(past_of(workspace, &state, &hook, &rows).await?),
            delivery: Delivery::starting(hook.consumer(), position),
            hook,
            state,
            rows,
            holder: String::new(),
            tried: AtomicBool::new(false),
        })
    }

    /// Calls the hook for each entry in the unit's transaction; no position is moved.
    pub(crate) async fn tell(&self, unit: &Unit) -> Result<(), AppError> {
        if unit.state().revision != self.state.revision {
            return Err(AppError::Conflict);
        }
        let Some(component) = &self.hook.plugin.component else {
            return Err(AppError::broken(
                "a plugin that is not loaded has a delivery",
            ));
        };
        for row in &self.rows {
            self.call(unit, component, row).await?;
        }
        Ok(())
    }

    async fn call(&self, unit: &Unit, component: &Plugin, row: &OutboxRow) -> Result<(), AppError> {
        let plugin = &self.hook.plugin;
        let link = Link {
            plugin: plugin.id.clone(),
            hook: self.hook.hook.name.clone(),
            // Not the record's id: a before hook of the plugin on it has its own say.
            record: Uuid::nil(),
            object: "after hook".to_owned(),
        };
        let services = PluginServices::new(unit, plugin, Arc::from([link]));
        let Some(call) = self.arguments(unit, row) else {
            // The object is gone: nobody is left to hear of it.
            return Ok(());
        };
        match component.after(&self.hook.hook.name, call, services).await {
            Ok(()) => {
                plugin.note_success();
                Ok(())
            }
            Err(CallError::Aborted(source)) => Err(hooks::aborted(source)),
            Err(CallError::Fault(fault)) if fault.cause == FaultCause::Capacity => {
                Err(AppError::Unavailable(fault.to_string()))
            }
            Err(CallError::Retry(message)) => Err(hooks::plugin_failed(plugin, &message)),
            Err(failure) => {
                hooks::note_fault(unit, plugin, &failure.to_string());
                Err(hooks::plugin_failed(plugin, &failure.to_string()))
            }
        }
    }

    fn arguments(&self, unit: &Unit, row: &OutboxRow) -> Option<AfterCall> {
        let entry = &row.entry;
        let (_, object) = unit.catalogue().object_keyed(&entry.object)?;
        let at_version = |version: i64| -> Vec<PluginValue> {
            self.hook
                .inputs
                .iter()
                .map(|input| match input {
                    Some(index) => {
                        let field = object.field(*index);
                        self.past.value_at(entry.record, field, version)
                    }
                    None => PluginValue::Null,
                })
                .collect()
        };
        let actor = entry.actor.parse().unwrap_or(Actor::System);
        Some(AfterCall {
            object: object.singular.clone(),
            change: hooks::hook_change(entry.change),
            id: entry.record.to_string(),
            version: entry.version,
            actor: hooks::plugin_actor(&actor),
            at: instant_text(entry.at),
            idempotency_key: format!(
                "{}:{}:{}",
                self.delivery.consumer, entry.record, entry.version
            ),
            old: match entry.change {
                Change::Create => Vec::new(),
                _ => at_version(entry.version - 1),
            },
            new: at_version(entry.version),
        })
    }

    /// Plans the next try of an entry behind those that were carried, or puts it aside after the
    /// last.
    async fn note_failure(
        &self,
        transaction: &Transaction,
        options: &DeliveryOptions,
        carried: &mut Carried,
        row: &OutboxRow,
        error: &AppError,
    ) -> Result<(), AppError> {
        // Failures are counted of the entry behind the position: of the first one here.
        let attempts = carried.delivery.attempts + 1;
        let now = crate::clock::now_micros();
        let message = error.message();
        let pause = (attempts < i64::from(options.attempts_max)).then(|| pause(options, attempts));
        carried.delivery = match pause {
            Some(pause) => Delivery {
                attempts,
                retry_at: Some(now + crate::clock::micros_of(pause)),
                last_error: Some(message.clone()),
                ..carried.delivery.clone()
            },
            None => {
                let letter = dead_letter(&self.delivery.consumer, row, &message, attempts, now);
                transaction.append_dead_letter(&letter).await?;
                carried.entries += 1;
                Delivery::starting(&self.delivery.consumer, row.position)
            }
        };
        carried.failure = Some(Failure {
            pause,
            attempts,
            message,
        });
        Ok(())
    }

    /// Notes that the transaction of the first entry alone has failed, in another one.
    pub(super) async fn note_lost(
        &self,
        workspace: &Workspace,
        error: &AppError,
    ) -> Result<Outcome, AppError> {
        let Some(row) = self.rows.first() else {
            return Ok(Outcome::Elsewhere);
        };
        let transaction = workspace.database().begin(Turn::First).await?;
        let now = crate::clock::now_micros();
        let claimed = claim(&transaction, &self.delivery, &self.holder, now).await?;
        if claimed.is_none_or(|known| known.position > self.delivery.position) {
            return Ok(Outcome::Elsewhere);
        }
        let mut carried = Carried {
            delivery: self.delivery.clone(),
            entries: 0,
            failure: None,
            rest: Duration::ZERO,
        };
        let options = &workspace.options().delivery;
        self.note_failure(&transaction, options, &mut carried, row, error)
            .await?;
        transaction.save_delivery(&carried.delivery).await?;
        transaction.commit().await?;
        if let Some(failure) = &carried.failure {
            failure.tell(workspace, &self.delivery.consumer).await;
        }
        Ok(Outcome::Carried(carried))
    }
}

/// How long a process keeps a consumer that it serves. Each delivery prolongs it, so it is short:
/// a process that was killed holds it until it ends.
const LEASE_MICROS: i64 = 3_000_000;

/// Takes the consumer for this process until the lease ends.
pub(super) async fn claim(
    transaction: &Transaction,
    delivery: &Delivery,
    holder: &str,
    now: i64,
) -> Result<Option<Delivery>, AppError> {
    Ok(transaction
        .claim_delivery(
            &delivery.consumer,
            delivery.position,
            holder,
            now,
            now + LEASE_MICROS,
        )
        .await?)
}

/// Where others write at the same time, they get up to three quarters of it, so that the usual
/// write does not meet a delivery, however much there is to be delivered: on `SQLite` it would
/// wait for it, on `PostgreSQL` share the processors and collide with it.
fn rest(unit: &Unit, held: Duration, taken_before: u64) -> Duration {
    const SHARE_OF_OTHERS: u32 = 3;
    /// After a hook that took seconds, nobody needs as many to catch up.
    const REST_MAX: Duration = Duration::from_secs(1);
    let turns = unit.workspace().database().turns();
    let is_in_the_way = match unit.transaction().backend() {
        Backend::Sqlite => turns.waiting > 0,
        Backend::Postgres => turns.taken > taken_before,
    };
    if is_in_the_way {
        held.saturating_mul(SHARE_OF_OTHERS).min(REST_MAX)
    } else {
        Duration::ZERO
    }
}

/// The pause after this many failures.
fn pause(options: &DeliveryOptions, attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts - 1).unwrap_or(31).min(31);
    options
        .pause_first
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(options.pause_max)
}

fn dead_letter(consumer: &str, row: &OutboxRow, error: &str, attempts: i64, at: i64) -> DeadLetter {
    let entry = &row.entry;
    DeadLetter {
        id: 0,
        consumer: consumer.to_owned(),
        entry: json!({
            "object": entry.object,
            "record": entry.record.to_string(),
            "version": entry.version,
            "change": entry.change,
            "actor": entry.actor,
            "at": entry.at,
        })
        .to_string(),
        error: error.to_owned(),
        attempts,
        at,
    }
}
