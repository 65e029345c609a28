//! Lengths of time that records are grouped by, in the reader's zone.
//!
//! A zone comes as a table that the caller has made: since when which offset holds. Both databases
//! and the writer look into the same one, so that they agree on every change of the clocks,
//! whichever edition of the time-zone database a server has.
//!
//! Days of instants are whole numbers, counted from 1970-01-01: no calendar ends within them, also
//! where a zone's clock shows the year 10000 already.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;

use super::json::{civil_of_day, first_of_month};
use super::{Parameter, Span};
use crate::{Backend, StoreError};
use relata_catalog::Value;

const SECOND_MICROS: i64 = 1_000_000;
pub(crate) const HOUR_MICROS: i64 = 3_600 * SECOND_MICROS;
pub(crate) const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// The first instant of the year 1 and that of the year 10000: no record has one outside.
const INSTANTS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// Name of the function that SQLite is given: it has no time zones.
const FUNCTION: &str = "relata_bucket";

impl Span {
    fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    fn of_number(number: i64) -> Option<Self> {
        [
            Self::Hour,
            Self::Day,
            Self::Week,
            Self::Month,
            Self::Quarter,
            Self::Year,
        ]
        .into_iter()
        .find(|span| *span as i64 == number)
    }

    /// Months of the year, where it is made of them.
    fn months(self) -> Option<i64> {
        match self {
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Year => Some(12),
            _ => None,
        }
    }

    /// The first day of the bucket that a day is in. Weeks begin on Monday.
    fn start(self, day: i64) -> i64 {
        match self.months() {
            Some(months) => {
                let (year, month, _) = civil_of_day(day);
                first_of_month(year, (month - 1) / months * months + 1)
            }
            // 1970-01-01 was a Thursday.
            None if self == Self::Week => day - (day + 3).rem_euclid(7),
            None => day,
        }
    }

    /// The first day behind the bucket that begins there.
    fn end(self, start: i64) -> i64 {
        match self.months() {
            Some(months) => {
                let (year, month, _) = civil_of_day(start);
                let behind = month - 1 + months;
                first_of_month(year + behind / 12, behind % 12 + 1)
            }
            None if self == Self::Week => start + 7,
            None => start + 1,
        }
    }
}

/// The text of the first day of a column of days.
pub(crate) fn days_text(backend: Backend, span: Span, column: &str) -> String {
    if backend == Backend::Postgres {
        let word = span.word();
        return format!("CAST(date_trunc('{word}', CAST({column} AS timestamp)) AS date)");
    }
    // Days are text of ten characters there.
    match span {
        Span::Hour | Span::Day => column.to_owned(),
        Span::Week => format!("date({column}, '-6 days', 'weekday 1')"),
        Span::Month => format!("substr({column}, 1, 8) || '01'"),
        Span::Quarter => format!(
            "substr({column}, 1, 5) || substr('01040710', (substr({column}, 6, 2) - 1) / 3 * 2 + 1, 2) || '-01'"
        ),
        Span::Year => format!("substr({column}, 1, 5) || '01-01'"),
    }
}

/// The text of the bucket of a column of instants; `zone` holds the texts of the table's lists.
pub(crate) fn instants_text(
    backend: Backend,
    span: Span,
    column: &str,
    (starts, offsets): &(String, String),
) -> String {
    if backend == Backend::Sqlite {
        let span = span as i64;
        return format!("{FUNCTION}({span}, {column}, {starts}, {offsets})");
    }
    let word = span.word();
    let offset = offset_text(column, starts, offsets);
    let local = format!("date_trunc('{word}', ({column} AT TIME ZONE 'UTC') + {offset})");
    match span {
        Span::Hour => format!("(({local} - {offset}) AT TIME ZONE 'UTC')"),
        _ => format!("(CAST({local} AS date) - DATE '1970-01-01')::int8"),
    }
}

/// PostgreSQL's text of how far the zone's clock is ahead at an instant.
pub(crate) fn offset_text(column: &str, starts: &str, offsets: &str) -> String {
    format!("({offsets})[1 + width_bucket({column}, {starts})] * INTERVAL '1 second'")
}

/// The first day behind a bucket of days, by days since 1970-01-01; none at the end of the
/// calendar.
pub(crate) fn end_of_days(span: Span, start: i64) -> Option<i64> {
    Some(span.end(start)).filter(|end| end.saturating_mul(DAY_MICROS) < INSTANTS.end)
}

/// Since when which offset holds.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    /// Microseconds, ascending.
    starts: Vec<i64>,
    /// Seconds east of Greenwich: before the first start, and from each of them on.
    offsets: Vec<i64>,
}

impl Default for Zone {
    /// Greenwich.
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            offsets: vec![0],
        }
    }
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

    /// Seconds east of Greenwich at an instant.
    pub(crate) fn offset_at(&self, micros: i64) -> i64 {
        self.offsets[self.starts.partition_point(|start| *start <= micros)]
    }

    /// The instant at which a bucket begins.
    pub(crate) fn beginning(&self, span: Span, bucket: i64) -> i64 {
        match self.pieces(span, bucket).first() {
            Some((from, _)) => *from,
            None => bucket.saturating_mul(DAY_MICROS),
        }
    }

    /// The intervals of instants, from and before, that a bucket is: one, unless clocks are set
    /// back into an earlier bucket. Open where no record can be.
    pub(crate) fn intervals(&self, span: Span, bucket: i64) -> Vec<(Option<i64>, Option<i64>)> {
        self.pieces(span, bucket)
            .into_iter()
            .map(|(from, to)| {
                (
                    Some(from).filter(|from| INSTANTS.contains(from)),
                    Some(to).filter(|to| INSTANTS.contains(to)),
                )
            })
            .collect()
    }

    fn pieces(&self, span: Span, bucket: i64) -> Vec<(i64, i64)> {
        let mut pieces: Vec<(i64, i64)> = Vec::new();
        for (index, offset) in self.offsets.iter().enumerate() {
            let since = index
                .checked_sub(1)
                .map_or(i64::MIN, |before| self.starts[before]);
            let until = self.starts.get(index).copied().unwrap_or(i64::MAX);
            let Some((from, to)) = piece(span, bucket, offset * SECOND_MICROS) else {
                continue;
            };
            let (from, to) = (from.max(since), to.min(until));
            if from >= to {
                continue;
            }
            match pieces.last_mut() {
                Some((_, last)) if *last == from => *last = to,
                _ => pieces.push((from, to)),
            }
        }
        pieces
    }
}

/// From when and before when it is this bucket where this offset holds.
fn piece(span: Span, bucket: i64, offset: i64) -> Option<(i64, i64)> {
    if span == Span::Hour {
        // Whether an hour of this offset begins there.
        return ((bucket + offset).rem_euclid(HOUR_MICROS) == 0)
            .then_some((bucket, bucket + HOUR_MICROS));
    }
    let micros = |day: i64| day.saturating_mul(DAY_MICROS).saturating_sub(offset);
    Some((micros(bucket), micros(span.end(bucket))))
}

/// The bucket of an instant, with the offset in microseconds that holds then.
fn bucket(span: Span, micros: i64, offset: i64) -> i64 {
    let local = micros.saturating_add(offset);
    match span {
        Span::Hour => local.div_euclid(HOUR_MICROS) * HOUR_MICROS - offset,
        span => span.start(local.div_euclid(DAY_MICROS)),
    }
}

/// Gives a connection to SQLite the function that [`instants_text`] calls.
pub(crate) fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(FUNCTION, 4, flags, |context| {
        let span = Span::of_number(context.get_raw(0).as_i64()?)
            .ok_or_else(|| failed("no length of time has this number"))?;
        let bucket = local(context)?.map(|(micros, offset)| bucket(span, micros, offset));
        Ok(bucket)
    })
}

/// The instant and the zone's offset then, both in microseconds, of the three arguments behind the
/// first.
pub(crate) fn local(context: &Context<'_>) -> rusqlite::Result<Option<(i64, i64)>> {
    let micros = match context.get_raw(1) {
        ValueRef::Null => return Ok(None),
        value => value.as_i64()?,
    };
    let starts = list(context, 2)?;
    let offsets = list(context, 3)?;
    let offset = offsets
        .get(starts.partition_point(|start| *start <= micros))
        .ok_or_else(|| failed("the zone's table is too short"))?;
    Ok(Some((micros, offset * SECOND_MICROS)))
}

/// A list of whole numbers, read once for each run of a statement.
fn list(context: &Context<'_>, argument: i32) -> rusqlite::Result<std::sync::Arc<Vec<i64>>> {
    context.get_or_create_aux(argument, |value| -> Result<Vec<i64>, BoxError> {
        Ok(serde_json::from_str(value.as_str()?)?)
    })
}

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) fn failed(error: impl Into<BoxError>) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::civil::Date;

    use super::*;
    use crate::read::cursor::day_of_date;

    fn day(text: &str) -> i64 {
        day_of_date(text.parse::<Date>().unwrap()).unwrap()
    }

    #[test]
    fn buckets_begin_where_the_calendar_says() {
        for (span, from, start, end) in [
            (Span::Day, "2024-02-29", "2024-02-29", "2024-03-01"),
            (Span::Week, "2026-11-22", "2026-11-16", "2026-11-23"),
            (Span::Week, "2026-11-16", "2026-11-16", "2026-11-23"),
            (Span::Week, "1969-12-31", "1969-12-29", "1970-01-05"),
            (Span::Month, "2026-12-31", "2026-12-01", "2027-01-01"),
            (Span::Month, "2024-02-29", "2024-02-01", "2024-03-01"),
            (Span::Quarter, "2026-06-30", "2026-04-01", "2026-07-01"),
            (Span::Quarter, "2026-10-01", "2026-10-01", "2027-01-01"),
            (Span::Year, "1969-07-20", "1969-01-01", "1970-01-01"),
        ] {
            assert_eq!(span.start(day(from)), day(start), "{span:?} {from}");
            assert_eq!(span.end(day(start)), day(end), "{span:?} {from}");
        }
        assert_eq!(end_of_days(Span::Year, day("9999-01-01")), None);
        assert_eq!(
            end_of_days(Span::Day, day("9999-12-30")),
            Some(day("9999-12-31"))
        );
    }

    #[test]
    fn every_first_of_a_month_is_found_again() {
        for year in -1..=10_000 {
            for month in 1..=12 {
                assert_eq!(civil_of_day(first_of_month(year, month)), (year, month, 1));
            }
        }
    }

    /// Clocks that are set back by three hours two hours into the second day of 1970.
    fn set_back() -> Zone {
        Zone {
            starts: vec![26 * HOUR_MICROS],
            offsets: vec![0, -3 * 3600],
        }
    }

    #[test]
    fn a_day_may_be_two_intervals() {
        let hours = |day: i64, span| {
            set_back()
                .pieces(span, day)
                .into_iter()
                .map(|(from, to)| (from / HOUR_MICROS, to / HOUR_MICROS))
                .collect::<Vec<_>>()
        };
        assert_eq!(hours(0, Span::Day), [(0, 24), (26, 27)]);
        assert_eq!(hours(1, Span::Day), [(24, 26), (27, 51)]);
        // What meets is one.
        assert_eq!(hours(-3, Span::Week), [(-72, 99)]);
    }

    #[test]
    fn each_instant_is_in_the_intervals_of_its_bucket_alone() {
        // A zone that is half an hour off, and clocks that move within an hour.
        let half = Zone {
            starts: vec![26 * HOUR_MICROS + 61 * SECOND_MICROS, 60 * HOUR_MICROS],
            offsets: vec![19_800, 19_800 - 3_600, 3_208],
        };
        let spans = [Span::Hour, Span::Day, Span::Week, Span::Month, Span::Year];
        for zone in [set_back(), half] {
            for minute in -1_500..6_000_i64 {
                let micros = minute * 60 * SECOND_MICROS + 17;
                let offset = zone.offset_at(micros) * SECOND_MICROS;
                for span in spans {
                    let own = bucket(span, micros, offset);
                    let within = |bucket| {
                        zone.pieces(span, bucket)
                            .iter()
                            .any(|(from, to)| (*from..*to).contains(&micros))
                    };
                    assert!(within(own), "{span:?} {minute}");
                    if span != Span::Hour {
                        assert!(!within(span.end(own)), "{span:?} {minute}");
                        assert!(!within(span.start(own - 1)), "{span:?} {minute}");
                    }
                }
            }
        }
    }
}
