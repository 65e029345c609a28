//! Plan and apply: what a blueprint would change, and the change.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relata_catalog::{
    Blueprint, Catalogue, Issue, Issues, OWNER_PLATFORM, OWNER_WORKSPACE, Plan, Step, diff, resolve,
};
use relata_store::{Loss, Retention, StoreError, Transaction, Turn, platform::Plugin as PluginRow};
use serde::Serialize;
use tracing::Instrument as _;

use super::upsert;
use crate::{
    AppError, Caller, Directory, State, Workspace,
    plugins::{Installed, Plugins},
    transact::{Session, TRIES_MAX},
};

/// What shall become of an owner's elements.
pub(crate) struct Proposal<'a> {
    /// Whose.
    pub(crate) owner: &'a str,
    /// What there shall be.
    pub(crate) wanted: Wanted<'a>,
    /// Refused unless this is the plan.
    pub(crate) plan_id: Option<&'a str>,
    /// Which losses are agreed to.
    pub(crate) confirm: Confirm<'a>,
    /// Whether what is removed can be brought back.
    pub(crate) retention: Retention,
    /// What becomes of plugins in the same transaction.
    pub(crate) plugin: PluginChange<'a>,
    /// Whether the catalogue that would come of it is acceptable.
    pub(crate) accept: Option<Box<Accept>>,
}

/// A last look at the catalogue that would come of a proposal.
pub(crate) type Accept = dyn Fn(&Catalogue) -> Result<(), AppError> + Send + Sync;

/// What an owner's elements shall be.
pub(crate) enum Wanted<'a> {
    /// Exactly this.
    Document(Blueprint),
    /// What they are, edited: on the catalogue of the moment at which it happens.
    Edited(&'a Edit<'a>),
}

/// An edit of an owner's blueprint.
pub(crate) type Edit<'a> = dyn Fn(&Catalogue) -> Result<Blueprint, AppError> + Send + Sync + 'a;

/// Which losses are agreed to.
#[derive(Clone, Copy)]
pub(crate) enum Confirm<'a> {
    /// Of the steps with these names.
    Names(&'a [String]),
    /// Of all steps.
    All,
}

/// What becomes of plugins together with the catalogue.
pub(crate) enum PluginChange<'a> {
    /// Nothing.
    None,
    /// It is there with this row, and runs as this.
    Put(&'a PluginRow, Arc<Installed>),
    /// It goes.
    Remove(&'a str),
}

impl<'a> Proposal<'a> {
    /// The owner's elements become what the document says; nothing is lost without being
    /// confirmed.
    pub(crate) fn of(owner: &'a str, document: Blueprint) -> Self {
        Self {
            owner,
            wanted: Wanted::Document(document),
            plan_id: None,
            confirm: Confirm::Names(&[]),
            retention: Retention::Park,
            plugin: PluginChange::None,
            accept: None,
        }
    }
}

/// A plan, for who decides.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// Applying with this id fails when the catalogue has moved on.
    pub id: String,
    /// The revision that it starts from.
    pub base_revision: u64,
    /// The revision after it, where it has been applied.
    pub revision: Option<u64>,
    /// In order; none when there is nothing to do.
    pub steps: Vec<PlanStep>,
}

/// A step of a plan, for who decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// `ADD_FIELD`
    pub action: String,
    /// `deal.amount`: what it is confirmed by.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Whether something may be lost.
    pub destructive: bool,
    /// How many records or values would be lost.
    pub loses: i64,
    /// How many records break the new rule: while there are any, it can't be applied.
    pub violations: i64,
    /// Of a conversion: some of the values that mean nothing in the new kind, as JSON.
    pub unconverted: Vec<String>,
}

/// Shows what would be done, and does nothing.
pub(crate) async fn dry_run(
    workspace: &Workspace,
    caller: &Caller,
    proposal: &Proposal<'_>,
) -> Result<PlanView, AppError> {
    let (transaction, state) = workspace.begin(Turn::Long).await?;
    let planned = plan(&transaction, &state, proposal).await?;
    transaction.rollback().await;
    if let Some(accept) = &proposal.accept {
        accept(&planned.plan.target)?;
    }
    tracing::debug!(actor = %caller.actor, plan = planned.view.id, "planned");
    Ok(planned.view)
}

/// Carries the proposal out. When others were in the way it is planned anew.
pub(crate) async fn carry_out(
    workspace: &Workspace,
    caller: &Caller,
    proposal: &Proposal<'_>,
) -> Result<PlanView, AppError> {
    let mut tries = 1;
    loop {
        let span = tracing::info_span!("catalogue change", owner = proposal.owner);
        match try_once(workspace, caller, proposal).instrument(span).await {
            Err(error) if error.is_retryable() && tries < TRIES_MAX => tries += 1,
            result => return result,
        }
    }
}

async fn try_once(
    workspace: &Workspace,
    caller: &Caller,
    proposal: &Proposal<'_>,
) -> Result<PlanView, AppError> {
    // Before the turn: who needs the catalogue to stay may be waiting for a turn as well.
    let _changing = workspace.change_catalogue().await;
    // Where a consumer begins that comes with this change.
    let outbox_end = workspace.database().outbox_end().await?;
    let (transaction, state) = workspace.begin(Turn::Alone).await?;
    let Planned {
        plan,
        mut view,
        blueprint,
    } = plan(&transaction, &state, proposal).await?;
    same_plan(proposal, &plan)?;
    possible(&view, &plan)?;
    confirmed(proposal, &view)?;
    if let Some(accept) = &proposal.accept {
        accept(&plan.target)?;
    }

    let actor = caller.actor.to_string();
    let now = crate::clock::now_micros();
    let changes_plugins = !matches!(proposal.plugin, PluginChange::None);
    let mut target = plan.target.clone();
    if plan.is_empty() && changes_plugins {
        // The record schema is a function of the revision, plugins' operations included.
        target.revision += 1;
        transaction.touch_catalogue(&target, &actor, now).await?;
    } else {
        transaction
            .apply(&plan, proposal.retention, &actor, now)
            .await
            .map_err(|error| not_applied(&plan, error))?;
    }
    let mut installed = state.plugins.all();
    match &proposal.plugin {
        PluginChange::None => {}
        PluginChange::Put(row, plugin) => {
            match state.plugins.get(&row.id) {
                Some(_) => transaction.update_plugin(row).await?,
                None => transaction.insert_plugin(row).await?,
            }
            match installed.iter_mut().find(|known| known.id == plugin.id) {
                Some(known) => *known = Arc::clone(plugin),
                None => installed.push(Arc::clone(plugin)),
            }
        }
        PluginChange::Remove(id) => {
            transaction.delete_plugin(id).await?;
            installed.retain(|known| known.id != *id);
        }
    }
    let plugins = Plugins::bind(&target, installed);
    forget_consumers(workspace, &transaction, &proposal.plugin, &plugins).await?;
    for hook in plugins.after() {
        if matches!(&proposal.plugin, PluginChange::Put(row, _) if row.id == hook.plugin.id) {
            // Known from now on, held by nobody: what happens after the commit is delivered.
            transaction
                .claim_delivery(&hook.consumer(), outbox_end, "", now, now)
                .await?;
        }
    }
    let directory = Directory::new(
        Arc::clone(state.directory.people()),
        &target,
        &plugins,
        &state.directory,
    );
    let next = State {
        revision: target.revision,
        catalogue: Arc::new(target),
        plugins: Arc::new(plugins),
        directory: Arc::new(directory),
    };

    let system = Caller {
        locale: caller.locale.clone(),
        zone: caller.zone.clone(),
        ..Caller::system()
    };
    let session = Session::new(
        workspace,
        Arc::new(next.clone()),
        transaction,
        Turn::Alone,
        caller,
    );
    upsert::configuration(&session.unit(&system), proposal.owner, &blueprint).await?;
    session.commit().await?;

    let moved = next.revision != state.revision;
    if moved {
        view.revision = Some(next.revision);
        workspace.swap(next);
    } else {
        view.revision = Some(state.revision);
    }
    Ok(view)
}

struct Planned {
    plan: Plan,
    view: PlanView,
    blueprint: Blueprint,
}

async fn plan(
    transaction: &Transaction,
    state: &State,
    proposal: &Proposal<'_>,
) -> Result<Planned, AppError> {
    let blueprint = match &proposal.wanted {
        Wanted::Document(document) => document.clone(),
        Wanted::Edited(edit) => edit(&state.catalogue)?,
    };
    let taken = transaction.taken_names().await?;
    let target = resolve(&state.catalogue, proposal.owner, &blueprint, &taken)
        .map_err(AppError::bad_input_issues)?;
    let plan = diff(&state.catalogue, &target);
    let mut losses: HashMap<usize, Loss> = transaction
        .losses(&plan)
        .await?
        .into_iter()
        .map(|loss| (loss.step, loss))
        .collect();
    let steps = plan
        .steps
        .iter()
        .enumerate()
        .map(|(position, step)| {
            let (loses, violations, unconverted) =
                losses.remove(&position).map_or((0, 0, Vec::new()), |loss| {
                    (loss.lost, loss.violations, loss.samples)
                });
            PlanStep {
                action: step.action().to_owned(),
                name: step.name().to_owned(),
                description: step.describe(),
                // A conversion loses what does not convert, if there is any.
                destructive: step.is_destructive() || loses > 0,
                loses,
                violations,
                unconverted,
            }
        })
        .collect();
    Ok(Planned {
        view: PlanView {
            id: plan.id.clone(),
            base_revision: plan.base_revision,
            revision: None,
            steps,
        },
        plan,
        blueprint,
    })
}

fn same_plan(proposal: &Proposal<'_>, plan: &Plan) -> Result<(), AppError> {
    match proposal.plan_id {
        Some(id) if id != plan.id => {
            let message = format!(
                "this is not the plan any more: the catalogue is at revision {}; plan again",
                plan.base_revision
            );
            Err(AppError::VersionConflict {
                issues: Issue::new("VERSION_CONFLICT", message.clone())
                    .with("plan", plan.id.as_str())
                    .with("revision", plan.base_revision)
                    .at("plan")
                    .into(),
                message,
            })
        }
        _ => Ok(()),
    }
}

/// A new rule that records break is refused, with their number.
fn possible(view: &PlanView, plan: &Plan) -> Result<(), AppError> {
    let issues: Vec<Issue> = view
        .steps
        .iter()
        .zip(&plan.steps)
        .filter(|(step, _)| step.violations > 0)
        .map(|(step, of)| {
            let message = match of {
                Step::AddUnique { .. } => format!(
                    "{} records share values that {} wants to be unique: change them first",
                    step.violations, step.name
                ),
                Step::ConvertField { .. } => format!(
                    "{} records would have no value for {}, which is required{}: change them first",
                    step.violations, step.name, such_as(&step.unconverted)
                ),
                Step::ChangeObject { .. } => format!(
                    "{} records of {} have several of the alternatives, or none where one is required: change them first",
                    step.violations, step.name
                ),
                Step::ChangeField { changes, .. }
                    if !changes.iter().any(|change| change.what == "required") =>
                {
                    format!(
                        "{} records stand over themselves by {}, under such a record, or too deep: change them first",
                        step.violations, step.name
                    )
                }
                _ => format!(
                    "{} records have no value for {}, which would be required: fill it first, or give it a default",
                    step.violations, step.name
                ),
            };
            Issue::new("VIOLATED", message)
                .with("name", step.name.as_str())
                .with("violations", step.violations)
        })
        .collect();
    if issues.is_empty() {
        return Ok(());
    }
    Err(AppError::BadInput {
        headline: Some("records that are there break the new rules".to_owned()),
        issues: Issues(issues),
    })
}

/// ` (such as "n/a", "about 5")`
fn such_as(values: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    let shown: Vec<&str> = values.iter().take(SHOWN_MAX).map(String::as_str).collect();
    match shown.as_slice() {
        [] => String::new(),
        shown => format!(" (such as {})", shown.join(", ")),
    }
}

/// Steps that lose something are carried out only when they were confirmed by name.
fn confirmed(proposal: &Proposal<'_>, view: &PlanView) -> Result<(), AppError> {
    let Confirm::Names(names) = proposal.confirm else {
        return Ok(());
    };
    let mut issues = Issues::default();
    for step in &view.steps {
        if step.destructive && step.loses > 0 && !names.contains(&step.name) {
            issues.push(
                Issue::new(
                    "CONFIRM",
                    format!(
                        "{}: {} would be lost{}; confirm it by its name, {}",
                        step.description,
                        step.loses,
                        such_as(&step.unconverted),
                        step.name
                    ),
                )
                .with("name", step.name.as_str())
                .with("loses", step.loses)
                .at("confirm"),
            );
        }
    }
    if issues.is_empty() {
        return Ok(());
    }
    Err(AppError::BadInput {
        headline: Some("the plan loses data that nobody has agreed to lose".to_owned()),
        issues,
    })
}

/// A new rule that present records break names its element.
fn not_applied(plan: &Plan, error: StoreError) -> AppError {
    if let StoreError::Unique { index } = &error {
        let broken = plan.steps.iter().find_map(|step| match step {
            relata_catalog::Step::AddUnique { name, unique, .. } if unique.index == *index => {
                Some(name.as_str())
            }
            _ => None,
        });
        let message = format!(
            "records that are there have the same {}: change them first",
            broken.unwrap_or("values")
        );
        return AppError::BadInput {
            issues: Issue::new("NOT_UNIQUE", message.clone()).into(),
            headline: Some(message),
        };
    }
    error.into()
}

/// What an owner is called in messages.
pub(super) fn owner_text(owner: &str) -> String {
    match owner {
        OWNER_PLATFORM => "the standard objects".to_owned(),
        OWNER_WORKSPACE => "this workspace".to_owned(),
        plugin => format!("the plugin {plugin}"),
    }
}

/// Positions of after hooks that a plugin has no longer, or that went with it. Without this the
/// outbox would be kept for them for ever, and a plugin installed again would hear of the past.
async fn forget_consumers(
    workspace: &Workspace,
    transaction: &Transaction,
    change: &PluginChange<'_>,
    plugins: &Plugins,
) -> Result<(), AppError> {
    let id = match change {
        PluginChange::None => return Ok(()),
        // What is disabled has no hooks for now, but keeps its place.
        PluginChange::Put(row, _) if !row.enabled => return Ok(()),
        PluginChange::Put(row, _) => row.id.as_str(),
        PluginChange::Remove(id) => id,
    };
    let own = format!("plugin:{id}/");
    let kept: HashSet<String> = plugins.after().iter().map(|hook| hook.consumer()).collect();
    for delivery in workspace.database().deliveries().await? {
        if delivery.consumer.starts_with(&own) && !kept.contains(&delivery.consumer) {
            transaction.remove_delivery(&delivery.consumer).await?;
        }
    }
    Ok(())
}
