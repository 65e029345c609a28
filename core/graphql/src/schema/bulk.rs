//! Mutations of many records: their fields, and what they answer.

use async_graphql::{Name, Value};
use relata_catalog::{Kind, Object, capitalised};

use super::writer::{InputDefinition as In, OutputDefinition as Out, SchemaWriter};

/// What mutations of many records share.
pub(super) fn write_platform(writer: &mut SchemaWriter) {
    writer.enumeration(
        "BulkMode",
        Some("What becomes of the others when some records can't be written.".to_owned()),
        true,
        vec![
            (
                "ALL_OR_NONE".to_owned(),
                Some("Nothing is written, and all that is wrong is told.".to_owned()),
            ),
            (
                "PARTIAL".to_owned(),
                Some("They are written; `errors` tells of those that were not.".to_owned()),
            ),
        ],
    );
    writer.object(
        "BulkError",
        Some("Why a record was not written.".to_owned()),
        &[],
        vec![
            Out::new("index", "SafeInt!").about("Its position in `data`, from 0."),
            Out::new("issues", "[Bulk_Issue!]!"),
        ],
    );
    writer.object(
        "Bulk_Issue",
        Some("One thing that a person can mend.".to_owned()),
        &[],
        vec![
            Out::new("path", "JSON!")
                .about("Names and positions, from the argument on: `[\"data\", 3, \"name\"]`."),
            Out::new("code", "String!"),
            Out::new("message", "String!"),
            Out::new("params", "JSON!"),
        ],
    );
}

/// The object's answer type and its fields of `Mutation`.
pub(super) fn write(writer: &mut SchemaWriter, object: &Object, type_name: &str) {
    writer.object(
        &format!("{type_name}Bulk"),
        Some("What came of a mutation of many records.".to_owned()),
        &[],
        vec![
            Out::new("count", "SafeInt!").about("How many records it was carried out on."),
            Out::new("nodes", format!("[{type_name}!]!"))
                .about("The first of them, as they are now, in the order of `data`, or of their ids; none where they are gone for good.")
                .arguments(vec![In::new("first", "Int")]),
            Out::new("errors", "[BulkError!]!")
                .about("Records that were left out, with `mode: PARTIAL`."),
        ],
    );
    let keys = unique_keys(object);
    if !keys.is_empty() {
        writer.enumeration(
            &format!("{type_name}Unique"),
            Some("A key that no two records share: names of its fields.".to_owned()),
            true,
            keys.iter().map(|(name, _)| (name.clone(), None)).collect(),
        );
    }
    let plural = capitalised(&object.plural);
    let mode = || In::new("mode", "BulkMode").default_value(Value::Enum(Name::new("ALL_OR_NONE")));
    let which = || In::new("where", format!("{type_name}Filter!"));
    let all = || {
        In::new("all", "Boolean")
            .default_value(Value::Boolean(false))
            .described(Some(
                "An empty `where` needs it: every record is meant.".to_owned(),
            ))
    };
    let mut mutation = |verb: &str, about: &str, arguments: Vec<In>| {
        writer.mutations.push(
            Out::new(format!("{verb}{plural}"), format!("{type_name}Bulk!"))
                .about(about)
                .arguments(arguments),
        );
    };
    mutation(
        "create",
        "Makes records, in the order of `data`.",
        vec![In::new("data", format!("[{type_name}Create!]!")), mode()],
    );
    if !keys.is_empty() {
        let on = In::new("on", format!("{type_name}Unique!"));
        mutation(
            "upsert",
            "Changes the records that have the same key, and makes the others. What is in the trash is not found. An item whose key is empty is refused with `BAD_INPUT`: it would be made anew each time.",
            vec![
                In::new("data", format!("[{type_name}Create!]!")),
                on,
                mode(),
            ],
        );
    }
    mutation(
        "update",
        "Changes what `data` names in all records that satisfy `where`, or in none. What `data` creates is created for each of them.",
        vec![
            which(),
            In::new("data", format!("{type_name}Update!")),
            all(),
        ],
    );
    mutation(
        "delete",
        "Moves all records that satisfy `where` to the trash.",
        vec![which(), all()],
    );
    mutation(
        "restore",
        "Takes all records in the trash that satisfy `where` out of it.",
        vec![which(), all()],
    );
    mutation(
        "destroy",
        "Deletes all records in the trash that satisfy `where` for good.",
        vec![which(), all()],
    );
}

/// Unique keys that a client may write: names of their fields, and their positions among the
/// object's unique keys.
pub(crate) fn unique_keys(object: &Object) -> Vec<(String, usize)> {
    let mut keys: Vec<(String, usize)> = Vec::new();
    for (position, unique) in object.uniques.iter().enumerate() {
        let names: Option<Vec<&str>> = unique
            .fields
            .iter()
            .map(|key| match object.field_keyed(key) {
                Some((_, field)) if !matches!(field.kind, Kind::Autonumber { .. }) => {
                    Some(field.name.as_str())
                }
                _ => None,
            })
            .collect();
        let Some(name) = names.map(|names| names.join("_")) else {
            continue;
        };
        if !name.is_empty() && !keys.iter().any(|(known, _)| *known == name) {
            keys.push((name, position));
        }
    }
    keys
}
