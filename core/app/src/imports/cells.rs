//! A cell's text as the JSON that a client would send for a field of its kind.
//!
//! Only what a spreadsheet writes differently is changed here; whether the value is right is the
//! write's to say.

use jiff::{Timestamp, civil::Date};
use relata_catalog::{Kind, Labels, SelectOption, Value};
use rust_decimal::Decimal;
use serde_json::Value as Json;

/// Largest cell, in bytes.
const CELL_BYTES_MAX: usize = 1 << 20;

/// The JSON for this text.
pub(super) fn json(kind: &Kind, text: &str) -> Result<Json, String> {
    if text.len() > CELL_BYTES_MAX {
        return Err(format!(
            "the cell has {} bytes; at most {CELL_BYTES_MAX} can be read",
            text.len()
        ));
    }
    Ok(match kind {
        Kind::Integer { .. } => text
            .parse::<i64>()
            .map(Json::from)
            .map_err(|_| format!("`{text}` is not a whole number"))?,
        Kind::Boolean => Json::Bool(boolean(text)?),
        Kind::Date => Json::String(date(text)?.to_string()),
        Kind::DateTime => Json::String(instant(text)),
        Kind::Money { currency, .. } => match text.split_once(' ') {
            Some((amount, currency)) => {
                serde_json::json!({"amount": amount, "currency": currency.trim()})
            }
            None => match currency {
                Some(currency) => serde_json::json!({"amount": text, "currency": currency}),
                None => serde_json::json!({"amount": text}),
            },
        },
        Kind::Select { options } => Json::String(option(options, text)),
        Kind::MultiSelect { options } => text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| option(options, part))
            .collect(),
        Kind::Json { .. } => {
            serde_json::from_str(text).map_err(|error| format!("the cell is not JSON: {error}"))?
        }
        Kind::Stage => serde_json::json!({"to": text}),
        Kind::Relation(_) => serde_json::json!({"connect": {"id": text}}),
        _ => Json::String(text.to_owned()),
    })
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
        Kind::Date => date(text).map(Value::Date),
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

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "是" => Ok(true),
        "false" | "no" | "n" | "0" | "否" => Ok(false),
        _ => Err(format!("`{text}` is neither yes nor no")),
    }
}

/// A day, also where the file has an instant at midnight in UTC.
fn date(text: &str) -> Result<Date, String> {
    let day = text.split_once(['T', ' ']).map_or(text, |(day, _)| day);
    day.parse()
        .map_err(|_| format!("`{text}` is not a date of the form 2026-11-22"))
}

/// An instant; a bare day is its midnight in UTC.
fn instant(text: &str) -> String {
    if text.parse::<Timestamp>().is_ok() {
        return text.to_owned();
    }
    match text.parse::<Date>() {
        Ok(day) => format!("{day}T00:00:00Z"),
        Err(_) => text.replacen(' ', "T", 1),
    }
}

/// An option by its value or by what people call it in any language.
fn option(options: &[SelectOption], text: &str) -> String {
    let is_called = |labels: &Labels| {
        labels
            .values()
            .any(|label| label.eq_ignore_ascii_case(text))
    };
    options
        .iter()
        .find(|option| option.value.eq_ignore_ascii_case(text) || is_called(&option.labels))
        .map_or_else(|| text.to_owned(), |option| option.value.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn check(kind: Kind, text: &str, expected: Result<Json, &str>) {
        assert_eq!(
            json(&kind, text).as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|message| *message)
        );
    }

    #[test]
    fn cells_become_what_a_client_would_send() {
        check(
            Kind::Integer {
                min: None,
                max: None,
            },
            "12",
            Ok(json!(12)),
        );
        check(
            Kind::Integer {
                min: None,
                max: None,
            },
            "1.5",
            Err("`1.5` is not a whole number"),
        );
        check(Kind::Boolean, "Yes", Ok(json!(true)));
        check(Kind::Boolean, "否", Ok(json!(false)));
        check(Kind::Boolean, "maybe", Err("`maybe` is neither yes nor no"));
        check(Kind::Date, "2007-01-01T00:00:00Z", Ok(json!("2007-01-01")));
        check(
            Kind::Date,
            "yesterday",
            Err("`yesterday` is not a date of the form 2026-11-22"),
        );
        check(
            Kind::DateTime,
            "2007-01-01",
            Ok(json!("2007-01-01T00:00:00Z")),
        );
        check(
            Kind::Money {
                scale: 2,
                currency: Some("USD".into()),
            },
            "0.99",
            Ok(json!({"amount": "0.99", "currency": "USD"})),
        );
        check(
            Kind::Money {
                scale: 2,
                currency: None,
            },
            "5 EUR",
            Ok(json!({"amount": "5", "currency": "EUR"})),
        );
        check(Kind::Json { schema: None }, "[1, 2]", Ok(json!([1, 2])));
        check(Kind::Text { max: 10 }, "a", Ok(json!("a")));
    }

    #[test]
    fn an_option_is_found_by_value_or_label() {
        let options = vec![SelectOption {
            value: "SOFTWARE".into(),
            labels: [
                ("en".into(), "Software".into()),
                ("zh-CN".into(), "软件".into()),
            ]
            .into_iter()
            .collect(),
        }];
        check(
            Kind::Select {
                options: options.clone(),
            },
            "software",
            Ok(json!("SOFTWARE")),
        );
        check(
            Kind::Select {
                options: options.clone(),
            },
            "软件",
            Ok(json!("SOFTWARE")),
        );
        check(Kind::Select { options }, "hardware", Ok(json!("hardware")));
    }
}
