//! Structs out of positional values.
//!
//! The manifest declares which values come, the struct says what they are; when the two disagree
//! the plugin is wrong, not the person who writes a record, so the error is a failure that names
//! the field, what was expected and what came.

use std::fmt;

use crate::{FromValue, Value};

/// A struct made of values in a fixed order; derive it.
pub trait Fields: Sized {
    /// Names of the fields in Relata, in the order of the values.
    const NAMES: &'static [&'static str];

    /// Takes one value for each name.
    ///
    /// # Errors
    /// Another number of values, or a value of another type.
    fn from_values(values: Vec<Value>) -> Result<Self, FieldsError>;
}

/// The values are not those of the struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldsError {
    /// Another number of values.
    Count {
        /// Fields of the struct.
        expected: usize,
        /// Values that came.
        given: usize,
    },
    /// A value of another type.
    Type {
        /// Name of the field.
        field: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What came.
        given: &'static str,
    },
}

impl fmt::Display for FieldsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { expected, given } => write!(
                formatter,
                "the struct has {expected} fields, but {given} values came: \
                 it must list the manifest's inputs, in that order"
            ),
            Self::Type {
                field,
                expected,
                given,
            } => write!(formatter, "{field}: expected {expected}, got {given}"),
        }
    }
}

impl std::error::Error for FieldsError {}

/// For the derive: as many values as fields.
#[doc(hidden)]
pub fn expect_count(expected: usize, given: usize) -> Result<(), FieldsError> {
    if expected == given {
        Ok(())
    } else {
        Err(FieldsError::Count { expected, given })
    }
}

/// For the derive: the next value as the type of its field.
#[doc(hidden)]
pub fn next<T: FromValue>(
    values: &mut std::vec::IntoIter<Value>,
    field: &'static str,
) -> Result<T, FieldsError> {
    let value = values.next().unwrap_or(Value::Null);
    T::from_value(value).map_err(|value| FieldsError::Type {
        field,
        expected: T::EXPECTED,
        given: crate::value::kind_name(&value),
    })
}

/// For the derive: the one option that a value chooses.
#[doc(hidden)]
#[must_use]
pub fn option(value: &Value) -> Option<&str> {
    match value {
        Value::Text(option) => Some(option),
        Value::Choices(options) => match options.as_slice() {
            [option] => Some(option),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Choice, Decimal, Reference};

    #[derive(Debug, PartialEq, Clone, Copy, Choice)]
    enum Status {
        Active,
        OnHold,
        #[choice("GONE")]
        Left,
    }

    #[derive(Debug, PartialEq, crate::Fields)]
    struct Sample {
        number: i64,
        close_date: Option<String>,
        status: Status,
        #[field("membership_points")]
        points: Option<Decimal>,
        company: Option<Reference>,
    }

    fn values() -> Vec<Value> {
        vec![
            Value::Integer(7),
            Value::Null,
            Value::Text("ON_HOLD".into()),
            Value::Decimal("1.50".into()),
            Value::Reference("a".into()),
        ]
    }

    #[test]
    fn values_arrive_by_position() {
        assert_eq!(
            Sample::NAMES,
            [
                "number",
                "closeDate",
                "status",
                "membership_points",
                "company"
            ]
        );
        let sample = Sample::from_values(values()).unwrap();
        assert_eq!(sample.number, 7);
        assert_eq!(sample.close_date, None);
        assert_eq!(sample.status, Status::OnHold);
        assert_eq!(sample.points, Some("1.5".parse().unwrap()));
        assert_eq!(sample.company, Some(Reference::new("a")));
    }

    #[test]
    fn a_mismatch_names_the_field_and_both_types() {
        let mut wrong = values();
        wrong[0] = Value::Text("seven".into());
        assert_eq!(
            Sample::from_values(wrong).unwrap_err().to_string(),
            "number: expected integer, got text"
        );
        let mut wrong = values();
        wrong[2] = Value::Text("UNKNOWN".into());
        assert_eq!(
            Sample::from_values(wrong).unwrap_err().to_string(),
            "status: expected one of ACTIVE ON_HOLD GONE, got text"
        );
        let mut wrong = values();
        wrong[0] = Value::Null;
        assert_eq!(
            Sample::from_values(wrong).unwrap_err().to_string(),
            "number: expected integer, got nothing"
        );
    }

    #[test]
    fn another_number_of_values_says_so() {
        let error = Sample::from_values(vec![Value::Null]).unwrap_err();
        assert_eq!(
            error,
            FieldsError::Count {
                expected: 5,
                given: 1
            }
        );
    }

    #[test]
    fn choices_round_trip() {
        for status in [Status::Active, Status::OnHold, Status::Left] {
            assert_eq!(
                crate::FromValue::from_value(Value::from(status)),
                Ok(status)
            );
        }
        assert_eq!(Status::Left.as_str(), "GONE");
    }
}
