//! Lengths of time that records are grouped by, in the reader's zone.
//!
//! A zone comes as a table that the caller has made: since when which offset holds. Both databases
//! and the writer look into the same one, so that they agree on every change of the clocks,
//! whichever edition of the time-zone database a server has.

use jiff::ToSpan as _;
use jiff::civil::Date;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;

use super::cursor::{date_of_day, day_of_date};
use super::{Parameter, Span};
use crate::{Backend, StoreError};
use relata_catalog::Value;

const DAY_MICROS: i64 = 86_400_000_000;

/// Name of the function that SQLite is given: it has no time zones.
const FUNCTION: &str = "relata_bucket";

impl Span {
    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [
            Self::Day,
            Self::Week,
            Self::Month,
            Self::Quarter,
            Self::Year,
        ]
        .into_iter()
        .find(|span| span.word() == word)
    }

    /// The first day of the bucket that a day is in. Weeks begin on Monday.
    fn start(self, day: Date) -> Option<Date> {
        match self {
            Self::Day => Some(day),
            Self::Week => {
                let back = i64::from(day.weekday().to_monday_zero_offset());
                day.checked_sub(back.days()).ok()
            }
            Self::Month => Some(day.first_of_month()),
            Self::Quarter => {
                let month = (day.month() - 1) / 3 * 3 + 1;
                Date::new(day.year(), month, 1).ok()
            }
            Self::Year => Some(day.first_of_year()),
        }
    }

    /// The first day behind the bucket that begins there; none at the end of the calendar.
    fn end(self, start: Date) -> Option<Date> {
        let span = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::Year => 1.year(),
        };
        start.checked_add(span).ok()
    }
}

/// The text of the bucket of a column. `zone` holds the texts of the table's two lists, where the
/// column is an instant.
pub(crate) fn bucket_text(
    backend: Backend,
    span: Span,
    column: &str,
    zone: Option<&(String, String)>,
) -> String {
    let word = span.word();
    match (backend, zone) {
        (Backend::Sqlite, None) => format!("{FUNCTION}('{word}', {column})"),
        (Backend::Sqlite, Some((starts, offsets))) => {
            format!("{FUNCTION}('{word}', {column}, {starts}, {offsets})")
        }
        (Backend::Postgres, None) => {
            format!("CAST(date_trunc('{word}', CAST({column} AS timestamp)) AS date)")
        }
        (Backend::Postgres, Some((starts, offsets))) => format!(
            "CAST(date_trunc('{word}', ({column} AT TIME ZONE 'UTC') + ({offsets})[1 + width_bucket({column}, {starts})] * INTERVAL '1 second') AS date)"
        ),
    }
}

/// The first day behind a bucket, by days since 1970-01-01.
pub(crate) fn end_of(span: Span, start: i64) -> Option<i64> {
    span.end(date_of_day(start)?).and_then(day_of_date)
}

/// Since when which offset holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Zone {
    /// Microseconds, ascending.
    starts: Vec<i64>,
    /// Seconds east of Greenwich: before the first start, and from each of them on.
    offsets: Vec<i64>,
}

impl Zone {
    pub(crate) fn of(starts: &Parameter, offsets: &Parameter) -> Result<Self, StoreError> {
        let wrong = || StoreError::value("zone", "expected its table");
        let (Parameter::List(starts), Parameter::List(offsets)) = (starts, offsets) else {
            return Err(wrong());
        };
        let zone = Self {
            starts: starts
                .iter()
                .map(|start| match start {
                    Value::DateTime(micros) => Ok(*micros),
                    _ => Err(wrong()),
                })
                .collect::<Result<_, _>>()?,
            offsets: offsets
                .iter()
                .map(|offset| match offset {
                    Value::Integer(seconds) => Ok(*seconds),
                    _ => Err(wrong()),
                })
                .collect::<Result<_, _>>()?,
        };
        if zone.offsets.len() != zone.starts.len() + 1 {
            return Err(wrong());
        }
        Ok(zone)
    }

    /// The intervals of instants, from and before, at which it is one of these days: one, unless
    /// clocks are set back over midnight. Open where the calendar ends.
    pub(crate) fn intervals(
        &self,
        start: Date,
        end: Option<Date>,
    ) -> Vec<(Option<i64>, Option<i64>)> {
        let micros = |day: Date| day_of_date(day).map(|day| day.saturating_mul(DAY_MICROS));
        let from = micros(start);
        let to = end.and_then(micros);
        let mut intervals: Vec<(Option<i64>, Option<i64>)> = Vec::new();
        for (index, offset) in self.offsets.iter().enumerate() {
            let since = index.checked_sub(1).map(|before| self.starts[before]);
            let until = self.starts.get(index).copied();
            let from = from
                .map(|from| from.saturating_sub(offset * 1_000_000))
                .max(since);
            let to = to.map(|to| to.saturating_sub(offset * 1_000_000));
            let to = match (to, until) {
                (Some(to), Some(until)) => Some(to.min(until)),
                (to, until) => to.or(until),
            };
            if let (Some(from), Some(to)) = (from, to)
                && from >= to
            {
                continue;
            }
            match intervals.last_mut() {
                Some((_, last)) if last.is_some() && *last == from => *last = to,
                _ => intervals.push((from, to)),
            }
        }
        intervals
    }
}

/// Gives a connection to SQLite the function that [`bucket_text`] calls.
pub(crate) fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(FUNCTION, 2, flags, |context| {
        let day = match context.get_raw(1) {
            ValueRef::Null => return Ok(None),
            value => value.as_str()?.parse::<Date>().map_err(failed)?,
        };
        bucket(context, day)
    })?;
    connection.create_scalar_function(FUNCTION, 4, flags, |context| {
        let micros = match context.get_raw(1) {
            ValueRef::Null => return Ok(None),
            value => value.as_i64()?,
        };
        let starts = list(context, 2)?;
        let offsets = list(context, 3)?;
        let position = starts.partition_point(|start| *start <= micros);
        let offset = offsets
            .get(position)
            .ok_or_else(|| failed("the zone's table is too short"))?;
        let local = micros.saturating_add(offset * 1_000_000);
        let day = date_of_day(local.div_euclid(DAY_MICROS))
            .ok_or_else(|| failed("beyond the calendar"))?;
        bucket(context, day)
    })
}

/// A list of whole numbers, read once for each run of a statement.
fn list(context: &Context<'_>, argument: i32) -> rusqlite::Result<std::sync::Arc<Vec<i64>>> {
    context.get_or_create_aux(argument, |value| -> Result<Vec<i64>, BoxError> {
        Ok(serde_json::from_str(value.as_str()?)?)
    })
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn bucket(context: &Context<'_>, day: Date) -> rusqlite::Result<Option<String>> {
    let start = Span::of_word(context.get_raw(0).as_str()?)
        .and_then(|span| span.start(day))
        .ok_or_else(|| failed("beyond the calendar"))?;
    Ok(Some(start.to_string()))
}

fn failed(error: impl Into<BoxError>) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn buckets_begin_where_the_calendar_says() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        for (span, from, start, end) in [
            (Span::Day, "2024-02-29", "2024-02-29", "2024-03-01"),
            (Span::Week, "2026-11-22", "2026-11-16", "2026-11-23"),
            (Span::Week, "2026-11-16", "2026-11-16", "2026-11-23"),
            (Span::Month, "2026-12-31", "2026-12-01", "2027-01-01"),
            (Span::Quarter, "2026-06-30", "2026-04-01", "2026-07-01"),
            (Span::Quarter, "2026-10-01", "2026-10-01", "2027-01-01"),
            (Span::Year, "1969-07-20", "1969-01-01", "1970-01-01"),
        ] {
            assert_eq!(span.start(day(from)), Some(day(start)), "{from}");
            assert_eq!(span.end(day(start)), Some(day(end)), "{from}");
        }
        assert_eq!(Span::Year.end(day("9999-01-01")), None);
    }

    #[test]
    fn a_day_may_be_two_intervals() {
        // Two hours into the second day of 1970, clocks are set back by three.
        let zone = Zone {
            starts: vec![26 * HOUR],
            offsets: vec![0, -3 * 3600],
        };
        let day = |day: i64| date_of_day(day).unwrap();
        assert_eq!(
            zone.intervals(day(0), Some(day(1))),
            [
                (Some(0), Some(24 * HOUR)),
                (Some(26 * HOUR), Some(27 * HOUR))
            ]
        );
        assert_eq!(
            zone.intervals(day(1), Some(day(2))),
            [
                (Some(24 * HOUR), Some(26 * HOUR)),
                (Some(27 * HOUR), Some(51 * HOUR))
            ]
        );
        // What meets is one.
        assert_eq!(
            zone.intervals(day(0), Some(day(2))),
            [(Some(0), Some(51 * HOUR))]
        );
    }
}
