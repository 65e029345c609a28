//! PostgreSQL's binary format, read by hand: what both drivers hand over as bytes.
//!
//! Source: the `…send` functions of PostgreSQL's `src/backend/utils/adt`.

use uuid::Uuid;

use super::super::bind::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS};
use super::super::json::write_string;
use super::super::rows::unexpected;
use crate::StoreError;

/// A column's bytes, or none when it is empty.
type Bytes<'r> = Option<&'r [u8]>;

pub(crate) fn text(position: usize, bytes: Bytes<'_>) -> Result<Option<&str>, StoreError> {
    bytes
        .map(|bytes| std::str::from_utf8(bytes).map_err(|_| unexpected(position, "text")))
        .transpose()
}

pub(crate) fn integer(position: usize, bytes: Bytes<'_>) -> Result<Option<i64>, StoreError> {
    fixed(position, bytes, "an integer").map(|number| number.map(i64::from_be_bytes))
}

pub(crate) fn boolean(position: usize, bytes: Bytes<'_>) -> Result<Option<bool>, StoreError> {
    fixed::<1>(position, bytes, "a boolean").map(|byte| byte.map(|[byte]| byte != 0))
}

pub(crate) fn uuid(position: usize, bytes: Bytes<'_>) -> Result<Option<Uuid>, StoreError> {
    fixed(position, bytes, "a UUID").map(|id| id.map(Uuid::from_bytes))
}

pub(crate) fn day(position: usize, bytes: Bytes<'_>) -> Result<Option<i64>, StoreError> {
    fixed(position, bytes, "a date")
        .map(|day| day.map(|day| i64::from(i32::from_be_bytes(day)) + POSTGRES_EPOCH_DAYS))
}

pub(crate) fn instant(position: usize, bytes: Bytes<'_>) -> Result<Option<i64>, StoreError> {
    Ok(integer(position, bytes)?.map(|micros| micros.saturating_add(POSTGRES_EPOCH_MICROS)))
}

fn fixed<const LENGTH: usize>(
    position: usize,
    bytes: Bytes<'_>,
    expected: &str,
) -> Result<Option<[u8; LENGTH]>, StoreError> {
    bytes
        .map(|bytes| <[u8; LENGTH]>::try_from(bytes).map_err(|_| unexpected(position, expected)))
        .transpose()
}

/// NUMERIC: number of digits, weight of the first, sign, scale shown, and the digits in base
/// 10,000.
pub(crate) fn decimal(
    position: usize,
    bytes: Bytes<'_>,
    scale: u32,
) -> Result<Option<i64>, StoreError> {
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    scaled(bytes, scale)
        .map(Some)
        .ok_or_else(|| unexpected(position, "a decimal of at most 18 digits"))
}

fn scaled(bytes: &[u8], scale: u32) -> Option<i64> {
    let (head, digits) = bytes.split_first_chunk::<8>()?;
    let word = |index: usize| u16::from_be_bytes([head[2 * index], head[2 * index + 1]]);
    let weight = i32::from(word(1) as i16);
    let negative = match word(2) {
        0x0000 => false,
        0x4000 => true,
        _ => return None, // NaN and the infinities
    };
    let (digits, rest) = digits.as_chunks::<2>();
    if digits.len() != usize::from(word(0)) || !rest.is_empty() {
        return None;
    }
    let mut sum: i128 = 0;
    for (index, digit) in digits.iter().enumerate() {
        let digit = i128::from(u16::from_be_bytes(*digit));
        let exponent = 4 * (weight - index as i32) + scale as i32;
        let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
        sum = sum.checked_add(if exponent >= 0 {
            digit.checked_mul(power)?
        } else {
            digit / power
        })?;
    }
    i64::try_from(if negative { -sum } else { sum }).ok()
}

/// A one-dimensional `text[]`, as JSON; false when it is empty (null).
pub(crate) fn write_list(
    position: usize,
    bytes: Bytes<'_>,
    out: &mut Vec<u8>,
) -> Result<bool, StoreError> {
    let Some(bytes) = bytes else {
        return Ok(false);
    };
    let start = out.len();
    if elements(bytes, out).is_none() {
        out.truncate(start);
        return Err(unexpected(position, "a list of texts"));
    }
    Ok(true)
}

fn elements(mut rest: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let dimensions = take_integer(&mut rest)?;
    let _has_nulls = take_integer(&mut rest)?;
    let _element_type = take_integer(&mut rest)?;
    out.push(b'[');
    if dimensions == 1 {
        let count = take_integer(&mut rest)?;
        let _lower_bound = take_integer(&mut rest)?;
        for index in 0..count {
            if index > 0 {
                out.push(b',');
            }
            let length = take_integer(&mut rest)?;
            // A missing element has the length −1.
            let Ok(length) = usize::try_from(length) else {
                out.extend_from_slice(b"null");
                continue;
            };
            let (text, tail) = rest.split_at_checked(length)?;
            rest = tail;
            write_string(out, std::str::from_utf8(text).ok()?);
        }
    } else if dimensions != 0 {
        return None;
    }
    out.push(b']');
    rest.is_empty().then_some(())
}

fn take_integer(rest: &mut &[u8]) -> Option<i32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(i32::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use tokio_postgres::types::{ToSql, Type};

    use super::*;

    proptest! {
        #[test]
        fn decimals_come_back(
            number in -999_999_999_999_999_999i64..=999_999_999_999_999_999,
            scale in 0u32..=9,
        ) {
            let mut sent = bytes::BytesMut::new();
            Decimal::new(number, scale).to_sql(&Type::NUMERIC, &mut sent).unwrap();
            prop_assert_eq!(scaled(&sent, scale), Some(number));
        }

        #[test]
        fn lists_come_back(texts in proptest::collection::vec(any::<String>(), 0..5)) {
            let mut sent = bytes::BytesMut::new();
            texts.to_sql(&Type::TEXT_ARRAY, &mut sent).unwrap();
            let mut out = Vec::new();
            prop_assert!(write_list(0, Some(&sent), &mut out).unwrap());
            prop_assert_eq!(out, serde_json::to_vec(&texts).unwrap());
        }

        #[test]
        fn damage_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut out = Vec::new();
            let _ = write_list(0, Some(&bytes), &mut out);
            let _ = scaled(&bytes, 2);
            let _ = integer(0, Some(&bytes));
        }
    }
}
