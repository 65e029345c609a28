//! [`Value`] ↔ the contract's `value`.
//!
//! What a guest sends is untrusted: what comes out of here has the right *shape* for its kind and
//! nothing more. Lengths, options, ranges and schemas are checked by the catalogue afterwards.
//!
//! The composite kinds travel as `ext(kind, JSON)`, with the JSON of the catalogue's own types.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date};
use relata_catalog::{
    Address, Emails, File, FullName, INTEGER_MAX, Issue, Issues, Kind, Money, Phone, Phones,
    StageValue, Value, coerce_geo_point, parse_duration, parse_time, to_json,
};
use rust_decimal::Decimal;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub use crate::bindings::types::{NamedValue, Value as PluginValue};

/// The contract's form of a value.
#[must_use]
pub fn to_plugin(kind: &Kind, value: &Value) -> PluginValue {
    if is_ext(kind) && !value.is_null() {
        return ext(kind, &to_json(kind, value));
    }
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
        Value::GeoPoint(point) => ext(kind, point),
        Value::File(file) => ext(kind, file),
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

/// Kinds that are younger than the contract's variant: their JSON is a client's.
fn is_ext(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Percent { .. }
            | Kind::Rating { .. }
            | Kind::RichText { .. }
            | Kind::Time
            | Kind::Duration
            | Kind::Uuid
            | Kind::User
            | Kind::Texts
            | Kind::Tags
            | Kind::GeoPoint
    )
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
        Kind::Percent { .. } => {
            read::<String>(text).and_then(|text| decimal(&text).map(Value::Decimal))
        }
        Kind::Rating { .. } => {
            read::<i64>(text).and_then(|number| safe(number).map(Value::Integer))
        }
        Kind::RichText { .. } => read::<String>(text).map(Value::Text),
        Kind::Time => read::<String>(text).and_then(|text| {
            parse_time(&text).map(Value::Integer).ok_or_else(|| {
                Issue::new(
                    "BAD_FORMAT",
                    format!("`{}` is not a time of day like 08:30:00", shown(&text)),
                )
                .into()
            })
        }),
        Kind::Duration => {
            read::<String>(text).and_then(|text| parse_duration(&text).map(Value::Integer))
        }
        Kind::Texts | Kind::Tags => read::<Vec<String>>(text).map(Value::Choices),
        Kind::Uuid | Kind::User => read::<String>(text).and_then(|text| {
            Uuid::try_parse(&text)
                .map(Value::Reference)
                .map_err(|error| malformed("a UUID", &text, &error))
        }),
        Kind::FullName => read::<FullName>(text).map(Value::FullName),
        Kind::Emails => read::<Emails>(text).map(Value::Emails),
        Kind::Phone => read::<Phone>(text).map(Value::Phone),
        Kind::Phones => read::<Phones>(text).map(Value::Phones),
        Kind::Address => read::<Address>(text).map(Value::Address),
        Kind::GeoPoint => read::<Json>(text)
            .and_then(|json| coerce_geo_point(&json))
            .map(Value::GeoPoint),
        Kind::File { .. } => read::<File>(text).map(Value::File),
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
    Issue::new(
        "BAD_FORMAT",
        format!("`{}` is not {expected}: {error}", shown(text)),
    )
    .into()
}

/// The beginning of what a guest has sent.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use relata_catalog::{Key, NameOrder, OnDelete, Relation};

    use super::*;

    fn relation() -> Kind {
        Kind::Relation(Relation {
            target: Key::new("relata", "company"),
            inverse: None,
            through: None,
            tree: None,
            on_delete: OnDelete::SetNull,
        })
    }

    fn text() -> impl Strategy<Value = String> {
        "\\PC{0,20}"
    }

    fn maybe() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(text())
    }

    fn amount() -> impl Strategy<Value = Decimal> {
        (any::<i64>(), 0u32..=9).prop_map(|(digits, scale)| Decimal::new(digits, scale))
    }

    fn phone() -> impl Strategy<Value = Phone> {
        (maybe(), text()).prop_map(|(e164, typed)| Phone { e164, typed })
    }

    /// Micros between the years 1 and 9999.
    fn micros() -> impl Strategy<Value = i64> {
        -62_135_596_800_000_000i64..=253_402_207_200_000_000
    }

    fn kind_and_value() -> impl Strategy<Value = (Kind, Value)> {
        prop_oneof![
            any::<bool>().prop_map(|b| (Kind::Boolean, Value::Boolean(b))),
            (-INTEGER_MAX..=INTEGER_MAX).prop_map(|i| (
                Kind::Integer {
                    min: None,
                    max: None
                },
                Value::Integer(i)
            )),
            amount().prop_map(|d| {
                let kind = Kind::Decimal {
                    scale: 9,
                    min: None,
                    max: None,
                };
                (kind, Value::Decimal(d))
            }),
            amount().prop_map(|d| {
                let kind = Kind::Percent {
                    scale: 9,
                    min: None,
                    max: None,
                };
                (kind, Value::Decimal(d))
            }),
            (1i64..=10).prop_map(|i| (Kind::Rating { max: 10 }, Value::Integer(i))),
            text().prop_map(|t| (Kind::Text { max: 255 }, Value::Text(t))),
            text().prop_map(|t| (Kind::RichText { max: 255 }, Value::Text(t))),
            (amount(), "[A-Z]{3}").prop_map(|(amount, currency)| {
                let kind = Kind::Money {
                    scale: 2,
                    currency: None,
                };
                (kind, Value::Money(Money { amount, currency }))
            }),
            (1i16..=9999, 1i8..=12, 1i8..=28)
                .prop_map(|(y, m, d)| (Kind::Date, Value::Date(Date::new(y, m, d).unwrap()))),
            micros().prop_map(|m| (Kind::DateTime, Value::DateTime(m))),
            (0..86_400_000_000_i64).prop_map(|m| (Kind::Time, Value::Integer(m))),
            (-INTEGER_MAX..=INTEGER_MAX).prop_map(|m| (Kind::Duration, Value::Integer(m))),
            any::<u128>().prop_map(|id| (Kind::Uuid, Value::Reference(Uuid::from_u128(id)))),
            any::<u128>().prop_map(|id| (Kind::User, Value::Reference(Uuid::from_u128(id)))),
            proptest::collection::vec(text(), 0..4)
                .prop_map(|texts| (Kind::Texts, Value::Choices(texts))),
            proptest::collection::vec(text(), 0..4)
                .prop_map(|tags| (Kind::Tags, Value::Choices(tags))),
            proptest::collection::vec(text(), 0..4).prop_map(|options| {
                (
                    Kind::MultiSelect {
                        options: Vec::new(),
                    },
                    Value::Choices(options),
                )
            }),
            any::<u128>().prop_map(|id| (relation(), Value::Reference(Uuid::from_u128(id)))),
            (text(), maybe(), maybe(), any::<bool>()).prop_map(|(full, given, family, first)| {
                let order = if first {
                    NameOrder::FamilyFirst
                } else {
                    NameOrder::GivenFirst
                };
                let name = FullName {
                    full,
                    given,
                    family,
                    order,
                };
                (Kind::FullName, Value::FullName(name))
            }),
            (text(), proptest::collection::vec(text(), 0..3)).prop_map(|(primary, additional)| {
                (
                    Kind::Emails,
                    Value::Emails(Emails {
                        primary,
                        additional,
                    }),
                )
            }),
            phone().prop_map(|phone| (Kind::Phone, Value::Phone(phone))),
            (phone(), proptest::collection::vec(phone(), 0..3)).prop_map(
                |(primary, additional)| {
                    (
                        Kind::Phones,
                        Value::Phones(Phones {
                            primary,
                            additional,
                        }),
                    )
                }
            ),
            (maybe(), maybe(), maybe()).prop_map(|(street, city, country)| {
                let address = Address {
                    street,
                    city,
                    country,
                    ..Address::default()
                };
                (Kind::Address, Value::Address(address))
            }),
            (any::<u128>(), text(), 0..INTEGER_MAX).prop_map(|(id, name, size)| {
                let file = File {
                    id: Uuid::from_u128(id),
                    name,
                    content_type: "image/png".to_owned(),
                    size,
                    sha256: "00".to_owned(),
                };
                let kind = Kind::File {
                    types: Vec::new(),
                    max_size: None,
                };
                (kind, Value::File(file))
            }),
            (text(), micros()).prop_map(|(stage, entered_at)| {
                let pipeline = Key::new("relata", "sales");
                (
                    Kind::Stage,
                    Value::Stage(StageValue {
                        pipeline,
                        stage,
                        entered_at,
                    }),
                )
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn values_come_back_as_they_went((kind, value) in kind_and_value()) {
            let there = to_plugin(&kind, &value);
            prop_assert!(to_client_json(&there).is_ok());
            prop_assert_eq!(from_plugin(&kind, there).unwrap(), value);
            prop_assert_eq!(from_plugin(&kind, PluginValue::Null).unwrap(), Value::Null);
        }
    }

    #[test]
    fn instants_are_read_by_machines_everywhere() {
        assert_eq!(instant_text(1_795_334_400_000_000), "2026-11-22T08:00:00Z");
        assert_eq!(
            instant_text(1_795_334_400_120_000),
            "2026-11-22T08:00:00.12Z"
        );
    }

    #[test]
    fn what_does_not_fit_its_kind_is_refused() {
        let code = |kind: &Kind, value| from_plugin(kind, value).unwrap_err().0[0].code.clone();
        let text = |text: &str| PluginValue::Text(text.to_owned());
        let integer = Kind::Integer {
            min: None,
            max: None,
        };
        assert_eq!(code(&integer, text("5")), "WRONG_TYPE");
        assert_eq!(
            code(&integer, PluginValue::Integer(i64::MIN)),
            "OUT_OF_RANGE"
        );
        let decimal = Kind::Decimal {
            scale: 2,
            min: None,
            max: None,
        };
        for bad in ["", "1e5", "NaN", "1,5", "99999999999999999999999999999999"] {
            let value = PluginValue::Decimal(bad.to_owned());
            assert_eq!(code(&decimal, value), "BAD_FORMAT", "{bad}");
        }
        assert_eq!(
            code(&Kind::Date, PluginValue::Date("2026-02-30".to_owned())),
            "BAD_FORMAT"
        );
        assert_eq!(
            code(&relation(), PluginValue::Reference("1".to_owned())),
            "BAD_FORMAT"
        );
        let ext = |kind: &str, json: &str| PluginValue::Ext((kind.to_owned(), json.to_owned()));
        assert_eq!(code(&Kind::FullName, ext("emails", "{}")), "WRONG_TYPE");
        assert_eq!(code(&Kind::FullName, ext("fullName", "{")), "BAD_JSON");
        assert_eq!(
            code(&Kind::FullName, ext("fullName", r#"{"full":"A","age":3}"#)),
            "BAD_JSON"
        );
        assert_eq!(code(&Kind::Boolean, ext("boolean", "true")), "WRONG_TYPE");
    }
}
