//! JSON text, written byte by byte: what each type of cell looks like in an answer.

/// Writes a string with its quotes, escaped as `serde_json` escapes.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Writes the inside of a string. Most text needs no escape, so it is looked for eight bytes at a
/// time and copied in runs.
pub(crate) fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut position = 0;
    loop {
        position += clean_length(&bytes[position..]);
        if position == bytes.len() {
            break;
        }
        out.extend_from_slice(&bytes[copied..position]);
        write_escape(out, bytes[position]);
        position += 1;
        copied = position;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// How many bytes from the front need no escape.
fn clean_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        // The high bit of a byte of `x.wrapping_sub(ONES) & !x` is set where x is zero (and
        // possibly above it, never below the first one: the first is what counts).
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let marks = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let marks = marks & HIGHS;
        if marks != 0 {
            return index * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    let start = bytes.len() - rest.len();
    rest.iter()
        .position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')
        .map_or(bytes.len(), |position| start + position)
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// A number without quotes.
pub(crate) fn write_integer(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A decimal in quotes, with exactly `scale` digits after the point.
pub(crate) fn write_decimal(out: &mut Vec<u8>, scaled: i64, scale: u32) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(scaled.unsigned_abs()).as_bytes();
    write_pointed(out, scaled < 0, digits, scale);
}

/// The same of a number that may be wider than any column.
pub(crate) fn write_wide_decimal(out: &mut Vec<u8>, scaled: i128, scale: u32) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(scaled.unsigned_abs()).as_bytes();
    write_pointed(out, scaled < 0, digits, scale);
}

fn write_pointed(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: u32) {
    out.push(b'"');
    if negative {
        out.push(b'-');
    }
    let scale = scale as usize;
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
    out.push(b'"');
}

/// A UUID in quotes.
pub(crate) fn write_uuid(out: &mut Vec<u8>, id: uuid::Uuid) {
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    out.push(b'"');
    out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
}

/// An instant in quotes: RFC 3339 in UTC, the fraction only when there is one.
pub(crate) fn write_instant(out: &mut Vec<u8>, micros: i64) {
    out.push(b'"');
    write_clock(out, micros);
    out.extend_from_slice(b"Z\"");
}

/// An instant in quotes, as the clock shows it that many seconds east of Greenwich. RFC 3339 has
/// no seconds in an offset: where a zone had them, the instant is written in UTC.
pub(crate) fn write_moment(out: &mut Vec<u8>, micros: i64, offset: i64) {
    if offset == 0 || offset % 60 != 0 {
        return write_instant(out, micros);
    }
    out.push(b'"');
    write_clock(out, micros + offset * 1_000_000);
    out.push(if offset < 0 { b'-' } else { b'+' });
    let minutes = offset.abs() / 60;
    write_two(out, minutes / 60);
    out.push(b':');
    write_two(out, minutes % 60);
    out.push(b'"');
}

fn write_clock(out: &mut Vec<u8>, micros: i64) {
    const DAY: i64 = 86_400_000_000;
    let within = micros.rem_euclid(DAY);
    write_day(out, micros.div_euclid(DAY));
    out.push(b'T');
    let seconds = within / 1_000_000;
    write_two(out, seconds / 3600);
    out.push(b':');
    write_two(out, seconds / 60 % 60);
    out.push(b':');
    write_two(out, seconds % 60);
    let mut fraction = within % 1_000_000;
    if fraction != 0 {
        let mut digits = 6;
        while fraction % 10 == 0 {
            fraction /= 10;
            digits -= 1;
        }
        out.push(b'.');
        write_padded(out, fraction, digits);
    }
}

/// A time of day in quotes, given as microseconds since midnight.
pub(crate) fn write_time(out: &mut Vec<u8>, micros: i64) {
    write_string(out, &relata_catalog::format_time(micros));
}

/// A length of time in quotes, given as microseconds.
pub(crate) fn write_duration(out: &mut Vec<u8>, micros: i64) {
    write_string(out, &relata_catalog::format_duration(micros));
}

/// A day in quotes, given as days since 1970-01-01.
pub(crate) fn write_date(out: &mut Vec<u8>, day: i64) {
    out.push(b'"');
    write_day(out, day);
    out.push(b'"');
}

fn write_day(out: &mut Vec<u8>, day: i64) {
    let (year, month, day_of_month) = civil_of_day(day);
    if year < 0 {
        // ISO 8601's expanded years, as jiff reads and writes them.
        out.push(b'-');
        write_padded(out, -year, 6);
    } else {
        write_padded(out, year, 4);
    }
    out.push(b'-');
    write_two(out, month);
    out.push(b'-');
    write_two(out, day_of_month);
}

/// Days since 1970-01-01 to year, month and day: Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms".
pub(crate) fn civil_of_day(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_month)
}

/// The way back, from the same source: the first day of a month, as days since 1970-01-01.
pub(crate) fn first_of_month(year: i64, month: i64) -> i64 {
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_shifted + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn write_two(out: &mut Vec<u8>, number: i64) {
    debug_assert!((0..100).contains(&number));
    out.push(b'0' + (number / 10) as u8);
    out.push(b'0' + (number % 10) as u8);
}

/// A number that is not negative, with zeros in front up to a length.
pub(crate) fn write_padded(out: &mut Vec<u8>, number: i64, length: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    out.resize(out.len() + length.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(digits);
}

/// The text of a member's key with its quotes and colon.
pub(crate) fn key_text(key: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 3);
    write_string(&mut out, key);
    out.push(b':');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_does() {
        for character in ('\0'..='\u{ff}').chain(['王', '\u{2028}', '\u{fffd}', '😀']) {
            for length in [0, 3, 7, 8, 9, 17] {
                let text = format!("{}{character}{}", "x".repeat(length), "y".repeat(length));
                assert_eq!(
                    written(|out| write_string(out, &text)),
                    serde_json::to_string(&text).unwrap()
                );
            }
        }
    }

    #[test]
    fn decimals_have_their_scale() {
        for (scaled, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (1250, 2, "12.50"),
            (-123_456, 4, "-12.3456"),
            (999_999_999_999_999_999, 9, "999999999.999999999"),
            (i64::MIN, 0, "-9223372036854775808"),
        ] {
            assert_eq!(
                written(|out| write_decimal(out, scaled, scale)),
                format!("\"{text}\"")
            );
        }
    }

    #[test]
    fn instants_show_a_fraction_only_when_there_is_one() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_500_000, "1970-01-01T00:00:01.5Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_795_334_400_000_000, "2026-11-22T08:00:00Z"),
            (951_827_696_000_010, "2000-02-29T12:34:56.00001Z"),
        ] {
            assert_eq!(
                written(|out| write_instant(out, micros)),
                format!("\"{text}\"")
            );
        }
    }

    proptest! {
        #[test]
        fn texts_come_back(text in any::<String>()) {
            let written = written(|out| write_string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }

        #[test]
        fn instants_are_those_of_jiff(micros in -60_000_000_000_000_000i64..250_000_000_000_000_000) {
            let text = written(|out| write_instant(out, micros));
            let instant: jiff::Timestamp = text.trim_matches('"').parse().unwrap();
            prop_assert_eq!(instant.as_microsecond(), micros);
        }
    }

    #[test]
    fn moments_show_the_clock_and_its_offset() {
        for (micros, offset, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (0, 3_600, "1970-01-01T01:00:00+01:00"),
            (0, -12_600, "1969-12-31T20:30:00-03:30"),
            // Before there were zones: RFC 3339 has no such offset.
            (-2_500_000_000_000_000, 3_208, "1890-10-11T19:33:20Z"),
        ] {
            assert_eq!(
                written(|out| write_moment(out, micros, offset)),
                format!("\"{text}\"")
            );
        }
    }
}
