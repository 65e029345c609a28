//! A JSON Schema that can be kept in a catalogue: parsed from data, compiled once, when first used.
//!
//! Schemas come from blueprints and so from strangers: nothing is fetched, patterns run on an
//! engine without backtracking, and a schema that refers to itself without going deeper into the
//! value is refused, because validating with it would not end.

use std::sync::{Arc, OnceLock};

use jsonschema::{PatternOptions, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Issue, Issues, PathSegment};

/// Most issues that one value gets from its schema.
const SCHEMA_ISSUES_MAX: usize = 50;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// A JSON Schema (draft 2020-12). Equal when the documents are; clones share what is compiled.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonSchema {
    document: Json,
    #[serde(skip)]
    compiled: Arc<OnceLock<Result<Validator, Issues>>>,
}

impl JsonSchema {
    /// Keeps a document; [`JsonSchema::check`] says whether it is a schema.
    #[must_use]
    pub fn new(document: Json) -> Self {
        Self {
            document,
            compiled: Arc::default(),
        }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Json {
        &self.document
    }

    /// What is wrong with the schema itself.
    #[must_use]
    pub fn check(&self) -> Issues {
        self.compiled().as_ref().err().cloned().unwrap_or_default()
    }

    /// What is wrong with a value by this schema, with paths into the value. A document that is no
    /// schema refuses every value.
    #[must_use]
    pub fn validate(&self, value: &Json) -> Issues {
        match self.compiled() {
            Err(issues) => issues.clone(),
            Ok(validator) => Issues(
                validator
                    .iter_errors(value)
                    .take(SCHEMA_ISSUES_MAX)
                    .map(|error| {
                        located(
                            Issue::new("SCHEMA", shortened(&error.to_string())),
                            &error.instance_path().to_string(),
                        )
                    })
                    .collect(),
            ),
        }
    }

    fn compiled(&self) -> &Result<Validator, Issues> {
        self.compiled.get_or_init(|| compile(&self.document))
    }
}

fn compile(document: &Json) -> Result<Validator, Issues> {
    if !matches!(document, Json::Object(_) | Json::Bool(_)) {
        return Err(Issue::new("SCHEMA_INVALID", "expected a JSON Schema: an object").into());
    }
    if let Some(pointer) = endless_reference(document) {
        return Err(located(
            Issue::new(
                "SCHEMA_INVALID",
                "references must be JSON pointers into the schema (\"#/$defs/…\") and not lead back \
                 to where they stand without going deeper into the value",
            ),
            &pointer,
        )
        .into());
    }
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_pattern_options(
            PatternOptions::regex()
                .size_limit(PATTERN_BYTES_MAX)
                .dfa_size_limit(PATTERN_BYTES_MAX),
        )
        .should_validate_formats(true)
        .offline()
        .build(document)
        .map_err(|error| {
            located(
                Issue::new(
                    "SCHEMA_INVALID",
                    format!("no valid JSON Schema: {}", shortened(&error.to_string())),
                ),
                &error.instance_path().to_string(),
            )
            .into()
        })
}

/// Puts a JSON pointer into the issue's path.
fn located(mut issue: Issue, pointer: &str) -> Issue {
    issue.path = pointer
        .split('/')
        .skip(1)
        .map(|part| {
            let part = part.replace("~1", "/").replace("~0", "~");
            part.parse::<usize>()
                .map_or(PathSegment::Name(part), PathSegment::Index)
        })
        .collect();
    issue
}

fn shortened(message: &str) -> String {
    const SHOWN_MAX: usize = 300;
    if message.chars().count() <= SHOWN_MAX {
        message.to_owned()
    } else {
        message.chars().take(SHOWN_MAX).chain(['…']).collect()
    }
}

/// Keywords whose subschemas are applied to the same value, not to a part of it.
const IN_PLACE: [&str; 9] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "$ref",
];

/// A pointer to a schema from which, by references and keywords that stay at the same value, one
/// comes back to it. Dynamic references and references by URI are refused wholesale: kept schemas
/// are self-contained.
fn endless_reference(document: &Json) -> Option<String> {
    let mut schemas = Vec::new();
    collect(document, String::new(), &mut schemas);
    // 0: not seen, 1: being followed, 2: known to end.
    let mut state = std::collections::HashMap::new();
    schemas
        .into_iter()
        .find(|pointer| !ends(document, pointer, &mut state, 0))
}

/// Pointers of all objects with references: cycles go through one of them.
fn collect(value: &Json, pointer: String, found: &mut Vec<String>) {
    match value {
        Json::Object(map) => {
            if map.contains_key("$ref") || map.contains_key("$dynamicRef") {
                found.push(pointer.clone());
            }
            for (name, member) in map {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(member, format!("{pointer}/{name}"), found);
            }
        }
        Json::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{position}"), found);
            }
        }
        _ => {}
    }
}

fn ends(
    document: &Json,
    pointer: &str,
    state: &mut std::collections::HashMap<String, u8>,
    depth: usize,
) -> bool {
    /// Chains of references at one value; the parser allows less nesting than this.
    const CHAIN_MAX: usize = 100;
    match state.get(pointer) {
        Some(1) => return false,
        Some(_) => return true,
        None => {}
    }
    if depth > CHAIN_MAX {
        return false;
    }
    let Some(Json::Object(map)) = document.pointer(pointer) else {
        return true;
    };
    state.insert(pointer.to_owned(), 1);
    let mut next = Vec::new();
    for name in IN_PLACE {
        match (name, map.get(name)) {
            ("$ref", Some(Json::String(target))) => match target.strip_prefix('#') {
                Some(fragment) if fragment.is_empty() || fragment.starts_with('/') => {
                    next.push(fragment.to_owned());
                }
                // An anchor or another document: the compiler reports what it can't find; what it
                // could find by `$id` or `$anchor` is not followed here, so it is not let through.
                _ => return false,
            },
            (_, Some(Json::Array(items))) => {
                next.extend(
                    (0..items.len()).map(|position| format!("{pointer}/{name}/{position}")),
                );
            }
            ("dependentSchemas", Some(Json::Object(members))) => {
                next.extend(members.keys().map(|member| {
                    let member = member.replace('~', "~0").replace('/', "~1");
                    format!("{pointer}/{name}/{member}")
                }));
            }
            (_, Some(Json::Object(_))) => next.push(format!("{pointer}/{name}")),
            _ => {}
        }
    }
    if map.contains_key("$dynamicRef") {
        return false;
    }
    let all_end = next
        .iter()
        .all(|target| ends(document, target, state, depth + 1));
    state.insert(pointer.to_owned(), 2);
    all_end
}

impl PartialEq for JsonSchema {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

impl std::fmt::Debug for JsonSchema {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("JsonSchema")
            .field(&self.document)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_that_would_never_end_or_reach_out_are_refused() {
        for document in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            json!({"$defs": {"a": {"anyOf": [{"not": {"$ref": "#/$defs/a"}}]}}, "properties": {"x": {"$ref": "#/$defs/a"}}}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$dynamicRef": "#here", "$dynamicAnchor": "here"}),
            json!({"type": "nothing"}),
            json!({"pattern": "("}),
            json!({"pattern": "a{1000}{1000}{1000}"}),
            json!([]),
            json!("x"),
        ] {
            let issues = JsonSchema::new(document.clone()).check();
            assert!(!issues.is_empty(), "{document}");
        }
    }

    #[test]
    fn a_tree_may_refer_to_itself() {
        let schema = JsonSchema::new(json!({
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "n": {"minimum": 1}},
            "additionalProperties": false
        }));
        assert!(schema.check().is_empty(), "{}", schema.check());
        assert!(
            schema
                .validate(&json!({"children": [{"children": [], "n": 1}]}))
                .is_empty()
        );
        let issues = schema.validate(&json!({"children": [{"children": [], "n": 0}, {"x": 1}]}));
        assert_eq!(issues.0.len(), 2, "{issues}");
        assert_eq!(issues.0[0].path_text(), "children[0].n");
    }

    #[test]
    #[allow(clippy::unwrap_used)]
    fn numbers_beyond_a_double_do_not_panic() {
        let schema = JsonSchema::new(json!({
            "items": {"minimum": 0, "maximum": 10, "multipleOf": 0.5, "type": "number", "enum": [1, 2.5], "const": 1},
            "uniqueItems": true
        }));
        let value: Json = serde_json::from_str(&format!(
            "[1e400, -1e400, 1e-400, {}, 0.{}]",
            "9".repeat(400),
            "1".repeat(400)
        ))
        .unwrap();
        let _ = schema.validate(&value);
    }
}
