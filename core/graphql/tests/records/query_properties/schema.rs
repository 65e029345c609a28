//! A workspace's shape, drawn at random: objects that have every kind of field between them,
//! relations around a circle, to themselves, with and without a list on the other side.

use relata_catalog::{Key, Kind, OWNER_WORKSPACE};
use serde_json::{Value as Json, json};

use super::choices::Choices;

/// Every kind but relations, stages and users, which depend on other elements.
pub(crate) const KINDS: [&str; 29] = [
    "text",
    "integer",
    "decimal",
    "select",
    "date",
    "multiSelect",
    "fullName",
    "money",
    "dateTime",
    "boolean",
    "longText",
    "email",
    "phone",
    "url",
    "json",
    "emails",
    "phones",
    "address",
    "geoPoint",
    "autonumber",
    "percent",
    "rating",
    "richText",
    "time",
    "duration",
    "uuid",
    "texts",
    "tags",
    "file",
];

/// The kinds that can name a record to people.
const LABELS: [&str; 10] = [
    "text",
    "fullName",
    "email",
    "emails",
    "phone",
    "phones",
    "url",
    "select",
    "integer",
    "autonumber",
];

/// Names of stages; two pipelines of one field share some of them.
const STAGES: [&str; 4] = ["open", "talks", "won", "lost"];

/// What a world adds to the blueprint. Names of fields are unique among all objects: so whatever
/// is selected of several of them merges.
pub(crate) struct Shape {
    pub(crate) objects: Vec<Json>,
    pub(crate) pipelines: Vec<Json>,
    /// Keys of the objects.
    pub(crate) keys: Vec<Key>,
}

pub(crate) fn shape(choices: &mut Choices, world: usize) -> Shape {
    let count = 2 + choices.below(3);
    let names = ["alpha", "beta", "gamma", "delta"]
        .iter()
        .take(count)
        .map(|name| format!("{name}{world}"))
        .collect::<Vec<_>>();
    let mut fields: Vec<Vec<Json>> = vec![Vec::new(); count];
    let mut number = 0;
    let mut add = |choices: &mut Choices, object: usize, kind: &str| {
        number += 1;
        fields[object].push(field(choices, kind, &format!("{kind}{number}")));
    };
    for (position, kind) in choices.shuffled(KINDS.to_vec()).into_iter().enumerate() {
        add(choices, position % count, kind);
    }
    for object in 0..count {
        add(choices, object, "text");
        let kind = choices.of(&KINDS);
        add(choices, object, kind);
    }
    let with_stages = choices.below(count);
    fields[with_stages].push(json!({"key": "stage", "kind": "stage"}));
    for (object, fields) in fields.iter_mut().enumerate() {
        let mut relate = |choices: &mut Choices, target: usize, name: &str, has_list: bool| {
            let mut field =
                json!({"key": format!("{name}{object}"), "kind": "relation", "to": names[target]});
            if has_list {
                field["inverse"] = json!({"name": format!("{name}{object}List")});
            }
            field["onDelete"] = choices.of(&["SET_NULL", "CASCADE", "RESTRICT"]).into();
            fields.push(field);
        };
        relate(choices, (object + 1) % count, "next", true);
        if object == 0 || choices.one_in(2) {
            let has_list = object == 0 || choices.one_in(2);
            relate(choices, object, "own", has_list);
        }
        if choices.one_in(2) {
            let target = choices.below(count);
            let has_list = choices.one_in(2);
            relate(choices, target, "more", has_list);
        }
    }
    work_out(choices, &names, &mut fields);
    let objects = names
        .iter()
        .zip(fields)
        .map(|(name, fields)| {
            let mut object = json!({"key": name, "plural": format!("{name}s"), "fields": fields});
            let labels = object["fields"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|field| LABELS.contains(&field["kind"].as_str().unwrap()))
                .map(|field| field["key"].clone())
                .collect::<Vec<_>>();
            if !choices.one_in(5) {
                object["label"] = labels[choices.below(labels.len())].clone();
            }
            object
        })
        .collect::<Vec<_>>();
    let gates = objects[with_stages]["fields"].as_array().unwrap();
    let unfit = ["stage", "formula", "rollup"];
    let gates = gates
        .iter()
        .filter(|field| !unfit.contains(&field["kind"].as_str().unwrap()));
    let gates = gates.map(|field| &field["key"]).collect::<Vec<_>>();
    let pipelines = (0..1 + choices.below(2))
        .map(|number| pipeline(choices, (&names[with_stages], &gates), world, number))
        .collect();
    Shape {
        objects,
        pipelines,
        keys: names
            .iter()
            .map(|name| Key::new(OWNER_WORKSPACE, name))
            .collect(),
    }
}

/// Formulas over some fields of a record and of the one that it points at, and figures over those
/// that point at it.
fn work_out(choices: &mut Choices, names: &[String], fields: &mut [Vec<Json>]) {
    for object in 0..names.len() {
        let mut worked_out = Vec::new();
        for field in &fields[object] {
            let key = field["key"].as_str().unwrap();
            let expression = match field["kind"].as_str().unwrap() {
                "text" | "email" | "url" => format!("record.{key} + '!'"),
                "integer" | "rating" | "autonumber" => format!("record.{key} * 3 - 1"),
                "decimal" | "percent" => format!("record.{key} + 0.5"),
                "money" => format!("record.{key}.amount"),
                "date" => format!("record.{key} + 1"),
                "dateTime" => format!("record.{key} > record.createdAt"),
                "boolean" => format!("!record.{key}"),
                "select" => format!("record.{key} == 'A' ? 'first' : 'another'"),
                "geoPoint" => format!("record.{key}.latitude"),
                "relation" if choices.one_in(2) => format!("record.{key}.version"),
                "relation" => format!("record.{key}.createdAt"),
                _ => continue,
            };
            if choices.one_in(3) {
                worked_out.push(json!({
                    "key": format!("{key}Formula"), "kind": "formula", "expression": expression,
                }));
            }
        }
        // Every object's records point at the next one's.
        let before = (object + names.len() - 1) % names.len();
        let integer = fields[before]
            .iter()
            .find(|field| field["kind"] == "integer");
        let mut figure = json!({
            "key": format!("figure{object}"), "kind": "rollup", "of": names[before],
            "by": format!("next{before}"), "function": "COUNT",
        });
        if let Some(integer) = integer {
            figure["function"] = "MAX".into();
            figure["expression"] = format!("record.{}", integer["key"].as_str().unwrap()).into();
        }
        worked_out.push(figure);
        fields[object].extend(worked_out);
    }
}

fn field(choices: &mut Choices, kind: &str, key: &str) -> Json {
    let mut field = json!({"key": key, "kind": kind});
    match kind {
        "decimal" | "percent" => field["scale"] = [2, 0, 9, 4][choices.below(4)].into(),
        "money" => field["scale"] = [2, 0, 5][choices.below(3)].into(),
        "select" | "multiSelect" => {
            field["options"] = ["B", "A", "A_B", "ZETA"]
                .iter()
                .take(2 + choices.below(3))
                .map(|value| json!({"value": value}))
                .collect();
        }
        "rating" => field["max"] = [2, 5, 10][choices.below(3)].into(),
        "autonumber" => {
            field["prefix"] = choices.of(&["", "N-", "Nº"]).into();
            field["digits"] = [1, 5][choices.below(2)].into();
            field["start"] = [1, 98][choices.below(2)].into();
        }
        _ => {}
    }
    field
}

fn pipeline(
    choices: &mut Choices,
    (object, gates): (&str, &[&Json]),
    world: usize,
    number: usize,
) -> Json {
    let key = |position: usize| format!("{}{position}", ["k", "q"][number]);
    let stages = STAGES
        .iter()
        .skip(number)
        .enumerate()
        .map(|(position, name)| {
            let mut stage = json!({
                "key": key(position),
                "name": name,
            });
            match *name {
                "won" => stage["type"] = "WON".into(),
                "lost" => stage["type"] = "LOST".into(),
                _ => {}
            }
            if choices.one_in(2) {
                stage["probability"] = choices.of(&["0.5", "0", "1", "0.05"]).into();
            }
            // Records that say nothing enter the first.
            if position > 0 && choices.one_in(2) {
                stage["requires"] = (0..1 + choices.below(2))
                    .map(|_| gates[choices.below(gates.len())].clone())
                    .collect();
            }
            if position > 0 && choices.one_in(2) {
                stage["from"] = json!([key(choices.below(position + 1))]);
            }
            if choices.one_in(2) {
                stage["labels"] = json!({"de": "Stufe", "en": "Step \"1\""});
            }
            stage
        })
        .collect::<Vec<_>>();
    let names = ["sales", "renewal"];
    json!({
        "key": format!("pipeline{world}x{number}"),
        "name": names[number],
        "object": object,
        "field": "stage",
        "stages": stages,
    })
}

/// The name of the GraphQL type of a composite.
pub(crate) fn composite(kind: &Kind) -> Option<(&'static str, &'static [&'static str])> {
    Some(match kind {
        Kind::Money { .. } => ("Money", &["amount", "currency"]),
        Kind::FullName => ("FullName", &["full", "given", "family", "order"]),
        Kind::Emails => ("Emails", &["primary", "additional"]),
        Kind::Phone => ("Phone", &["typed", "e164"]),
        Kind::Phones => ("Phones", &["primary", "additional"]),
        Kind::Address => (
            "Address",
            &["city", "street", "region", "postalCode", "country"],
        ),
        Kind::GeoPoint => ("Geo_Point", &["latitude", "longitude"]),
        Kind::File { .. } => (
            "File_Value",
            &["id", "name", "contentType", "size", "sha256", "url"],
        ),
        Kind::Stage => ("StageValue", &["pipeline", "stage", "enteredAt", "options"]),
        _ => return None,
    })
}
