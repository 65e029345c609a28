//! Plugins.

use async_graphql::{Context, Enum, ID, Object, Result};
use relata_app::plugins::{self, InstallOptions, KeepData, PluginInfo, PluginPlan as PlanView};
use relata_host::Grants;
use serde_json::json;

use super::blueprint::Plan;
use super::error::graphql;
use super::scalars::JsonScalar;
use super::{Administrator, caller, package, workspace};

/// A plugin that is installed.
pub(super) struct Plugin(PluginInfo);

/// A plugin that is installed.
#[Object]
impl Plugin {
    /// `publisher.name`
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Its version.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// SHA-256 of its package, in hexadecimal.
    async fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// What its names in the records' schema begin with.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// `ENABLED`; `DISABLED` by an administrator; `SUSPENDED` because it failed too often in a row;
    /// `BROKEN` because it can't be loaded.
    async fn status(&self) -> &str {
        &self.0.status
    }

    /// Why it does not run, where that was nobody's wish.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What it may do, in the form of the manifest's capabilities.
    async fn grants(&self) -> JsonScalar {
        JsonScalar(self.0.grants.clone())
    }

    /// Its settings, defaults filled in.
    async fn settings(&self) -> JsonScalar {
        JsonScalar(self.0.settings.clone())
    }

    /// What it says about itself.
    async fn manifest(&self) -> JsonScalar {
        JsonScalar(self.0.manifest.clone())
    }
}

/// What installing a package would do.
pub(super) struct PluginPlan(PlanView);

/// What installing a package would do.
#[Object]
impl PluginPlan {
    /// `publisher.name`
    async fn id(&self) -> ID {
        ID(self.0.manifest.id.clone())
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.manifest.name
    }

    /// Its version.
    async fn version(&self) -> String {
        self.0.manifest.version.to_string()
    }

    /// The version that is installed now.
    async fn replaces(&self) -> Option<&str> {
        self.0.replaces.as_deref()
    }

    /// SHA-256 of the package, in hexadecimal.
    async fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// What it asks for, each with its reason.
    async fn asks(&self) -> Vec<Ask> {
        self.0
            .manifest
            .capabilities
            .records
            .iter()
            .map(|(object, capability)| Ask {
                capability: format!("records.{object}"),
                reason: capability.reason.clone(),
                grant: json!(relata_host::RecordsGrant::from(capability)),
            })
            .collect()
    }

    /// All that it asks for, in the form that `installPlugin(grants:)` takes.
    async fn grants(&self) -> JsonScalar {
        JsonScalar(json!(Grants::all(&self.0.manifest)))
    }

    /// What it says about itself.
    async fn manifest(&self) -> JsonScalar {
        JsonScalar(json!(self.0.manifest))
    }

    /// What becomes of the catalogue.
    async fn plan(&self) -> Plan {
        Plan::from(self.0.plan.clone())
    }
}

/// A capability that a plugin asks for.
pub(super) struct Ask {
    capability: String,
    reason: String,
    grant: serde_json::Value,
}

/// A capability that a plugin asks for.
#[Object]
impl Ask {
    /// `records.deal`
    async fn capability(&self) -> &str {
        &self.capability
    }

    /// Why, in the plugin's words.
    async fn reason(&self) -> &str {
        &self.reason
    }

    /// What exactly: which fields, which changes.
    async fn grant(&self) -> JsonScalar {
        JsonScalar(self.grant.clone())
    }
}

/// What becomes of the data in a plugin's objects and fields when it is uninstalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum PluginData {
    /// Hidden and kept for a while.
    Keep,
    /// Written into a file, then dropped.
    Export,
    /// Dropped.
    Drop,
}

/// What uninstalling did.
pub(super) struct Uninstalled {
    id: ID,
    done: plugins::Uninstalled,
}

/// What uninstalling did.
#[Object]
impl Uninstalled {
    /// The plugin that was.
    async fn id(&self) -> &ID {
        &self.id
    }

    /// What became of the catalogue.
    async fn plan(&self) -> Plan {
        Plan::from(self.done.plan.clone())
    }

    /// The file with the records (a JSON document per line), where they were exported: at
    /// `/files/{id}`.
    async fn export(&self) -> Option<ID> {
        self.done.export.map(ID::from)
    }
}

#[derive(Default)]
pub(super) struct PluginQuery;

#[Object(guard = "Administrator")]
impl PluginQuery {
    /// What is installed, in the order in which it came.
    async fn plugins(&self, context: &Context<'_>) -> Result<Vec<Plugin>> {
        plugins::plugins_list(workspace(context), caller(context))
            .map(|all| all.into_iter().map(Plugin).collect())
            .map_err(graphql)
    }

    /// The plugin with this id.
    async fn plugin(&self, context: &Context<'_>, id: ID) -> Result<Option<Plugin>> {
        plugins::plugin_get(workspace(context), caller(context), &id)
            .map(|found| found.map(Plugin))
            .map_err(graphql)
    }

    /// What installing the package would do, and all that is wrong with it. `file` is the id that
    /// `POST /files` gave. Without `grants` it is looked at as if all were granted.
    async fn plan_plugin(
        &self,
        context: &Context<'_>,
        file: ID,
        grants: Option<JsonScalar>,
        settings: Option<JsonScalar>,
    ) -> Result<PluginPlan> {
        let package = package(context, &file).await?;
        let options = InstallOptions {
            grants: grants.map(|grants| grants.0),
            settings: settings.map(|settings| settings.0),
            ..InstallOptions::default()
        };
        plugins::plugin_plan(workspace(context), caller(context), &package, &options)
            .await
            .map(PluginPlan)
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct PluginMutation;

#[Object(guard = "Administrator")]
impl PluginMutation {
    /// Installs a package, or upgrades the plugin to it. `file` is the id that `POST /files` gave.
    /// It may do what `grants` says, and nothing without: see `planPlugin { grants }` for what it
    /// asks for. With `plan`, only if that is still what becomes of the catalogue.
    #[allow(clippy::too_many_arguments)] // Each is an argument of the API.
    async fn install_plugin(
        &self,
        context: &Context<'_>,
        file: ID,
        grants: Option<JsonScalar>,
        settings: Option<JsonScalar>,
        prefix: Option<String>,
        plan: Option<ID>,
        confirm: Option<Vec<String>>,
    ) -> Result<Plugin> {
        let package = package(context, &file).await?;
        let options = InstallOptions {
            // Denied unless granted.
            grants: Some(grants.map_or_else(|| json!({}), |grants| grants.0)),
            settings: settings.map(|settings| settings.0),
            prefix,
            plan_id: plan.map(|plan| plan.0),
            confirm: confirm.unwrap_or_default(),
        };
        plugins::plugin_install(workspace(context), caller(context), &package, &options)
            .await
            .map(|(info, _plan)| Plugin(info))
            .map_err(graphql)
    }

    /// Switches a plugin on again, also one that was suspended.
    async fn enable_plugin(&self, context: &Context<'_>, id: ID) -> Result<Plugin> {
        plugins::plugin_enable(workspace(context), caller(context), &id)
            .await
            .map(Plugin)
            .map_err(graphql)
    }

    /// Switches a plugin off: its hooks are not called, its operations are gone. Its data stays.
    async fn disable_plugin(&self, context: &Context<'_>, id: ID) -> Result<Plugin> {
        plugins::plugin_disable(workspace(context), caller(context), &id)
            .await
            .map(Plugin)
            .map_err(graphql)
    }

    /// Removes a plugin and what it brought to the catalogue.
    async fn uninstall_plugin(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(default_with = "PluginData::Keep")] data: PluginData,
    ) -> Result<Uninstalled> {
        let keep = match data {
            PluginData::Keep => KeepData::Keep,
            PluginData::Export => KeepData::Export,
            PluginData::Drop => KeepData::Drop,
        };
        plugins::plugin_uninstall(workspace(context), caller(context), &id, keep)
            .await
            .map(|done| Uninstalled { id, done })
            .map_err(graphql)
    }
}
