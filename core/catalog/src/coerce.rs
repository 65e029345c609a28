//! From what a client sends to a checked [`Value`], and back.

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::{Field, Issue, Issues, Kind, Value};

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

/// The value that an input means.
///
/// # Errors
/// All that is wrong with it, with paths relative to the field.
pub fn coerce(field: &Field, input: &Json, context: &CoerceContext) -> Result<Value, Issues> {
    let _ = (field, input, context);
    Err(Issue::new("NOT_READY", "being written").into())
}

/// As [`coerce`], for what a filter compares with: takes autonumbers too.
///
/// # Errors
/// All that is wrong with it.
pub fn coerce_operand(
    field: &Field,
    input: &Json,
    context: &CoerceContext,
) -> Result<Value, Issues> {
    coerce(field, input, context)
}

/// As [`coerce`], for a cell of a table of text (CSV). An empty cell is null.
///
/// # Errors
/// All that is wrong with it.
pub fn coerce_text(field: &Field, text: &str, context: &CoerceContext) -> Result<Value, Issues> {
    coerce(field, &Json::String(text.to_owned()), context)
}

/// The JSON that clients get.
#[must_use]
pub fn to_json(kind: &Kind, value: &Value) -> Json {
    let _ = (kind, value);
    Json::Null
}

/// What is wrong with a value that did not come through [`coerce`] (a plugin's).
#[must_use]
pub fn validate(field: &Field, value: &Value) -> Issues {
    let _ = (field, value);
    Issues::default()
}

/// RFC 3339 in UTC with at most 6 digits of a second: `2026-11-22T08:00:00Z`.
#[must_use]
pub fn format_instant(micros: i64) -> String {
    micros.to_string()
}

/// Microseconds of an RFC 3339 date-time with an offset. `None` if it isn't one.
#[must_use]
pub fn parse_instant(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `INV-00012`
#[must_use]
pub fn format_autonumber(prefix: &str, digits: u32, number: i64) -> String {
    format!("{prefix}{number:0width$}", width = digits as usize)
}
