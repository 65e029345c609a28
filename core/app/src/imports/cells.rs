//! A cell's text as the JSON that a client would send for the field.
//!
//! What a spreadsheet writes differently is the catalogue's to read ([`coerce_text`]); here stands
//! only what needs the database or the record (relations, stages), and what is wrong with a cell is
//! known before anything is written.

use jiff::civil::Date;
use relata_catalog::{CoerceContext, Field, Issue, Issues, Kind, Value, coerce_text, to_json};
use rust_decimal::Decimal;
use serde_json::Value as Json;

/// Largest cell, in bytes.
const CELL_BYTES_MAX: usize = 1 << 20;

/// The JSON for this text.
pub(super) fn json(field: &Field, text: &str, context: &CoerceContext) -> Result<Json, Issues> {
    if text.len() > CELL_BYTES_MAX {
        return Err(Issue::new(
            "TOO_LONG",
            format!(
                "the cell has {} bytes; at most {CELL_BYTES_MAX} can be read",
                text.len()
            ),
        )
        .into());
    }
    match &field.kind {
        Kind::Stage => Ok(serde_json::json!({"to": text})),
        Kind::Relation(_) => Ok(serde_json::json!({"connect": {"id": text}})),
        // A bare day is its midnight in UTC.
        Kind::DateTime if text.parse::<Date>().is_ok() => Ok(format!("{text}T00:00:00Z").into()),
        kind => coerce_text(field, text, context).map(|value| to_json(kind, &value)),
    }
}

/// The value that a column of this kind is compared with to find a record.
pub(super) fn comparable(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Integer { .. } => text
            .parse()
            .map(Value::Integer)
            .map_err(|_| format!("`{text}` is not a whole number")),
        Kind::Decimal { .. } => text
            .parse::<Decimal>()
            .map(Value::Decimal)
            .map_err(|_| format!("`{text}` is not a number")),
        Kind::Autonumber { prefix, .. } => text
            .strip_prefix(prefix.as_str())
            .and_then(|digits| digits.parse().ok())
            .map(Value::Integer)
            .ok_or_else(|| format!("`{text}` is not a number of the form {prefix}1")),
        Kind::Date => text
            .parse()
            .map(Value::Date)
            .map_err(|_| format!("`{text}` is not a date of the form 2026-11-22")),
        Kind::Text { .. }
        | Kind::LongText { .. }
        | Kind::Email
        | Kind::Url
        | Kind::Select { .. }
        | Kind::FullName
        | Kind::Emails
        | Kind::Phone
        | Kind::Phones => Ok(Value::Text(text.to_owned())),
        other => Err(format!(
            "a record can't be found by a field of kind {}",
            other.name()
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use relata_catalog::{Key, Labels};
    use serde_json::json;

    use super::*;

    fn check(kind: Kind, text: &str, expected: Option<Json>) {
        let field = Field {
            key: Key::new("workspace", "field"),
            name: "field".to_owned(),
            labels: Labels::new(),
            description: Labels::new(),
            kind,
            required: false,
            default: None,
            rules: Default::default(),
            column: "field".to_owned(),
        };
        let context = CoerceContext {
            region: None,
            currency: None,
            now_micros: 0,
            zone: None,
        };
        assert_eq!(super::json(&field, text, &context).ok(), expected, "{text}");
    }

    #[test]
    fn cells_become_what_a_client_would_send() {
        let integer = || Kind::Integer {
            min: None,
            max: None,
        };
        check(integer(), "12", Some(json!(12)));
        check(integer(), "1.5", None);
        check(Kind::Boolean, "Yes", Some(json!(true)));
        check(Kind::Boolean, "否", Some(json!(false)));
        check(Kind::Boolean, "maybe", None);
        check(
            Kind::Date,
            "2007-01-01T00:00:00Z",
            Some(json!("2007-01-01")),
        );
        check(Kind::Date, "yesterday", None);
        check(
            Kind::DateTime,
            "2007-01-01",
            Some(json!("2007-01-01T00:00:00Z")),
        );
        let dollars = Kind::Money {
            scale: 2,
            currency: Some("USD".into()),
        };
        check(
            dollars,
            "0.99",
            Some(json!({"amount": "0.99", "currency": "USD"})),
        );
        check(Kind::Stage, "won", Some(json!({"to": "won"})));
        check(Kind::Text { max: 3 }, "too long", None);
        check(Kind::Text { max: 3 }, &"x".repeat(CELL_BYTES_MAX + 1), None);
    }
}
