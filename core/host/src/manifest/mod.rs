//! `plugin.toml`: what a plugin says about itself, what it asks for, and what it offers.
//!
//! A `Manifest` that exists is well-formed: ids and names have their grammar, versions are
//! semver, schemas are JSON Schema, every limit is kept. Whether the objects and fields that it
//! names exist is for whoever knows the catalogue.

mod parse;
mod section;

use indexmap::IndexMap;
use relata_catalog::{Issue, Issues, PathSegment};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Version of the contract (`wit/`) that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// Most hooks of a plugin.
pub const HOOKS_MAX: usize = 64;
/// Most operations of a plugin.
pub const OPERATIONS_MAX: usize = 128;
/// Most inputs, writes or fields that one hook names.
pub const HOOK_FIELDS_MAX: usize = 100;
/// Most objects in the records capability.
pub const CAPABILITY_OBJECTS_MAX: usize = 100;

/// The manifest of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// `publisher.name`.
    pub id: String,
    /// The plugin's own version.
    pub version: Version,
    /// Version of the contract that it was built for.
    pub contract: Version,
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Other plugins that must be there, by id.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub requires: IndexMap<String, VersionReq>,
    /// What it asks to be allowed.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// JSON Schema of its settings, an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Json>,
    /// Its hooks on records.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// Its GraphQL queries and mutations.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// File of its blueprint in the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint: Option<String>,
}

/// What a plugin asks to be allowed. Denied unless it is here **and** granted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capabilities {
    /// Records by the singular name of their object.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub records: IndexMap<String, RecordsCapability>,
}

/// Access to records of one object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordsCapability {
    /// Fields that it reads, filters and sorts by.
    #[serde(default)]
    pub read: Vec<String>,
    /// Fields that it writes, on create as on update.
    #[serde(default)]
    pub write: Vec<String>,
    /// Whether it makes records.
    #[serde(default)]
    pub create: bool,
    /// Whether it puts records into the trash.
    #[serde(default)]
    pub delete: bool,
    /// Why, for the administrator who grants it.
    #[serde(default)]
    pub reason: String,
}

/// A hook on the records of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// Unique in the plugin.
    pub name: String,
    /// Singular name of the object.
    pub object: String,
    /// When it is called.
    pub phase: Phase,
    /// The changes that it is called for; at least one.
    pub on: Vec<Change>,
    /// On update, only when one of these fields changes; empty: any.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Fields whose values it gets, in this order.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// Fields of the record that it may patch (before hooks only).
    #[serde(default)]
    pub writes: Vec<String>,
    /// Among before hooks, lower first; then by plugin id. Default 100.
    pub order: i32,
    /// What becomes of the write when the hook fails (before hooks only).
    pub on_failure: OnFailure,
}

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// In the write, inside its transaction.
    Before,
    /// From the outbox, after the commit, at least once.
    After,
}

/// What happens to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is made.
    Create,
    /// Its fields change.
    Update,
    /// Into the trash.
    Delete,
    /// Out of the trash.
    Restore,
    /// For good.
    Destroy,
}

/// What becomes of a write whose before hook fails (a rejection is no failure).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Reject,
    /// It goes on without the hook.
    Skip,
}

/// A GraphQL field that the plugin answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// Unique in the plugin; the GraphQL field is `<plugin>_<name>`.
    pub name: String,
    /// Whether it may write.
    pub kind: OperationKind,
    /// Shown in the GraphQL schema.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of the arguments: an object with `properties`.
    pub arguments: Json,
    /// JSON Schema of the result.
    pub result: Json,
}

/// Where an operation stands in GraphQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// Reads only.
    Query,
    /// May write; its writes are one unit.
    Mutation,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path; unknown keys are errors.
    pub fn parse(toml: &str) -> Result<Self, Issues> {
        parse::parse(toml)
    }

    /// The part of the id before the point.
    #[must_use]
    pub fn publisher(&self) -> &str {
        self.id
            .split_once('.')
            .map_or("", |(publisher, _)| publisher)
    }

    /// The part of the id after the point: the default prefix of its GraphQL names.
    #[must_use]
    pub fn local_name(&self) -> &str {
        self.id.split_once('.').map_or(&self.id, |(_, name)| name)
    }

    /// The hook with this name.
    #[must_use]
    pub fn hook(&self, name: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.name == name)
    }

    /// The operation with this name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations
            .iter()
            .find(|operation| operation.name == name)
    }

    /// Settings with the schema's defaults filled in at the top level.
    ///
    /// # Errors
    /// What the schema finds wrong with them, and settings for a plugin that has none.
    pub fn settings_with_defaults(&self, settings: &Json) -> Result<Json, Issues> {
        let mut filled = match settings {
            Json::Null => serde_json::Map::new(),
            Json::Object(members) => members.clone(),
            _ => {
                return Err(Issue::new("SETTINGS_NOT_OBJECT", "settings are a JSON object").into());
            }
        };
        let Some(schema) = &self.settings else {
            return if filled.is_empty() {
                Ok(Json::Object(filled))
            } else {
                Err(Issue::new("SETTINGS_UNKNOWN", "this plugin has no settings").into())
            };
        };
        if let Some(properties) = schema.get("properties").and_then(Json::as_object) {
            for (name, property) in properties {
                if let (false, Some(default)) = (filled.contains_key(name), property.get("default"))
                {
                    filled.insert(name.clone(), default.clone());
                }
            }
        }
        let filled = Json::Object(filled);
        let issues = match schema_validator(schema) {
            Ok(validator) => schema_issues(&validator, &filled),
            Err(message) => Issue::new("SCHEMA_INVALID", message).into(),
        };
        issues.into_result(filled)
    }
}

/// Compiles a JSON Schema (2020-12). Patterns run in linear time, and nothing is fetched.
pub(crate) fn schema_validator(schema: &Json) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(schema)
        .map_err(|error| error.to_string())
}

/// What a schema finds wrong, each with its path; at most a hundred.
pub(crate) fn schema_issues(validator: &jsonschema::Validator, instance: &Json) -> Issues {
    let mut issues = Issues::default();
    for error in validator.iter_errors(instance).take(100) {
        let mut issue = Issue::new("SCHEMA", error.to_string());
        issue.path = pointer_path(&error.instance_path().to_string());
        issues.push(issue);
    }
    issues
}

fn pointer_path(pointer: &str) -> Vec<PathSegment> {
    pointer
        .split('/')
        .skip(1)
        .map(|segment| {
            segment.parse::<usize>().map_or_else(
                |_| PathSegment::Name(segment.replace("~1", "/").replace("~0", "~")),
                PathSegment::Index,
            )
        })
        .collect()
}
