//! `plugin.toml` → [`Manifest`]: top to bottom, in the order of the file's sections.

use indexmap::IndexMap;
use relata_catalog::{Issue, Issues, PathSegment};
use semver::{Version, VersionReq};
use serde_json::Value as Json;
use toml::{Table, Value as Toml};

use super::section::{Section, nearest};
use super::{
    CAPABILITY_OBJECTS_MAX, CONTRACT_VERSION, Capabilities, Change, HOOK_FIELDS_MAX, HOOKS_MAX,
    Hook, Manifest, OPERATIONS_MAX, OnFailure, Operation, OperationKind, Phase, RecordsCapability,
    schema_validator,
};

/// Most bytes of a manifest.
const MANIFEST_BYTES_MAX: usize = 256 << 10;
/// Most bytes of one schema as JSON.
const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// Most characters of a text that people read.
const TEXT_MAX: usize = 2_000;
/// Most bytes of a name.
const NAME_MAX: usize = 63;

/// Keys of the contract that this host does not offer yet: an honest answer instead of "unknown".
const LATER: [&str; 4] = ["routes", "jobs", "slots", "translations"];
/// Capabilities of the contract that this host does not offer yet.
const CAPABILITIES_LATER: [&str; 11] = [
    "files",
    "sequence",
    "secrets",
    "keyvalue",
    "http",
    "mail",
    "queue",
    "events",
    "random",
    "clock",
    "translate",
];

pub(super) fn parse(text: &str) -> Result<Manifest, Issues> {
    if text.len() > MANIFEST_BYTES_MAX {
        return Err(Issue::new(
            "TOO_LONG",
            format!(
                "the manifest has {} bytes; at most {MANIFEST_BYTES_MAX} are allowed",
                text.len()
            ),
        )
        .into());
    }
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        Issues::from(Issue::new(
            "NOT_TOML",
            error.to_string().trim_end().to_owned(),
        ))
    })?;

    let mut issues = Issues::default();
    let mut root = Section::new(&table, Vec::new());
    let id = id_of(&mut root, &mut issues);
    let version = version_of(&mut root, "version", "\"0.1.0\"", &mut issues);
    let contract = contract_of(&mut root, &mut issues);
    let name = root
        .required_text("name", "\"Membership\"", &mut issues)
        .map(str::to_owned);
    check_text(&root, "name", name.as_deref(), 100, &mut issues);
    let description = root.text("description", &mut issues).map(str::to_owned);
    check_text(
        &root,
        "description",
        description.as_deref(),
        TEXT_MAX,
        &mut issues,
    );
    let license = root.text("license", &mut issues).map(str::to_owned);
    check_text(&root, "license", license.as_deref(), 200, &mut issues);
    let requires = requires_of(&mut root, &mut issues);
    let capabilities = capabilities_of(&mut root, &mut issues);
    let settings = schema_of(&mut root, "settings", true, &mut issues);
    let hooks = hooks_of(&mut root, &mut issues);
    let operations = operations_of(&mut root, &mut issues);
    let blueprint = blueprint_of(&mut root, &mut issues);
    refuse_later(&mut root, &mut issues);
    root.finish(&mut issues);

    if !issues.is_empty() {
        return Err(issues);
    }
    Ok(Manifest {
        id: id.expect("an absent or bad id is an issue"),
        version: version.expect("an absent or bad version is an issue"),
        contract: contract.expect("an absent or bad contract is an issue"),
        name: name.expect("an absent name is an issue"),
        description: description.unwrap_or_default(),
        license,
        requires,
        capabilities,
        settings,
        hooks,
        operations,
        blueprint,
    })
}

fn id_of(root: &mut Section<'_>, issues: &mut Issues) -> Option<String> {
    let id = root.required_text("id", "\"acme.loyalty\"", issues)?;
    let well_formed = id
        .split_once('.')
        .is_some_and(|(publisher, name)| is_plugin_name(publisher) && is_plugin_name(name));
    if !well_formed {
        issues.push(root.issue(
            "id",
            "BAD_ID",
            format!(
                "`{id}` is not `publisher.name`: each part begins with a lower-case letter, goes on \
                 with lower-case letters, digits and single `_`, and has at most 30 characters"
            ),
        ));
        return None;
    }
    Some(id.to_owned())
}

fn is_plugin_name(name: &str) -> bool {
    name.len() <= 30
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__")
        && !name.ends_with('_')
}

/// Names of objects, fields, hooks and operations: what GraphQL can spell.
fn check_name(name: &str) -> Result<(), String> {
    let well_formed = !name.is_empty()
        && name.len() <= NAME_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if well_formed {
        Ok(())
    } else {
        Err(format!(
            "`{name}` is not a name: it begins with a lower-case letter, goes on with letters, \
             digits and `_`, and has at most {NAME_MAX} characters"
        ))
    }
}

fn version_of(
    root: &mut Section<'_>,
    key: &'static str,
    example: &str,
    issues: &mut Issues,
) -> Option<Version> {
    let text = root.required_text(key, example, issues)?;
    match Version::parse(text) {
        Ok(version) => Some(version),
        Err(error) => {
            issues.push(root.issue(
                key,
                "BAD_VERSION",
                format!("`{text}` is not a semantic version like {example}: {error}"),
            ));
            None
        }
    }
}

/// The same major (before 1.0: the same minor) as the host's, as semver has it. A plugin for a
/// newer minor is let through here: whether it needs what is new shows in its imports.
fn contract_of(root: &mut Section<'_>, issues: &mut Issues) -> Option<Version> {
    let contract = version_of(root, "contract", &format!("\"{CONTRACT_VERSION}\""), issues)?;
    let host = Version::parse(CONTRACT_VERSION).expect("the host's own version is semver");
    let compatible =
        contract.major == host.major && (host.major > 0 || contract.minor == host.minor);
    if !compatible {
        issues.push(
            root.issue(
                "contract",
                "CONTRACT_UNSUPPORTED",
                format!("is {contract}; this host speaks {host}"),
            )
            .with("host", host.to_string()),
        );
        return None;
    }
    Some(contract)
}

fn check_text(
    section: &Section<'_>,
    key: &str,
    text: Option<&str>,
    max: usize,
    issues: &mut Issues,
) {
    let Some(text) = text else { return };
    let length = text.chars().count();
    if text.trim().is_empty() {
        issues.push(section.issue(key, "EMPTY", "is empty"));
    } else if length > max {
        issues.push(
            section
                .issue(
                    key,
                    "TOO_LONG",
                    format!("has {length} characters; at most {max} are allowed"),
                )
                .with("max", max),
        );
    }
}

fn requires_of(root: &mut Section<'_>, issues: &mut Issues) -> IndexMap<String, VersionReq> {
    let mut requires = IndexMap::new();
    let Some(table) = root.table("requires", issues) else {
        return requires;
    };
    for (id, requirement) in table {
        let parsed = requirement
            .as_str()
            .ok_or_else(|| "must be a string like \"^1.2\"".to_owned())
            .and_then(|text| VersionReq::parse(text).map_err(|error| error.to_string()));
        match parsed {
            Ok(parsed) => {
                requires.insert(id.clone(), parsed);
            }
            Err(message) => {
                let mut issue = root.issue("requires", "BAD_VERSION", message);
                issue.path.push(id.as_str().into());
                issues.push(issue);
            }
        }
    }
    requires
}

fn capabilities_of(root: &mut Section<'_>, issues: &mut Issues) -> Capabilities {
    let path = root.path_to("capabilities");
    let Some(table) = root.table("capabilities", issues) else {
        return Capabilities::default();
    };
    let mut section = Section::new(table, path.clone());
    let mut records = IndexMap::new();
    if let Some(objects) = section.table("records", issues) {
        if objects.len() > CAPABILITY_OBJECTS_MAX {
            issues.push(section.issue(
                "records",
                "TOO_MANY",
                format!(
                    "asks for {} objects; at most {CAPABILITY_OBJECTS_MAX} are allowed",
                    objects.len()
                ),
            ));
        }
        for (object, access) in objects.iter().take(CAPABILITY_OBJECTS_MAX) {
            let mut object_path = section.path_to("records");
            object_path.push(object.as_str().into());
            if let Some(capability) = records_capability(object, access, object_path, issues) {
                records.insert(object.clone(), capability);
            }
        }
    }
    for later in CAPABILITIES_LATER {
        if section.take(later).is_some() {
            issues.push(section.issue(
                later,
                "CAPABILITY_UNAVAILABLE",
                format!("this version of the host does not offer `{later}` yet"),
            ));
        }
    }
    section.finish(issues);
    Capabilities { records }
}

fn records_capability(
    object: &str,
    access: &Toml,
    path: Vec<PathSegment>,
    issues: &mut Issues,
) -> Option<RecordsCapability> {
    let refuse = |code: &str, message: String, issues: &mut Issues| {
        let mut issue = Issue::new(code, message);
        issue.path.clone_from(&path);
        issues.push(issue);
    };
    if let Err(message) = check_name(object) {
        refuse("BAD_NAME", message, issues);
    }
    let Toml::Table(table) = access else {
        refuse(
            "WRONG_TYPE",
            "must be a table like { read = [\"amount\"], reason = \"…\" }".to_owned(),
            issues,
        );
        return None;
    };
    let mut section = Section::new(table, path.clone());
    let capability = RecordsCapability {
        read: section.names("read", HOOK_FIELDS_MAX, check_name, issues),
        write: section.names("write", HOOK_FIELDS_MAX, check_name, issues),
        create: section.boolean("create", issues),
        delete: section.boolean("delete", issues),
        reason: section
            .required_text("reason", "\"to add up what a member has earned\"", issues)
            .unwrap_or_default()
            .to_owned(),
    };
    if table.contains_key("reason") {
        check_text(&section, "reason", Some(&capability.reason), 500, issues);
    }
    let asks_for_nothing = capability.read.is_empty()
        && capability.write.is_empty()
        && !capability.create
        && !capability.delete;
    if asks_for_nothing && !["read", "write"].iter().any(|key| table.contains_key(*key)) {
        refuse(
            "EMPTY",
            "asks for nothing: name fields in `read` or `write`, or set `create` or `delete`"
                .to_owned(),
            issues,
        );
    }
    section.finish(issues);
    Some(capability)
}

/// A JSON Schema written as a TOML table.
fn schema_of(
    section: &mut Section<'_>,
    key: &'static str,
    of_object: bool,
    issues: &mut Issues,
) -> Option<Json> {
    let table = section.table(key, issues)?;
    let schema = match serde_json::to_value(table) {
        Ok(schema) => schema,
        Err(error) => {
            issues.push(section.issue(key, "SCHEMA_INVALID", error.to_string()));
            return None;
        }
    };
    let length = schema.to_string().len();
    if length > SCHEMA_BYTES_MAX {
        issues.push(section.issue(
            key,
            "TOO_LONG",
            format!("has {length} bytes as JSON; at most {SCHEMA_BYTES_MAX} are allowed"),
        ));
        return None;
    }
    if of_object && schema.get("type").and_then(Json::as_str) != Some("object") {
        issues.push(section.issue(
            key,
            "SCHEMA_NOT_OBJECT",
            "must describe an object: type = \"object\", with its properties",
        ));
    }
    if let Err(message) = schema_validator(&schema) {
        issues.push(section.issue(
            key,
            "SCHEMA_INVALID",
            format!("is not a JSON Schema (2020-12): {message}"),
        ));
    }
    Some(schema)
}

/// One of a few words, or an issue that lists them.
fn word_of<T: Copy>(
    section: &Section<'_>,
    key: &str,
    text: &str,
    words: &[(&str, T)],
    issues: &mut Issues,
) -> Option<T> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let hint = nearest(text, &known).map_or_else(
        || format!("must be one of {}", known.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    issues.push(section.issue(key, "UNKNOWN_WORD", format!("`{text}`: {hint}")));
    None
}

const CHANGES: [(&str, Change); 5] = [
    ("create", Change::Create),
    ("update", Change::Update),
    ("delete", Change::Delete),
    ("restore", Change::Restore),
    ("destroy", Change::Destroy),
];

fn hooks_of(root: &mut Section<'_>, issues: &mut Issues) -> Vec<Hook> {
    let mut hooks: Vec<Hook> = Vec::new();
    for mut section in root.tables("hooks", HOOKS_MAX, issues) {
        let hook = hook_of(&mut section, &hooks, issues);
        section.finish(issues);
        hooks.extend(hook);
    }
    hooks
}

fn hook_of(section: &mut Section<'_>, before: &[Hook], issues: &mut Issues) -> Option<Hook> {
    let name = unique_name(
        section,
        before.iter().map(|hook| hook.name.as_str()),
        issues,
    );
    let object = section.required_text("object", "\"deal\"", issues);
    if let Some(Err(message)) = object.map(check_name) {
        issues.push(section.issue("object", "BAD_NAME", message));
    }
    let phase = match section.text("phase", issues) {
        None => Some(Phase::Before),
        Some(text) => word_of(
            section,
            "phase",
            text,
            &[("before", Phase::Before), ("after", Phase::After)],
            issues,
        ),
    };
    let words = section.names("on", CHANGES.len(), |_| Ok(()), issues);
    let mut on = Vec::with_capacity(words.len());
    for word in &words {
        on.extend(word_of(section, "on", word, &CHANGES, issues));
    }
    if words.is_empty() {
        issues.push(section.issue(
            "on",
            "REQUIRED",
            "names no change; for example [\"create\", \"update\"]",
        ));
    }
    let fields = section.names("fields", HOOK_FIELDS_MAX, check_name, issues);
    if !fields.is_empty() && !on.is_empty() && !on.contains(&Change::Update) {
        issues.push(section.issue(
            "fields",
            "USELESS",
            "chooses among updates, but `on` does not name `update`",
        ));
    }
    let inputs = section.names("inputs", HOOK_FIELDS_MAX, check_name, issues);
    let writes = section.names("writes", HOOK_FIELDS_MAX, check_name, issues);
    if phase == Some(Phase::After) && !writes.is_empty() {
        issues.push(section.issue(
            "writes",
            "USELESS",
            "an after hook can't patch the record: the write is over",
        ));
    }
    let order = section.integer("order", issues).unwrap_or(100);
    let order = i32::try_from(order).unwrap_or_else(|_| {
        issues.push(section.issue(
            "order",
            "OUT_OF_RANGE",
            "must be between −2^31 and 2^31 − 1",
        ));
        0
    });
    let on_failure = match section.text("on-failure", issues) {
        None => Some(OnFailure::Reject),
        Some(text) => word_of(
            section,
            "on-failure",
            text,
            &[("reject", OnFailure::Reject), ("skip", OnFailure::Skip)],
            issues,
        ),
    };
    Some(Hook {
        name: name?,
        object: object?.to_owned(),
        phase: phase?,
        on,
        fields,
        inputs,
        writes,
        order,
        on_failure: on_failure?,
    })
}

fn unique_name<'n>(
    section: &mut Section<'_>,
    mut others: impl Iterator<Item = &'n str>,
    issues: &mut Issues,
) -> Option<String> {
    let name = section.required_text("name", "\"earn\"", issues)?;
    if let Err(message) = check_name(name) {
        issues.push(section.issue("name", "BAD_NAME", message));
    } else if others.any(|other| other == name) {
        issues.push(section.issue("name", "REPEATED", format!("`{name}` is there already")));
    }
    Some(name.to_owned())
}

fn operations_of(root: &mut Section<'_>, issues: &mut Issues) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    for mut section in root.tables("operations", OPERATIONS_MAX, issues) {
        let operation = operation_of(&mut section, &operations, issues);
        section.finish(issues);
        operations.extend(operation);
    }
    operations
}

fn operation_of(
    section: &mut Section<'_>,
    before: &[Operation],
    issues: &mut Issues,
) -> Option<Operation> {
    let name = unique_name(
        section,
        before.iter().map(|operation| operation.name.as_str()),
        issues,
    );
    let kind = section
        .required_text("kind", "\"query\"", issues)
        .and_then(|text| {
            word_of(
                section,
                "kind",
                text,
                &[
                    ("query", OperationKind::Query),
                    ("mutation", OperationKind::Mutation),
                ],
                issues,
            )
        });
    let description = section.text("description", issues).map(str::to_owned);
    check_text(
        section,
        "description",
        description.as_deref(),
        TEXT_MAX,
        issues,
    );
    let arguments = schema_of(section, "arguments", true, issues).unwrap_or_else(
        || serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false }),
    );
    if let Some(properties) = arguments.get("properties").and_then(Json::as_object) {
        for property in properties.keys() {
            if let Err(message) = check_name(property) {
                let mut issue = section.issue("arguments", "BAD_NAME", message);
                issue.path.push("properties".into());
                issue.path.push(property.as_str().into());
                issues.push(issue);
            }
        }
    }
    let result = schema_of(section, "result", false, issues);
    if result.is_none() {
        issues.push(section.issue(
            "result",
            "REQUIRED",
            "is missing; for example { type = \"boolean\" }",
        ));
    }
    Some(Operation {
        name: name?,
        kind: kind?,
        description: description.unwrap_or_default(),
        arguments,
        result: result?,
    })
}

fn blueprint_of(root: &mut Section<'_>, issues: &mut Issues) -> Option<String> {
    let blueprint = root.text("blueprint", issues)?;
    if blueprint != "blueprint.yaml" {
        issues.push(root.issue(
            "blueprint",
            "BAD_NAME",
            format!("is `{blueprint}`; in a package it is always `blueprint.yaml`"),
        ));
    }
    Some(blueprint.to_owned())
}

fn refuse_later(root: &mut Section<'_>, issues: &mut Issues) {
    for later in LATER {
        if root.take(later).is_some() {
            issues.push(root.issue(
                later,
                "UNAVAILABLE",
                if later == "translations" {
                    "translations are the files i18n/<language>.toml of the package; there is no key"
                        .to_owned()
                } else {
                    format!("this version of the host does not offer `{later}` yet")
                },
            ));
        }
    }
}
