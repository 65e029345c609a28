//! From what a client sends to a checked [`Value`], and back.
//!
//! The JSON forms are those of the API: decimals and money as strings, days and instants in
//! ISO 8601, options as their stable values. Everything that is wrong with one input is said at
//! once. Nothing here panics, whatever comes in, and nothing is rounded or guessed.
//!
//! Blank text is nothing: it coerces to [`Value::Null`], so that "required" means what people
//! think it means.

mod currency;
mod file;
mod number;
mod party;
mod place;
mod time;

pub(crate) use currency::currency;
pub(crate) use file::covers;
pub use file::file_issues;
pub(crate) use number::exact as exact_decimal;
pub use place::{coerce_geo_point, coerce_near};
pub use time::{
    format_duration, format_instant, format_time, parse_duration, parse_instant, parse_time,
};

use std::collections::HashSet;

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use url::Url;
use uuid::Uuid;

use crate::names::{did_you_mean, nearest, one_of};
use crate::reading::{MapReader, wrong_type};
use crate::{Field, INTEGER_MAX, Issue, Issues, Kind, Money, SelectOption, Value, folded};

/// Bytes of an address on the web: it may be in a unique key, and those are bounded in bytes.
const URL_MAX: usize = 2_048;
/// Bytes of a JSON value, written without blanks.
const JSON_BYTES_MAX: usize = 256 * 1024;
/// Texts of one field.
const TEXTS_MAX: usize = 100;
/// Characters of each of them.
const TEXTS_CHARACTERS_MAX: u32 = 255;
/// Lists and objects inside each other in a JSON value.
const JSON_DEPTH_MAX: usize = 32;

/// What coercion needs to know beside the field and the input.
#[derive(Debug, Clone, Default)]
pub struct CoerceContext {
    /// Where a phone number without a country code belongs (ISO 3166-1, two letters).
    pub region: Option<String>,
    /// Currency of an amount that names none, where the field has none either.
    pub currency: Option<String>,
    /// Now, in microseconds since 1970-01-01T00:00:00Z.
    pub now_micros: i64,
    /// Zone in which a date-time without an offset is read; without one such input is refused.
    pub zone: Option<TimeZone>,
}

/// The value that an input means. `null` and blank text are [`Value::Null`]; whether the field may
/// be empty is the caller's question. A relation takes the id of its target; an autonumber and a
/// stage take nothing.
///
/// # Errors
/// All that is wrong with it, with paths relative to the field.
pub fn coerce(field: &Field, input: &Json, context: &CoerceContext) -> Result<Value, Issues> {
    if input.is_null() {
        return Ok(Value::Null);
    }
    match &field.kind {
        Kind::Text { max } => ruled(field, text(input, *max, line)?),
        Kind::LongText { max } | Kind::RichText { max } => ruled(field, text(input, *max, lines)?),
        Kind::Rating { max } => {
            let number = number::integer(input)?;
            between(&number, Some(&1), Some(&i64::from(*max)))?;
            Ok(Value::Integer(number))
        }
        Kind::Integer { min, max } => {
            let number = number::integer(input)?;
            between(&number, min.as_ref(), max.as_ref())?;
            Ok(Value::Integer(number))
        }
        Kind::Decimal { scale, min, max } | Kind::Percent { scale, min, max } => {
            if is_blank(input) {
                return Ok(Value::Null);
            }
            let number = number::decimal(input, *scale)?;
            between(&number, min.as_ref(), max.as_ref())?;
            Ok(Value::Decimal(number))
        }
        Kind::Money { scale, currency } => money(input, *scale, currency.as_deref(), context),
        Kind::Boolean => match input {
            Json::Bool(flag) => Ok(Value::Boolean(*flag)),
            other => Err(wrong_type("true or false", other)),
        },
        Kind::Date if is_blank(input) => Ok(Value::Null),
        Kind::Date => time::date(input).map(Value::Date),
        Kind::DateTime if is_blank(input) => Ok(Value::Null),
        Kind::DateTime => time::instant(input, context.zone.as_ref()).map(Value::DateTime),
        Kind::Time | Kind::Duration | Kind::Uuid if is_blank(input) => Ok(Value::Null),
        Kind::Time => time::time_of_day(input).map(Value::Integer),
        Kind::Duration => time::duration(input).map(Value::Integer),
        Kind::Uuid => uuid(input).map(Value::Reference),
        Kind::Texts | Kind::Tags => texts(input, field.kind == Kind::Tags),
        Kind::User if is_blank(input) => Ok(Value::Null),
        Kind::User => id(input, "a user").map(Value::Reference),
        Kind::Select { .. } if is_blank(input) => Ok(Value::Null),
        Kind::Select { options } => option(input, options).map(Value::Text),
        Kind::MultiSelect { options } => choices(input, options),
        Kind::Email => ruled(field, party::email(input)?.map_or(Value::Null, Value::Text)),
        Kind::Phone => Ok(party::phone(input, context)?.map_or(Value::Null, Value::Phone)),
        Kind::Url => ruled(field, web_address(input)?),
        Kind::Json { schema } => {
            json_value(input)?;
            if let Some(schema) = schema {
                schema.validate(input).into_result(())?;
            }
            Ok(Value::Json(input.clone()))
        }
        Kind::FullName => party::full_name(input),
        Kind::Emails => party::emails(input),
        Kind::Phones => party::phones(input, context),
        Kind::Address => party::address(input),
        Kind::GeoPoint if is_blank(input) => Ok(Value::Null),
        Kind::GeoPoint => coerce_geo_point(input).map(Value::GeoPoint),
        Kind::File { .. } if is_blank(input) => Ok(Value::Null),
        Kind::File { .. } => file::file(input, &field.kind),
        Kind::Relation(_) if is_blank(input) => Ok(Value::Null),
        Kind::Relation(_) => id(input, "a record").map(Value::Reference),
        Kind::Autonumber { .. } => Err(Issue::new(
            "READ_ONLY",
            "the number is given by the platform and can't be set",
        )
        .into()),
        Kind::Formula(_) | Kind::Rollup(_) => {
            Err(Issue::new("READ_ONLY", "the value is worked out and can't be set").into())
        }
        Kind::Stage => Err(Issue::new(
            "WRONG_TYPE",
            "a stage is entered with an object such as {\"to\": \"proposal\"}",
        )
        .into()),
    }
}

/// As [`coerce`], for what a filter compares with: text as it is (blank or long, it only finds
/// nothing), e-mails and phones as text, and autonumbers as a number or as they are written.
///
/// # Errors
/// All that is wrong with it.
pub fn coerce_operand(
    field: &Field,
    input: &Json,
    context: &CoerceContext,
) -> Result<Value, Issues> {
    match (&field.kind, input) {
        (
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url
            | Kind::Phone
            | Kind::FullName
            | Kind::Emails
            | Kind::Phones
            | Kind::Address,
            Json::String(text),
        ) => {
            characters(text, |_| true)?;
            Ok(Value::Text(text.clone()))
        }
        (Kind::Integer { .. } | Kind::Rating { .. }, Json::Number(_)) => {
            number::integer(input).map(Value::Integer)
        }
        (Kind::Autonumber { .. }, Json::Number(_)) => number::integer(input).map(Value::Integer),
        (Kind::Autonumber { prefix, .. }, Json::String(text)) => {
            let digits = text.strip_prefix(prefix.as_str()).unwrap_or(text);
            digits
                .parse::<i64>()
                .ok()
                .filter(|number| (0..=INTEGER_MAX).contains(number))
                .map(Value::Integer)
                .ok_or_else(|| {
                    Issue::new(
                        "NOT_A_NUMBER",
                        format!(
                            "expected a number such as \"{}\"",
                            format_number(&field.kind, 12)
                        ),
                    )
                    .into()
                })
        }
        (Kind::Autonumber { .. }, other) => Err(wrong_type("a number", other)),
        _ => coerce(field, input, context),
    }
}

/// As [`coerce`], for a cell of a table of text (CSV): numbers and yes or no are read from text,
/// options also by their labels, several of something separated by `;`, money as `12.50 EUR`,
/// JSON as JSON, an address as its street. An empty cell is null.
///
/// # Errors
/// All that is wrong with it.
pub fn coerce_text(field: &Field, text: &str, context: &CoerceContext) -> Result<Value, Issues> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(Value::Null);
    }
    let several = || {
        Json::Array(
            trimmed
                .split(';')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(Json::from)
                .collect(),
        )
    };
    let input = match &field.kind {
        Kind::Integer { .. } | Kind::Rating { .. } => match trimmed.parse::<serde_json::Number>() {
            Ok(number) => Json::Number(number),
            Err(_) => return Err(Issue::new("NOT_A_NUMBER", "expected a whole number").into()),
        },
        Kind::Boolean => match folded(trimmed).as_str() {
            "true" | "yes" | "y" | "1" | "是" => Json::Bool(true),
            "false" | "no" | "n" | "0" | "否" => Json::Bool(false),
            _ => {
                return Err(Issue::new(
                    "WRONG_TYPE",
                    "expected \"true\" or \"false\" (or yes, no, 1, 0)",
                )
                .into());
            }
        },
        Kind::Money { .. } => match trimmed.split_once(char::is_whitespace) {
            Some((amount, currency)) if amount.starts_with(|c: char| !c.is_alphabetic()) => {
                json!({ "amount": amount, "currency": currency.trim() })
            }
            Some((currency, amount)) => json!({ "amount": amount.trim(), "currency": currency }),
            None => json!({ "amount": trimmed }),
        },
        // A day that some system has written as its midnight.
        Kind::Date => Json::from(
            trimmed
                .split_once(['T', ' '])
                .filter(|(_, time)| time.starts_with("00:00"))
                .map_or(trimmed, |(day, _)| day),
        ),
        // Nobody writes seconds into a table of hours.
        Kind::Time if trimmed.len() == 5 => format!("{trimmed}:00").into(),
        Kind::Select { options } => Json::from(option_by_label(trimmed, options)),
        Kind::MultiSelect { options } => Json::Array(
            trimmed
                .split([';', ','])
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Json::from(option_by_label(part, options)))
                .collect(),
        ),
        Kind::Json { .. } => serde_json::from_str(trimmed).map_err(|problem| {
            Issues::from(Issue::new("SYNTAX", format!("expected JSON: {problem}")))
        })?,
        Kind::Emails | Kind::Phones => several(),
        // As JSON where a `;` stands in one of them.
        Kind::Texts | Kind::Tags => {
            serde_json::from_str::<Vec<String>>(trimmed).map_or_else(|_| several(), Json::from)
        }
        Kind::Address => json!({ "street": trimmed }),
        Kind::GeoPoint => place::of_text(trimmed),
        // What is shown of it may be put down as well.
        Kind::Percent { .. } => Json::from(
            trimmed
                .strip_suffix(['%', '％'])
                .map(str::trim_end)
                .filter(|number| !number.is_empty())
                .unwrap_or(trimmed),
        ),
        Kind::Text { .. } | Kind::LongText { .. } | Kind::RichText { .. } => Json::from(text),
        _ => Json::from(trimmed),
    };
    coerce(field, &input, context)
}

/// The JSON that clients get, which [`coerce`] takes back (but for autonumbers and stages).
#[must_use]
pub fn to_json(kind: &Kind, value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => match kind {
            Kind::Autonumber { .. } => Json::String(format_number(kind, *number)),
            Kind::Time => Json::String(format_time(*number)),
            Kind::Duration => Json::String(format_duration(*number)),
            _ => Json::from(*number),
        },
        Value::Decimal(number) => Json::String(at_scale_of(kind, *number).to_string()),
        Value::Text(text) => Json::String(text.clone()),
        Value::Money(money) => json!({
            "amount": at_scale_of(kind, money.amount).to_string(),
            "currency": money.currency,
        }),
        Value::Date(date) => Json::String(date.to_string()),
        Value::DateTime(micros) => Json::String(format_instant(*micros)),
        Value::Choices(options) => Json::from(options.clone()),
        Value::Json(document) => document.clone(),
        Value::FullName(name) => party::full_name_json(name),
        Value::Emails(emails) => json!({
            "primary": emails.primary,
            "additional": emails.additional,
        }),
        Value::Phone(phone) => party::phone_json(phone),
        Value::Phones(phones) => json!({
            "primary": party::phone_json(&phones.primary),
            "additional": phones.additional.iter().map(party::phone_json).collect::<Vec<_>>(),
        }),
        Value::Address(address) => party::address_json(address),
        Value::GeoPoint(point) => place::json_of(point),
        Value::File(file) => file::file_json(file),
        Value::Reference(id) => Json::String(id.hyphenated().to_string()),
        Value::Stage(stage) => json!({
            "pipeline": stage.pipeline.as_str(),
            "stage": stage.stage,
            "enteredAt": format_instant(stage.entered_at),
        }),
    }
}

/// What is wrong with a value that did not come through [`coerce`] (a plugin's): of another type
/// than the field's kind, too long, unknown option, out of range, not at the field's scale …
#[must_use]
pub fn validate(field: &Field, value: &Value) -> Issues {
    match (&field.kind, value) {
        (_, Value::Null) => Issues::default(),
        (Kind::Stage, Value::Stage(_)) => Issues::default(),
        (Kind::Autonumber { .. }, Value::Integer(number)) => {
            between(number, Some(&0), Some(&INTEGER_MAX))
                .err()
                .unwrap_or_default()
        }
        (Kind::DateTime, Value::DateTime(micros)) if !time::is_instant(*micros) => Issue::new(
            "OUT_OF_RANGE",
            "expected a date-time in the years 0001 to 9999 of UTC",
        )
        .into(),
        (kind, value) if !is_of(kind, value) => Issue::new(
            "WRONG_TYPE",
            format!("the field is of kind {}, the value is not", kind.name()),
        )
        .into(),
        // The rules stand in one place: what clients would send for this value must mean it.
        (kind, value) => match coerce(field, &to_json(kind, value), &CoerceContext::default()) {
            Err(issues) => issues,
            Ok(Value::Null) => {
                Issue::new("EMPTY", "the value is blank; nothing is written as null").into()
            }
            Ok(_) => Issues::default(),
        },
    }
}

fn is_of(kind: &Kind, value: &Value) -> bool {
    matches!(
        (kind, value),
        (
            Kind::Text { .. }
                | Kind::LongText { .. }
                | Kind::RichText { .. }
                | Kind::Email
                | Kind::Url
                | Kind::Select { .. },
            Value::Text(_)
        ) | (
            Kind::Integer { .. } | Kind::Rating { .. } | Kind::Time | Kind::Duration,
            Value::Integer(_)
        ) | (
            Kind::Decimal { .. } | Kind::Percent { .. },
            Value::Decimal(_)
        ) | (Kind::Money { .. }, Value::Money(_))
            | (Kind::Boolean, Value::Boolean(_))
            | (Kind::Date, Value::Date(_))
            | (Kind::DateTime, Value::DateTime(_))
            | (
                Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags,
                Value::Choices(_)
            )
            | (Kind::Phone, Value::Phone(_))
            | (Kind::Json { .. }, Value::Json(_))
            | (Kind::FullName, Value::FullName(_))
            | (Kind::Emails, Value::Emails(_))
            | (Kind::Phones, Value::Phones(_))
            | (Kind::Address, Value::Address(_))
            | (Kind::GeoPoint, Value::GeoPoint(_))
            | (Kind::File { .. }, Value::File(_))
            | (
                Kind::Relation(_) | Kind::Uuid | Kind::User,
                Value::Reference(_)
            )
    )
}

/// `INV-00012`
#[must_use]
pub fn format_autonumber(prefix: &str, digits: u32, number: i64) -> String {
    format!("{prefix}{number:0width$}", width = digits as usize)
}

fn format_number(kind: &Kind, number: i64) -> String {
    match kind {
        Kind::Autonumber { prefix, digits, .. } => format_autonumber(prefix, *digits, number),
        _ => number.to_string(),
    }
}

/// The number with as many digits behind the point as the field has, where that loses none.
fn at_scale_of(kind: &Kind, number: Decimal) -> Decimal {
    let (Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } | Kind::Money { scale, .. }) =
        kind
    else {
        return number;
    };
    number::at_scale(number, *scale).unwrap_or(number)
}

fn between<T: PartialOrd + std::fmt::Display>(
    number: &T,
    min: Option<&T>,
    max: Option<&T>,
) -> Result<(), Issues> {
    if min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max) {
        return Ok(());
    }
    let expected = match (min, max) {
        (Some(min), Some(max)) => format!("between {min} and {max}"),
        (Some(min), None) => format!("of at least {min}"),
        (None, Some(max)) => format!("of at most {max}"),
        (None, None) => String::new(),
    };
    let mut issue = Issue::new("OUT_OF_RANGE", format!("expected a number {expected}"));
    if let Some(min) = min {
        issue = issue.with("min", min.to_string());
    }
    if let Some(max) = max {
        issue = issue.with("max", max.to_string());
    }
    Err(issue.into())
}

/// A text that satisfies the rules of its field.
fn ruled(field: &Field, value: Value) -> Result<Value, Issues> {
    let Value::Text(text) = &value else {
        return Ok(value);
    };
    let rules = &field.rules;
    let mut issues = Issues::default();
    if let Some(min) = rules.min_length
        && text.chars().count() < min as usize
    {
        issues.push(
            Issue::new("TOO_SHORT", format!("expected at least {min} characters")).with("min", min),
        );
    }
    if let Some(pattern) = &rules.pattern
        && !pattern.matches(text)
    {
        issues.push(
            Issue::new(
                "PATTERN",
                format!("expected a text of the form {}", pattern.text()),
            )
            .with("pattern", pattern.text()),
        );
    }
    issues.into_result(value)
}

fn is_blank(input: &Json) -> bool {
    input.as_str().is_some_and(|text| text.trim().is_empty())
}

// ----------------------------------------------------------------------------------------- text

fn text(
    input: &Json,
    max: u32,
    check: fn(&str, u32) -> Result<Option<String>, Issues>,
) -> Result<Value, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type("a text", input));
    };
    Ok(check(text, max)?.map_or(Value::Null, Value::Text))
}

/// One line: no control characters. Blank is nothing.
fn line(text: &str, max: u32) -> Result<Option<String>, Issues> {
    bounded(text, max, |character| !character.is_control())
}

/// Several lines: line breaks and tabs are the only control characters.
fn lines(text: &str, max: u32) -> Result<Option<String>, Issues> {
    bounded(text, max, |character| {
        !character.is_control() || matches!(character, '\n' | '\r' | '\t')
    })
}

fn bounded(text: &str, max: u32, is_allowed: fn(char) -> bool) -> Result<Option<String>, Issues> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut issues = characters(text, is_allowed).err().unwrap_or_default();
    let length = text.chars().count();
    if length > max as usize {
        issues.push(
            Issue::new(
                "TOO_LONG",
                format!("expected at most {max} characters, got {length}"),
            )
            .with("max", max)
            .with("got", length),
        );
    }
    issues.into_result(Some(text.to_owned()))
}

/// Refuses NUL always (PostgreSQL can't store it), and what else is not allowed here.
fn characters(text: &str, is_allowed: fn(char) -> bool) -> Result<(), Issues> {
    match text
        .chars()
        .find(|each| *each == '\0' || !is_allowed(*each))
    {
        None => Ok(()),
        Some('\n' | '\r') => Err(Issue::new("BAD_CHARACTER", "expected a single line").into()),
        Some(character) => Err(Issue::new(
            "BAD_CHARACTER",
            format!(
                "the control character U+{:04X} can't be stored",
                u32::from(character)
            ),
        )
        .into()),
    }
}

fn web_address(input: &Json) -> Result<Value, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type("a web address", input));
    };
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let length = text.len();
    if length > URL_MAX {
        return Err(Issue::new(
            "TOO_LONG",
            format!("expected at most {URL_MAX} bytes, got {length}"),
        )
        .with("max", URL_MAX)
        .into());
    }
    let is_plain = !text
        .chars()
        .any(|character| character.is_control() || character.is_whitespace());
    let parsed = Url::parse(text)
        .ok()
        .filter(|url| is_plain && matches!(url.scheme(), "http" | "https") && url.host().is_some());
    if parsed.is_some() {
        return Ok(Value::Text(text.to_owned()));
    }
    let example = if is_plain && !text.contains(':') && text.contains('.') && text.len() <= 100 {
        format!("https://{text}")
    } else {
        "https://example.com".to_owned()
    };
    Err(Issue::new(
        "BAD_URL",
        format!("expected an absolute http or https address, such as \"{example}\""),
    )
    .into())
}

// -------------------------------------------------------------------------------------- options

fn option(input: &Json, options: &[SelectOption]) -> Result<String, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type("one of the field's options as a text", input));
    };
    if options.iter().any(|option| option.value == *text) {
        return Ok(text.clone());
    }
    let known = || crate::retirement::offered(options);
    let meant = nearest(text, known());
    let shown: String = text.chars().take(60).collect();
    let mut issue = Issue::new(
        "UNKNOWN_OPTION",
        format!(
            "\"{shown}\" is none of {}.{}",
            one_of(known()),
            did_you_mean(meant)
        ),
    );
    if let Some(meant) = meant {
        issue = issue.with("suggestion", meant);
    }
    Err(issue.into())
}

/// The options in the order given, each once. None is nothing.
fn choices(input: &Json, options: &[SelectOption]) -> Result<Value, Issues> {
    let Json::Array(items) = input else {
        return Err(wrong_type("a list of the field's options", input));
    };
    let mut issues = Issues::default();
    let mut chosen: Vec<String> = Vec::new();
    // Options are few, the list may not be: stop where every option has been given and repeats
    // begin.
    let max = options.len().max(1) * 2;
    if items.len() > max {
        return Err(
            Issue::new("TOO_MANY", format!("expected at most {max} options"))
                .with("max", max)
                .into(),
        );
    }
    for (position, item) in items.iter().enumerate() {
        match option(item, options) {
            Ok(value) if chosen.contains(&value) => {}
            Ok(value) => chosen.push(value),
            Err(part) => issues.extend_at(position, part),
        }
    }
    let value = if chosen.is_empty() {
        Value::Null
    } else {
        Value::Choices(chosen)
    };
    issues.into_result(value)
}

/// Texts of one line; of tags the first spelling of each. Blank ones are none.
fn texts(input: &Json, each_once: bool) -> Result<Value, Issues> {
    let Json::Array(items) = input else {
        return Err(wrong_type("a list of texts", input));
    };
    if items.len() > TEXTS_MAX {
        return Err(
            Issue::new("TOO_MANY", format!("expected at most {TEXTS_MAX} texts"))
                .with("max", TEXTS_MAX)
                .into(),
        );
    }
    let mut issues = Issues::default();
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        match text(item, TEXTS_CHARACTERS_MAX, line) {
            Ok(Value::Text(text)) if each_once => {
                let tag = text.trim();
                if seen.insert(folded(tag)) {
                    kept.push(tag.to_owned());
                }
            }
            Ok(Value::Text(text)) => kept.push(text),
            Ok(_) => {}
            Err(part) => issues.extend_at(position, part),
        }
    }
    issues.into_result(if kept.is_empty() {
        Value::Null
    } else {
        Value::Choices(kept)
    })
}

/// The option whose value or label (in any language, case folded) this is, else the text itself.
/// A retired option may have left its label to another.
fn option_by_label(text: &str, options: &[SelectOption]) -> String {
    let wanted = folded(text);
    let is_meant = |option: &&SelectOption| {
        option.value == text
            || folded(&option.value) == wanted
            || option.labels.values().any(|label| folded(label) == wanted)
    };
    let of = |retired: bool| {
        options
            .iter()
            .filter(move |option| option.retired == retired)
    };
    options
        .iter()
        .find(|option| option.value == text)
        .or_else(|| of(false).chain(of(true)).find(is_meant))
        .map_or_else(|| text.to_owned(), |option| option.value.clone())
}

// ------------------------------------------------------------------------ money, json, relation

fn money(
    input: &Json,
    scale: u32,
    field_currency: Option<&str>,
    context: &CoerceContext,
) -> Result<Value, Issues> {
    let mut reader = MapReader::new(
        input,
        "an amount such as {\"amount\": \"12.50\", \"currency\": \"EUR\"}",
    )?;
    let amount_input = reader.take("amount").filter(|amount| !is_blank(amount));
    let mut amount = None;
    match amount_input.map(|amount| number::decimal(amount, scale)) {
        Some(Ok(number)) => amount = Some(number),
        Some(Err(part)) => reader.issues.extend_at("amount", part),
        None => reader.missing("amount"),
    }
    let given = reader
        .text("currency")
        .filter(|code| !code.trim().is_empty());
    let code = given
        .as_deref()
        .or(field_currency)
        .or(context.currency.as_deref());
    let mut money_currency = None;
    match code.map(currency) {
        Some(Ok(code)) => money_currency = Some(code),
        Some(Err(part)) => reader.issues.extend_at("currency", part),
        None => reader.missing("currency"),
    }
    let money = amount
        .zip(money_currency)
        .map(|(amount, currency)| Money { amount, currency });
    reader
        .finish()
        .into_result(money.map_or(Value::Null, Value::Money))
}

fn json_value(input: &Json) -> Result<(), Issues> {
    let mut issues = Issues::default();
    if depth_exceeds(input, JSON_DEPTH_MAX) {
        issues.push(
            Issue::new(
                "LIMIT_EXCEEDED",
                format!("expected at most {JSON_DEPTH_MAX} lists and objects inside each other"),
            )
            .with("max", JSON_DEPTH_MAX),
        );
    } else if input.to_string().len() > JSON_BYTES_MAX {
        issues.push(
            Issue::new(
                "TOO_LONG",
                format!("expected at most {JSON_BYTES_MAX} bytes of JSON"),
            )
            .with("max", JSON_BYTES_MAX),
        );
    }
    issues.into_result(())
}

fn depth_exceeds(value: &Json, max: usize) -> bool {
    match value {
        Json::Array(items) => max == 0 || items.iter().any(|item| depth_exceeds(item, max - 1)),
        Json::Object(members) => {
            max == 0
                || members
                    .values()
                    .any(|member| depth_exceeds(member, max - 1))
        }
        _ => false,
    }
}

fn id(input: &Json, whose: &str) -> Result<Uuid, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type(&format!("the id of {whose}"), input));
    };
    hyphenated(text).ok_or_else(|| {
        Issue::new(
            "BAD_ID",
            format!("expected the id of {whose}, such as \"0190b5a1-7c3e-7000-8000-000000000000\""),
        )
        .into()
    })
}

fn uuid(input: &Json) -> Result<Uuid, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type("a UUID", input));
    };
    hyphenated(text).ok_or_else(|| {
        Issue::new(
            "BAD_UUID",
            "expected a UUID such as \"0190b5a1-7c3e-7000-8000-000000000000\"",
        )
        .into()
    })
}

/// The parser also takes braces and URNs; ids have one spelling.
fn hyphenated(text: &str) -> Option<Uuid> {
    let text = text.trim();
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}
