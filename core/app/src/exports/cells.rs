//! What a cell says of a value.

use relata_catalog::{
    Catalogue, CoerceContext, Field, Kind, StageValue, Value, coerce_text, format_duration,
    format_instant, format_time, to_json,
};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

/// A cell, before a format is chosen.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Empty,
    /// Somebody's words: they may look like a formula.
    Words(String),
    /// The platform's own notation.
    Plain(String),
    Number(Decimal),
    Boolean(bool),
    Date(jiff::civil::Date),
}

/// The cell of a whole field.
pub(super) fn whole(field: &Field, value: &Value, context: &CoerceContext) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        Value::Boolean(flag) => Cell::Boolean(*flag),
        Value::Integer(number) => match &field.kind {
            Kind::Autonumber { .. } => match to_json(&field.kind, value) {
                Json::String(text) => Cell::Words(text),
                json => Cell::Plain(json.to_string()),
            },
            Kind::Time => Cell::Plain(format_time(*number)),
            Kind::Duration => Cell::Plain(format_duration(*number)),
            _ => Cell::Number(Decimal::from(*number)),
        },
        Value::Decimal(number) => Cell::Number(*number),
        Value::Text(text) => Cell::Words(text.clone()),
        Value::Date(date) => Cell::Date(*date),
        Value::DateTime(micros) => Cell::Plain(format_instant(*micros)),
        Value::Choices(texts) if matches!(field.kind, Kind::Texts | Kind::Tags) => {
            short(field, value, texts.join("; "), context)
        }
        Value::Choices(options) => Cell::Plain(options.join("; ")),
        Value::Json(document) => Cell::Plain(document.to_string()),
        Value::Reference(id) => Cell::Plain(id.to_string()),
        Value::File(file) => Cell::Plain(file.id.to_string()),
        Value::Emails(emails) => {
            let all: Vec<&str> = emails.all().map(String::as_str).collect();
            short(field, value, all.join("; "), context)
        }
        Value::Phone(phone) => short(field, value, phone.typed.clone(), context),
        Value::Phones(phones) => {
            let all: Vec<&str> = phones.all().map(|phone| phone.typed.as_str()).collect();
            short(field, value, all.join("; "), context)
        }
        Value::GeoPoint(point) => short(field, value, point.text(), context),
        Value::Money(_) | Value::FullName(_) | Value::Address(_) | Value::Stage(_) => {
            Cell::Plain(to_json(&field.kind, value).to_string())
        }
    }
}

/// What people read, where it means the same; else all of it.
fn short(field: &Field, value: &Value, text: String, context: &CoerceContext) -> Cell {
    match coerce_text(field, &text, context) {
        Ok(read) if read == *value => Cell::Words(text),
        _ => Cell::Plain(to_json(&field.kind, value).to_string()),
    }
}

/// The cell of a part of a composite field.
pub(super) fn part(catalogue: &Catalogue, field: &Field, value: &Value, part: &str) -> Cell {
    match value {
        Value::Money(money) if part == "amount" => Cell::Number(money.amount),
        Value::GeoPoint(point) => match part {
            "latitude" => Cell::Number(point.latitude),
            _ => Cell::Number(point.longitude),
        },
        Value::Stage(stage) => stage_json(catalogue, stage)[part]
            .as_str()
            .map_or(Cell::Empty, |name| Cell::Words(name.to_owned())),
        value => {
            let json = to_json(&field.kind, value);
            let json = match (&json[part], part) {
                // Of several, the first to write to or to call.
                (Json::Object(phone), "primary") => phone["typed"].clone(),
                (json, _) => json.clone(),
            };
            match json {
                Json::String(text) => Cell::Words(text),
                _ => Cell::Empty,
            }
        }
    }
}

/// The value of a field in JSON Lines.
pub(super) fn as_json(catalogue: &Catalogue, field: &Field, value: &Value) -> Json {
    match value {
        Value::Reference(id) if matches!(field.kind, Kind::Relation(_)) => json!({ "id": id }),
        Value::Stage(stage) => stage_json(catalogue, stage),
        value => to_json(&field.kind, value),
    }
}

/// Where a record stands, as a client would write it.
fn stage_json(catalogue: &Catalogue, value: &StageValue) -> Json {
    let Some(pipeline) = catalogue.pipeline(&value.pipeline) else {
        return Json::Null;
    };
    match pipeline.stage(&value.stage) {
        Some(stage) => json!({ "to": stage.name, "pipeline": pipeline.name }),
        None => Json::Null,
    }
}
