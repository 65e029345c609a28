//! Numbers: exact, never through a float, and only as many digits as both databases keep.

use rust_decimal::Decimal;
use serde_json::{Number, Value as Json};

use crate::reading::wrong_type;
use crate::{DECIMAL_DIGITS_MAX, INTEGER_MAX, Issue, Issues};

/// Longest text that can be a number worth reading; 18 digits with generous zeros.
const NUMBER_BYTES_MAX: usize = 64;

/// Significant digits that survive a binary double. A JSON number with a fraction and more digits
/// has probably been through one on its way here.
const FLOAT_DIGITS_MAX: usize = 15;

/// A whole number within ±(2^53 − 1). `5.0` and `5e0` are whole.
pub(super) fn integer(input: &Json) -> Result<i64, Issues> {
    let Json::Number(number) = input else {
        return Err(wrong_type("a whole number", input));
    };
    integer_of(number)
}

fn integer_of(number: &Number) -> Result<i64, Issues> {
    let out_of_range = || {
        Issue::new(
            "OUT_OF_RANGE",
            format!("expected a whole number between -{INTEGER_MAX} and {INTEGER_MAX}"),
        )
        .with("min", -INTEGER_MAX)
        .with("max", INTEGER_MAX)
    };
    let whole = match number.as_i64() {
        Some(whole) => whole,
        None => {
            let decimal =
                parse(&number.to_string(), Exponent::Allowed).map_err(|problem| match problem {
                    Problem::TooLong => out_of_range(),
                    Problem::Malformed => not_a_number(),
                })?;
            if !decimal.fract().is_zero() {
                return Err(Issue::new(
                    "NOT_WHOLE",
                    "expected a whole number, without digits after the point",
                )
                .into());
            }
            i64::try_from(decimal).map_err(|_| out_of_range())?
        }
    };
    if whole.unsigned_abs() > INTEGER_MAX.unsigned_abs() {
        return Err(out_of_range().into());
    }
    Ok(whole)
}

/// A decimal at the given scale, from text (`"12.50"`) or from a JSON number that is certainly
/// exact.
pub(super) fn decimal(input: &Json, scale: u32) -> Result<Decimal, Issues> {
    let decimal = read(input, || too_many_digits(scale))?;
    at_scale(decimal, scale)
}

/// A decimal of any scale, for the parameters of fields.
pub(crate) fn exact(input: &Json) -> Result<Decimal, Issues> {
    read(input, || {
        Issue::new("TOO_MANY_DIGITS", "expected at most 28 digits")
    })
}

/// A decimal that is going to be rounded: of a number that has been a float on its way too.
pub(super) fn rounded(input: &Json) -> Result<Decimal, Issues> {
    match input {
        Json::Number(number) => {
            parse(&number.to_string(), Exponent::Allowed).map_err(|_| not_a_number().into())
        }
        other => exact(other),
    }
}

fn read(input: &Json, too_long: impl Fn() -> Issue) -> Result<Decimal, Issues> {
    let parsed = match input {
        Json::String(text) => parse(text.trim(), Exponent::Refused),
        Json::Number(number) => {
            let text = number.to_string();
            let is_whole = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-');
            if !is_whole && significant_digits(&text) > FLOAT_DIGITS_MAX {
                return Err(Issue::new(
                    "INEXACT_NUMBER",
                    "a number with this many digits may have lost some on its way; \
                     send it as a string, such as \"12.50\"",
                )
                .into());
            }
            parse(&text, Exponent::Allowed)
        }
        _ => {
            return Err(wrong_type(
                "a decimal number as a string, such as \"12.50\"",
                input,
            ));
        }
    };
    parsed.map_err(|problem| {
        match problem {
            Problem::TooLong => too_long(),
            Problem::Malformed => not_a_number(),
        }
        .into()
    })
}

/// The number at exactly this scale; nothing is rounded away.
pub(super) fn at_scale(decimal: Decimal, scale: u32) -> Result<Decimal, Issues> {
    if decimal.is_zero() {
        // Also drops the sign of a negative zero.
        return Ok(Decimal::new(0, scale));
    }
    let mut number = decimal.normalize();
    if number.scale() > scale {
        let message = if scale == 0 {
            "expected no digits after the point".to_owned()
        } else {
            format!("expected at most {scale} digits after the point")
        };
        return Err(Issue::new("TOO_PRECISE", message)
            .with("scale", scale)
            .into());
    }
    let bound = Decimal::from(10_i64.pow(DECIMAL_DIGITS_MAX.saturating_sub(scale)));
    if number.abs() >= bound {
        return Err(too_many_digits(scale).into());
    }
    number.rescale(scale);
    Ok(number)
}

pub(super) fn not_a_number() -> Issue {
    Issue::new("NOT_A_NUMBER", "expected a number such as \"12.50\"")
}

fn too_many_digits(scale: u32) -> Issue {
    let before = DECIMAL_DIGITS_MAX - scale.min(DECIMAL_DIGITS_MAX);
    Issue::new(
        "TOO_MANY_DIGITS",
        format!("expected at most {before} digits before the point"),
    )
    .with("digits", before)
}

fn significant_digits(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .skip_while(|digit| *digit == b'0')
        .count()
}

enum Problem {
    Malformed,
    TooLong,
}

enum Exponent {
    Allowed,
    Refused,
}

/// Digits, with a sign, a point and (of JSON numbers) an exponent. By hand, because the texts are
/// hostile: 400 digits, `1e999999999`, `NaN` must cost nothing and never panic.
fn parse(text: &str, exponent: Exponent) -> Result<Decimal, Problem> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, power) = match (unsigned.split_once(['e', 'E']), exponent) {
        (None, _) => (unsigned, 0_i32),
        (Some(_), Exponent::Refused) => return Err(Problem::Malformed),
        (Some((mantissa, power)), Exponent::Allowed) => {
            // An exponent that does not fit can only be out of range.
            (mantissa, power.parse().map_err(|_| Problem::TooLong)?)
        }
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(Problem::Malformed),
        None => (mantissa, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(Problem::Malformed);
    }
    if whole.len() + fraction.len() > NUMBER_BYTES_MAX {
        return Err(Problem::TooLong);
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(Decimal::ZERO);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    // value = significant × 10^place
    let place = i64::from(power) + trailing as i64 - fraction.len() as i64;
    let mantissa: i128 = match significant.parse() {
        Ok(mantissa) if significant.len() <= 28 => mantissa,
        _ => return Err(Problem::TooLong),
    };
    let signed = if negative { -mantissa } else { mantissa };
    if place >= 0 {
        if place as usize + significant.len() > 28 || place > 28 {
            return Err(Problem::TooLong);
        }
        let factor = 10_i128.pow(u32::try_from(place).map_err(|_| Problem::TooLong)?);
        Decimal::try_from_i128_with_scale(signed * factor, 0).map_err(|_| Problem::TooLong)
    } else {
        let scale = u32::try_from(-place).map_err(|_| Problem::TooLong)?;
        Decimal::try_from_i128_with_scale(signed, scale).map_err(|_| Problem::TooLong)
    }
}
