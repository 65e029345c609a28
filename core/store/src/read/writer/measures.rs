//! Sums, means and medians of one row, in 128 bits and without a float.

use super::super::Measure;
use super::super::json::{write_duration, write_integer, write_string, write_wide_decimal};
use super::super::program::{AmountOp, AmountsProgram, Cell, Halves};
use super::super::rows::{Row, unexpected};
use crate::StoreError;

/// What a half of a sum counts.
const CUT: i128 = 1_000_000_000;

/// Where JavaScript stops counting.
const SAFE_MAX: i128 = relata_catalog::INTEGER_MAX as i128;

fn sum<R: Row>(row: &R, halves: Halves) -> Result<Option<i128>, StoreError> {
    Ok(joined(row.integer(halves.high)?, row.integer(halves.low)?))
}

fn joined(high: Option<i64>, low: Option<i64>) -> Option<i128> {
    Some(i128::from(high?) * CUT + i128::from(low?))
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

pub(super) fn write_sum_integer<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    halves: Halves,
) -> Result<(), StoreError> {
    write_sum_by(write_integer, out, row, halves)
}

pub(super) fn write_sum_duration<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    halves: Halves,
) -> Result<(), StoreError> {
    write_sum_by(write_duration, out, row, halves)
}

fn write_sum_by<R: Row>(
    write: fn(&mut Vec<u8>, i64),
    out: &mut Vec<u8>,
    row: &R,
    halves: Halves,
) -> Result<(), StoreError> {
    match sum(row, halves)? {
        None => null(out),
        Some(sum) if (-SAFE_MAX..=SAFE_MAX).contains(&sum) => write(out, sum as i64),
        Some(_) => return Err(StoreError::SumTooLarge),
    }
    Ok(())
}

pub(super) fn write_mean_duration<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    halves: Halves,
    count: usize,
) -> Result<(), StoreError> {
    match (sum(row, halves)?, row.integer(count)?) {
        // Between the least and the greatest of 64 bits.
        (Some(sum), Some(count)) if count > 0 => {
            write_duration(out, rounded(sum, count.into()) as i64);
        }
        _ => null(out),
    }
    Ok(())
}

pub(super) fn write_sum_decimal<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    halves: Halves,
    scale: u32,
) -> Result<(), StoreError> {
    match sum(row, halves)? {
        None => null(out),
        Some(sum) => write_wide_decimal(out, sum, scale),
    }
    Ok(())
}

pub(super) fn write_mean<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    halves: Halves,
    count: usize,
    scale: u32,
    digits: u32,
) -> Result<(), StoreError> {
    match (sum(row, halves)?, row.integer(count)?) {
        (Some(sum), Some(count)) if count > 0 => {
            write_quotient(out, sum, count.into(), scale, digits)
        }
        _ => {
            null(out);
            Ok(())
        }
    }
}

pub(super) fn write_median<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    middle: [usize; 2],
    cell: &Cell,
    digits: u32,
) -> Result<(), StoreError> {
    let scale = match cell {
        Cell::Decimal(scale) => *scale,
        _ => 0,
    };
    let number = |position: usize| match cell {
        Cell::Decimal(scale) => row.decimal(position, *scale),
        _ => row.integer(position),
    };
    match (number(middle[0])?, number(middle[1])?) {
        (Some(lower), Some(upper)) => {
            let sum = i128::from(lower) + i128::from(upper);
            if *cell == Cell::Duration {
                // Between two of 64 bits.
                write_duration(out, rounded(sum, 2) as i64);
                return Ok(());
            }
            write_quotient(out, sum, 2, scale, digits)
        }
        _ => {
            null(out);
            Ok(())
        }
    }
}

/// A quotient of a scaled number, with `digits` behind the point, of which there are at least
/// `scale`.
fn write_quotient(
    out: &mut Vec<u8>,
    dividend: i128,
    divisor: i128,
    scale: u32,
    digits: u32,
) -> Result<(), StoreError> {
    let quotient = 10_i128
        .checked_pow(digits - scale)
        .and_then(|power| dividend.checked_mul(power))
        .map(|dividend| rounded(dividend, divisor))
        .ok_or(StoreError::SumTooLarge)?;
    write_wide_decimal(out, quotient, digits);
    Ok(())
}

/// Divided, and rounded half away from zero. The divisor is positive.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    let quotient = dividend / divisor;
    let rest = (dividend % divisor).abs();
    if rest >= divisor - rest {
        quotient + dividend.signum()
    } else {
        quotient
    }
}

/// A currency's line of [`AmountsProgram`]'s JSON.
type Line = (
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

pub(super) fn write_amounts<R: Row>(
    out: &mut Vec<u8>,
    row: &R,
    program: &AmountsProgram,
) -> Result<(), StoreError> {
    let mut lines: Vec<Line> = match row.text(program.column)? {
        Some(text) => serde_json::from_str(text)
            .map_err(|_| unexpected(program.column, "a list of amounts"))?,
        None => Vec::new(),
    };
    lines.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    out.push(b'[');
    for (index, (currency, count, high, low, least, greatest, lower, upper)) in
        lines.into_iter().enumerate()
    {
        if index > 0 {
            out.push(b',');
        }
        let sum = joined(high, low);
        let amount = match program.measure {
            Measure::Sum => sum,
            Measure::Mean => sum.map(|sum| rounded(sum, i128::from(count.max(1)))),
            Measure::Least => least.map(i128::from),
            Measure::Greatest => greatest.map(i128::from),
            Measure::Median => lower
                .zip(upper)
                .map(|(lower, upper)| rounded(i128::from(lower) + i128::from(upper), 2)),
            _ => None,
        }
        .ok_or_else(|| unexpected(program.column, "filled"))?;
        for op in &program.members {
            match op {
                AmountOp::Raw(raw) => out.extend_from_slice(raw),
                AmountOp::Amount => write_wide_decimal(out, amount, program.scale),
                AmountOp::Currency => write_string(out, &currency),
            }
        }
    }
    out.push(b']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (dividend, divisor, expected) in [
            (5, 2, 3),
            (-5, 2, -3),
            (4, 3, 1),
            (5, 3, 2),
            (-4, 3, -1),
            (0, 7, 0),
            (i128::from(i64::MAX) * 2, 2, i128::from(i64::MAX)),
        ] {
            assert_eq!(rounded(dividend, divisor), expected, "{dividend}/{divisor}");
        }
    }
}
