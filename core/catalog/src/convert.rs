//! A field that becomes another kind: what its values become.
//!
//! Nothing is lost on the way: a value that would come back as another one, a part of it cut off
//! or guessed, does not convert.

use serde_json::{Value as Json, json};

use crate::coerce::{coerce, coerce_text, format_instant, to_json};
use crate::{CoerceContext, Field, Kind, SelectOption, Value, text_in};

/// What a value of a field that becomes another one leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Converted {
    /// The same in the new kind.
    Value(Value),
    /// The record that goes by one of these texts, if there is exactly one.
    RecordCalled(Vec<String>),
    /// What the label of the record that it points at becomes.
    Called(uuid::Uuid),
    /// It means nothing in the new kind.
    Nothing,
}

/// Whether values of one kind may mean something in another. What is worked out, numbered by the
/// platform or moves along a pipeline does not become a plain value, nor the other way.
#[must_use]
pub fn is_convertible(from: &Kind, to: &Kind) -> bool {
    let leaves = !matches!(from, Kind::Stage | Kind::Formula(_) | Kind::Rollup(_));
    let arrives = !matches!(
        to,
        Kind::Stage | Kind::Formula(_) | Kind::Rollup(_) | Kind::Autonumber { .. }
    );
    let points_elsewhere = matches!((from, to), (Kind::Relation(_), Kind::Relation(_)));
    // Nobody has looked whether a tree would come of it.
    let grows = matches!(to, Kind::Relation(relation) if relation.tree.is_some());
    leaves && arrives && !points_elsewhere && !grows
}

/// What a value becomes.
#[must_use]
pub fn convert(from: &Field, to: &Field, value: &Value, context: &CoerceContext) -> Converted {
    if value.is_null() {
        return Converted::Value(Value::Null);
    }
    match (value, &from.kind, &to.kind) {
        (Value::Reference(id), Kind::Relation(_), _) => return Converted::Called(*id),
        // A file has a name, but a name is no file.
        (_, _, Kind::File { .. }) => {
            return match coerce(to, &to_json(&from.kind, value), context) {
                Ok(same) if same == *value => Converted::Value(same),
                _ => Converted::Nothing,
            };
        }
        (_, _, Kind::Relation(_)) => {
            return match texts(from, value) {
                texts if texts.is_empty() => Converted::Nothing,
                texts => Converted::RecordCalled(texts),
            };
        }
        _ => {}
    }
    inputs(from, to, value)
        .into_iter()
        .find_map(|input| filled(coerce(to, &input, context).ok()))
        .or_else(|| {
            texts(from, value)
                .into_iter()
                .find_map(|text| converted_text(to, &text, context))
        })
        .map_or(Converted::Nothing, Converted::Value)
}

fn converted_text(to: &Field, text: &str, context: &CoerceContext) -> Option<Value> {
    // As a person would write it into a cell; a list of one where there may be several.
    let inputs = match &to.kind {
        Kind::Emails | Kind::Phones => vec![json!({ "primary": text })],
        Kind::FullName => vec![json!({ "full": text })],
        Kind::Json { .. } => vec![json!(text)],
        Kind::Texts => vec![json!([text])],
        _ => Vec::new(),
    };
    inputs
        .into_iter()
        .find_map(|input| filled(coerce(to, &input, context).ok()))
        .or_else(|| filled(coerce_text(to, text, context).ok()))
}

fn filled(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_null())
}

/// The value as JSON in the forms that the new kind may read.
fn inputs(from: &Field, to: &Field, value: &Value) -> Vec<Json> {
    let json = to_json(&from.kind, value);
    match (value, &to.kind) {
        // Also of the same kind with other bounds, options, digits.
        _ if from.kind.name() == to.kind.name() => vec![json],
        (Value::Boolean(flag), Kind::Integer { .. } | Kind::Decimal { .. }) => {
            vec![json!(i32::from(*flag))]
        }
        (Value::Integer(_) | Value::Decimal(_), Kind::Decimal { .. }) => vec![json],
        (Value::Integer(_), Kind::Integer { .. } | Kind::Rating { .. } | Kind::Percent { .. }) => {
            vec![json]
        }
        (Value::Choices(_), Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags)
        | (_, Kind::Json { .. }) => vec![json],
        _ => Vec::new(),
    }
}

/// The value as texts that mean the same, the one that people read first. None where a text would
/// be less than the value.
fn texts(from: &Field, value: &Value) -> Vec<String> {
    match value {
        Value::Text(text) => match &from.kind {
            Kind::Select { options } => option_texts(options, text),
            _ => vec![text.clone()],
        },
        Value::Boolean(flag) => vec![flag.to_string()],
        Value::Integer(number) => match to_json(&from.kind, value) {
            // An autonumber with its prefix.
            Json::String(text) => vec![text],
            _ => vec![number.to_string()],
        },
        Value::Decimal(number) => vec![number.normalize().to_string()],
        Value::Money(money) => {
            let amount = money.amount.normalize();
            vec![format!("{amount} {}", money.currency)]
        }
        Value::Date(date) => vec![date.to_string(), format!("{date}T00:00:00Z")],
        Value::DateTime(micros) => vec![format_instant(*micros)],
        Value::Choices(chosen) => match (&from.kind, chosen.as_slice()) {
            (Kind::MultiSelect { options }, [only]) => option_texts(options, only),
            (Kind::MultiSelect { options }, several) => {
                let labels = several
                    .iter()
                    .filter_map(|value| option_texts(options, value).into_iter().next());
                vec![labels.collect::<Vec<_>>().join("; "), several.join("; ")]
            }
            // A text with the sign in it would come apart again.
            _ if chosen.len() > 1 && chosen.iter().any(|text| text.contains(';')) => Vec::new(),
            _ => vec![chosen.join("; ")],
        },
        Value::Json(document) => match document {
            Json::String(text) => vec![text.clone()],
            document => vec![document.to_string()],
        },
        Value::FullName(name) => vec![name.full.clone()],
        Value::Emails(emails) => {
            vec![emails.all().cloned().collect::<Vec<_>>().join("; ")]
        }
        Value::Phone(phone) => vec![phone.typed.clone()],
        Value::Phones(phones) => {
            let all: Vec<&str> = phones.all().map(|phone| phone.typed.as_str()).collect();
            vec![all.join("; ")]
        }
        Value::Address(_) => {
            let json = to_json(&from.kind, value);
            let parts = ["street", "postalCode", "city", "region", "country"];
            let parts = parts.iter().filter_map(|part| json[*part].as_str());
            vec![parts.collect::<Vec<_>>().join(", ")]
        }
        Value::GeoPoint(point) => vec![point.text()],
        Value::File(file) => vec![file.name.clone()],
        Value::Reference(id) => vec![id.to_string()],
        Value::Null | Value::Stage(_) => Vec::new(),
    }
}

/// What people read of an option, and its value.
fn option_texts(options: &[SelectOption], value: &str) -> Vec<String> {
    let mut texts = Vec::new();
    if let Some(option) = options.iter().find(|option| option.value == value) {
        texts.extend(text_in(&option.labels, "en").map(str::to_owned));
        texts.extend(option.labels.values().cloned());
    }
    texts.push(value.to_owned());
    texts.dedup();
    texts
}
