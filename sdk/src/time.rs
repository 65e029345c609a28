//! Days and instants, as far as hooks count with them.
//!
//! There is no clock here: time comes with the call, so that a run can be repeated. Zones are not
//! here either; instants are in UTC, and a day belongs to whoever wrote it. Day numbers are those
//! of the proleptic Gregorian calendar, by Howard Hinnant's `days_from_civil`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// The text is not a date, or not a date-time, of the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("expected a date such as 2026-11-22, or 2026-11-22T08:00:00Z")
    }
}

impl std::error::Error for NotATime {}

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Days since 1970-01-01.
    days: i64,
}

impl Date {
    /// A day of the calendar, or `None` when there is none such in the years 1 to 9999.
    #[must_use]
    pub fn new(year: i64, month: u32, day: u32) -> Option<Self> {
        let valid = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        valid.then(|| Self {
            days: days_from_civil(year, month, day),
        })
    }

    /// Year, month and day.
    #[must_use]
    pub fn parts(self) -> (i64, u32, u32) {
        civil_from_days(self.days)
    }

    /// So many days later; earlier when negative.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self {
            days: self.days.saturating_add(days),
        }
    }

    /// Days from `earlier` to this one.
    #[must_use]
    pub const fn days_since(self, earlier: Self) -> i64 {
        self.days - earlier.days
    }

    /// Its first moment in UTC.
    #[must_use]
    pub const fn start(self) -> DateTime {
        DateTime {
            micros: self.days.saturating_mul(MICROS_PER_DAY),
        }
    }
}

/// An instant, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// Since 1970-01-01T00:00:00Z.
    micros: i64,
}

impl DateTime {
    /// Its day in UTC.
    #[must_use]
    pub const fn date(self) -> Date {
        Date {
            days: self.micros.div_euclid(MICROS_PER_DAY),
        }
    }

    /// So many times 24 hours later; earlier when negative.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_seconds(days.saturating_mul(SECONDS_PER_DAY))
    }

    /// So many seconds later; earlier when negative.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self {
            micros: self
                .micros
                .saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)),
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // Both are within 1 and 31.
    (year, month as u32, day as u32)
}

/// Exactly `count` digits at the front, and what follows them.
fn digits(text: &str, count: usize) -> Result<(i64, &str), NotATime> {
    let (front, rest) = text.split_at_checked(count).ok_or(NotATime)?;
    if !front.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotATime);
    }
    Ok((front.parse().map_err(|_| NotATime)?, rest))
}

fn literal<'a>(text: &'a str, expected: &str) -> Result<&'a str, NotATime> {
    text.strip_prefix(expected).ok_or(NotATime)
}

fn date_at_front(text: &str) -> Result<(Date, &str), NotATime> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(literal(rest, "-")?, 2)?;
    let (day, rest) = digits(literal(rest, "-")?, 2)?;
    // Two digits each.
    let date = Date::new(year, month as u32, day as u32).ok_or(NotATime)?;
    Ok((date, rest))
}

impl FromStr for Date {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        match date_at_front(text)? {
            (date, "") => Ok(date),
            _ => Err(NotATime),
        }
    }
}

impl FromStr for DateTime {
    type Err = NotATime;

    /// RFC 3339; digits past the microsecond are cut off.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let (date, rest) = date_at_front(text)?;
        let rest = rest.strip_prefix(['T', 't', ' ']).ok_or(NotATime)?;
        let (hour, rest) = digits(rest, 2)?;
        let (minute, rest) = digits(literal(rest, ":")?, 2)?;
        let (second, rest) = digits(literal(rest, ":")?, 2)?;
        let (micros, zone) = match rest.strip_prefix('.') {
            None => (0, rest),
            Some(rest) => {
                let length = rest.bytes().take_while(u8::is_ascii_digit).count();
                if length == 0 {
                    return Err(NotATime);
                }
                let (fraction, zone) = rest.split_at(length);
                let mut micros = 0;
                for position in 0..6 {
                    let digit = fraction.as_bytes().get(position).unwrap_or(&b'0');
                    micros = micros * 10 + i64::from(digit - b'0');
                }
                (micros, zone)
            }
        };
        // A leap second counts as the last of its minute.
        if hour > 23 || minute > 59 || second > 60 {
            return Err(NotATime);
        }
        let offset_seconds = match zone {
            "Z" | "z" => 0,
            zone => {
                let (sign, rest) = if let Some(rest) = zone.strip_prefix('+') {
                    (1, rest)
                } else {
                    (-1, literal(zone, "-")?)
                };
                let (hours, rest) = digits(rest, 2)?;
                let (minutes, rest) = digits(literal(rest, ":")?, 2)?;
                if hours > 23 || minutes > 59 || !rest.is_empty() {
                    return Err(NotATime);
                }
                sign * (hours * 3_600 + minutes * 60)
            }
        };
        let seconds = hour * 3_600 + minute * 60 + second.min(59) - offset_seconds;
        Ok(Self {
            micros: date.days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + micros,
        })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.micros.rem_euclid(MICROS_PER_DAY);
        let seconds = micros / MICROS_PER_SECOND;
        write!(
            formatter,
            "{}T{:02}:{:02}:{:02}",
            self.date(),
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        )?;
        let mut fraction = micros % MICROS_PER_SECOND;
        if fraction > 0 {
            let mut width = 6;
            while fraction % 10 == 0 {
                fraction /= 10;
                width -= 1;
            }
            write!(formatter, ".{fraction:0width$}")?;
        }
        formatter.write_str("Z")
    }
}

/// Texts in JSON.
macro_rules! as_text {
    ($($time:ident),*) => {$(
        impl Serialize for $time {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $time {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

as_text!(Date, DateTime);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_day_of_four_centuries_round_trips() {
        let mut date: Date = "1899-12-31".parse().unwrap();
        let end: Date = "2301-01-01".parse().unwrap();
        while date < end {
            let next = date.plus_days(1);
            assert_eq!(date.to_string().parse::<Date>().unwrap(), date);
            assert_eq!(next.days_since(date), 1);
            date = next;
        }
        assert_eq!(
            Date::new(1970, 1, 1).unwrap().start().to_string(),
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(
            Date::new(2024, 2, 28).unwrap().plus_days(1).to_string(),
            "2024-02-29"
        );
    }

    #[test]
    fn date_times_come_out_in_utc_with_the_shortest_fraction() {
        for (text, expected) in [
            ("2026-11-22T08:00:00Z", "2026-11-22T08:00:00Z"),
            ("2026-11-22T08:00:00.500000Z", "2026-11-22T08:00:00.5Z"),
            ("2026-11-22T01:30:00+08:00", "2026-11-21T17:30:00Z"),
            (
                "2026-12-31T23:00:00.000001-01:30",
                "2027-01-01T00:30:00.000001Z",
            ),
            (
                "1969-12-31T23:59:59.123456789Z",
                "1969-12-31T23:59:59.123456Z",
            ),
        ] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "26-1-1",
            "2026-11-22T",
            "0000-01-01",
            "2026-11-22x",
        ] {
            assert_eq!(text.parse::<Date>(), Err(NotATime), "{text}");
        }
        for text in [
            "2026-11-22",
            "2026-11-22T08:00:00",
            "2026-11-22T24:00:00Z",
            "2026-11-22T08:00:00.Z",
            "2026-11-22T08:00:00+8:00",
            "2026-11-22T08:00:00Z ",
            "２０２６-11-22T08:00:00Z",
        ] {
            assert_eq!(text.parse::<DateTime>(), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn days_are_counted() {
        let now: DateTime = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(now.plus_days(-365).to_string(), "2025-03-01T12:00:00Z");
        assert_eq!(now.plus_seconds(-1).date().to_string(), "2026-03-01");
    }
}
