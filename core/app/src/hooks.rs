//! Before hooks: which of them a write calls, in which order, what becomes of their answers and of
//! their failures.
//!
//! Invariants: each hook sees the patches of those before it; a hook patches only what its
//! manifest names; what a hook causes further is written as the plugin, with its grants; a plugin's
//! hook isn't called again for its own patch to the same record; chains end at a depth.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use relata_catalog::{Issue, Issues, ObjectIndex, PathSegment, Value};
use relata_host::{
    Actor as PluginActor, ActorKind, BeforeCall, BoxError, CallError, Change as HookChange, Effect,
    FaultCause, NamedValue, Outcome, PluginIssue, PluginValue, RecordsIssue, instant_text,
    to_plugin,
};
use relata_store::log::Change;
use uuid::Uuid;

use crate::{
    Actor, AppError,
    plugins::{BoundHook, Installed, Status},
    records::{self, Draft},
    services::{PluginServices, client_data, find_object},
    transact::{Chain, Link, Unit},
};

/// Hooks that may lead from one to the next.
pub const CHAIN_MAX: usize = 8;

/// Further writes that a hook wants, for when its record is written.
pub(crate) struct Effects {
    hook: Arc<BoundHook>,
    chain: Chain,
    wanted: Vec<Effect>,
}

/// Whether a before hook is called when records of the object are changed in this way.
pub(crate) fn watch(unit: &Unit, object: ObjectIndex, change: Change) -> bool {
    let state = unit.state();
    state
        .plugins
        .before(&state.catalogue.object(object).key)
        .iter()
        .any(|bound| bound.hook.on.contains(&hook_change(change)))
}

/// Calls the before hooks of a write, in order. Patches go into the draft, further writes are
/// given back.
pub(crate) async fn before(
    unit: &Unit,
    object: ObjectIndex,
    change: Change,
    draft: &mut Draft,
) -> Result<Vec<Effects>, AppError> {
    let state = Arc::clone(unit.state());
    let described = Arc::clone(state.catalogue.object(object));
    let mut effects = Vec::new();
    for bound in state.plugins.before(&described.key) {
        if !applies(bound, change, draft) || is_own_patch(unit, bound, draft.id) {
            continue;
        }
        let chain = longer(unit, bound, draft.id, &described.singular)?;
        let outcome = match &bound.plugin.component {
            Some(component) if bound.plugin.status == Status::Enabled => {
                let services = PluginServices::new(unit, &bound.plugin, Arc::clone(&chain));
                let call = call(unit, object, change, draft, bound);
                component.before(&bound.hook.name, call, services).await
            }
            _ => {
                let reason = bound.plugin.status.reason().unwrap_or("it is not loaded");
                failed(bound, &format!("it does not run: {reason}"))?;
                continue;
            }
        };
        match outcome {
            Ok(Outcome {
                patches,
                effects: wanted,
            }) => {
                bound.plugin.note_success();
                patch(unit, object, bound, draft, &patches).await?;
                if !wanted.is_empty() {
                    effects.push(Effects {
                        hook: Arc::clone(bound),
                        chain,
                        wanted,
                    });
                }
            }
            Err(CallError::Rejected(issues)) => {
                bound.plugin.note_success();
                return Err(rejected(&bound.plugin, &unit.caller().locale, issues));
            }
            Err(CallError::Aborted(source)) => return Err(aborted(source)),
            Err(CallError::Fault(fault)) if fault.cause == FaultCause::Capacity => {
                return Err(AppError::Unavailable(format!(
                    "too many plugin calls at once; try again ({})",
                    fault.detail
                )));
            }
            Err(failure) => {
                note_fault(unit, &bound.plugin, &failure.to_string());
                failed(bound, &failure.to_string())?;
            }
        }
    }
    Ok(effects)
}

fn applies(bound: &BoundHook, change: Change, draft: &Draft) -> bool {
    bound.hook.on.contains(&hook_change(change))
        && (change != Change::Update
            || bound.hook.fields.is_empty()
            || bound.triggers.iter().any(|field| draft.is_changed(*field)))
}

/// Whether this write came from the same hook on the same record.
fn is_own_patch(unit: &Unit, bound: &BoundHook, record: Uuid) -> bool {
    unit.chain().iter().any(|link| {
        link.record == record && link.plugin == bound.plugin.id && link.hook == bound.hook.name
    })
}

/// The chain with this hook at its end.
fn longer(unit: &Unit, bound: &BoundHook, record: Uuid, object: &str) -> Result<Chain, AppError> {
    let mut links = unit.chain().to_vec();
    links.push(Link {
        plugin: bound.plugin.id.clone(),
        hook: bound.hook.name.clone(),
        record,
        object: object.to_owned(),
    });
    if links.len() > CHAIN_MAX {
        let shown: Vec<String> = links
            .iter()
            .map(|link| format!("{}/{} on {}", link.plugin, link.hook, link.object))
            .collect();
        return Err(AppError::LimitExceeded(format!(
            "hooks lead to hooks more than {CHAIN_MAX} times: {}",
            shown.join(" → ")
        )));
    }
    Ok(Arc::from(links))
}

fn call(
    unit: &Unit,
    object: ObjectIndex,
    change: Change,
    draft: &Draft,
    bound: &BoundHook,
) -> BeforeCall {
    let described = unit.catalogue().object(object);
    let values = |value_of: &dyn Fn(relata_catalog::FieldIndex) -> Value| -> Vec<PluginValue> {
        bound
            .inputs
            .iter()
            .map(|input| {
                input.map_or(PluginValue::Null, |index| {
                    to_plugin(&described.field(index).kind, &value_of(index))
                })
            })
            .collect()
    };
    BeforeCall {
        object: described.singular.clone(),
        change: hook_change(change),
        id: draft.id.to_string(),
        actor: plugin_actor(&unit.caller().actor),
        now: instant_text(unit.now()),
        old: match draft.before {
            None => Vec::new(),
            Some(_) => values(&|index| draft.old_value(index).clone()),
        },
        new: values(&|index| draft.value(index).clone()),
        depth: u32::try_from(unit.chain().len()).unwrap_or(u32::MAX),
    }
}

/// Puts a hook's patches over the draft. A patch that can't be is the plugin's failure.
async fn patch(
    unit: &Unit,
    object: ObjectIndex,
    bound: &BoundHook,
    draft: &mut Draft,
    patches: &[NamedValue],
) -> Result<(), AppError> {
    if patches.is_empty() {
        return Ok(());
    }
    let described = Arc::clone(unit.catalogue().object(object));
    let data = match client_data(&described, &bound.plugin.id, patches) {
        Ok(data) => data,
        Err(issues) => return bad_patch(unit, bound, issues),
    };
    let undeclared: Vec<Issue> = data
        .keys()
        .filter(|name| {
            !bound
                .writes
                .iter()
                .any(|index| described.field(*index).name == **name)
        })
        .map(|name| {
            Issue::new(
                "NOT_DECLARED",
                format!("the hook's manifest does not name {name} in `writes`"),
            )
            .at(name.as_str())
        })
        .collect();
    if !undeclared.is_empty() {
        return bad_patch(unit, bound, Issues(undeclared));
    }
    let values = draft.values.clone();
    records::overlay(unit, object, draft, &data).await?;
    if draft.problems.is_empty() {
        return Ok(());
    }
    let issues = std::mem::take(&mut draft.problems);
    draft.values = values;
    bad_patch(
        unit,
        bound,
        Issues(issues.into_iter().map(|(_, issue)| issue).collect()),
    )
}

fn bad_patch(unit: &Unit, bound: &BoundHook, issues: Issues) -> Result<(), AppError> {
    let message = format!("its patch is not valid: {issues}");
    note_fault(unit, &bound.plugin, &message);
    match failed(bound, &message) {
        Err(AppError::PluginFailed {
            plugin,
            version,
            message,
            ..
        }) => Err(AppError::PluginFailed {
            plugin,
            version,
            message,
            issues,
        }),
        other => other,
    }
}

/// Carries out further writes, each as its plugin. Boxed: a write calls hooks, which cause writes.
pub(crate) fn run_effects(
    unit: &Unit,
    effects: Vec<Effects>,
) -> BoxFuture<'_, Result<(), AppError>> {
    Box::pin(async move {
        for Effects {
            hook,
            chain,
            wanted,
        } in effects
        {
            let unit = unit.acting_as(unit.caller().plugin(&hook.plugin.id), chain);
            if hook.rejects() {
                for effect in &wanted {
                    run_effect(&unit, &hook, effect).await?;
                }
                continue;
            }
            // Skipped as a whole when one of them fails.
            let savepoint = unit.transaction().savepoint().await?;
            let mut outcome = Ok(());
            for effect in &wanted {
                outcome = run_effect(&unit, &hook, effect).await;
                if outcome.is_err() {
                    break;
                }
            }
            match outcome {
                Ok(()) => unit.transaction().release(savepoint).await?,
                Err(AppError::PluginFailed { message, .. }) => {
                    tracing::warn!(plugin = hook.plugin.id, hook = hook.hook.name, %message, "the hook's writes are left out");
                    unit.transaction().rollback_to(savepoint).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}

async fn run_effect(unit: &Unit, hook: &BoundHook, effect: &Effect) -> Result<(), AppError> {
    let outcome = match effect {
        Effect::Create((object, values)) => match target(unit, hook, object) {
            Ok(index) => {
                let described = Arc::clone(unit.catalogue().object(index));
                let data = client_data(&described, &hook.plugin.id, values)
                    .map_err(AppError::bad_input_issues);
                match data {
                    Ok(data) => records::record_create(unit, index, &data).await.map(|_| ()),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        },
        Effect::Update((object, id, values)) => match target_record(unit, hook, object, id) {
            Ok((index, id)) => {
                let described = Arc::clone(unit.catalogue().object(index));
                let data = client_data(&described, &hook.plugin.id, values)
                    .map_err(AppError::bad_input_issues);
                match data {
                    Ok(data) => records::record_update(unit, index, id, &data, None)
                        .await
                        .map(|_| ()),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        },
        Effect::Delete((object, id)) => match target_record(unit, hook, object, id) {
            Ok((index, id)) => records::record_delete(unit, index, id).await,
            Err(error) => Err(error),
        },
    };
    outcome.map_err(|error| blamed(hook, effect, error))
}

fn target(unit: &Unit, hook: &BoundHook, name: &str) -> Result<ObjectIndex, AppError> {
    find_object(unit.catalogue(), &hook.plugin.id, name)
        .ok_or_else(|| AppError::NotFound(format!("there is no object {name}")))
}

fn target_record(
    unit: &Unit,
    hook: &BoundHook,
    name: &str,
    id: &str,
) -> Result<(ObjectIndex, Uuid), AppError> {
    let index = target(unit, hook, name)?;
    let id = Uuid::try_parse(id).map_err(|_| AppError::NotFound(format!("{id:?} is not an id")))?;
    Ok((index, id))
}

/// A refused write of a plugin is the plugin's failure, unless another plugin refused it, or the
/// reason lies outside of what anybody wrote.
fn blamed(hook: &BoundHook, effect: &Effect, error: AppError) -> AppError {
    let what = match effect {
        Effect::Create((object, _)) => format!("to create a {object}"),
        Effect::Update((object, id, _)) => format!("to change the {object} {id}"),
        Effect::Delete((object, id)) => format!("to delete the {object} {id}"),
    };
    match error {
        AppError::BadInput { .. }
        | AppError::NotFound(_)
        | AppError::Forbidden(_)
        | AppError::UniqueViolation(_)
        | AppError::Referenced { .. }
        | AppError::ValidationFailed(_)
        | AppError::StageGate(_) => AppError::PluginFailed {
            plugin: hook.plugin.id.clone(),
            version: hook.plugin.version(),
            message: format!("its wish {what} was refused: {error}"),
            issues: Issues(error.issues().to_vec()),
        },
        other => other,
    }
}

/// What a failure of a hook means for the write: refused, or it goes on without the hook.
fn failed(bound: &BoundHook, message: &str) -> Result<(), AppError> {
    tracing::warn!(
        plugin = bound.plugin.id,
        version = bound.plugin.version(),
        hook = bound.hook.name,
        message,
        "a hook failed"
    );
    if bound.rejects() {
        return Err(plugin_failed(&bound.plugin, message));
    }
    Ok(())
}

pub(crate) fn plugin_failed(plugin: &Installed, message: &str) -> AppError {
    AppError::PluginFailed {
        plugin: plugin.id.clone(),
        version: plugin.version(),
        message: message.to_owned(),
        issues: Issues::default(),
    }
}

/// Counts a fault, and suspends the plugin when it is one too many in a row.
pub(crate) fn note_fault(unit: &Unit, plugin: &Arc<Installed>, message: &str) {
    unit.workspace().note_plugin_fault(plugin, message);
}

/// An error that a service put through a plugin's call.
pub(crate) fn aborted(source: BoxError) -> AppError {
    match source.downcast::<AppError>() {
        Ok(error) => *error,
        Err(source) => AppError::internal(source.as_ref()),
    }
}

/// A plugin's issues in the reader's language.
pub(crate) fn rejected(plugin: &Installed, locale: &str, issues: Vec<PluginIssue>) -> AppError {
    let issues = issues
        .into_iter()
        .map(|issue| {
            let message = text_of(plugin, locale, &issue);
            let mut translated = Issue::new(&issue.code, message);
            translated.path = issue.path.into_iter().map(segment).collect();
            for (name, value) in issue.params {
                if name != MESSAGE || value != translated.message {
                    translated.params.insert(name, value.into());
                }
            }
            translated
        })
        .collect();
    AppError::PluginRejected {
        plugin: plugin.id.clone(),
        issues: Issues(issues),
    }
}

/// The parameter in which our own issues bring their text to a plugin, and back.
const MESSAGE: &str = "message";

/// In the reader's language, from the plugin's translations. What it has not translated may be an
/// issue of ours that it hands on.
fn text_of(plugin: &Installed, locale: &str, issue: &PluginIssue) -> String {
    let translated = plugin.component.as_ref().map_or_else(
        || issue.code.clone(),
        |component| component.message(locale, &issue.code, &issue.params),
    );
    let ours = issue.params.iter().find(|(name, _)| name == MESSAGE);
    match ours {
        Some((_, ours)) if translated == issue.code => ours.clone(),
        _ => translated,
    }
}

fn segment(text: String) -> PathSegment {
    text.parse()
        .map_or_else(|_| PathSegment::Name(text), PathSegment::Index)
}

/// Our issues as a plugin gets them: the message is a parameter.
pub(crate) fn to_plugin_issues(issues: &Issues) -> Vec<RecordsIssue> {
    issues
        .0
        .iter()
        .map(|issue| RecordsIssue {
            path: issue
                .path
                .iter()
                .map(|segment| match segment {
                    PathSegment::Index(index) => index.to_string(),
                    PathSegment::Name(name) => name.clone(),
                })
                .collect(),
            code: issue.code.clone(),
            params: vec![(MESSAGE.to_owned(), issue.message.clone())],
        })
        .collect()
}

pub(crate) fn plugin_actor(actor: &Actor) -> PluginActor {
    let (kind, id) = match actor {
        Actor::User(id) => (ActorKind::User, id.to_string()),
        Actor::Token(id) => (ActorKind::Token, id.to_string()),
        Actor::Plugin(id) => (ActorKind::Plugin, id.clone()),
        Actor::System => (ActorKind::System, String::new()),
    };
    PluginActor { kind, id }
}

pub(crate) fn hook_change(change: Change) -> HookChange {
    match change {
        Change::Create => HookChange::Create,
        Change::Update | Change::Merge => HookChange::Update,
        Change::Delete => HookChange::Delete,
        Change::Restore => HookChange::Restore,
        Change::Destroy => HookChange::Destroy,
    }
}
