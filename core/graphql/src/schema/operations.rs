//! Queries and mutations that plugins add: `<plugin>_<operation>`, typed by JSON Schema.
//!
//! What a schema says that GraphQL cannot say (`oneOf`, free keys, types in a list) becomes the
//! scalar `JSON`: less precise, never refused. All types made here contain `_`, so they clash with
//! nothing that an object brings.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::{
    Operation,
    writer::{InputDefinition as In, InputForm, OutputDefinition as Out, SchemaWriter, type_of},
};

/// Schemas inside each other that become types; what is deeper is `JSON`.
const DEPTH_MAX: usize = 8;
/// Types that one operation may bring; what is beyond is `JSON`.
const TYPES_MAX: usize = 64;

/// What a plugin declares.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PluginOperation {
    /// The plugin's id.
    pub plugin: String,
    /// The operation's name in its manifest.
    pub operation: String,
    /// Name of the field: `membership_statement`.
    pub field: String,
    /// Whether it is a field of `Mutation`.
    pub is_mutation: bool,
    /// For a person.
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub arguments: Json,
    /// JSON Schema of the result.
    pub result: Json,
}

/// What an operation answers, as far as it can be selected from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ResultType {
    /// A scalar, an enum, or anything.
    Leaf,
    /// Each of a list.
    List(Box<ResultType>),
    /// Members by name.
    Object {
        type_name: String,
        members: IndexMap<String, ResultType>,
    },
}

impl ResultType {
    /// The object at the bottom of lists, if there is one.
    pub(crate) fn object(&self) -> Option<(&str, &IndexMap<String, ResultType>)> {
        match self {
            Self::Leaf => None,
            Self::List(inner) => inner.object(),
            Self::Object { type_name, members } => Some((type_name, members)),
        }
    }
}

pub(super) fn write(
    writer: &mut SchemaWriter,
    declared: &[PluginOperation],
) -> IndexMap<String, Operation> {
    let mut operations = IndexMap::new();
    let mut taken: HashSet<String> = HashSet::new();
    for operation in declared {
        let known = writer
            .queries
            .iter()
            .chain(&writer.mutations)
            .any(|field| field.name == operation.field);
        if known || !is_name(&operation.field) || !operation.field.contains('_') {
            tracing::warn!(
                plugin = operation.plugin,
                field = operation.field,
                "the plugin's operation is left out of the schema: its name is taken or no name"
            );
            continue;
        }
        let mut types = Types {
            writer,
            taken: &mut taken,
            made: 0,
        };
        let arguments = types.arguments(&operation.field, &operation.arguments);
        let (result, ty) =
            types.result(&format!("{}_Result", operation.field), &operation.result, 0);
        let arguments_parsed = arguments
            .iter()
            .map(|argument| (argument.name.clone(), type_of(&argument.ty)))
            .collect();
        let nullability = if operation.is_mutation { "!" } else { "" };
        let field = Out::new(&operation.field, format!("{ty}{nullability}"))
            .described((!operation.description.is_empty()).then(|| operation.description.clone()))
            .arguments(arguments);
        if operation.is_mutation {
            writer.mutations.push(field);
        } else {
            writer.queries.push(field);
        }
        operations.insert(
            operation.field.clone(),
            Operation {
                declared: operation.clone(),
                arguments: arguments_parsed,
                result,
            },
        );
    }
    operations
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
}

struct Types<'w> {
    writer: &'w mut SchemaWriter,
    taken: &'w mut HashSet<String>,
    made: usize,
}

impl Types<'_> {
    fn arguments(&mut self, field: &str, schema: &Json) -> Vec<In> {
        let Some((properties, required)) = object_of(schema) else {
            return Vec::new();
        };
        properties
            .iter()
            .filter(|(name, _)| is_name(name))
            .map(|(name, schema)| {
                let ty = self.input(&format!("{field}_{name}"), schema, 0);
                let has_default = schema.get("default").is_some();
                self.member(
                    name,
                    ty,
                    schema,
                    required.contains(&name.as_str()) && !has_default,
                )
            })
            .collect()
    }

    fn member(&self, name: &str, ty: String, schema: &Json, required: bool) -> In {
        let ty = if required { format!("{ty}!") } else { ty };
        let mut member = In::new(name, ty).described(description(schema));
        if let Some(default) = schema.get("default").filter(|default| !default.is_null())
            && let Ok(value) = async_graphql::Value::from_json(default.clone())
        {
            member = member.default_value(value);
        }
        member
    }

    fn input(&mut self, path: &str, schema: &Json, depth: usize) -> String {
        if let Some(name) = self.enumeration(path, schema) {
            return name;
        }
        match type_name(schema) {
            Some("array") => match schema.get("items") {
                Some(items) => format!(
                    "[{}!]",
                    self.input(&format!("{path}_item"), items, depth + 1)
                ),
                None => "JSON".to_owned(),
            },
            Some("object") => {
                let Some((properties, required)) = self.selectable(path, schema, depth) else {
                    return "JSON".to_owned();
                };
                let name = format!("{path}_Input");
                let fields = properties
                    .iter()
                    .map(|(key, schema)| {
                        let ty = self.input(&format!("{path}_{key}"), schema, depth + 1);
                        let required =
                            required.contains(&key.as_str()) && schema.get("default").is_none();
                        self.member(key, ty, schema, required)
                    })
                    .collect();
                self.writer
                    .input(&name, description(schema), InputForm::Opaque, fields);
                name
            }
            other => scalar(other, schema).to_owned(),
        }
    }

    /// The type for selecting, and its name in the schema. Everything is nullable: a plugin's
    /// next version may leave out what this one has.
    fn result(&mut self, path: &str, schema: &Json, depth: usize) -> (ResultType, String) {
        if let Some(name) = self.enumeration(path, schema) {
            return (ResultType::Leaf, name);
        }
        match type_name(schema) {
            Some("array") => match schema.get("items") {
                Some(items) => {
                    let (inner, name) = self.result(&format!("{path}_item"), items, depth + 1);
                    (ResultType::List(Box::new(inner)), format!("[{name}]"))
                }
                None => (ResultType::Leaf, "JSON".to_owned()),
            },
            Some("object") => {
                let Some((properties, _)) = self.selectable(path, schema, depth) else {
                    return (ResultType::Leaf, "JSON".to_owned());
                };
                let mut members = IndexMap::new();
                let mut fields = Vec::new();
                for (key, schema) in properties {
                    let (member, ty) = self.result(&format!("{path}_{key}"), schema, depth + 1);
                    fields.push(Out::new(key, ty).described(description(schema)));
                    members.insert(key.clone(), member);
                }
                self.writer.object(path, description(schema), &[], fields);
                (
                    ResultType::Object {
                        type_name: path.to_owned(),
                        members,
                    },
                    path.to_owned(),
                )
            }
            other => (ResultType::Leaf, scalar(other, schema).to_owned()),
        }
    }

    fn enumeration(&mut self, path: &str, schema: &Json) -> Option<String> {
        let values = schema.get("enum")?.as_array()?;
        let values = values
            .iter()
            .map(|value| {
                value
                    .as_str()
                    .filter(|text| is_name(text) && !matches!(*text, "true" | "false" | "null"))
                    .map(|text| (text.to_owned(), None))
            })
            .collect::<Option<Vec<_>>>()?;
        let name = format!("{path}_Enum");
        if values.is_empty() || self.made >= TYPES_MAX || !self.taken.insert(name.clone()) {
            return None;
        }
        self.made += 1;
        self.writer
            .enumeration(&name, description(schema), false, values);
        Some(name)
    }

    /// The properties of an object that can become a type.
    fn selectable<'s>(
        &mut self,
        path: &str,
        schema: &'s Json,
        depth: usize,
    ) -> Option<(&'s Map<String, Json>, Vec<&'s str>)> {
        let (properties, required) = object_of(schema)?;
        let fits = depth < DEPTH_MAX
            && self.made < TYPES_MAX
            && !properties.is_empty()
            && properties.keys().all(|key| is_name(key))
            && self.taken.insert(path.to_owned());
        if !fits {
            return None;
        }
        self.made += 1;
        Some((properties, required))
    }
}

fn object_of(schema: &Json) -> Option<(&Map<String, Json>, Vec<&str>)> {
    let properties = schema.get("properties")?.as_object()?;
    let required = schema
        .get("required")
        .and_then(Json::as_array)
        .map(|required| required.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    Some((properties, required))
}

fn description(schema: &Json) -> Option<String> {
    ["description", "title"]
        .iter()
        .find_map(|key| schema.get(*key)?.as_str())
        .map(str::to_owned)
}

/// `string`; of `["string", "null"]` the part that is not null.
fn type_name(schema: &Json) -> Option<&str> {
    match schema.get("type")? {
        Json::String(name) => Some(name),
        Json::Array(names) => {
            let mut names = names
                .iter()
                .filter_map(Json::as_str)
                .filter(|name| *name != "null");
            let only = names.next()?;
            names.next().is_none().then_some(only)
        }
        _ => None,
    }
}

fn scalar(name: Option<&str>, schema: &Json) -> &'static str {
    let format = schema.get("format").and_then(Json::as_str);
    match (name, format) {
        (Some("string"), Some("date")) => "Date",
        (Some("string"), Some("date-time")) => "DateTime",
        (Some("string"), Some("uuid")) => "ID",
        (Some("string"), Some("decimal")) => "Decimal",
        (Some("string"), _) => "String",
        (Some("integer"), _) => "SafeInt",
        (Some("number"), _) => "Float",
        (Some("boolean"), _) => "Boolean",
        _ => "JSON",
    }
}
