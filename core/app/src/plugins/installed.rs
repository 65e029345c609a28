//! What is installed, bound to one revision of the catalogue: which hooks apply to which object,
//! with names resolved to positions.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use indexmap::IndexMap;
use relata_catalog::{Catalogue, FieldIndex, Key};
use relata_host::{Grants, Hook, Manifest, OnFailure, Operation, Phase, Plugin};
use serde_json::Value as Json;

use crate::services::{find_field, find_object};

/// All plugins of a workspace at one revision.
#[derive(Debug, Default)]
pub struct Plugins {
    installed: IndexMap<String, Arc<Installed>>,
    before: HashMap<Key, Vec<Arc<BoundHook>>>,
    after: Vec<Arc<BoundHook>>,
}

/// One plugin that is installed.
#[derive(Debug)]
pub struct Installed {
    /// `publisher.name`.
    pub id: String,
    /// Of the package, in hexadecimal.
    pub sha256: String,
    /// What its GraphQL names begin with.
    pub prefix: String,
    /// Whether it takes part.
    pub status: Status,
    /// What it may do.
    pub grants: Grants,
    /// As it sees them, defaults filled in.
    pub settings: Json,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Ready to be called, where the status says so.
    pub(crate) component: Option<Arc<Plugin>>,
    /// Faults in a row, over all its calls.
    pub(crate) faults: AtomicU32,
    /// Its suspension is under way, or done: then another value has taken this one's place.
    pub(crate) suspending: AtomicBool,
}

/// Whether a plugin takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Enabled,
    /// An administrator has switched it off.
    Disabled,
    /// It has failed too often in a row: why.
    Suspended(String),
    /// It can't be loaded: why.
    Broken(String),
}

impl Status {
    /// As the API shows it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
            Self::Suspended(_) => "SUSPENDED",
            Self::Broken(_) => "BROKEN",
        }
    }

    /// Why it does not take part, where that was not an administrator's wish.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Enabled | Self::Disabled => None,
            Self::Suspended(reason) | Self::Broken(reason) => Some(reason),
        }
    }
}

impl Installed {
    /// Its version.
    #[must_use]
    pub fn version(&self) -> String {
        self.manifest.version.to_string()
    }

    /// A call went well.
    pub(crate) fn note_success(&self) {
        self.faults.store(0, Ordering::Relaxed);
    }

    /// A call failed; says how many have in a row.
    pub(crate) fn note_fault(&self) -> u32 {
        self.faults.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the caller is the one to suspend it: not when somebody is at it already.
    pub(crate) fn begin_suspension(&self) -> bool {
        !self.suspending.swap(true, Ordering::Relaxed)
    }

    /// The suspension could not be noted: the next fault tries again.
    pub(crate) fn give_up_suspension(&self) {
        self.suspending.store(false, Ordering::Relaxed);
    }
}

/// A hook of a plugin on an object of this revision.
#[derive(Debug)]
pub(crate) struct BoundHook {
    pub(crate) plugin: Arc<Installed>,
    pub(crate) hook: Hook,
    /// The object's key.
    pub(crate) object: Key,
    /// Fields whose change calls it; none: any.
    pub(crate) triggers: Vec<FieldIndex>,
    /// By position; a field that is gone is empty for ever.
    pub(crate) inputs: Vec<Option<FieldIndex>>,
    /// Fields that it may patch.
    pub(crate) writes: Vec<FieldIndex>,
}

impl BoundHook {
    /// Name of its cursor in the outbox.
    pub(crate) fn consumer(&self) -> String {
        format!("plugin:{}/{}", self.plugin.id, self.hook.name)
    }

    /// Whether a failure of it refuses the write.
    pub(crate) fn rejects(&self) -> bool {
        self.hook.on_failure == OnFailure::Reject
    }
}

impl Plugins {
    /// Binds plugins to a catalogue.
    pub(crate) fn bind(catalogue: &Catalogue, installed: Vec<Arc<Installed>>) -> Self {
        let mut plugins = Self::default();
        let mut after = Vec::new();
        for plugin in installed {
            if plugin.status != Status::Disabled {
                for hook in &plugin.manifest.hooks {
                    match bound(catalogue, &plugin, hook) {
                        Some(bound) if hook.phase == Phase::After => after.push(Arc::new(bound)),
                        Some(bound) => plugins
                            .before
                            .entry(bound.object.clone())
                            .or_default()
                            .push(Arc::new(bound)),
                        None => tracing::warn!(
                            plugin = plugin.id,
                            hook = hook.name,
                            object = hook.object,
                            "the hook's object is not there; the hook is never called"
                        ),
                    }
                }
            }
            plugins.installed.insert(plugin.id.clone(), plugin);
        }
        for hooks in plugins.before.values_mut() {
            hooks.sort_by(|left, right| {
                (left.hook.order, &left.plugin.id).cmp(&(right.hook.order, &right.plugin.id))
            });
        }
        plugins.after = after;
        plugins
    }

    /// The plugin with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Installed>> {
        self.installed.get(id)
    }

    /// All, in the order in which they were installed.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Installed>> {
        self.installed.values()
    }

    /// Operations that GraphQL offers: of enabled plugins, each with the name of its field.
    pub fn operations(&self) -> impl Iterator<Item = (String, &Arc<Installed>, &Operation)> {
        self.iter()
            .filter(|plugin| plugin.status != Status::Disabled)
            .flat_map(|plugin| {
                plugin.manifest.operations.iter().map(move |operation| {
                    let name = format!("{}_{}", plugin.prefix, operation.name);
                    (name, plugin, operation)
                })
            })
    }

    /// Before hooks on an object, in order.
    pub(crate) fn before(&self, object: &Key) -> &[Arc<BoundHook>] {
        self.before.get(object).map_or(&[], Vec::as_slice)
    }

    /// All after hooks.
    pub(crate) fn after(&self) -> &[Arc<BoundHook>] {
        &self.after
    }

    /// The same plugins, to be bound to another catalogue.
    pub(crate) fn all(&self) -> Vec<Arc<Installed>> {
        self.iter().cloned().collect()
    }
}

fn bound(catalogue: &Catalogue, plugin: &Arc<Installed>, hook: &Hook) -> Option<BoundHook> {
    let index = find_object(catalogue, &plugin.id, &hook.object)?;
    let object = catalogue.object(index);
    let known = |names: &[String]| -> Vec<FieldIndex> {
        names
            .iter()
            .filter_map(|name| find_field(object, &plugin.id, name))
            .collect()
    };
    Some(BoundHook {
        plugin: Arc::clone(plugin),
        object: object.key.clone(),
        triggers: known(&hook.fields),
        inputs: hook
            .inputs
            .iter()
            .map(|name| find_field(object, &plugin.id, name))
            .collect(),
        writes: known(&hook.writes),
        hook: hook.clone(),
    })
}
