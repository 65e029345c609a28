//! After hooks: told from the outbox, at least once, in order, surviving a crash.
//!
//! Each hook is a consumer with a position. An entry is delivered in a transaction that also moves
//! the position, so that what the hook writes happens exactly once; what it does elsewhere happens
//! at least once. A failure is tried again with growing pauses, and put aside after some tries
//! (a dead letter), so that one bad entry doesn't stop a consumer for ever. Several processes on
//! one database share the work: the position's row is taken first.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use relata_catalog::{Field, FieldIndex, Object, Value};
use relata_host::{AfterCall, CallError, FaultCause, PluginValue, instant_text, to_plugin};
use relata_store::{
    Turn,
    log::{Change, DeadLetter, Delivery, HistoryEntry, OutboxEntry, OutboxRow, Position},
};
use serde_json::json;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    Actor, AppError, Caller, Workspace, dead_letters, hooks,
    plugins::{BoundHook, Status},
    records::value_from_history,
    services::PluginServices,
    transact::{Link, Unit},
};

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
    /// Entries that are read at once.
    pub page: u32,
    /// How long entries are kept after everybody has got them.
    pub kept: Duration,
    /// How long tables and columns of removed elements stay, for an undo and for requests of
    /// older revisions.
    pub parked: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            attempts_max: 10,
            pause_first: Duration::from_millis(500),
            pause_max: Duration::from_secs(15 * 60),
            look_every: Duration::from_secs(1),
            page: 200,
            kept: Duration::from_secs(24 * 3_600),
            parked: Duration::from_secs(7 * 24 * 3_600),
        }
    }
}

/// Versions of a record's history that are looked through for the values of one delivery.
pub(crate) const HISTORY_MAX: u64 = 1_000;
/// How long a commit waits for others before the outbox is looked at.
const COALESCE: Duration = Duration::from_millis(10);
/// How often old entries are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// A position that only passes over entries of no interest is written this rarely: on SQLite it
/// is a turn of the one writer.
const SAVE_PASSED_EVERY: u32 = 5_000;

/// Delivers until the workspace is closed.
pub(crate) async fn pump(workspace: Workspace) {
    let mut ending = workspace.ending();
    let mut state = PumpState {
        holder: Uuid::now_v7().simple().to_string(),
        passed: HashMap::new(),
        pruned: Instant::now(),
    };
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
            // Many commits in a row are looked at together.
            tokio::time::sleep(COALESCE).await;
        }
    }
}

struct PumpState {
    /// This process, among those that share the database.
    holder: String,
    /// How far consumers have come in memory, past entries of no interest, and how many those
    /// were since the position was last written.
    passed: HashMap<String, (Position, u32)>,
    pruned: Instant,
}

impl PumpState {
    /// Delivers what there is to every consumer; says when to look again.
    async fn round(&mut self, workspace: &Workspace) -> Result<Duration, AppError> {
        let state = workspace.state();
        let mut wait = workspace.options().delivery.look_every;
        for hook in state.plugins.after() {
            if hook.plugin.status != Status::Enabled || hook.plugin.component.is_none() {
                continue;
            }
            if *workspace.ending().borrow() {
                break;
            }
            let span = tracing::debug_span!("deliver", consumer = hook.consumer());
            match self.serve(workspace, hook).instrument(span).await {
                Ok(Some(retry)) => wait = wait.min(retry),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(consumer = hook.consumer(), %error, "a delivery could not be noted");
                }
            }
        }
        if self.pruned.elapsed() > PRUNE_EVERY {
            self.pruned = Instant::now();
            dead_letters::report(workspace).await;
            prune(workspace).await?;
        }
        Ok(wait)
    }

    /// Delivers to one consumer until there is nothing more, or a failure is to be waited out:
    /// then for how long.
    async fn serve(
        &mut self,
        workspace: &Workspace,
        hook: &Arc<BoundHook>,
    ) -> Result<Option<Duration>, AppError> {
        let consumer = hook.consumer();
        let stored = workspace.database().deliveries().await?;
        let mut delivery = match stored.into_iter().find(|known| known.consumer == consumer) {
            Some(known) => known,
            None => Delivery::starting(&consumer, workspace.database().outbox_end().await?),
        };
        let now = crate::clock::now_micros();
        if let Some(retry_at) = delivery.retry_at
            && retry_at > now
        {
            return Ok(Some(micros(retry_at - now)));
        }
        if let Some((position, _)) = self.passed.get(&consumer)
            && *position > delivery.position
        {
            delivery.position = *position;
        }
        let page = workspace.options().delivery.page;
        loop {
            let rows = workspace
                .database()
                .outbox_after(delivery.position, u64::from(page))
                .await?;
            let full = rows.len() >= page as usize;
            for row in rows {
                if concerns(workspace, hook, &row.entry) {
                    match self.deliver(workspace, hook, &delivery, &row).await? {
                        Outcome::Delivered => delivery = delivered(&delivery, row.position),
                        Outcome::Later(pause) => return Ok(Some(pause)),
                        Outcome::Elsewhere => return Ok(None),
                    }
                    self.passed.remove(&consumer);
                } else {
                    delivery.position = row.position;
                    self.pass_over(workspace, &delivery).await?;
                }
            }
            if !full {
                return Ok(None);
            }
        }
    }

    /// Notes in memory that an entry of no interest is behind, and now and then in the database.
    async fn pass_over(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery,
    ) -> Result<(), AppError> {
        let (position, count) = self
            .passed
            .entry(delivery.consumer.clone())
            .or_insert((delivery.position, 0));
        *position = delivery.position;
        *count += 1;
        if *count >= SAVE_PASSED_EVERY {
            *count = 0;
            let delivery = delivery.clone();
            let holder = self.holder.clone();
            workspace
                .transact(&Caller::system(), move |unit| {
                    let (delivery, holder) = (delivery.clone(), holder.clone());
                    Box::pin(async move {
                        if claim(&unit, &delivery, &holder).await?.is_some() {
                            unit.transaction().save_delivery(&delivery).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(())
    }

    /// Delivers one entry, and notes it.
    async fn deliver(
        &self,
        workspace: &Workspace,
        hook: &Arc<BoundHook>,
        delivery: &Delivery,
        row: &OutboxRow,
    ) -> Result<Outcome, AppError> {
        let caller = Caller::system().plugin(&hook.plugin.id);
        let job = Arc::new(Job {
            hook: Arc::clone(hook),
            delivery: delivery.clone(),
            row: row.clone(),
            holder: self.holder.clone(),
            history: workspace
                .database()
                .history_of(row.entry.record, row.entry.version, HISTORY_MAX)
                .await?,
        });
        let work = Arc::clone(&job);
        let attempt = workspace
            .transact(&caller, move |unit| {
                let job = Arc::clone(&work);
                Box::pin(async move { job.attempt(&unit).await })
            })
            .await;
        match attempt {
            Ok(true) => Ok(Outcome::Delivered),
            Ok(false) => Ok(Outcome::Elsewhere),
            Err(error) => job.note_failure(workspace, &error).await,
        }
    }
}

enum Outcome {
    Delivered,
    Later(Duration),
    /// Another process serves this consumer, and further than this.
    Elsewhere,
}

/// One entry for one consumer.
pub(crate) struct Job {
    hook: Arc<BoundHook>,
    delivery: Delivery,
    row: OutboxRow,
    holder: String,
    history: Vec<HistoryEntry>,
}

impl Job {
    /// An entry that was given up, once more. The consumer has gone past it: its position stays.
    pub(crate) fn again(
        hook: Arc<BoundHook>,
        entry: OutboxEntry,
        history: Vec<HistoryEntry>,
    ) -> Self {
        let position = Position::START;
        Self {
            delivery: Delivery::starting(hook.consumer(), position),
            hook,
            row: OutboxRow { position, entry },
            holder: String::new(),
            history,
        }
    }

    /// Calls the hook in the unit's transaction and moves the position in it. False when another
    /// process has come further meanwhile.
    async fn attempt(&self, unit: &Unit) -> Result<bool, AppError> {
        let Some(known) = claim(unit, &self.delivery, &self.holder).await? else {
            return Ok(false);
        };
        if known.position > self.delivery.position {
            return Ok(false);
        }
        if self.hook.plugin.component.is_none() {
            return Ok(false);
        }
        self.tell(unit).await?;
        self.moved(unit).await
    }

    /// Calls the hook in the unit's transaction.
    pub(crate) async fn tell(&self, unit: &Unit) -> Result<(), AppError> {
        let Some(component) = &self.hook.plugin.component else {
            return Err(AppError::broken(
                "a plugin that is not loaded has a delivery",
            ));
        };
        let link = Link {
            plugin: self.hook.plugin.id.clone(),
            hook: self.hook.hook.name.clone(),
            // Not the record's id: a before hook of the plugin on it has its own say.
            record: Uuid::nil(),
            object: "after hook".to_owned(),
        };
        let services = PluginServices::new(unit, &self.hook.plugin, Arc::from([link]));
        let Some(call) = self.call(unit) else {
            // The object is gone: nobody is left to hear of it.
            return Ok(());
        };
        match component.after(&self.hook.hook.name, call, services).await {
            Ok(()) => {
                self.hook.plugin.note_success();
                Ok(())
            }
            Err(CallError::Aborted(source)) => Err(hooks::aborted(source)),
            Err(CallError::Fault(fault)) if fault.cause == FaultCause::Capacity => {
                Err(AppError::Unavailable(fault.to_string()))
            }
            Err(CallError::Retry(message)) => {
                Err(hooks::plugin_failed(&self.hook.plugin, &message))
            }
            Err(failure) => {
                hooks::note_fault(unit, &self.hook.plugin, &failure.to_string());
                Err(hooks::plugin_failed(
                    &self.hook.plugin,
                    &failure.to_string(),
                ))
            }
        }
    }

    async fn moved(&self, unit: &Unit) -> Result<bool, AppError> {
        unit.transaction()
            .save_delivery(&delivered(&self.delivery, self.row.position))
            .await?;
        Ok(true)
    }

    fn call(&self, unit: &Unit) -> Option<AfterCall> {
        let entry = &self.row.entry;
        let (_, object) = unit.catalogue().object_keyed(&entry.object)?;
        let at_version = |version: i64| -> Vec<PluginValue> {
            self.hook
                .inputs
                .iter()
                .map(|input| match input {
                    Some(index) => self.value_at(object, *index, version),
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
                self.hook.consumer(),
                entry.record,
                entry.version
            ),
            old: match entry.change {
                Change::Create => Vec::new(),
                _ => at_version(entry.version - 1),
            },
            new: at_version(entry.version),
        })
    }

    /// The field's value when the record was at this version: what the newest change up to it has
    /// made of it.
    fn value_at(&self, object: &Object, index: FieldIndex, version: i64) -> PluginValue {
        let field: &Field = object.field(index);
        let json = self
            .history
            .iter()
            .filter(|entry| entry.version <= version)
            .find_map(|entry| {
                let change = entry.fields.iter().find(|change| change.field == field.key);
                change.map(|change| &change.new)
            });
        let value = json.map_or(Value::Null, |json| value_from_history(field, json));
        to_plugin(&field.kind, &value)
    }

    /// Plans the next try, or puts the entry aside after the last.
    async fn note_failure(
        &self,
        workspace: &Workspace,
        error: &AppError,
    ) -> Result<Outcome, AppError> {
        let options = workspace.options().delivery.clone();
        let attempts = self.delivery.attempts + 1;
        let gives_up = attempts >= i64::from(options.attempts_max);
        let pause = options
            .pause_first
            .saturating_mul(2_u32.saturating_pow(u32::try_from(attempts - 1).unwrap_or(31).min(31)))
            .min(options.pause_max);
        let now = crate::clock::now_micros();
        let consumer = self.hook.consumer();
        let message = error.message();
        tracing::warn!(
            consumer,
            attempts,
            gives_up,
            error = message,
            "a delivery failed"
        );
        let next = if gives_up {
            delivered(&self.delivery, self.row.position)
        } else {
            Delivery {
                attempts,
                retry_at: Some(now + i64::try_from(pause.as_micros()).unwrap_or(i64::MAX / 2)),
                last_error: Some(message.clone()),
                ..self.delivery.clone()
            }
        };
        let entry = &self.row.entry;
        let letter = gives_up.then(|| DeadLetter {
            id: 0,
            consumer,
            entry: json!({
                "object": entry.object,
                "record": entry.record.to_string(),
                "version": entry.version,
                "change": entry.change,
                "actor": entry.actor,
                "at": entry.at,
            })
            .to_string(),
            error: message,
            attempts,
            at: now,
        });
        let transaction = workspace.database().begin(Turn::First).await?;
        let claimed = transaction
            .claim_delivery(
                &next.consumer,
                self.delivery.position,
                &self.holder,
                now,
                now + LEASE_MICROS,
            )
            .await?;
        if claimed.is_none() {
            return Ok(Outcome::Elsewhere);
        }
        transaction.save_delivery(&next).await?;
        if let Some(letter) = &letter {
            transaction.append_dead_letter(letter).await?;
        }
        transaction.commit().await?;
        if let Some(letter) = &letter {
            dead_letters::note_given_up(workspace, letter).await;
        }
        Ok(if gives_up {
            Outcome::Delivered
        } else {
            Outcome::Later(pause)
        })
    }
}

/// How long a process holds a consumer that it serves, unless it comes back to it. It only keeps
/// processes from trying the same delivery at once, which the database would refuse anyway; so it
/// is short, because a process that was killed holds it until it ends.
const LEASE_MICROS: i64 = 3_000_000;

/// Takes the consumer for this process until the lease ends.
async fn claim(
    unit: &Unit,
    delivery: &Delivery,
    holder: &str,
) -> Result<Option<Delivery>, AppError> {
    Ok(unit
        .transaction()
        .claim_delivery(
            &delivery.consumer,
            delivery.position,
            holder,
            unit.now(),
            unit.now() + LEASE_MICROS,
        )
        .await?)
}

fn delivered(delivery: &Delivery, position: Position) -> Delivery {
    Delivery::starting(&delivery.consumer, position)
}

/// Whether the hook wants to hear of the entry.
fn concerns(workspace: &Workspace, hook: &BoundHook, entry: &OutboxEntry) -> bool {
    if entry.object != hook.object || !hook.hook.on.contains(&hooks::hook_change(entry.change)) {
        return false;
    }
    if entry.change != Change::Update || hook.hook.fields.is_empty() {
        return true;
    }
    let state = workspace.state();
    let Some((_, object)) = state.catalogue.object_keyed(&hook.object) else {
        return false;
    };
    hook.triggers
        .iter()
        .any(|index| entry.fields.contains(&object.field(*index).key))
}

/// Removes what everybody has got and what is old enough.
async fn prune(workspace: &Workspace) -> Result<(), AppError> {
    let deliveries = workspace.database().deliveries().await?;
    let delivered = match deliveries.iter().map(|delivery| delivery.position).min() {
        Some(position) => position,
        None => workspace.database().outbox_end().await?,
    };
    let kept = i64::try_from(workspace.options().delivery.kept.as_micros()).unwrap_or(i64::MAX / 2);
    let transaction = workspace.database().begin(Turn::First).await?;
    let removed = transaction
        .prune_outbox(delivered, crate::clock::now_micros() - kept)
        .await?;
    let used = workspace.tokens().take_used();
    transaction.touch_tokens(&used).await?;
    transaction.commit().await?;
    if removed > 0 {
        tracing::debug!(removed, "old entries of the outbox are removed");
    }
    drop_parked(workspace).await
}

/// Drops what was removed from the catalogue long enough ago.
async fn drop_parked(workspace: &Workspace) -> Result<(), AppError> {
    let now = crate::clock::now_micros();
    let kept =
        i64::try_from(workspace.options().delivery.parked.as_micros()).unwrap_or(i64::MAX / 2);
    let parked = workspace.database().parked().await?;
    if !parked.iter().any(|element| element.since < now - kept) {
        return Ok(());
    }
    let transaction = workspace.database().begin(Turn::Alone).await?;
    let dropped = transaction.drop_parked(now - kept, now).await?;
    transaction.commit().await?;
    tracing::info!(?dropped, "what was removed is dropped for good");
    Ok(())
}

fn micros(count: i64) -> Duration {
    Duration::from_micros(u64::try_from(count).unwrap_or_default())
}
