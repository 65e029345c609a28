//! Exact numbers: whole numbers of the last digit at a scale, at most 18 digits, in which nothing
//! fails. SQLite calls these very functions; on PostgreSQL, NUMERIC says the same.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::{DECIMAL_DIGITS_MAX, INTEGER_MAX};

/// All numbers are less: 10^18.
const BOUND: i128 = 10_i128.pow(DECIMAL_DIGITS_MAX);
/// Scales beyond these can't come of two values of at most 9 digits behind the point.
const SHIFT_MAX: u32 = 18;

fn power(digits: u32) -> i128 {
    10_i128.pow(digits.min(SHIFT_MAX))
}

fn bounded(units: i128) -> Option<i64> {
    (units.abs() < BOUND)
        .then(|| i64::try_from(units).ok())
        .flatten()
}

/// `dividend / divisor`, rounded half away from zero. The divisor is not 0.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    let quotient = (dividend.abs() * 2 + divisor.abs()) / (divisor.abs() * 2);
    if (dividend < 0) == (divisor < 0) {
        quotient
    } else {
        -quotient
    }
}

/// A decimal as units of a scale, if it has no digits behind it and is not too large.
#[must_use]
pub fn units_of(decimal: Decimal, scale: u32) -> Option<i64> {
    let decimal = decimal.normalize();
    let missing = scale.checked_sub(decimal.scale())?;
    decimal
        .mantissa()
        .checked_mul(power(missing))
        .and_then(bounded)
}

/// At another scale, rounded half away from zero.
#[must_use]
pub fn rescale(units: i64, from: u32, to: u32) -> Option<i64> {
    let units = i128::from(units);
    if to >= from {
        bounded(units * power(to - from))
    } else {
        bounded(rounded(units, power(from - to)))
    }
}

/// Without what is behind the point.
#[must_use]
pub fn truncate(units: i64, from: u32) -> Option<i64> {
    bounded(i128::from(units) / power(from))
}

/// Where many numbers are cut in two before they are added up, which no 64 bits may hold.
pub const HALF: i64 = 1_000_000_000;

/// What the sums of both halves are together: `high ·` [`HALF`] `+ low`.
#[must_use]
pub fn halves(high: i64, low: i64) -> Option<i64> {
    bounded(i128::from(high) * i128::from(HALF) + i128::from(low))
}

/// A whole number that a field can have: within ±(2^53 − 1).
#[must_use]
pub fn safe(number: i64) -> Option<i64> {
    (number.unsigned_abs() <= INTEGER_MAX.unsigned_abs()).then_some(number)
}

/// The sum at the greater scale.
#[must_use]
pub fn add(left: i64, left_scale: u32, right: i64, right_scale: u32) -> Option<i64> {
    let scale = left_scale.max(right_scale);
    bounded(
        i128::from(left) * power(scale - left_scale)
            + i128::from(right) * power(scale - right_scale),
    )
}

/// The product at `scale`, which is at most the sum of both scales.
#[must_use]
pub fn multiply(left: i64, right: i64, scales: u32, scale: u32) -> Option<i64> {
    let product = i128::from(left) * i128::from(right);
    bounded(rounded(product, power(scales - scale)))
}

/// The quotient at `scale`. Nothing where the divisor is 0.
#[must_use]
pub fn divide(
    dividend: i64,
    dividend_scale: u32,
    divisor: i64,
    divisor_scale: u32,
    scale: u32,
) -> Option<i64> {
    if divisor == 0 {
        return None;
    }
    // At most 10^18 · 10^9 · 10^9, below 2^127.
    let dividend = i128::from(dividend) * power(scale + divisor_scale - dividend_scale.min(scale));
    let divisor = i128::from(divisor) * power(dividend_scale - dividend_scale.min(scale));
    bounded(rounded(dividend, divisor))
}

/// The whole quotient, towards zero.
#[must_use]
pub fn quotient(dividend: i64, divisor: i64) -> Option<i64> {
    dividend.checked_div(divisor)
}

/// What [`quotient`] leaves.
#[must_use]
pub fn remainder(dividend: i64, divisor: i64) -> Option<i64> {
    dividend.checked_rem(divisor)
}

/// By value.
#[must_use]
pub fn compare(left: i64, left_scale: u32, right: i64, right_scale: u32) -> Ordering {
    let scale = left_scale.max(right_scale);
    (i128::from(left) * power(scale - left_scale))
        .cmp(&(i128::from(right) * power(scale - right_scale)))
}

/// In digits, with all those behind the point.
#[must_use]
pub fn text_of(units: i64, scale: u32) -> String {
    Decimal::new(units, scale).to_string()
}
