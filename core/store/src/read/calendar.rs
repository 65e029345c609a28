//! Parts of days and of instants, as whole numbers.
//!
//! Days are cut by SQL alone, on both databases. Instants are cut by the clock of the reader's
//! zone: PostgreSQL adds the offset that the zone's table has for them, and SQLite is given a
//! function that does.

use rusqlite::functions::FunctionFlags;

use super::buckets::{DAY_MICROS, HOUR_MICROS, failed, local, offset_text};
use super::json::{civil_of_day, first_of_month};
use crate::Backend;
use crate::filter::CalendarPart;

/// Name of the function that SQLite is given.
const FUNCTION: &str = "relata_calendar";

/// PostgreSQL's word.
fn word(part: CalendarPart) -> &'static str {
    match part {
        CalendarPart::Year => "year",
        CalendarPart::Quarter => "quarter",
        CalendarPart::Month => "month",
        CalendarPart::Week => "week",
        CalendarPart::Weekday => "isodow",
        CalendarPart::Day => "day",
        CalendarPart::Hour => "hour",
    }
}

/// The text of a part of a column of days; none of an hour.
pub(crate) fn days_text(backend: Backend, part: CalendarPart, column: &str) -> Option<String> {
    if part == CalendarPart::Hour {
        return None;
    }
    if backend == Backend::Postgres {
        return Some(format!(
            "CAST(extract({} FROM {column}) AS int8)",
            word(part)
        ));
    }
    // Days are text of ten characters there.
    Some(match part {
        CalendarPart::Year => format!("CAST(substr({column}, 1, 4) AS INTEGER)"),
        CalendarPart::Quarter => format!("((substr({column}, 6, 2) + 2) / 3)"),
        CalendarPart::Month => format!("CAST(substr({column}, 6, 2) AS INTEGER)"),
        CalendarPart::Week => format!("CAST(strftime('%V', {column}) AS INTEGER)"),
        CalendarPart::Weekday => format!("CAST(strftime('%u', {column}) AS INTEGER)"),
        CalendarPart::Day | CalendarPart::Hour => {
            format!("CAST(substr({column}, 9, 2) AS INTEGER)")
        }
    })
}

/// The text of a part of a column of instants; `zone` holds the texts of the table's lists.
pub(crate) fn instants_text(
    backend: Backend,
    part: CalendarPart,
    column: &str,
    (starts, offsets): &(String, String),
) -> String {
    if backend == Backend::Sqlite {
        let part = part as i64;
        return format!("{FUNCTION}({part}, {column}, {starts}, {offsets})");
    }
    let offset = offset_text(column, starts, offsets);
    let local = format!("(({column} AT TIME ZONE 'UTC') + {offset})");
    let text = format!("CAST(extract({} FROM {local}) AS int8)", word(part));
    match part {
        // The year before the first is 1 BC to it, which it writes as -1: west of Greenwich an
        // instant of the first day of the calendar is in it. (`greatest` would fill what is empty.)
        CalendarPart::Year => format!("(CASE WHEN {text} < 0 THEN 0 ELSE {text} END)"),
        _ => text,
    }
}

/// A part of what the clock shows, in microseconds since 1970-01-01T00:00:00.
fn part_of(part: CalendarPart, clock: i64) -> i64 {
    let day = clock.div_euclid(DAY_MICROS);
    let (year, month, day_of_month) = civil_of_day(day);
    // 1970-01-01 was a Thursday.
    let weekday = (day + 3).rem_euclid(7) + 1;
    match part {
        CalendarPart::Year => year,
        CalendarPart::Quarter => (month + 2) / 3,
        CalendarPart::Month => month,
        CalendarPart::Week => {
            // A week is of the year that its Thursday is in.
            let thursday = day - weekday + 4;
            let (year, _, _) = civil_of_day(thursday);
            (thursday - first_of_month(year, 1)) / 7 + 1
        }
        CalendarPart::Weekday => weekday,
        CalendarPart::Day => day_of_month,
        CalendarPart::Hour => clock.rem_euclid(DAY_MICROS) / HOUR_MICROS,
    }
}

fn of_number(number: i64) -> Option<CalendarPart> {
    [
        CalendarPart::Year,
        CalendarPart::Quarter,
        CalendarPart::Month,
        CalendarPart::Week,
        CalendarPart::Weekday,
        CalendarPart::Day,
        CalendarPart::Hour,
    ]
    .into_iter()
    .find(|part| *part as i64 == number)
}

/// Gives a connection to SQLite the function that [`instants_text`] calls.
pub(crate) fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(FUNCTION, 4, flags, |context| {
        let part = of_number(context.get_raw(0).as_i64()?)
            .ok_or_else(|| failed("no part of the calendar has this number"))?;
        let clock = local(context)?.map(|(micros, offset)| micros.saturating_add(offset));
        Ok(clock.map(|clock| part_of(part, clock)))
    })
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan as _, civil::date};

    use super::*;
    use crate::read::cursor::day_of_date;

    /// Around the turns of years, where weeks and years part.
    #[test]
    fn parts_are_what_the_calendar_says() {
        for year in (1..=9999).step_by(7).chain(1960..2060) {
            for days in [-4, -3, -2, -1, 0, 1, 2, 3, 58, 59, 60, 180, 364, 365] {
                let Ok(day) = date(year, 1, 1).checked_add(days.days()) else {
                    continue;
                };
                let Some(number) = day_of_date(day) else {
                    panic!("{day} has no number");
                };
                let clock = number * DAY_MICROS + 13 * HOUR_MICROS + 1;
                let found = |part| part_of(part, clock);
                assert_eq!(found(CalendarPart::Year), i64::from(day.year()), "{day}");
                assert_eq!(
                    found(CalendarPart::Quarter),
                    i64::from((day.month() - 1) / 3 + 1),
                    "{day}"
                );
                assert_eq!(found(CalendarPart::Month), i64::from(day.month()), "{day}");
                let week = day.iso_week_date();
                assert_eq!(found(CalendarPart::Week), i64::from(week.week()), "{day}");
                assert_eq!(
                    found(CalendarPart::Weekday),
                    i64::from(day.weekday().to_monday_one_offset()),
                    "{day}"
                );
                assert_eq!(found(CalendarPart::Day), i64::from(day.day()), "{day}");
                assert_eq!(found(CalendarPart::Hour), 13, "{day}");
            }
        }
    }
}
