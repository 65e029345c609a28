//! Values that nobody writes: formulas and rollups.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Key, Kind, text_max_default};
use crate::Value;
use crate::expression::{Expression, PathColumn, Type};

/// A value that is worked out, each time that it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Formula {
    /// How, from the record and those that it points at.
    pub expression: Expression,
    /// The kind of a field that holds the same. Follows from the expression.
    #[serde(default = "formula_result_default")]
    pub result: Box<Kind>,
}

fn formula_result_default() -> Box<Kind> {
    Box::new(Kind::Text {
        max: text_max_default(),
    })
}

impl Formula {
    /// A formula whose catalogue has not been linked yet.
    #[must_use]
    pub fn new(expression: Expression) -> Self {
        Self {
            expression,
            result: formula_result_default(),
        }
    }

    /// The kind of a field that holds what an expression of this type gives, if there is one.
    #[must_use]
    pub fn result_of(of: Type) -> Option<Kind> {
        Some(match of {
            Type::Text => Kind::Text {
                max: text_max_default(),
            },
            Type::Integer => Kind::Integer {
                min: None,
                max: None,
            },
            Type::Decimal(scale) => Kind::Decimal {
                scale,
                min: None,
                max: None,
            },
            Type::Money(scale) => Kind::Money {
                scale,
                currency: None,
            },
            Type::Boolean => Kind::Boolean,
            Type::Date => Kind::Date,
            Type::Instant => Kind::DateTime,
            Type::Null | Type::Duration | Type::Reference | Type::Choices => return None,
        })
    }
}

/// A figure over the records outside the trash that point at this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollup {
    /// Whose records.
    pub object: Key,
    /// Their relation to this object, as its author wrote it.
    pub by: String,
    /// Which figure.
    pub function: RollupFunction,
    /// Of what, from a record's own columns; nothing where records are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<Expression>,
    /// Which of the records; all if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Expression>,
    /// The kind of a field that holds the same. Follows from function and expression.
    #[serde(default = "formula_result_default")]
    pub result: Box<Kind>,
    /// The key that `by` means. Known once the catalogue is linked.
    #[serde(skip)]
    pub relation: Option<Key>,
}

impl Rollup {
    /// What it reads of each record, beside the relation.
    pub fn reads(&self) -> impl Iterator<Item = &PathColumn> {
        [&self.expression, &self.filter]
            .into_iter()
            .flatten()
            .filter_map(Expression::program)
            .flat_map(|program| program.paths())
            .map(|path| &path.column)
    }

    /// The figure over no record at all.
    #[must_use]
    pub fn of_nothing(&self) -> Value {
        match (self.function, self.result.as_ref()) {
            (RollupFunction::Count, _) | (RollupFunction::Sum, Kind::Integer { .. }) => {
                Value::Integer(0)
            }
            (RollupFunction::Sum, Kind::Decimal { scale, .. }) => {
                Value::Decimal(Decimal::new(0, *scale))
            }
            // No amount is without a currency.
            _ => Value::Null,
        }
    }
}

/// Which figure a rollup is. What is empty counts in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RollupFunction {
    /// How many records; with an expression, how many of which it gives something.
    Count,
    /// The sum. Of amounts in several currencies there is none.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The mean, rounded half away from zero: with at least 6 digits behind the point, of amounts
    /// with as many as they have.
    Avg,
}
