//! Dead letters: deliveries to after hooks that were given up. They are kept until an administrator
//! has them tried again, or discards them.
//!
//! A letter that is tried again comes out of order: the hook has long heard of what happened later.
//! It carries the idempotency key of the first delivery, and like every delivery it may come more
//! than once: when the process dies between the call and the commit, the letter stays.

use std::sync::Arc;

use relata_catalog::{Issue, Key};
use relata_store::{
    Turn,
    log::{Change, DeadLetter, OutboxEntry},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    AppError, Caller, State, Workspace,
    access::authorise_admin,
    outbox::Batch,
    plugins::{BoundHook, Status},
};

/// Letters of one answer, at most.
pub const PAGE_MAX: u64 = 500;

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterInfo {
    /// In the order in which they were given up.
    pub id: i64,
    /// `plugin:publisher.name/hook`.
    pub consumer: String,
    /// Id of the plugin.
    pub plugin: String,
    /// Name of its hook.
    pub hook: String,
    /// The object's name, or its key where it is gone.
    pub object: String,
    /// The record.
    pub record: Uuid,
    /// The version that the change made.
    pub version: i64,
    /// What was done to the record.
    pub change: Change,
    /// When that was, in microseconds since 1970.
    pub changed_at: i64,
    /// How often the delivery was tried.
    pub attempts: i64,
    /// When it was last tried, in microseconds since 1970.
    pub at: i64,
    /// What the last try failed with.
    pub error: String,
}

/// What trying again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// The hook has taken it; the letter is gone.
    Delivered,
    /// The hook has failed again; the letter says how.
    Failed(DeadLetterInfo),
}

/// The letters, newest first: at most `first` (and [`PAGE_MAX`]), older than the letter `after`.
///
/// # Errors
/// `FORBIDDEN`, `BAD_INPUT`.
pub async fn dead_letters_list(
    workspace: &Workspace,
    caller: &Caller,
    first: u64,
    after: Option<i64>,
) -> Result<Vec<DeadLetterInfo>, AppError> {
    authorise_admin(caller)?;
    if !(1..=PAGE_MAX).contains(&first) {
        let message = format!("first takes a whole number from 1 to {PAGE_MAX}");
        return Err(AppError::bad_input_issues(
            Issue::new("BAD_INPUT", message).at("first").into(),
        ));
    }
    workspace
        .database()
        .dead_letters(after, first)
        .await?
        .into_iter()
        .map(|letter| info(workspace, letter))
        .collect()
}

/// The letter with this id.
///
/// # Errors
/// `FORBIDDEN`.
pub async fn dead_letter_get(
    workspace: &Workspace,
    caller: &Caller,
    id: i64,
) -> Result<Option<DeadLetterInfo>, AppError> {
    authorise_admin(caller)?;
    let letter = workspace.database().dead_letter(id).await?;
    letter.map(|letter| info(workspace, letter)).transpose()
}

/// How many letters there are.
///
/// # Errors
/// `FORBIDDEN`.
pub async fn dead_letters_count(workspace: &Workspace, caller: &Caller) -> Result<i64, AppError> {
    authorise_admin(caller)?;
    Ok(workspace.database().dead_letters_count().await?)
}

/// Delivers a letter once more. When the hook takes it, the letter is removed in the transaction in
/// which the hook writes; when it fails, that is noted in the letter.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND`; `BAD_INPUT` when the hook is not there or its plugin does not run;
/// `CONFLICT`, `UNAVAILABLE` and what else is not the hook's failure: then nothing is noted.
pub async fn dead_letter_retry(
    workspace: &Workspace,
    caller: &Caller,
    id: i64,
) -> Result<Retried, AppError> {
    authorise_admin(caller)?;
    let letter = existing(workspace, id).await?;
    let state = workspace.state();
    let hook = hook_of(&state, &letter)?;
    let batch = Batch::again(workspace, state, hook, entry_of(&letter)?).await?;
    let (plugin, _) = consumer_parts(&letter.consumer);
    let work = Arc::new(batch);
    let told = workspace
        .transact(&Caller::system().plugin(plugin), move |unit| {
            let batch = Arc::clone(&work);
            Box::pin(async move {
                // First of all: of several who try at once, one calls the hook.
                if !unit.transaction().remove_dead_letter(id).await? {
                    return Err(no_letter(id));
                }
                batch.tell(&unit).await
            })
        })
        .await;
    let retried = match told {
        Ok(()) => {
            tracing::info!(id, consumer = letter.consumer, "a dead letter is delivered");
            Retried::Delivered
        }
        Err(error @ AppError::PluginFailed { .. }) => {
            Retried::Failed(note_failure(workspace, letter, &error).await?)
        }
        Err(error) => return Err(error),
    };
    report(workspace).await;
    Ok(retried)
}

/// Removes a letter: nobody will hear of it.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`.
pub async fn dead_letter_discard(
    workspace: &Workspace,
    caller: &Caller,
    id: i64,
) -> Result<(), AppError> {
    authorise_admin(caller)?;
    let letter = existing(workspace, id).await?;
    let transaction = workspace.database().begin(Turn::First).await?;
    if !transaction.remove_dead_letter(id).await? {
        return Err(no_letter(id));
    }
    transaction.commit().await?;
    tracing::info!(
        id,
        consumer = letter.consumer,
        entry = letter.entry,
        actor = %caller.actor,
        "a dead letter is discarded"
    );
    report(workspace).await;
    Ok(())
}

/// Counts a delivery that was given up just now.
pub(crate) async fn note_given_up(workspace: &Workspace, consumer: &str) {
    metrics::counter!("relata_dead_letters_total", "consumer" => consumer.to_owned()).increment(1);
    report(workspace).await;
}

/// Tells the figures how many letters wait for somebody.
pub(crate) async fn report(workspace: &Workspace) {
    match workspace.database().dead_letters_count().await {
        // Far below 2^53.
        Ok(count) => metrics::gauge!("relata_dead_letters").set(count as f64),
        Err(error) => tracing::warn!(%error, "the dead letters can't be counted"),
    }
}

async fn existing(workspace: &Workspace, id: i64) -> Result<DeadLetter, AppError> {
    let letter = workspace.database().dead_letter(id).await?;
    letter.ok_or_else(|| no_letter(id))
}

fn no_letter(id: i64) -> AppError {
    AppError::NotFound(format!("there is no dead letter with the id {id}"))
}

/// The hook, if it can be called now.
fn hook_of(state: &State, letter: &DeadLetter) -> Result<Arc<BoundHook>, AppError> {
    let (plugin, hook) = consumer_parts(&letter.consumer);
    let plugins = &state.plugins;
    let Some(installed) = plugins.get(plugin) else {
        return Err(AppError::bad_input(format!(
            "the plugin {plugin} is not installed: install it again, or discard the letter"
        )));
    };
    if installed.status != Status::Enabled || installed.component.is_none() {
        return Err(AppError::bad_input(format!(
            "the plugin {plugin} does not run ({}): enable it first",
            installed.status.name()
        )));
    }
    plugins
        .after()
        .iter()
        .find(|bound| bound.consumer() == letter.consumer)
        .cloned()
        .ok_or_else(|| {
            AppError::bad_input(format!(
                "version {} of {plugin} has no after hook {hook}: discard the letter",
                installed.version()
            ))
        })
}

/// Writes into the letter how trying again failed.
async fn note_failure(
    workspace: &Workspace,
    letter: DeadLetter,
    error: &AppError,
) -> Result<DeadLetterInfo, AppError> {
    let letter = DeadLetter {
        attempts: letter.attempts + 1,
        error: error.message(),
        at: crate::clock::now_micros(),
        ..letter
    };
    tracing::warn!(
        id = letter.id,
        consumer = letter.consumer,
        attempts = letter.attempts,
        error = letter.error,
        "a dead letter failed again"
    );
    let transaction = workspace.database().begin(Turn::First).await?;
    if !transaction.save_dead_letter(&letter).await? {
        return Err(no_letter(letter.id));
    }
    transaction.commit().await?;
    info(workspace, letter)
}

/// What the outbox wrote into a letter ([`crate::outbox`]); which fields were changed is not in it,
/// since the hook's interest was asked before.
#[derive(Deserialize)]
struct Entry {
    object: Key,
    record: Uuid,
    version: i64,
    change: Change,
    actor: String,
    at: i64,
}

fn entry_of(letter: &DeadLetter) -> Result<OutboxEntry, AppError> {
    let entry: Entry =
        serde_json::from_str(&letter.entry).map_err(|error| AppError::internal(&error))?;
    Ok(OutboxEntry {
        object: entry.object,
        record: entry.record,
        version: entry.version,
        change: entry.change,
        actor: entry.actor,
        at: entry.at,
        fields: Vec::new(),
    })
}

/// `plugin:acme.billing/invoice-paid` → plugin and hook.
fn consumer_parts(consumer: &str) -> (&str, &str) {
    let name = consumer.strip_prefix("plugin:").unwrap_or(consumer);
    name.split_once('/').unwrap_or((name, ""))
}

fn info(workspace: &Workspace, letter: DeadLetter) -> Result<DeadLetterInfo, AppError> {
    let entry = entry_of(&letter)?;
    let (plugin, hook) = consumer_parts(&letter.consumer);
    let state = workspace.state();
    let object = state.catalogue.object_keyed(&entry.object);
    Ok(DeadLetterInfo {
        id: letter.id,
        plugin: plugin.to_owned(),
        hook: hook.to_owned(),
        object: object.map_or_else(
            || entry.object.to_string(),
            |(_, object)| object.singular.clone(),
        ),
        record: entry.record,
        version: entry.version,
        change: entry.change,
        changed_at: entry.at,
        attempts: letter.attempts,
        at: letter.at,
        error: letter.error,
        consumer: letter.consumer,
    })
}
