//! Cursors: the order values of a record and its id, as opaque text.
//!
//! `base64url(values ++ code)`: for each term of the order a byte for "empty" or "filled" and the
//! value, and SipHash-2-4 of that under the workspace's key and the order's fingerprint. So a
//! cursor of another order, of another workspace, or an edited one is told from a good one before
//! it is looked at. It is no secret: who has it may read what it was made from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use relata_catalog::ColumnType;
use siphasher::sip::SipHasher24;
use std::hash::Hasher;
use uuid::Uuid;

use super::bind::{Bind, POSTGRES_EPOCH_DAYS};
use super::rows::Row;
use crate::{Backend, StoreError};

const CODE_BYTES: usize = 8;

/// Longest cursor that is looked at: more than a request of ordinary size can carry.
const CURSOR_BYTES_MAX: usize = 1 << 20;

/// What cursors are signed with. The same in all processes on one database.
#[derive(Clone, Copy)]
pub struct CursorKey([u8; 16]);

impl CursorKey {
    /// From 16 bytes that nobody else knows.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CursorKey")
    }
}

fn code(key: &CursorKey, fingerprint: u64, payload: &[u8]) -> [u8; CODE_BYTES] {
    let mut hasher = SipHasher24::new_with_key(&key.0);
    hasher.write_u64(fingerprint);
    hasher.write(payload);
    hasher.finish().to_le_bytes()
}

/// The fingerprint of an order, from a text that describes it.
pub(crate) fn fingerprint(description: &str) -> u64 {
    let mut hasher = SipHasher24::new_with_key(&[0; 16]);
    hasher.write(description.as_bytes());
    hasher.finish()
}

/// A column that an order looks at: its position in the rows, and its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CursorColumn {
    pub(crate) position: usize,
    pub(crate) column: ColumnType,
}

/// Writes the cursor of a row, in quotes.
pub(crate) fn write_cursor<R: Row>(
    out: &mut Vec<u8>,
    key: &CursorKey,
    fingerprint: u64,
    columns: &[CursorColumn],
    row: &R,
) -> Result<(), StoreError> {
    let mut bytes = Vec::with_capacity(64);
    for column in columns {
        write_value(&mut bytes, row, *column)?;
    }
    let code = code(key, fingerprint, &bytes);
    bytes.extend_from_slice(&code);
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = URL_SAFE_NO_PAD
        .encode_slice(&bytes, &mut out[start..])
        .expect("the buffer has room for four characters for each three bytes");
    out.truncate(start + written);
    out.push(b'"');
    Ok(())
}

fn write_value<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    CursorColumn { position, column }: CursorColumn,
) -> Result<(), StoreError> {
    let number = match column {
        ColumnType::Text | ColumnType::Folded | ColumnType::TextList | ColumnType::Json => {
            if let Some(text) = row.text(position)? {
                out.push(1);
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            } else {
                out.push(0);
            }
            return Ok(());
        }
        ColumnType::Reference => {
            if let Some(id) = row.uuid(position)? {
                out.push(1);
                out.extend_from_slice(id.as_bytes());
            } else {
                out.push(0);
            }
            return Ok(());
        }
        ColumnType::Integer | ColumnType::Time | ColumnType::Duration => row.integer(position)?,
        ColumnType::Decimal(scale) => row.decimal(position, scale)?,
        ColumnType::Boolean => row.boolean(position)?.map(i64::from),
        ColumnType::Date => row.day(position)?,
        ColumnType::DateTime => row.instant(position)?,
    };
    match number {
        Some(number) => {
            out.push(1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        None => out.push(0),
    }
    Ok(())
}

/// The values that a cursor holds, in the order of the columns.
pub(crate) fn read_cursor(
    backend: Backend,
    key: &CursorKey,
    fingerprint: u64,
    columns: &[ColumnType],
    text: &str,
) -> Result<Vec<Bind>, StoreError> {
    if text.len() > CURSOR_BYTES_MAX {
        return Err(StoreError::BadCursor);
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| StoreError::BadCursor)?;
    let (payload, signed) = bytes
        .split_last_chunk::<CODE_BYTES>()
        .ok_or(StoreError::BadCursor)?;
    if code(key, fingerprint, payload) != *signed {
        return Err(StoreError::BadCursor);
    }
    let mut rest = payload;
    let values = columns
        .iter()
        .map(|column| read_value(backend, *column, &mut rest))
        .collect::<Option<Vec<_>>>();
    match values {
        Some(values) if rest.is_empty() => Ok(values),
        _ => Err(StoreError::BadCursor),
    }
}

fn read_value(backend: Backend, column: ColumnType, rest: &mut &[u8]) -> Option<Bind> {
    let (filled, tail) = rest.split_first()?;
    *rest = tail;
    if *filled == 0 {
        return Some(Bind::Null(column));
    }
    let sqlite = backend == Backend::Sqlite;
    Some(match column {
        ColumnType::Text | ColumnType::Folded | ColumnType::TextList | ColumnType::Json => {
            let length = u32::from_le_bytes(take(rest)?) as usize;
            let (text, tail) = rest.split_at_checked(length)?;
            *rest = tail;
            Bind::Text(std::str::from_utf8(text).ok()?.to_owned())
        }
        ColumnType::Reference => Bind::Uuid(Uuid::from_bytes(take(rest)?)),
        ColumnType::Integer | ColumnType::Time | ColumnType::Duration => {
            Bind::Integer(number(rest)?)
        }
        ColumnType::Decimal(_) if sqlite => Bind::Integer(number(rest)?),
        ColumnType::Decimal(scale) => {
            Bind::Decimal(rust_decimal::Decimal::try_new(number(rest)?, scale).ok()?)
        }
        ColumnType::Boolean if sqlite => Bind::Integer(number(rest)?),
        ColumnType::Boolean => Bind::Boolean(number(rest)? != 0),
        ColumnType::Date => {
            let date = date_of_day(number(rest)?)?;
            if sqlite {
                Bind::Text(date.to_string())
            } else {
                Bind::Date(date)
            }
        }
        ColumnType::DateTime if sqlite => Bind::Integer(number(rest)?),
        ColumnType::DateTime => Bind::Instant(number(rest)?),
    })
}

fn take<const LENGTH: usize>(rest: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (chunk, tail) = rest.split_first_chunk::<LENGTH>()?;
    *rest = tail;
    Some(*chunk)
}

fn number(rest: &mut &[u8]) -> Option<i64> {
    take(rest).map(i64::from_le_bytes)
}

/// The date that many days after 1970-01-01.
pub(crate) fn date_of_day(day: i64) -> Option<jiff::civil::Date> {
    let days = i32::try_from(day.checked_sub(POSTGRES_EPOCH_DAYS)?).ok()?;
    jiff::civil::Date::constant(2000, 1, 1)
        .checked_add(jiff::Span::new().try_days(days).ok()?)
        .ok()
}

/// Days from 1970-01-01 to the date.
pub(crate) fn day_of_date(date: jiff::civil::Date) -> Option<i64> {
    jiff::civil::Date::constant(1970, 1, 1)
        .until(date)
        .ok()
        .map(|span| i64::from(span.get_days()))
}

/// What holds of any cursor, for the fuzz target and the property below. The first bytes choose
/// an order; the others are a text that comes as a cursor, and a payload that is signed.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_any(bytes: &[u8]) {
    const COLUMNS: [ColumnType; 14] = [
        ColumnType::Text,
        ColumnType::Folded,
        ColumnType::Integer,
        ColumnType::Decimal(0),
        ColumnType::Decimal(4),
        ColumnType::Decimal(18),
        ColumnType::Boolean,
        ColumnType::Date,
        ColumnType::DateTime,
        ColumnType::Time,
        ColumnType::Duration,
        ColumnType::Json,
        ColumnType::TextList,
        ColumnType::Reference,
    ];
    let Some((head, rest)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let [width, place, change] = head.map(usize::from);
    let Some((columns, payload)) = rest.split_at_checked(width % 5) else {
        return;
    };
    let columns: Vec<ColumnType> = columns
        .iter()
        .map(|column| COLUMNS[usize::from(*column) % COLUMNS.len()])
        .collect();
    let [key, other_key] = [7, 8].map(|byte| CursorKey::new([byte; 16]));
    let order = fingerprint("name ASC");
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let read =
            |key: &CursorKey, order, text: &str| read_cursor(backend, key, order, &columns, text);
        // Nobody else can have signed it.
        let given = String::from_utf8_lossy(payload);
        assert!(read(&key, order, &given).is_err(), "{given}");
        let mut signed = payload.to_vec();
        signed.extend_from_slice(&code(&key, order, payload));
        let text = URL_SAFE_NO_PAD.encode(&signed);
        match read(&key, order, &text) {
            Ok(values) => assert_eq!(values.len(), columns.len()),
            Err(error) => assert!(matches!(error, StoreError::BadCursor), "{error}"),
        }
        assert!(read(&other_key, order, &text).is_err());
        assert!(read(&key, fingerprint("name DESC"), &text).is_err());
        let mut changed = signed.clone();
        let place = place % changed.len();
        changed[place] ^= (change as u8).max(1);
        assert!(read(&key, order, &URL_SAFE_NO_PAD.encode(&changed)).is_err());
        assert!(read(&key, order, &text[..text.len() - 1]).is_err());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Such a number stands in no cursor of ours, but a column may have become one of days.
    #[test]
    fn days_beyond_all_calendars_are_refused() {
        for day in [i64::MIN, i64::MIN + 1, i64::MAX, -5_000_000, 3_000_000] {
            assert_eq!(date_of_day(day), None, "{day}");
        }
        let mut bytes = vec![1, 0, 1, 7, 1];
        bytes.extend_from_slice(&i64::MIN.to_le_bytes());
        check_any(&bytes);
    }

    proptest! {
        #[test]
        fn only_what_was_signed_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            check_any(&bytes);
        }
    }
}
