//! The life of a plugin: plan, install (and upgrade), disable, enable, uninstall.
//!
//! Everything that can be refused is refused before anything is done: the package is read, its
//! component inspected and compiled (in a child process, outside any transaction), its manifest
//! held against the catalogue that its blueprint would make. Then one transaction changes tables,
//! catalogue and plugin row together, or nothing.

mod candidate;
mod export;
mod installed;
mod load;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32},
};

use relata_catalog::{Blueprint, Catalogue};
use relata_host::{HostError, Manifest};
use relata_store::{Retention, platform::Plugin as PluginRow};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

pub(crate) use installed::BoundHook;
pub use installed::{Installed, Plugins, Status};
pub(crate) use load::load_all;

use self::candidate::{Candidate, accept, candidate};
use crate::{
    AppError, Caller, Workspace,
    access::authorise_admin,
    catalogue::{Confirm, PlanView, PluginChange, Proposal, Wanted, carry_out, dry_run},
};

/// Settings and grants as an administrator gives them at installation.
#[derive(Debug, Clone, Default)]
pub struct InstallOptions {
    /// What it may do; everything that the manifest asks for if absent.
    pub grants: Option<Json>,
    /// Its settings; the manifest's defaults fill in what is left out.
    pub settings: Option<Json>,
    /// What its GraphQL names begin with; the part of its id after the point if absent.
    pub prefix: Option<String>,
    /// Refused unless this is the plan.
    pub plan_id: Option<String>,
    /// Losses of an upgrade that are agreed to.
    pub confirm: Vec<String>,
}

/// What installing would do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginPlan {
    /// What the plugin says about itself, its capabilities with their reasons included.
    pub manifest: Manifest,
    /// Of the package, in hexadecimal.
    pub sha256: String,
    /// The version that is installed now.
    pub replaces: Option<String>,
    /// What becomes of the catalogue.
    pub plan: PlanView,
}

/// An installed plugin, for who decides.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginInfo {
    /// `publisher.name`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Of its package, in hexadecimal.
    pub sha256: String,
    /// What its GraphQL names begin with.
    pub prefix: String,
    /// `ENABLED`, `DISABLED`, `SUSPENDED` or `BROKEN`.
    pub status: String,
    /// Why it does not run, where that was nobody's wish.
    pub reason: Option<String>,
    /// What it may do.
    pub grants: Json,
    /// Its settings, defaults filled in.
    pub settings: Json,
    /// What it says about itself.
    pub manifest: Json,
}

/// What becomes of a plugin's tables when it is uninstalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepData {
    /// They are hidden and kept for a while.
    Keep,
    /// Their records become a file, then they are dropped.
    Export,
    /// They are dropped.
    Drop,
}

/// What uninstalling did.
#[derive(Debug, Clone)]
pub struct Uninstalled {
    /// What became of the catalogue.
    pub plan: PlanView,
    /// The file with the records, where they were exported.
    pub export: Option<Uuid>,
}

/// All installed plugins.
///
/// # Errors
/// `FORBIDDEN`.
pub fn plugins_list(workspace: &Workspace, caller: &Caller) -> Result<Vec<PluginInfo>, AppError> {
    authorise_admin(caller)?;
    Ok(workspace
        .state()
        .plugins
        .iter()
        .map(|plugin| info(plugin))
        .collect())
}

/// One installed plugin.
///
/// # Errors
/// `FORBIDDEN`.
pub fn plugin_get(
    workspace: &Workspace,
    caller: &Caller,
    id: &str,
) -> Result<Option<PluginInfo>, AppError> {
    authorise_admin(caller)?;
    Ok(workspace.state().plugins.get(id).map(|plugin| info(plugin)))
}

/// What installing a package would do. Refuses what the installation would refuse, so the component
/// is compiled as well; the installation will find it compiled.
///
/// # Errors
/// `FORBIDDEN`; `BAD_INPUT` with all that is wrong with the package, its grants and its blueprint.
pub async fn plugin_plan(
    workspace: &Workspace,
    caller: &Caller,
    package: &[u8],
    options: &InstallOptions,
) -> Result<PluginPlan, AppError> {
    authorise_admin(caller)?;
    let candidate = candidate(workspace, package, options)?;
    workspace
        .host()
        .load(&candidate.package, &candidate.grants)
        .await
        .map_err(not_loaded)?;
    let manifest = candidate.package.manifest.clone();
    let proposal = Proposal {
        accept: Some(Box::new(accept(manifest.id.clone(), manifest))),
        ..Proposal::of(&candidate.package.manifest.id, candidate.blueprint.clone())
    };
    let plan = dry_run(workspace, caller, &proposal).await?;
    Ok(PluginPlan {
        replaces: replaced_version(workspace, &candidate.package.manifest.id),
        sha256: candidate.package.sha256,
        manifest: candidate.package.manifest,
        plan,
    })
}

/// Installs a package, or upgrades the plugin to it when a lower version is installed.
///
/// # Errors
/// `FORBIDDEN`; `BAD_INPUT` with all that is wrong with the package, its grants and its blueprint;
/// `VERSION_CONFLICT` when the catalogue has moved on from the plan.
pub async fn plugin_install(
    workspace: &Workspace,
    caller: &Caller,
    package: &[u8],
    options: &InstallOptions,
) -> Result<(PluginInfo, PlanView), AppError> {
    authorise_admin(caller)?;
    let Candidate {
        package,
        grants,
        settings,
        prefix,
        blueprint,
    } = candidate(workspace, package, options)?;
    let id = package.manifest.id.clone();
    let component = workspace
        .host()
        .load(&package, &grants)
        .await
        .map_err(not_loaded)?;

    let now = crate::clock::now_micros();
    let row = PluginRow {
        id: id.clone(),
        version: package.manifest.version.to_string(),
        sha256: package.sha256.clone(),
        package: package.bytes.clone(),
        enabled: true,
        suspended: None,
        grants: json_text(&grants)?,
        settings: settings.to_string(),
        prefix: prefix.clone(),
        faults: 0,
        installed_at: now,
    };
    let installed = Arc::new(Installed {
        id: id.clone(),
        sha256: package.sha256.clone(),
        prefix,
        status: Status::Enabled,
        grants,
        settings,
        manifest: package.manifest.clone(),
        component: Some(component),
        faults: AtomicU32::new(0),
        suspending: AtomicBool::new(false),
    });
    let proposal = Proposal {
        plan_id: options.plan_id.as_deref(),
        confirm: Confirm::Names(&options.confirm),
        plugin: PluginChange::Put(&row, Arc::clone(&installed)),
        accept: Some(Box::new(accept(id.clone(), package.manifest.clone()))),
        ..Proposal::of(&id, blueprint)
    };
    let view = carry_out(workspace, caller, &proposal).await?;
    tracing::info!(plugin = id, version = row.version, "installed");
    Ok((info(&installed), view))
}

/// Switches a plugin off: its hooks are not called, its operations are gone. Its data stays.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`.
pub async fn plugin_disable(
    workspace: &Workspace,
    caller: &Caller,
    id: &str,
) -> Result<PluginInfo, AppError> {
    authorise_admin(caller)?;
    set_status(workspace, caller, id, Status::Disabled).await
}

/// Switches a plugin on again, also one that was suspended.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `BAD_INPUT` when it can't be loaded.
pub async fn plugin_enable(
    workspace: &Workspace,
    caller: &Caller,
    id: &str,
) -> Result<PluginInfo, AppError> {
    authorise_admin(caller)?;
    set_status(workspace, caller, id, Status::Enabled).await
}

/// The platform stops a plugin that has failed too often.
pub(crate) async fn plugin_suspend(
    workspace: &Workspace,
    id: &str,
    reason: &str,
) -> Result<(), AppError> {
    let status = Status::Suspended(reason.to_owned());
    set_status(workspace, &Caller::system(), id, status).await?;
    Ok(())
}

/// Removes a plugin, and what it brought to the catalogue.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `BAD_INPUT` when others have built on what would go.
pub async fn plugin_uninstall(
    workspace: &Workspace,
    caller: &Caller,
    id: &str,
    data: KeepData,
) -> Result<Uninstalled, AppError> {
    authorise_admin(caller)?;
    if workspace.state().plugins.get(id).is_none() {
        return Err(no_plugin(workspace, id));
    }
    nobody_requires(workspace, id)?;
    let export = match data {
        KeepData::Export => Some(export::plugin_export(workspace, caller, id).await?),
        KeepData::Keep | KeepData::Drop => None,
    };
    let proposal = Proposal {
        confirm: Confirm::All,
        retention: match data {
            KeepData::Keep => Retention::Park,
            KeepData::Export | KeepData::Drop => Retention::Drop,
        },
        plugin: PluginChange::Remove(id),
        ..Proposal::of(id, Blueprint::default())
    };
    let plan = carry_out(workspace, caller, &proposal).await?;
    tracing::info!(plugin = id, "uninstalled");
    Ok(Uninstalled { plan, export })
}

/// Whether other plugins go on without this one.
fn nobody_requires(workspace: &Workspace, id: &str) -> Result<(), AppError> {
    let state = workspace.state();
    let others: Vec<&str> = state
        .plugins
        .iter()
        .filter(|other| other.id != id && other.manifest.requires.contains_key(id))
        .map(|other| other.id.as_str())
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(AppError::bad_input(format!(
        "{id} is needed by {}: uninstall that first",
        others.join(", ")
    )))
}

async fn set_status(
    workspace: &Workspace,
    caller: &Caller,
    id: &str,
    status: Status,
) -> Result<PluginInfo, AppError> {
    let row = workspace
        .database()
        .plugins()
        .await?
        .into_iter()
        .find(|row| row.id == id)
        .ok_or_else(|| no_plugin(workspace, id))?;
    let row = PluginRow {
        enabled: status != Status::Disabled,
        suspended: match &status {
            Status::Suspended(reason) => Some(reason.clone()),
            _ => None,
        },
        faults: 0,
        ..row
    };
    let installed = load::load(workspace, &row, None).await?;
    if status == Status::Enabled
        && let Status::Broken(reason) = &installed.status
    {
        return Err(AppError::bad_input(format!(
            "the plugin {id} can't be enabled: {reason}"
        )));
    }
    // Its part of the catalogue stays as it is.
    let unchanged = {
        let id = id.to_owned();
        move |catalogue: &Catalogue| Ok(relata_catalog::export(catalogue, &id))
    };
    let proposal = Proposal {
        wanted: Wanted::Edited(&unchanged),
        plugin: PluginChange::Put(&row, Arc::clone(&installed)),
        ..Proposal::of(id, Blueprint::default())
    };
    carry_out(workspace, caller, &proposal).await?;
    tracing::info!(
        plugin = id,
        status = installed.status.name(),
        "plugin status"
    );
    Ok(info(&installed))
}

fn replaced_version(workspace: &Workspace, id: &str) -> Option<String> {
    workspace
        .state()
        .plugins
        .get(id)
        .map(|plugin| plugin.version())
}

fn no_plugin(workspace: &Workspace, id: &str) -> AppError {
    let state = workspace.state();
    let known = state.plugins.iter().map(|plugin| plugin.id.as_str());
    AppError::NotFound(format!(
        "there is no plugin {id}{}",
        crate::naming::instead(id, known)
    ))
}

fn not_loaded(error: HostError) -> AppError {
    match error.issues() {
        Some(issues) => AppError::BadInput {
            headline: Some(error.to_string()),
            issues,
        },
        None => AppError::internal(&error),
    }
}

fn info(plugin: &Installed) -> PluginInfo {
    PluginInfo {
        id: plugin.id.clone(),
        name: plugin.manifest.name.clone(),
        description: plugin.manifest.description.clone(),
        version: plugin.version(),
        sha256: plugin.sha256.clone(),
        prefix: plugin.prefix.clone(),
        status: plugin.status.name().to_owned(),
        reason: plugin.status.reason().map(str::to_owned),
        grants: serde_json::to_value(&plugin.grants).unwrap_or_default(),
        settings: plugin.settings.clone(),
        manifest: serde_json::to_value(&plugin.manifest).unwrap_or_default(),
    }
}

fn json_text<T: Serialize>(value: &T) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(|error| AppError::internal(&error))
}
