//! [`Value`] ↔ the contract's `value`.
//!
//! What a guest sends is untrusted: what comes out of here has the right *shape* for its kind and
//! nothing more. Lengths, options, ranges and schemas are checked by the catalogue afterwards.
//!
//! The composite kinds travel as `ext(kind, JSON)`, with the JSON of the catalogue's own types.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date};
use relata_catalog::{
    Address, Emails, FullName, INTEGER_MAX, Issue, Issues, Kind, Money, Phone, Phones, StageValue,
    Value,
};
use rust_decimal::Decimal;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub use crate::bindings::types::{NamedValue, Value as PluginValue};

/// The contract's form of a value.
#[must_use]
pub fn to_plugin(kind: &Kind, value: &Value) -> PluginValue {
    match value {
        Value::Null => PluginValue::Null,
        Value::Boolean(boolean) => PluginValue::Boolean(*boolean),
        Value::Integer(integer) => PluginValue::Integer(*integer),
        Value::Decimal(decimal) => PluginValue::Decimal(decimal.to_string()),
        Value::Text(text) => PluginValue::Text(text.clone()),
        Value::Money(money) => {
            PluginValue::Money((money.amount.to_string(), money.currency.clone()))
        }
        Value::Date(date) => PluginValue::Date(date.to_string()),
        Value::DateTime(micros) => PluginValue::Datetime(instant_text(*micros)),
        Value::Choices(options) => PluginValue::Choices(options.clone()),
        Value::Reference(id) => PluginValue::Reference(id.to_string()),
        Value::Json(json) => ext(kind, json),
        Value::FullName(name) => ext(kind, name),
        Value::Emails(emails) => ext(kind, emails),
        Value::Phone(phone) => ext(kind, phone),
        Value::Phones(phones) => ext(kind, phones),
        Value::Address(address) => ext(kind, address),
        Value::Stage(stage) => ext(
            kind,
            &json!({
                "pipeline": stage.pipeline,
                "stage": stage.stage,
                "enteredAt": instant_text(stage.entered_at),
            }),
        ),
    }
}

fn ext(kind: &Kind, value: &impl Serialize) -> PluginValue {
    let json = serde_json::to_string(value)
        .expect("values are made of strings, numbers and lists, which JSON can say");
    PluginValue::Ext((kind.name().to_owned(), json))
}

/// RFC 3339 in UTC, to the microsecond where there is one.
#[must_use]
pub fn instant_text(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(
        |_| "9999-12-31T23:59:59Z".to_owned(),
        |instant| instant.to_string(),
    )
}

/// The value that a guest means, for a field of this kind.
///
/// # Errors
/// What is wrong with its shape, with the path relative to the field.
pub fn from_plugin(kind: &Kind, value: PluginValue) -> Result<Value, Issues> {
    let mismatch = |value: &PluginValue| {
        Issues::from(
            Issue::new(
                "WRONG_TYPE",
                format!(
                    "{} is no value for a field of kind {}",
                    variant(value),
                    kind.name()
                ),
            )
            .with("kind", kind.name()),
        )
    };
    Ok(match (kind, value) {
        (_, PluginValue::Null) => Value::Null,
        (Kind::Boolean, PluginValue::Boolean(boolean)) => Value::Boolean(boolean),
        (Kind::Integer { .. }, PluginValue::Integer(integer)) => Value::Integer(safe(integer)?),
        (Kind::Decimal { .. }, PluginValue::Integer(integer)) => {
            Value::Decimal(Decimal::from(safe(integer)?))
        }
        (Kind::Decimal { .. }, PluginValue::Decimal(text)) => Value::Decimal(decimal(&text)?),
        (Kind::Money { .. }, PluginValue::Money((amount, currency))) => Value::Money(Money {
            amount: decimal(&amount)?,
            currency,
        }),
        (
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::Select { .. }
            | Kind::Email
            | Kind::Url,
            PluginValue::Text(text),
        ) => Value::Text(text),
        (Kind::Select { .. }, PluginValue::Choices(mut options)) if options.len() == 1 => {
            Value::Text(options.remove(0))
        }
        (Kind::MultiSelect { .. }, PluginValue::Choices(options)) => Value::Choices(options),
        (Kind::Date, PluginValue::Date(text)) => Value::Date(
            Date::from_str(&text)
                .map_err(|error| malformed("a date like 2026-11-22", &text, &error))?,
        ),
        (Kind::DateTime, PluginValue::Datetime(text)) => Value::DateTime(instant(&text)?),
        (Kind::Relation(_), PluginValue::Reference(text)) => Value::Reference(
            Uuid::try_parse(&text).map_err(|error| malformed("a record's id", &text, &error))?,
        ),
        (_, PluginValue::Ext((name, json))) if name == kind.name() => from_ext(kind, &json)
            .transpose()?
            .ok_or_else(|| mismatch(&PluginValue::Ext((name, json))))?,
        (_, value) => return Err(mismatch(&value)),
    })
}

/// `None` for kinds that don't travel as `ext`.
fn from_ext(kind: &Kind, text: &str) -> Option<Result<Value, Issues>> {
    Some(match kind {
        Kind::Json { .. } => read::<Json>(text).map(|json| match json {
            Json::Null => Value::Null,
            json => Value::Json(json),
        }),
        Kind::FullName => read::<FullName>(text).map(Value::FullName),
        Kind::Emails => read::<Emails>(text).map(Value::Emails),
        Kind::Phone => read::<Phone>(text).map(Value::Phone),
        Kind::Phones => read::<Phones>(text).map(Value::Phones),
        Kind::Address => read::<Address>(text).map(Value::Address),
        Kind::Stage => read::<StageText>(text).and_then(|stage| {
            Ok(Value::Stage(StageValue {
                pipeline: stage.pipeline,
                stage: stage.stage,
                entered_at: instant(&stage.entered_at)?,
            }))
        }),
        _ => return None,
    })
}

/// A stage as it travels: the instant as text.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StageText {
    pipeline: relata_catalog::Key,
    stage: String,
    entered_at: String,
}

/// What a client would have sent, for writes that go the client's way (coercion, normalisation).
/// A reference is the bare id.
///
/// # Errors
/// When an `ext` is not JSON, or an integer is beyond ±(2^53 − 1).
pub fn to_client_json(value: &PluginValue) -> Result<Json, Issues> {
    Ok(match value {
        PluginValue::Null => Json::Null,
        PluginValue::Boolean(boolean) => json!(boolean),
        PluginValue::Integer(integer) => json!(safe(*integer)?),
        PluginValue::Decimal(text)
        | PluginValue::Text(text)
        | PluginValue::Date(text)
        | PluginValue::Datetime(text)
        | PluginValue::Reference(text) => json!(text),
        PluginValue::Money((amount, currency)) => {
            json!({ "amount": amount, "currency": currency })
        }
        PluginValue::Choices(options) => json!(options),
        PluginValue::Ext((_, text)) => read::<Json>(text)?,
    })
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Issues> {
    serde_json::from_str(text)
        .map_err(|error| Issue::new("BAD_JSON", format!("the extension's JSON: {error}")).into())
}

fn safe(integer: i64) -> Result<i64, Issues> {
    if integer.unsigned_abs() <= INTEGER_MAX.unsigned_abs() {
        Ok(integer)
    } else {
        Err(Issue::new("OUT_OF_RANGE", format!("{integer} is beyond ±(2^53 − 1)")).into())
    }
}

fn decimal(text: &str) -> Result<Decimal, Issues> {
    Decimal::from_str_exact(text).map_err(|error| malformed("a decimal like 12.50", text, &error))
}

fn instant(text: &str) -> Result<i64, Issues> {
    Timestamp::from_str(text)
        .map(Timestamp::as_microsecond)
        .map_err(|error| malformed("a date-time like 2026-11-22T08:00:00Z", text, &error))
}

fn malformed(expected: &str, text: &str, error: &dyn std::error::Error) -> Issues {
    let shown: String = text.chars().take(80).collect();
    Issue::new(
        "BAD_FORMAT",
        format!("`{shown}` is not {expected}: {error}"),
    )
    .into()
}

fn variant(value: &PluginValue) -> String {
    match value {
        PluginValue::Null => "null".to_owned(),
        PluginValue::Boolean(_) => "a boolean".to_owned(),
        PluginValue::Integer(_) => "an integer".to_owned(),
        PluginValue::Decimal(_) => "a decimal".to_owned(),
        PluginValue::Text(_) => "a text".to_owned(),
        PluginValue::Money(_) => "a money".to_owned(),
        PluginValue::Date(_) => "a date".to_owned(),
        PluginValue::Datetime(_) => "a date-time".to_owned(),
        PluginValue::Reference(_) => "a reference".to_owned(),
        PluginValue::Choices(_) => "a list of choices".to_owned(),
        PluginValue::Ext((kind, _)) => {
            format!(
                "an extension of kind {}",
                kind.chars().take(40).collect::<String>()
            )
        }
    }
}
