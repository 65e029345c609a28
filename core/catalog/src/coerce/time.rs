//! Days, instants, times of day and lengths of time. Strict: what is not ISO 8601 in the one form that the API names is refused
//! with the form, rather than guessed at.

use jiff::SignedDuration;
use jiff::civil::{self, Date};
use jiff::fmt::temporal::SpanParser;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::reading::wrong_type;
use crate::{INTEGER_MAX, Issue, Issues};

/// Years that both databases, JavaScript and ISO 8601's four digits agree on.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9999;

pub(super) fn date(input: &Json) -> Result<Date, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type("a day such as \"2026-11-22\"", input));
    };
    parse_date(text.trim()).ok_or_else(|| {
        Issue::new(
            "BAD_DATE",
            "expected a day as YYYY-MM-DD that exists, in the years 0001 to 9999",
        )
        .into()
    })
}

pub(super) fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else {
        return None;
    };
    let year = i16::try_from(digits(&[*y1, *y2, *y3, *y4])?).ok()?;
    let month = i8::try_from(digits(&[*m1, *m2])?).ok()?;
    let day = i8::try_from(digits(&[*d1, *d2])?).ok()?;
    let date = Date::new(year, month, day).ok()?;
    YEARS.contains(&year).then_some(date)
}

pub(super) fn instant(input: &Json, zone: Option<&TimeZone>) -> Result<i64, Issues> {
    const FORM: &str = "a date-time such as \"2026-11-22T08:00:00Z\"";
    let Json::String(text) = input else {
        return Err(wrong_type(FORM, input));
    };
    let Some(parsed) = Written::parse(text.trim()) else {
        return Err(Issue::new(
            "BAD_DATE_TIME",
            format!("expected {FORM} that exists, in the years 0001 to 9999"),
        )
        .into());
    };
    match (parsed.offset, zone) {
        (None, None) => Err(Issue::new(
            "NO_OFFSET",
            "expected a date-time with its offset from UTC, such as \"2026-11-22T08:00:00Z\" \
             or \"2026-11-22T09:00:00+01:00\"",
        )
        .into()),
        _ => parsed.micros(zone).ok_or_else(|| {
            Issue::new(
                "OUT_OF_RANGE",
                "expected a date-time in the years 0001 to 9999 of UTC",
            )
            .into()
        }),
    }
}

/// Microseconds of an RFC 3339 date-time with an offset, in the years 0001 to 9999 of UTC. Digits
/// behind the microsecond are cut. `None` if it isn't one.
#[must_use]
pub fn parse_instant(text: &str) -> Option<i64> {
    let written = Written::parse(text)?;
    written.offset?;
    written.micros(None)
}

/// RFC 3339 in UTC with at most 6 digits of a second: `2026-11-22T08:00:00Z`,
/// `2026-11-22T08:00:00.25Z`. What lies outside of the calendar is moved to its edge.
#[must_use]
pub fn format_instant(micros: i64) -> String {
    let time = EPOCH
        .checked_add(SignedDuration::from_micros(micros))
        .unwrap_or(if micros < 0 {
            civil::DateTime::MIN
        } else {
            civil::DateTime::MAX
        });
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    push_fraction(&mut text, i64::from(time.subsec_nanosecond() / 1_000));
    text.push('Z');
    text
}

/// Digits of a second behind the point, only where there are any.
fn push_fraction(text: &mut String, micros: i64) {
    if micros != 0 {
        text.push('.');
        text.push_str(format!("{micros:06}").trim_end_matches('0'));
    }
}

pub(super) fn time_of_day(input: &Json) -> Result<i64, Issues> {
    const FORM: &str = "a time of day such as \"08:30:00\"";
    let Json::String(text) = input else {
        return Err(wrong_type(FORM, input));
    };
    parse_time(text.trim()).ok_or_else(|| {
        Issue::new(
            "BAD_TIME",
            format!("expected {FORM}, from 00:00:00 to 23:59:59.999999"),
        )
        .into()
    })
}

/// Microseconds since midnight of `HH:MM:SS[.ffffff]`. `None` if it isn't one.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.as_bytes().split_at_checked(8)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else {
        return None;
    };
    let hour = digits(&[*h1, *h2]).filter(|hour| *hour < 24)?;
    let minute = digits(&[*m1, *m2]).filter(|minute| *minute < 60)?;
    let second = digits(&[*s1, *s2]).filter(|second| *second < 60)?;
    let micros = match fraction {
        [] => 0,
        [b'.', fraction @ ..] if (1..=6).contains(&fraction.len()) => {
            digits(fraction)? * 10_u32.pow(6 - u32::try_from(fraction.len()).ok()?)
        }
        _ => return None,
    };
    Some(i64::from(hour * 3_600 + minute * 60 + second) * 1_000_000 + i64::from(micros))
}

/// `08:30:00`, `08:30:00.25`: what [`parse_time`] reads.
#[must_use]
pub fn format_time(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let mut text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    );
    push_fraction(&mut text, micros.rem_euclid(1_000_000));
    text
}

pub(super) fn duration(input: &Json) -> Result<i64, Issues> {
    let Json::String(text) = input else {
        return Err(wrong_type(
            "a length of time such as \"PT1H30M\" (ISO 8601)",
            input,
        ));
    };
    parse_duration(text.trim())
}

/// Microseconds of an ISO 8601 duration in hours, minutes and seconds. Days and longer are none:
/// how long they are depends on where the clocks are set.
///
/// # Errors
/// If it isn't one, is finer than a microsecond, or longer than ±(2^53 − 1) of them.
pub fn parse_duration(text: &str) -> Result<i64, Issues> {
    // Generous zeros included; what is longer can only be out of range.
    const BYTES_MAX: usize = 64;
    let bad = || {
        Issue::new(
            "BAD_DURATION",
            "expected a length of time in hours, minutes and seconds as ISO 8601 has it, such as \
             \"PT1H30M\" or \"-PT0.5S\"",
        )
    };
    if text.len() > BYTES_MAX {
        return Err(bad().into());
    }
    let duration = SpanParser::new().parse_duration(text).map_err(|_| bad())?;
    if duration.subsec_nanos() % 1_000 != 0 {
        return Err(Issue::new(
            "TOO_PRECISE",
            "expected at most 6 digits behind the point of a second",
        )
        .with("scale", 6)
        .into());
    }
    i64::try_from(duration.as_micros())
        .ok()
        .filter(|micros| micros.unsigned_abs() <= INTEGER_MAX.unsigned_abs())
        .ok_or_else(|| {
            Issue::new(
                "OUT_OF_RANGE",
                format!(
                    "expected a length of time within ±{}",
                    format_duration(INTEGER_MAX)
                ),
            )
            .with("min", format_duration(-INTEGER_MAX))
            .with("max", format_duration(INTEGER_MAX))
            .into()
        })
}

/// `PT1H30M`, `-PT0.25S`, `PT0S`: no unit that there are none of, no hours made into days.
#[must_use]
pub fn format_duration(micros: i64) -> String {
    let mut text = if micros < 0 { "-PT" } else { "PT" }.to_owned();
    let whole = micros.unsigned_abs();
    let seconds = whole / 1_000_000;
    for (count, unit) in [(seconds / 3_600, 'H'), (seconds / 60 % 60, 'M')] {
        if count != 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if !whole.is_multiple_of(60_000_000) || whole == 0 {
        text.push_str(&(seconds % 60).to_string());
        // Less than a million.
        push_fraction(&mut text, (whole % 1_000_000) as i64);
        text.push('S');
    }
    text
}

/// Whether the instant is one that [`parse_instant`] could have read.
pub(super) fn is_instant(micros: i64) -> bool {
    EPOCH
        .checked_add(SignedDuration::from_micros(micros))
        .is_ok_and(|time| YEARS.contains(&time.year()))
}

/// 1970-01-01T00:00:00. Instants are counted in the calendar itself: jiff's own timestamps end
/// more than a day before the year 9999 does.
const EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// A date-time as it was written.
struct Written {
    local: civil::DateTime,
    /// Seconds east of UTC.
    offset: Option<i64>,
}

impl Written {
    /// `YYYY-MM-DDTHH:MM:SS[.fraction][Z|±HH:MM]`; a blank may stand for the `T`.
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !text.is_ascii() || bytes.len() < 19 || bytes.len() > 40 {
            return None;
        }
        let date = parse_date(&text[..10])?;
        let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = &bytes[10..19] else {
            return None;
        };
        let hour = i8::try_from(digits(&[*h1, *h2])?).ok()?;
        let minute = i8::try_from(digits(&[*m1, *m2])?).ok()?;
        // A leap second is the second before it, as everywhere that counts without them.
        let second = i8::try_from(digits(&[*s1, *s2])?).ok()?;
        let second = if second == 60 { 59 } else { second };
        let mut rest = &text[19..];
        let mut nanos = 0_i32;
        if let Some(fraction) = rest.strip_prefix('.') {
            let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if length == 0 {
                return None;
            }
            let kept = &fraction[..length.min(6)];
            nanos = i32::try_from(digits(kept.as_bytes())?).ok()?
                * 10_i32.pow(9 - u32::try_from(kept.len()).ok()?);
            rest = &fraction[length..];
        }
        let offset = match rest.as_bytes() {
            [] => None,
            [b'Z' | b'z'] => Some(0),
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let hours = digits(&[*h1, *h2])?;
                let minutes = digits(&[*m1, *m2])?;
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let seconds = i64::from(hours * 3_600 + minutes * 60);
                Some(if *sign == b'-' { -seconds } else { seconds })
            }
            _ => return None,
        };
        let time = civil::Time::new(hour, minute, second, nanos).ok()?;
        Some(Self {
            local: date.to_datetime(time),
            offset,
        })
    }

    fn micros(&self, zone: Option<&TimeZone>) -> Option<i64> {
        let offset = match (self.offset, zone) {
            (Some(offset), _) => offset,
            // Where clocks are set: the reading that most people mean (jiff's "compatible").
            (None, Some(zone)) => {
                let zoned = self.local.to_zoned(zone.clone()).ok()?;
                return Some(zoned.timestamp().as_microsecond())
                    .filter(|micros| is_instant(*micros));
            }
            (None, None) => return None,
        };
        let local = self.local.duration_since(EPOCH).as_micros();
        let micros = i64::try_from(local - i128::from(offset) * 1_000_000).ok()?;
        is_instant(micros).then_some(micros)
    }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}
