//! Exact decimal numbers, small enough for a component of a few kilobytes.
//!
//! A number is an integer of at most 38 digits and a scale of at most 18. The platform's fields
//! hold 18 digits, so the product of any two of them, and the sum of any number of them that a
//! hook can read, is exact here. What does not fit is `None` from the `checked_` functions and a
//! failure of the plugin from the operators: a wrong figure is never the answer.

use std::{cmp::Ordering, fmt, ops, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Most digits after the point.
pub const SCALE_MAX: u32 = 18;

/// An exact decimal number. `1.5` and `1.50` are equal, and each prints as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decimal {
    /// The number × 10^scale.
    units: i128,
    scale: u32,
}

/// What to do with digits that don't fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest; half goes away from zero, as on invoices.
    HalfUp,
    /// To the nearest; half goes to the even neighbour, as in banking.
    HalfEven,
    /// Towards zero: cuts the digits off.
    Down,
}

/// The text is not a decimal number, or has too many digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADecimal;

impl fmt::Display for NotADecimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a decimal number of at most 38 digits, 18 of them after the point")
    }
}

impl std::error::Error for NotADecimal {}

impl Decimal {
    /// 0
    pub const ZERO: Self = Self { units: 0, scale: 0 };
    /// 1
    pub const ONE: Self = Self { units: 1, scale: 0 };

    /// `units` × 10^−`scale`, or `None` for a scale over 18.
    #[must_use]
    pub const fn new(units: i128, scale: u32) -> Option<Self> {
        if scale > SCALE_MAX {
            None
        } else {
            Some(Self { units, scale })
        }
    }

    /// Digits after the point.
    #[must_use]
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// Whether it is 0.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.units == 0
    }

    /// Whether it is less than 0.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.units < 0
    }

    /// Without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self {
            units: self.units.abs(),
            scale: self.scale,
        }
    }

    /// The whole number, if it is one and fits.
    #[must_use]
    pub fn to_i64(self) -> Option<i64> {
        let divisor = power_of_ten(self.scale);
        if self.units % divisor == 0 {
            i64::try_from(self.units / divisor).ok()
        } else {
            None
        }
    }

    /// Exactly the sum, or `None` where it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let units = self.units_at(scale)?.checked_add(other.units_at(scale)?)?;
        Some(Self { units, scale })
    }

    /// Exactly the difference, or `None` where it does not fit.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let units = self.units_at(scale)?.checked_sub(other.units_at(scale)?)?;
        Some(Self { units, scale })
    }

    /// Exactly the product, or `None` where it does not fit.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = Self {
            units: self.units.checked_mul(other.units)?,
            scale: self.scale + other.scale,
        };
        if product.scale <= SCALE_MAX {
            return Some(product);
        }
        // Zeros at the end carry nothing; other digits do.
        let surplus = power_of_ten(product.scale - SCALE_MAX);
        (product.units % surplus == 0).then(|| Self {
            units: product.units / surplus,
            scale: SCALE_MAX,
        })
    }

    /// The quotient at a scale of at most 18, or `None` when the divisor is 0 or the quotient does
    /// not fit.
    #[must_use]
    pub fn checked_div(self, divisor: Self, scale: u32, rounding: Rounding) -> Option<Self> {
        if divisor.units == 0 || scale > SCALE_MAX {
            return None;
        }
        let exponent = scale + divisor.scale;
        let (numerator, denominator) = if exponent >= self.scale {
            let factor = checked_power_of_ten(exponent - self.scale)?;
            (self.units.checked_mul(factor)?, divisor.units)
        } else {
            let factor = checked_power_of_ten(self.scale - exponent)?;
            (self.units, divisor.units.checked_mul(factor)?)
        };
        Some(Self {
            units: divide(numerator, denominator, rounding),
            scale,
        })
    }

    /// At exactly this many digits after the point (at most 18): rounded, or filled with zeros.
    #[must_use]
    pub fn round(self, scale: u32, rounding: Rounding) -> Self {
        let scale = scale.min(SCALE_MAX);
        if scale >= self.scale {
            // Zeros that would not fit are not written; the number is the same.
            return self
                .units_at(scale)
                .map_or(self, |units| Self { units, scale });
        }
        Self {
            units: divide(self.units, power_of_ten(self.scale - scale), rounding),
            scale,
        }
    }

    fn units_at(self, scale: u32) -> Option<i128> {
        self.units
            .checked_mul(checked_power_of_ten(scale - self.scale)?)
    }
}

/// 10^exponent, for an exponent of at most 38.
fn power_of_ten(exponent: u32) -> i128 {
    10_i128.pow(exponent)
}

fn checked_power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    let quotient = numerator / denominator;
    let remainder = (numerator % denominator).unsigned_abs();
    if remainder == 0 {
        return quotient;
    }
    // remainder < |denominator|, so the comparison can't overflow.
    let against_half = remainder.cmp(&(denominator.unsigned_abs() - remainder));
    let away = match rounding {
        Rounding::Down => false,
        Rounding::HalfUp => against_half != Ordering::Less,
        Rounding::HalfEven => {
            against_half == Ordering::Greater
                || (against_half == Ordering::Equal && quotient % 2 != 0)
        }
    };
    if !away {
        quotient
    } else if (numerator < 0) == (denominator < 0) {
        quotient + 1
    } else {
        quotient - 1
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Whole parts first: bringing both to one scale might not fit.
        let whole = |decimal: &Self| decimal.units.div_euclid(power_of_ten(decimal.scale));
        let fraction = |decimal: &Self| {
            decimal.units.rem_euclid(power_of_ten(decimal.scale))
                * power_of_ten(SCALE_MAX - decimal.scale)
        };
        whole(self)
            .cmp(&whole(other))
            .then_with(|| fraction(self).cmp(&fraction(other)))
    }
}

impl std::hash::Hash for Decimal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Equal numbers of different scales hash alike.
        let mut reduced = *self;
        while reduced.scale > 0 && reduced.units % 10 == 0 {
            reduced.units /= 10;
            reduced.scale -= 1;
        }
        (reduced.units, reduced.scale).hash(state);
    }
}

impl From<i64> for Decimal {
    fn from(integer: i64) -> Self {
        Self {
            units: integer.into(),
            scale: 0,
        }
    }
}

impl From<i32> for Decimal {
    fn from(integer: i32) -> Self {
        Self::from(i64::from(integer))
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let mut units: i128 = 0;
        let mut scale = None;
        let mut any = false;
        for byte in digits {
            match byte {
                b'0'..=b'9' => {
                    units = units
                        .checked_mul(10)
                        .and_then(|units| units.checked_add(i128::from(byte - b'0')))
                        .ok_or(NotADecimal)?;
                    scale = scale.map(|scale: u32| scale + 1);
                    any = true;
                }
                b'.' if scale.is_none() => scale = Some(0),
                _ => return Err(NotADecimal),
            }
        }
        let scale = scale.unwrap_or(0);
        if !any || scale > SCALE_MAX || digits.last() == Some(&b'.') {
            return Err(NotADecimal);
        }
        let units = if negative { -units } else { units };
        Ok(Self { units, scale })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.units < 0 {
            formatter.write_str("-")?;
        }
        let units = self.units.unsigned_abs();
        let divisor = power_of_ten(self.scale).unsigned_abs();
        write!(formatter, "{}", units / divisor)?;
        if self.scale > 0 {
            let width = self.scale as usize;
            write!(formatter, ".{:0width$}", units % divisor)?;
        }
        Ok(())
    }
}

/// # Panics
/// Where the sum does not fit: the call fails, nothing is written.
impl ops::Add for Decimal {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.checked_add(other).expect("the sum has over 38 digits")
    }
}

/// # Panics
/// Where the difference does not fit: the call fails, nothing is written.
impl ops::Sub for Decimal {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.checked_sub(other)
            .expect("the difference has over 38 digits")
    }
}

/// # Panics
/// Where the product does not fit: the call fails, nothing is written.
impl ops::Mul for Decimal {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.checked_mul(other)
            .expect("the product has over 38 digits, or over 18 after the point")
    }
}

impl ops::Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            units: -self.units,
            scale: self.scale,
        }
    }
}

impl std::iter::Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::ZERO, |sum, number| sum + number)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Text, or a whole number; a JSON float has already lost what it was.
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Decimal;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a decimal number as text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Decimal, E> {
                Ok(Decimal::from(integer))
            }

            fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Decimal, E> {
                Ok(Decimal {
                    units: integer.into(),
                    scale: 0,
                })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips() {
        for text in [
            "0",
            "0.00",
            "12.50",
            "-0.01",
            "-12",
            "99999999999999999999.999999999999999999",
            "0.000000000000000001",
        ] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("+1.5").to_string(), "1.5");
        assert_eq!(decimal(".5").to_string(), "0.5");
        for text in [
            "",
            "-",
            ".",
            "1.",
            "1e3",
            "1,5",
            " 1",
            "1.2.3",
            "0.0000000000000000001",
            "999999999999999999999999999999999999999",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(decimal("0.1") + decimal("0.2"), decimal("0.3"));
        assert_eq!((decimal("1.10") - decimal("1.1")).to_string(), "0.00");
        assert_eq!(
            (decimal("999999999999999.999") * decimal("999999999999999.999")).to_string(),
            "999999999999999998000000000000.000001"
        );
        assert_eq!(
            ["2.50", "-0.005", "7"]
                .map(decimal)
                .into_iter()
                .sum::<Decimal>(),
            decimal("9.495")
        );
        assert_eq!(
            decimal("0.000000001").checked_mul(decimal("0.0000000001")),
            None
        );
        assert_eq!(
            decimal("0.5000000000").checked_mul(decimal("0.2000000000")),
            Some(decimal("0.1"))
        );
    }

    #[test]
    fn order_ignores_the_scale() {
        assert_eq!(decimal("1.5"), decimal("1.500"));
        assert!(decimal("-0.2") < decimal("-0.1"));
        assert!(decimal("-0.1") < decimal("0"));
        assert!(decimal("10") > decimal("9.999999999999999999"));
    }

    #[test]
    fn division_and_rounding_do_what_their_names_say() {
        let thirds = |rounding| {
            decimal("2")
                .checked_div(decimal("3"), 2, rounding)
                .unwrap()
                .to_string()
        };
        assert_eq!(thirds(Rounding::HalfUp), "0.67");
        assert_eq!(thirds(Rounding::Down), "0.66");
        let to_cents = |text: &str, rounding| decimal(text).round(2, rounding).to_string();
        assert_eq!(to_cents("0.125", Rounding::HalfUp), "0.13");
        assert_eq!(to_cents("-0.125", Rounding::HalfUp), "-0.13");
        assert_eq!(to_cents("0.125", Rounding::HalfEven), "0.12");
        assert_eq!(to_cents("0.135", Rounding::HalfEven), "0.14");
        assert_eq!(to_cents("-0.129", Rounding::Down), "-0.12");
        assert_eq!(to_cents("3", Rounding::Down), "3.00");
        assert_eq!(
            Decimal::ONE.checked_div(Decimal::ZERO, 2, Rounding::Down),
            None
        );
        assert_eq!(
            decimal("-1")
                .checked_div(decimal("-8"), 2, Rounding::HalfUp)
                .unwrap()
                .to_string(),
            "0.13"
        );
    }

    #[test]
    fn whole_numbers_come_out() {
        assert_eq!(decimal("12.00").to_i64(), Some(12));
        assert_eq!(decimal("12.01").to_i64(), None);
        assert_eq!(decimal("9223372036854775808").to_i64(), None);
    }

    #[test]
    fn json_is_text() {
        assert_eq!(serde_json::to_string(&decimal("1.50")).unwrap(), "\"1.50\"");
        assert_eq!(
            serde_json::from_str::<Decimal>("\"1.50\"").unwrap(),
            decimal("1.5")
        );
        assert_eq!(serde_json::from_str::<Decimal>("3").unwrap(), decimal("3"));
        assert!(serde_json::from_str::<Decimal>("1.5").is_err());
    }
}
