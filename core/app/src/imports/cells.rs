//! A cell as the JSON that a client would send for the field.
//!
//! What a spreadsheet writes differently is the catalogue's to read ([`coerce_text`]); here stands
//! what depends on the file (its dates, its numbers), what needs the database or the record
//! (relations, stages), and what an export has written so that it survives ([`written`] and
//! [`read_back`]). What is wrong with a cell is known before anything is written.

use relata_catalog::{
    CoerceContext, Field, Issue, Issues, Kind, Value, coerce_text, parse_duration, parse_time,
    to_json,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::source::{CELL_BYTES_MAX, Cell};

/// Which of the numbers of `05/04/2026` is what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DateOrder {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Year, month, day.
    Ymd,
}

/// How the cells of a file are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    pub(super) context: CoerceContext,
    pub(super) date_order: Option<DateOrder>,
    /// `1.234,56`
    pub(super) decimal_comma: bool,
    /// Records may enter stages whose gates they don't meet.
    pub(super) override_gates: bool,
}

/// The JSON for this cell.
pub(super) fn json(field: &Field, cell: &Cell, reading: &Reading) -> Result<Json, Issues> {
    let text = match cell {
        Cell::Empty => return Ok(Json::Null),
        // Of a field of JSON it is the value itself.
        Cell::Json(json) if matches!(field.kind, Kind::Json { .. }) => return Ok(json.clone()),
        Cell::Json(Json::String(text)) => return of_text(field, text, reading, Notation::Own),
        Cell::Json(json) => return Ok(of_json(field, json, reading)),
        Cell::Typed(text) => return of_text(field, text.trim(), reading, Notation::Own),
        Cell::Text(text) => text,
    };
    match read_back(text) {
        Some(text) => of_text(field, text, reading, Notation::Own),
        None => of_text(field, text.trim(), reading, Notation::OfFile),
    }
}

/// Whose way of writing numbers and dates it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notation {
    Own,
    OfFile,
}

fn of_text(
    field: &Field,
    text: &str,
    reading: &Reading,
    notation: Notation,
) -> Result<Json, Issues> {
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
    if text.trim().is_empty() {
        return Ok(Json::Null);
    }
    let is_composite = !super::mapping::parts(&field.kind).is_empty() || field.kind == Kind::Phone;
    if is_composite
        && text.starts_with('{')
        && let Ok(json @ Json::Object(_)) = serde_json::from_str(text)
    {
        return Ok(of_json(field, &json, reading));
    }
    let text = match (&field.kind, notation) {
        (
            Kind::Integer { .. }
            | Kind::Rating { .. }
            | Kind::Decimal { .. }
            | Kind::Percent { .. }
            | Kind::Money { .. },
            Notation::OfFile,
        ) => number(text, reading),
        (Kind::Date | Kind::DateTime, _) => moment(text, reading.date_order)?,
        _ => text.to_owned(),
    };
    match &field.kind {
        Kind::Stage => Ok(stage(json!({ "to": text }), reading)),
        Kind::Relation(_) => Ok(json!({ "connect": { "id": text } })),
        // A bare day is its midnight in UTC.
        Kind::DateTime if text.len() == 10 => Ok(format!("{text}T00:00:00Z").into()),
        kind => coerce_text(field, &text, &reading.context).map(|value| to_json(kind, &value)),
    }
}

fn of_json(field: &Field, json: &Json, reading: &Reading) -> Json {
    match (&field.kind, json) {
        // Named as in `connect`, without saying so.
        (Kind::Relation(_), Json::Object(by))
            if !["connect", "create", "disconnect"]
                .iter()
                .any(|word| by.contains_key(*word)) =>
        {
            json!({ "connect": json })
        }
        (Kind::Stage, Json::Object(_)) => stage(json.clone(), reading),
        _ => json.clone(),
    }
}

/// What a stage field is given, with the leave to pass its gates where the import has it.
pub(super) fn stage(mut json: Json, reading: &Reading) -> Json {
    if reading.override_gates && json.is_object() {
        json["override"] = true.into();
    }
    json
}

/// A part of a composite value.
pub(super) fn part(kind: &Kind, part: &str, cell: &Cell, reading: &Reading) -> Json {
    match cell {
        Cell::Empty => Json::Null,
        Cell::Json(json) => json.clone(),
        Cell::Typed(text) => text.trim().into(),
        Cell::Text(text) => match read_back(text) {
            Some(text) => text.into(),
            None if matches!(
                (kind, part),
                (Kind::Money { .. }, "amount") | (Kind::GeoPoint, _)
            ) =>
            {
                number(text.trim(), reading).into()
            }
            None => text.trim().into(),
        },
    }
}

/// The text that a record is looked for by.
pub(super) fn key_text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => read_back(text).unwrap_or(text.trim()).to_owned(),
        other => other.text().trim().to_owned(),
    }
}

// ------------------------------------------------------------------------------ what survives

/// A text as an export writes it into a cell. What a spreadsheet would take for a formula, and
/// what a reader would trim, gets an apostrophe in front; a number or a phone number does not.
pub(crate) fn written(text: &str) -> std::borrow::Cow<'_, str> {
    if is_in_danger(text) && !is_number_like(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// What [`written`] has put an apostrophe in front of.
fn read_back(text: &str) -> Option<&str> {
    text.strip_prefix('\'').filter(|rest| is_in_danger(rest))
}

fn is_in_danger(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'', '{'])
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
}

/// Digits and what stands between the digits of a phone number: nothing that calculates.
fn is_number_like(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_digit() || c == '(')
        && rest.ends_with(|c: char| c.is_ascii_digit())
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b" ()./-".contains(&byte))
}

// -------------------------------------------------------------------------- numbers and dates

/// A number in the platform's notation: `1.234,56` becomes `1234.56` where the file writes so.
fn number(text: &str, reading: &Reading) -> String {
    if !reading.decimal_comma {
        return text.to_owned();
    }
    text.chars()
        .filter(|character| !matches!(character, '.' | '\'' | '\u{a0}' | '\u{202f}'))
        .map(|character| if character == ',' { '.' } else { character })
        .collect()
}

/// A day or a moment in ISO 8601, where it is told without a doubt; what is not understood stays
/// as it is, for the catalogue to say what it expects.
fn moment(text: &str, order: Option<DateOrder>) -> Result<String, Issues> {
    let (date, time) = match text.find(['T', ' ']) {
        Some(position) if text[position + 1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let time = text[position + 1..].trim();
            // `22 Nov 2026` has blanks as well.
            if time.contains(':') {
                (&text[..position], Some(time))
            } else {
                (text, None)
            }
        }
        _ => (text, None),
    };
    let Some(day) = day(date.trim(), order)? else {
        return Ok(text.to_owned());
    };
    let Some(time) = time else {
        return Ok(day);
    };
    // Spreadsheets leave the seconds out.
    let is_short = time.len() == 5 && time.as_bytes()[2] == b':';
    let is_shorter = time.len() == 4 && time.as_bytes()[1] == b':';
    Ok(match (is_short, is_shorter) {
        (true, _) => format!("{day}T{time}:00"),
        (_, true) => format!("{day}T0{time}:00"),
        _ => format!("{day}T{time}"),
    })
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// A day in ISO 8601; none where the text is no date in a form that is known here.
pub(super) fn day(text: &str, order: Option<DateOrder>) -> Result<Option<String>, Issues> {
    let pieces: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() || matches!(c, '年' | '月' | '日'))
        .filter(|piece| !piece.is_empty())
        .collect();
    let [first, second, third] = pieces.as_slice() else {
        return Ok(None);
    };
    let number = |piece: &str| -> Option<u32> {
        let is_short = piece.len() <= 4 && piece.bytes().all(|byte| byte.is_ascii_digit());
        is_short.then(|| piece.parse().ok())?
    };
    let month = |piece: &str| -> Option<u32> {
        let start = piece.get(..3)?.to_ascii_lowercase();
        let position = MONTHS.iter().position(|name| *name == start)?;
        u32::try_from(position + 1).ok()
    };
    let iso = |year: u32, month: u32, day: u32| Ok(Some(format!("{year:04}-{month:02}-{day:02}")));
    match (number(first), number(second), number(third)) {
        (Some(a), Some(b), Some(c)) => {
            if first.len() == 4 {
                return iso(a, b, c);
            }
            if third.len() != 4 {
                return match order {
                    // Years of two digits: of this century, as far as there are records of it.
                    Some(DateOrder::Ymd) if first.len() == 2 => iso(2000 + a, b, c),
                    _ => Ok(None),
                };
            }
            match order {
                Some(DateOrder::Dmy) => iso(c, b, a),
                Some(DateOrder::Mdy) => iso(c, a, b),
                Some(DateOrder::Ymd) => Ok(None),
                // Nobody writes the month first with dots.
                None if text.contains('.') || a > 12 => iso(c, b, a),
                None if b > 12 || a == b => iso(c, a, b),
                None => Err(Issue::new(
                    "AMBIGUOUS_DATE",
                    format!(
                        "`{text}` may be {c:04}-{b:02}-{a:02} or {c:04}-{a:02}-{b:02}; say which by dateOrder (--date-order), DMY or MDY"
                    ),
                )
                .into()),
            }
        }
        (Some(day), None, Some(year)) if third.len() == 4 => match month(second) {
            Some(month) => iso(year, month, day),
            None => Ok(None),
        },
        (None, Some(day), Some(year)) if third.len() == 4 => match month(first) {
            Some(month) => iso(year, month, day),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The value that a column of this kind is compared with to find a record.
pub(super) fn comparable(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Integer { .. } | Kind::Rating { .. } => text
            .parse()
            .map(Value::Integer)
            .map_err(|_| format!("`{text}` is not a whole number")),
        Kind::Decimal { .. } | Kind::Percent { .. } => text
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
        Kind::Time => parse_time(text)
            .map(Value::Integer)
            .ok_or_else(|| format!("`{text}` is not a time of day of the form 08:30:00")),
        Kind::Duration => parse_duration(text)
            .map(Value::Integer)
            .map_err(|_| format!("`{text}` is not a length of time of the form PT1H30M")),
        Kind::Uuid | Kind::User => text
            .parse()
            .map(Value::Reference)
            .map_err(|_| format!("`{text}` is not a UUID")),
        // NUL can't be in a file that was read as text, but in JSON.
        _ if text.contains('\0') => Err("the value has a NUL character".to_owned()),
        Kind::Text { .. }
        | Kind::LongText { .. }
        | Kind::RichText { .. }
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
        check_as(kind, text, &Reading::default(), expected);
    }

    fn check_as(kind: Kind, text: &str, reading: &Reading, expected: Option<Json>) {
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
        let cell = Cell::Text(text.to_owned());
        assert_eq!(super::json(&field, &cell, reading).ok(), expected, "{text}");
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
        let dollars = || Kind::Money {
            scale: 2,
            currency: Some("USD".into()),
        };
        check(
            dollars(),
            "0.99",
            Some(json!({"amount": "0.99", "currency": "USD"})),
        );
        let comma = Reading {
            decimal_comma: true,
            ..Reading::default()
        };
        check_as(
            dollars(),
            "-1.234,50 EUR",
            &comma,
            Some(json!({"amount": "-1234.50", "currency": "EUR"})),
        );
        check(Kind::Stage, "won", Some(json!({"to": "won"})));
        check(Kind::Text { max: 3 }, "too long", None);
        check(Kind::Text { max: 3 }, &"x".repeat(CELL_BYTES_MAX + 1), None);
    }

    #[test]
    fn dates_are_read_where_there_is_no_doubt() {
        for (text, iso) in [
            ("2026/11/22", "2026-11-22"),
            ("2026年11月22日", "2026-11-22"),
            ("22.11.2026", "2026-11-22"),
            ("5.4.2026", "2026-04-05"),
            ("22/11/2026", "2026-11-22"),
            ("11/22/2026", "2026-11-22"),
            ("05/05/2026", "2026-05-05"),
            ("22 Nov 2026", "2026-11-22"),
            ("November 22, 2026", "2026-11-22"),
        ] {
            check(Kind::Date, text, Some(json!(iso)));
        }
        for text in ["05/04/2026", "22/11/26", "30.02.2026", "1/2", "a/b/c"] {
            check(Kind::Date, text, None);
        }
        let day_first = Reading {
            date_order: Some(DateOrder::Dmy),
            ..Reading::default()
        };
        check_as(
            Kind::Date,
            "05/04/2026",
            &day_first,
            Some(json!("2026-04-05")),
        );
        check(Kind::Date, "05.04.2026 00:00", Some(json!("2026-04-05")));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "=1+1",
            "+cmd",
            "-2+3",
            "@x",
            "\tx",
            "'",
            "''a",
            "'=x",
            " x",
            "x ",
            "plain",
            "O'Neill",
            "+49 30 1234",
            "-5",
            "{\"a\":1}",
            "+1 (555) 010-9999",
            "'tis",
        ] {
            let written = written(text);
            assert_eq!(
                key_text(&Cell::Text(written.to_string())),
                text,
                "{written}"
            );
            let first = written.chars().next();
            let is_safe = !matches!(first, Some('=' | '@' | '\t')) && !written.starts_with("+c");
            assert!(is_safe, "{written}");
        }
        assert_eq!(written("+49 30 1234"), "+49 30 1234");
        assert_eq!(written("-5"), "-5");
        assert_eq!(written("-2+3"), "'-2+3");
    }
}
