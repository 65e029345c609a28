//! What the plugin's own files say: `plugin.toml`, the blueprint, the English texts.
//!
//! Read loosely: whether they are right is for `relata plugin check`.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use serde::Deserialize;

use super::tables::Row;
use crate::{
    Change, Error, Issue, Result, Value, bindings::imports::relata::plugin::types::NamedValue,
};

/// The files of a plugin, as far as a test world follows them.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) id: String,
    /// The defaults of the settings' schema.
    pub(super) settings: serde_json::Value,
    pub(super) operations: HashMap<String, OperationKind>,
    /// Records of the blueprint: object and values.
    pub(super) records: Vec<(String, BTreeMap<String, Value>)>,
    hooks: Vec<Hook>,
    access: HashMap<String, RecordsAccess>,
    objects: HashMap<String, Object>,
    /// English texts by code; `None` when there are none.
    texts: Option<HashMap<String, String>>,
}

/// A hook of the manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Hook {
    pub(super) name: String,
    object: String,
    on: Vec<String>,
    #[serde(default)]
    pub(super) fields: Vec<String>,
    #[serde(default)]
    pub(super) inputs: Vec<String>,
    #[serde(default)]
    pub(super) writes: Vec<String>,
    #[serde(default = "phase_default")]
    phase: String,
    #[serde(default = "order_default")]
    order: i64,
}

fn phase_default() -> String {
    "before".to_owned()
}

fn order_default() -> i64 {
    100
}

/// Whether an operation may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OperationKind {
    Query,
    Mutation,
}

/// What a write asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Create,
    Update,
    Delete,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    id: String,
    blueprint: Option<String>,
    #[serde(default)]
    capabilities: Capabilities,
    #[serde(default)]
    settings: serde_json::Value,
    #[serde(default)]
    hooks: Vec<Hook>,
    #[serde(default)]
    operations: Vec<Operation>,
}

#[derive(Debug, Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    records: HashMap<String, RecordsAccess>,
}

#[derive(Debug, Default, Deserialize)]
struct RecordsAccess {
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    create: bool,
    #[serde(default)]
    delete: bool,
}

#[derive(Debug, Deserialize)]
struct Operation {
    name: String,
    kind: OperationKind,
}

#[derive(Debug, Default, Deserialize)]
struct Blueprint {
    #[serde(default)]
    objects: Vec<Object>,
    #[serde(default)]
    records: Vec<Records>,
}

#[derive(Debug, Default, Deserialize)]
struct Object {
    key: Option<String>,
    name: Option<String>,
    extends: Option<String>,
    #[serde(default)]
    fields: Vec<Field>,
    #[serde(default)]
    unique: Vec<Vec<UniqueField>>,
}

/// What folded keys take for the same is the host's to decide: here values are the same that have
/// the same letters.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum UniqueField {
    Key(String),
    Told { field: String },
}

#[derive(Debug, Deserialize)]
struct Field {
    key: String,
    name: Option<String>,
    kind: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    default: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Records {
    object: String,
    #[serde(default)]
    rows: Vec<BTreeMap<String, serde_json::Value>>,
}

impl Field {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.key)
    }
}

impl Object {
    fn name(&self) -> &str {
        self.name
            .as_deref()
            .or(self.extends.as_deref())
            .or(self.key.as_deref())
            .unwrap_or_default()
    }

    /// Fields on somebody else's object carry the plugin's name.
    fn with_prefix(mut self, prefix: &str) -> Self {
        if self.extends.is_some() {
            for field in &mut self.fields {
                field.name = Some(format!("{prefix}_{}", field.name()));
            }
        }
        self
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name() == name)
    }
}

impl Definition {
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let manifest: Manifest = toml::from_str(&text(&folder.join("plugin.toml"))?)
            .map_err(|error| format!("plugin.toml: {error}"))?;
        let blueprint: Blueprint = match &manifest.blueprint {
            Some(file) => serde_norway::from_str(&text(&folder.join(file))?)
                .map_err(|error| format!("{file}: {error}"))?,
            None => Blueprint::default(),
        };
        let english = folder.join("i18n/en.toml");
        let texts = if english.exists() {
            Some(
                toml::from_str(&text(&english)?)
                    .map_err(|error| format!("i18n/en.toml: {error}"))?,
            )
        } else {
            None
        };

        let mut hooks = manifest.hooks;
        hooks.sort_by_key(|hook| hook.order);
        let objects: HashMap<String, Object> = blueprint
            .objects
            .into_iter()
            .map(|object| object.with_prefix(&prefix(&manifest.id)))
            .map(|object| (object.name().to_owned(), object))
            .collect();
        let records = blueprint
            .records
            .into_iter()
            .flat_map(|records| {
                let object = objects.get(&records.object);
                records.rows.into_iter().map(move |row| {
                    let values = row
                        .into_iter()
                        .map(|(field, json)| {
                            let kind = object
                                .and_then(|object| object.field(&field))
                                .map_or("text", |field| field.kind.as_str());
                            (field, value_of(kind, &json))
                        })
                        .collect();
                    (records.object.clone(), values)
                })
            })
            .collect();
        Ok(Self {
            id: manifest.id,
            settings: defaults_of(&manifest.settings),
            operations: manifest
                .operations
                .into_iter()
                .map(|operation| (operation.name, operation.kind))
                .collect(),
            records,
            hooks,
            access: manifest.capabilities.records,
            objects,
            texts,
        })
    }

    /// Hooks for a change of an object, in their order.
    pub(super) fn hooks(
        &self,
        before: bool,
        object: &str,
        change: Change,
    ) -> impl Iterator<Item = &Hook> {
        let phase = if before { "before" } else { "after" };
        let on = match change {
            Change::Create => "create",
            Change::Update => "update",
            Change::Delete => "delete",
            Change::Restore => "restore",
            Change::Destroy => "destroy",
        };
        self.hooks.iter().filter(move |hook| {
            hook.phase == phase && hook.object == object && hook.on.iter().any(|named| named == on)
        })
    }

    /// A new record: the given values, and the blueprint's defaults for what was not given.
    pub(super) fn with_defaults(&self, object: &str, mut values: BTreeMap<String, Value>) -> Row {
        if let Some(object) = self.objects.get(object) {
            for field in &object.fields {
                if !field.default.is_null() && !values.contains_key(field.name()) {
                    let value = value_of(&field.kind, &field.default);
                    values.insert(field.name().to_owned(), value);
                }
            }
        }
        Row {
            values,
            ..Row::default()
        }
    }

    pub(super) fn required(&self, object: &str) -> impl Iterator<Item = &str> {
        self.objects
            .get(object)
            .into_iter()
            .flat_map(|object| &object.fields)
            .filter(|field| field.required)
            .map(Field::name)
    }

    /// Unique keys: names of their fields.
    pub(super) fn uniques(&self, object: &str) -> Vec<Vec<String>> {
        let Some(object) = self.objects.get(object) else {
            return Vec::new();
        };
        let single = object
            .fields
            .iter()
            .filter(|field| field.unique)
            .map(|field| vec![field.name().to_owned()]);
        let several = object.unique.iter().map(|key| {
            key.iter()
                .map(|part| match part {
                    UniqueField::Key(field) | UniqueField::Told { field } => field.clone(),
                })
                .collect()
        });
        single.chain(several).collect()
    }

    /// The plugin's own objects have the fields of its blueprint; others are not known here.
    pub(super) fn check_fields(&self, object: &str, values: &[NamedValue]) -> Result<()> {
        let Some(object) = self.objects.get(object) else {
            return Ok(());
        };
        if object.extends.is_some() {
            return Ok(());
        }
        match values
            .iter()
            .find(|named| object.field(&named.name).is_none())
        {
            None => Ok(()),
            Some(named) => Err(Error::Failed(format!(
                "`{}` has no field `{}`",
                object.name(),
                named.name
            ))),
        }
    }

    pub(super) fn allow(&self, access: Access, object: &str, values: &[NamedValue]) -> Result<()> {
        let granted = self.access.get(object);
        let allowed = match access {
            Access::Create => granted.is_some_and(|granted| granted.create),
            Access::Delete => granted.is_some_and(|granted| granted.delete),
            Access::Update => granted.is_some(),
        };
        if !allowed {
            return Err(denied(&format!("records.{object}, {access:?}")));
        }
        let forbidden = values
            .iter()
            .find(|named| granted.is_some_and(|granted| !granted.write.contains(&named.name)));
        forbidden.map_or(Ok(()), |named| {
            Err(denied(&format!("records.{object}.write: {}", named.name)))
        })
    }

    pub(super) fn allow_read<'a>(
        &self,
        object: &str,
        fields: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        let Some(granted) = self.access.get(object) else {
            return Err(denied(&format!("records.{object}")));
        };
        for field in fields {
            if !granted.read.iter().any(|name| name == field) {
                return Err(denied(&format!("records.{object}.read: {field}")));
            }
        }
        Ok(())
    }

    /// Every code that a person may see has a text, and every parameter of the text is given.
    ///
    /// # Panics
    /// When it hasn't: a mistake that no other test would find.
    pub(super) fn check_texts<T>(&self, result: &Result<T>) {
        let (Some(texts), Err(Error::Rejected(issues))) = (&self.texts, result) else {
            return;
        };
        for issue in issues {
            if ["REQUIRED", "UNIQUE_VIOLATION"].contains(&issue.code.as_str()) {
                continue;
            }
            let text = texts
                .get(&issue.code)
                .unwrap_or_else(|| panic!("i18n/en.toml has no text for `{}`", issue.code));
            if let Some(parameter) = missing_parameter(text, issue) {
                panic!(
                    "the text of `{}` speaks of {{{parameter}}}, which the rejection doesn't give",
                    issue.code
                );
            }
        }
    }
}

/// `courtDays` of `acme.court-days`
fn prefix(id: &str) -> String {
    let name = id.rsplit('.').next().unwrap_or(id);
    let mut words = name.split(['-', '_']);
    let mut prefix = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        prefix.push_str(&first.to_uppercase());
        prefix.push_str(rest);
    }
    prefix
}

fn missing_parameter<'t>(text: &'t str, issue: &Issue) -> Option<&'t str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .find(|name| !issue.params.iter().any(|(given, _)| given == name))
}

fn denied(what: &str) -> Error {
    Error::Failed(format!("plugin.toml does not ask for {what}"))
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn defaults_of(schema: &serde_json::Value) -> serde_json::Value {
    let properties = schema.get("properties").and_then(|it| it.as_object());
    let defaults = properties
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())));
    serde_json::Value::Object(defaults.collect())
}

/// A value of a field of this kind, from the JSON form that clients send.
fn value_of(kind: &str, json: &serde_json::Value) -> Value {
    let text = || {
        json.as_str()
            .map_or_else(|| json.to_string(), str::to_owned)
    };
    let member = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    match (kind, json) {
        (_, serde_json::Value::Null) => Value::Null,
        ("boolean", _) => Value::Boolean(json.as_bool().unwrap_or_default()),
        ("integer" | "autonumber", _) => Value::Integer(json.as_i64().unwrap_or_default()),
        ("decimal", _) => Value::Decimal(text()),
        ("percent", _) => Value::Ext((kind.to_owned(), serde_json::json!(text()).to_string())),
        ("money", _) => Value::Money((member("amount"), member("currency"))),
        ("date", _) => Value::Date(text()),
        ("dateTime", _) => Value::Datetime(text()),
        ("relation", _) => Value::Reference(text()),
        ("multiSelect", serde_json::Value::Array(options)) => Value::Choices(
            options
                .iter()
                .filter_map(|option| option.as_str().map(str::to_owned))
                .collect(),
        ),
        ("text" | "longText" | "select" | "email" | "url", _) => Value::Text(text()),
        (kind, json) => Value::Ext((kind.to_owned(), json.to_string())),
    }
}
