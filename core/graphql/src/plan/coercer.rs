//! From an operand as a client writes it to the value that a column is compared with.

use std::{str::FromStr, sync::Arc};

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use relata_catalog::{
    DECIMAL_DIGITS_MAX, Field, INTEGER_MAX, Issue, Issues, Near, Value, coerce, coerce_near,
    coerce_operand, parse_instant,
};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::schema::types::one_of;

/// Longest text that anything is compared with, in characters.
const OPERAND_CHARACTERS_MAX: usize = 10_000;

/// What coercion depends on beside the value.
pub(crate) struct CoerceContext<'c> {
    /// Region of phones, zone of the caller, the time.
    pub(crate) catalogue: &'c relata_catalog::CoerceContext,
    /// Values in a list, at most.
    pub(crate) list_max: usize,
    /// Records on a page, at most.
    pub(crate) page_max: u64,
    /// Groups on a page, at most.
    pub(crate) groups_max: u64,
}

/// How an operand is read.
#[derive(Debug, Clone)]
pub(crate) enum Coercer {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    DateTime,
    Reference,
    /// One of these texts.
    Choice(Arc<[String]>),
    /// As the field's own values are read: autonumbers, times of day, lengths of time, UUIDs.
    Field(Arc<Field>),
    /// The number that a spelling means, in E.164.
    PhoneNumber(Arc<Field>),
    /// Digits of a number.
    PhoneDigits,
    /// Names of stages to the keys of one pipeline; and all names of all pipelines of the field.
    Stage {
        keys: Arc<[(String, String)]>,
        names: Arc<[String]>,
    },
    /// The id of somebody who acts, as records hold it.
    Actor(ActorKind),
    /// Names of pipelines to their keys.
    Pipeline(Arc<[(String, String)]>),
    /// Of everything within a distance of a point.
    Near(NearPart),
    /// One end of a time that is counted from now.
    Within(Within),
    /// How many records; optional.
    PageSize,
    /// How many records to pass over; optional.
    Offset,
    /// How many groups; optional.
    GroupPageSize,
    /// JSON as it was given.
    Json,
    /// Since when offsets hold in the caller's zone; and these offsets.
    ZoneStarts,
    ZoneOffsets,
    /// Opaque; optional.
    Cursor,
    /// The id of a root field: what is no id at all is the id of nothing.
    LenientId,
}

impl Coercer {
    /// Whether null is no mistake.
    pub(crate) fn is_optional(&self) -> bool {
        matches!(
            self,
            Self::PageSize | Self::GroupPageSize | Self::Offset | Self::Cursor
        )
    }

    /// Whether the same input means something else a moment later, or to somebody else.
    pub(crate) fn depends_on_now(&self) -> bool {
        matches!(self, Self::Within(_) | Self::ZoneStarts | Self::ZoneOffsets)
    }

    /// One value of a list; a name may stand for several keys, or for none.
    pub(crate) fn coerce_all(
        &self,
        input: &Json,
        context: &CoerceContext<'_>,
    ) -> Result<Vec<Value>, Issues> {
        match self {
            Self::Stage { keys, names } => {
                let name = text(input)?;
                if !names.iter().any(|known| known == name) {
                    return Err(unknown("stage", name, names.iter().map(String::as_str)).into());
                }
                Ok(keys
                    .iter()
                    .filter(|(known, _)| known == name)
                    .map(|(_, key)| Value::Text(key.clone()))
                    .collect())
            }
            Self::ZoneStarts => Ok(zone_table(context).0),
            Self::ZoneOffsets => Ok(zone_table(context).1),
            other => other.coerce(input, context).map(|value| vec![value]),
        }
    }

    /// One value.
    pub(crate) fn coerce(
        &self,
        input: &Json,
        context: &CoerceContext<'_>,
    ) -> Result<Value, Issues> {
        match self {
            Self::Text => {
                let text = text(input)?;
                if text.contains('\0') {
                    return Err(Issue::new(
                        "WRONG_TYPE",
                        "the text contains U+0000, which no record contains",
                    )
                    .into());
                }
                if text.len() > OPERAND_CHARACTERS_MAX
                    && text.chars().count() > OPERAND_CHARACTERS_MAX
                {
                    return Err(Issue::new(
                        "TOO_LONG",
                        format!("at most {OPERAND_CHARACTERS_MAX} characters are compared with"),
                    )
                    .with("max", OPERAND_CHARACTERS_MAX)
                    .into());
                }
                Ok(Value::Text(text.to_owned()))
            }
            Self::Integer => integer(input).map(Value::Integer),
            Self::Decimal => decimal(input).map(Value::Decimal),
            Self::Boolean => match input {
                Json::Bool(value) => Ok(Value::Boolean(*value)),
                other => Err(wrong("true or false", other).into()),
            },
            Self::Date => text(input).and_then(|text| {
                Date::from_str(text)
                    .ok()
                    // Dates of 10 characters alone: a date-time is no date.
                    .filter(|_| text.len() == 10)
                    .map(Value::Date)
                    .ok_or_else(|| wrong("a date such as \"2026-11-22\"", input).into())
            }),
            Self::DateTime => text(input).and_then(|text| {
                parse_instant(text).map(Value::DateTime).ok_or_else(|| {
                    wrong(
                        "a date-time with its offset, such as \"2026-11-22T08:00:00Z\"",
                        input,
                    )
                    .into()
                })
            }),
            Self::Reference => id_text(input)
                .as_deref()
                .and_then(|text| Uuid::parse_str(text).ok())
                .map(Value::Reference)
                .ok_or_else(|| wrong("the id of a record", input).into()),
            Self::LenientId => Ok(Value::Reference(
                id_text(input)
                    .as_deref()
                    .and_then(|text| Uuid::parse_str(text).ok())
                    .unwrap_or_default(),
            )),
            Self::Choice(choices) => {
                let text = text(input)?;
                if choices.iter().any(|choice| choice == text) {
                    Ok(Value::Text(text.to_owned()))
                } else {
                    Err(unknown("option", text, choices.iter().map(String::as_str)).into())
                }
            }
            Self::Field(field) => match coerce_operand(field, input, context.catalogue)? {
                // Blank text, which no record holds.
                Value::Null => Err(wrong("a value", input).into()),
                value => Ok(value),
            },
            Self::PhoneNumber(field) => {
                let typed = text(input)?;
                // As a record would keep it.
                let known = coerce(field, input, context.catalogue)
                    .ok()
                    .and_then(|value| match value {
                        Value::Phone(phone) => phone.e164,
                        Value::Phones(phones) => phones.primary.e164,
                        _ => None,
                    });
                Ok(Value::Text(known.unwrap_or_else(|| digits(typed))))
            }
            Self::PhoneDigits => {
                let digits = digits(text(input)?);
                if digits.is_empty() {
                    return Err(wrong("digits of a phone number", input).into());
                }
                Ok(Value::Text(digits))
            }
            // Compared with lists alone.
            Self::Stage { .. } => self
                .coerce_all(input, context)?
                .into_iter()
                .next()
                .ok_or_else(|| wrong("the name of a stage", input).into()),
            Self::Actor(kind) => {
                let given = match kind {
                    ActorKind::Plugin => text(input)?.to_owned(),
                    _ => match Self::Reference.coerce(input, context)? {
                        Value::Reference(id) => id.to_string(),
                        _ => return Err(wrong("an id", input).into()),
                    },
                };
                let actor = Json::String(format!("{}{given}", kind.prefix()));
                Self::Text.coerce(&actor, context)
            }
            Self::Pipeline(keys) => {
                let name = text(input)?;
                keys.iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, key)| Value::Text(key.clone()))
                    .ok_or_else(|| {
                        unknown("pipeline", name, keys.iter().map(|(name, _)| name.as_str())).into()
                    })
            }
            Self::Within(within) => within.coerce(input, context),
            Self::Near(part) => Ok(part.of(&coerce_near(input)?)),
            Self::PageSize => page_size(input, "records", context.page_max),
            Self::GroupPageSize => page_size(input, "groups", context.groups_max),
            Self::Json => Ok(Value::Json(input.clone())),
            // Lists alone.
            Self::ZoneStarts | Self::ZoneOffsets => Err(wrong("a list", input).into()),
            Self::Offset => match integer(input)? {
                offset @ 0..=INTEGER_MAX => Ok(Value::Integer(offset)),
                _ => Err(wrong("a number of records, 0 or more", input).into()),
            },
            Self::Cursor => text(input).map(|text| Value::Text(text.to_owned())),
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActorKind {
    User,
    Token,
    Plugin,
    System,
}

impl ActorKind {
    /// As GraphQL calls it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "USER" => Self::User,
            "TOKEN" => Self::Token,
            "PLUGIN" => Self::Plugin,
            "SYSTEM" => Self::System,
            _ => return None,
        })
    }

    /// The kind under whose name a filter asks for ids.
    pub(crate) fn with_id(name: &str) -> Option<Self> {
        Some(match name {
            "user" => Self::User,
            "token" => Self::Token,
            "plugin" => Self::Plugin,
            _ => return None,
        })
    }

    /// What an actor of this kind begins with, as records hold it; nothing stands behind the last.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::User => "user:",
            Self::Token => "token:",
            Self::Plugin => "plugin:",
            Self::System => "system",
        }
    }
}

/// What is asked of everything within a distance of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NearPart {
    /// The middle's position on one of three axes.
    Middle(usize),
    /// The greatest square of the straight line from there.
    Reach,
    /// The least latitude.
    South,
    /// The greatest latitude.
    North,
}

impl NearPart {
    fn of(self, near: &Near) -> Value {
        match self {
            Self::Middle(axis) => Value::Integer(near.point.position()[axis]),
            Self::Reach => Value::Integer(near.reach()),
            Self::South => Value::Decimal(near.latitudes().0),
            Self::North => Value::Decimal(near.latitudes().1),
        }
    }
}

/// One end of "the last 30 days".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Within {
    pub(crate) unit: Unit,
    /// Into the past, else into the future.
    pub(crate) is_past: bool,
    /// A column of days, else of instants.
    pub(crate) is_date: bool,
    /// The earlier end, else the later.
    pub(crate) is_start: bool,
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// As GraphQL calls it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "MINUTE" => Self::Minute,
            "HOUR" => Self::Hour,
            "DAY" => Self::Day,
            "WEEK" => Self::Week,
            "MONTH" => Self::Month,
            "QUARTER" => Self::Quarter,
            "YEAR" => Self::Year,
            _ => return None,
        })
    }

    /// Whether it is shorter than a day.
    pub(crate) fn is_of_clock(self) -> bool {
        matches!(self, Self::Minute | Self::Hour)
    }

    fn span(self, count: i64) -> Result<Span, jiff::Error> {
        match self {
            Self::Minute => Span::new().try_minutes(count),
            Self::Hour => Span::new().try_hours(count),
            Self::Day => Span::new().try_days(count),
            Self::Week => Span::new().try_weeks(count),
            Self::Month => Span::new().try_months(count),
            Self::Quarter => Span::new().try_months(3 * count),
            Self::Year => Span::new().try_years(count),
        }
    }
}

/// Years that records can hold. The arithmetic goes on for thousands of years on both sides, where
/// PostgreSQL refuses to compare and SQLite's text has another order.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9999;

fn is_in_calendar(end: &Value) -> bool {
    match end {
        Value::Date(day) => YEARS.contains(&day.year()),
        Value::DateTime(micros) => Timestamp::from_microsecond(*micros)
            .is_ok_and(|at| YEARS.contains(&at.to_zoned(TimeZone::UTC).year())),
        _ => false,
    }
}

/// Longest time that is counted from now, in whatever unit.
const WITHIN_MAX: i64 = 100_000;

impl Within {
    fn coerce(self, input: &Json, context: &CoerceContext<'_>) -> Result<Value, Issues> {
        let count = integer(input)?;
        if !(1..=WITHIN_MAX).contains(&count) {
            return Err(wrong(&format!("a number from 1 to {WITHIN_MAX}"), input).into());
        }
        self.end(count, context)
            .ok()
            .filter(is_in_calendar)
            .ok_or_else(|| {
                Issue::new("OUT_OF_RANGE", "that is beyond what the calendar holds").into()
            })
    }

    fn end(self, count: i64, context: &CoerceContext<'_>) -> Result<Value, jiff::Error> {
        let zone = context.catalogue.zone.clone().unwrap_or(TimeZone::UTC);
        let now = Timestamp::from_microsecond(context.catalogue.now_micros)?.to_zoned(zone);
        let span = self.unit.span(if self.is_past { -count } else { count })?;
        // The end that is not now.
        let is_far = self.is_start == self.is_past;
        if !self.is_date {
            let end = if is_far { now.checked_add(span)? } else { now };
            return Ok(Value::DateTime(end.timestamp().as_microsecond()));
        }
        let today = now.date();
        if !is_far {
            return Ok(Value::Date(today));
        }
        // Today is one of the days.
        let back = Span::new().days(if self.is_past { 1 } else { -1 });
        Ok(Value::Date(today.checked_add(span)?.checked_add(back)?))
    }
}

fn page_size(input: &Json, of: &str, max: u64) -> Result<Value, Issues> {
    let size = integer(input)?;
    match u64::try_from(size) {
        Err(_) => Err(wrong(&format!("a number of {of}, 0 or more"), input).into()),
        Ok(size) if size > max => Err(Issue::new(
            LIMIT_PAGE,
            format!("a page has at most {max} {of}; use `after` to go on"),
        )
        .with("max", max)
        .into()),
        Ok(_) => Ok(Value::Integer(size)),
    }
}

/// Years in which clocks are looked up; before and after, the offset stays as it is then.
const ZONE_YEARS: std::ops::Range<i16> = 1850..2100;

/// Since when which offset holds in the caller's zone: the starts, and one more offset than these.
fn zone_table(context: &CoerceContext<'_>) -> (Vec<Value>, Vec<Value>) {
    let zone = context.catalogue.zone.clone().unwrap_or(TimeZone::UTC);
    let [first, last] = [ZONE_YEARS.start, ZONE_YEARS.end].map(|year| {
        jiff::tz::Offset::UTC
            .to_timestamp(Date::constant(year, 1, 1).at(0, 0, 0, 0))
            .unwrap_or_default()
    });
    let mut starts = Vec::new();
    let mut offsets = vec![Value::Integer(zone.to_offset(first).seconds().into())];
    for change in zone.following(first) {
        if change.timestamp() >= last {
            break;
        }
        starts.push(Value::DateTime(change.timestamp().as_microsecond()));
        offsets.push(Value::Integer(change.offset().seconds().into()));
    }
    (starts, offsets)
}

/// The issue's code of a page that is too large.
const LIMIT_PAGE: &str = "PAGE_TOO_LARGE";

/// Codes of issues that say "too much", not "wrong".
pub(crate) const LIMITS: [&str; 4] = [LIMIT_PAGE, "TOO_MANY", "TOO_DEEP", "TOO_LONG"];

fn text(input: &Json) -> Result<&str, Issues> {
    input.as_str().ok_or_else(|| wrong("a text", input).into())
}

/// GraphQL lets whole numbers stand for ids.
fn id_text(input: &Json) -> Option<std::borrow::Cow<'_, str>> {
    match input {
        Json::String(text) => Some(text.as_str().into()),
        Json::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

fn integer(input: &Json) -> Result<i64, Issues> {
    input
        .as_i64()
        .filter(|number| (-INTEGER_MAX..=INTEGER_MAX).contains(number))
        .ok_or_else(|| wrong("a whole number within ±(2^53 − 1)", input).into())
}

/// By text alone: `1e400` is no decimal, and no float comes in between.
fn decimal(input: &Json) -> Result<Decimal, Issues> {
    let text = match input {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        other => return Err(wrong("a decimal number, as text or number", other).into()),
    };
    let parsed = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
    match parsed {
        Ok(number) if fits(number) => Ok(number),
        Ok(_) => Err(Issue::new(
            "OUT_OF_RANGE",
            format!("at most {DECIMAL_DIGITS_MAX} digits are compared with"),
        )
        .with("max", DECIMAL_DIGITS_MAX)
        .into()),
        Err(_) => Err(wrong("a decimal number such as \"12.50\"", input).into()),
    }
}

fn fits(number: Decimal) -> bool {
    let digits = number.normalize().mantissa().unsigned_abs().to_string();
    digits.len() as u32 <= DECIMAL_DIGITS_MAX
}

/// A leading plus and digits.
fn digits(typed: &str) -> String {
    typed
        .trim()
        .char_indices()
        .filter(|(at, character)| character.is_ascii_digit() || (*at == 0 && *character == '+'))
        .map(|(_, character)| character)
        .collect()
}

fn wrong(expected: &str, found: &Json) -> Issue {
    let mut found = found.to_string();
    if found.chars().count() > 40 {
        found = found.chars().take(40).chain(['…']).collect();
    }
    Issue::new("WRONG_TYPE", format!("{expected} is expected, not {found}"))
}

fn unknown<'n>(what: &str, found: &str, known: impl Iterator<Item = &'n str>) -> Issue {
    let known = known.collect::<Vec<_>>();
    Issue::new(
        "UNKNOWN_VALUE",
        format!("there is no {what} `{found}`, but {}", one_of(&known)),
    )
    .with("value", found)
    .with("allowed", Json::from(known))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn context(zone: &str) -> relata_catalog::CoerceContext {
        let now: Timestamp = "2026-03-31T23:30:00Z".parse().unwrap();
        relata_catalog::CoerceContext {
            now_micros: now.as_microsecond(),
            zone: Some(TimeZone::get(zone).unwrap()),
            ..Default::default()
        }
    }

    fn coerce(coercer: &Coercer, input: Json) -> Result<Value, String> {
        let catalogue = context("Europe/Berlin");
        let context = CoerceContext {
            catalogue: &catalogue,
            list_max: 10,
            page_max: 500,
            groups_max: 500,
        };
        coercer
            .coerce(&input, &context)
            .map_err(|issues| issues.0[0].code.clone())
    }

    fn within(unit: Unit, is_past: bool, is_date: bool, count: i64) -> [String; 2] {
        [true, false].map(|is_start| {
            let coercer = Coercer::Within(Within {
                unit,
                is_past,
                is_date,
                is_start,
            });
            match coerce(&coercer, json!(count)).unwrap() {
                Value::Date(date) => date.to_string(),
                Value::DateTime(micros) => Timestamp::from_microsecond(micros).unwrap().to_string(),
                other => panic!("{other:?}"),
            }
        })
    }

    #[test]
    fn times_are_counted_in_the_callers_zone() {
        // In Berlin it is half past one on the first of April.
        assert_eq!(
            within(Unit::Day, true, true, 30),
            ["2026-03-03", "2026-04-01"]
        );
        assert_eq!(
            within(Unit::Day, false, true, 1),
            ["2026-04-01", "2026-04-01"]
        );
        assert_eq!(
            within(Unit::Month, true, true, 1),
            ["2026-03-02", "2026-04-01"]
        );
        // A day is 25 or 23 hours long when clocks change.
        assert_eq!(
            within(Unit::Week, true, false, 1),
            ["2026-03-25T00:30:00Z", "2026-03-31T23:30:00Z"]
        );
        assert_eq!(
            within(Unit::Hour, false, false, 2),
            ["2026-03-31T23:30:00Z", "2026-04-01T01:30:00Z"]
        );
    }

    #[test]
    fn decimals_pass_through_no_float() {
        for (input, expected) in [
            (json!("12.50"), Ok("12.50")),
            (json!(0.1), Ok("0.1")),
            (json!("1e3"), Ok("1000")),
            (json!("999999999999999999"), Ok("999999999999999999")),
            (json!("1234567890123456789"), Err("OUT_OF_RANGE")),
            (json!("1e400"), Err("WRONG_TYPE")),
            (json!("12,5"), Err("WRONG_TYPE")),
            (json!(""), Err("WRONG_TYPE")),
            (json!(true), Err("WRONG_TYPE")),
        ] {
            let found = coerce(&Coercer::Decimal, input.clone());
            let found = found.map(|value| match value {
                Value::Decimal(number) => number.to_string(),
                other => panic!("{other:?}"),
            });
            assert_eq!(
                found.as_deref().map_err(String::as_str),
                expected,
                "{input}"
            );
        }
    }

    #[test]
    fn dates_and_ids_are_strict() {
        for (coercer, good, bad) in [
            (Coercer::Date, "2024-02-29", "2023-02-29"),
            (Coercer::Date, "2024-02-29", "2024-02-29T00:00:00Z"),
            (
                Coercer::DateTime,
                "2026-11-22T08:00:00.5+01:00",
                "2026-11-22",
            ),
            (
                Coercer::Reference,
                "0190163d-8694-739b-aea5-966c26f8ad91",
                "0190163d",
            ),
        ] {
            assert!(coerce(&coercer, json!(good)).is_ok(), "{good}");
            assert!(coerce(&coercer, json!(bad)).is_err(), "{bad}");
        }
    }
}
