//! Expressions in CEL, the one language of formulas, rules, conditions and defaults.
//!
//! A text is parsed by the `cel` crate, checked here against the catalogue ([`check`]), and becomes
//! a [`Program`]: a small typed tree that reads columns by the keys of their fields. What it means
//! is said twice, by [`Program::evaluate`] in memory and by the store in SQL, and a property test
//! compares the two on both databases. What differs from CEL's own evaluator is what a database
//! has to be able to say as well:
//!
//! - **Total.** Nothing fails. Division by zero, an overflow, a missing record is empty (`null`).
//!   An error would tell about rows that the caller may not see.
//! - **Empty is a value.** `==` and `!=` compare with it (`record.owner == null`); every other
//!   operator with an empty operand is empty; `&&`, `||` and `!` are those of three values, as in
//!   SQL: what is false whatever the empty part may be is false.
//! - **Exact.** A number with a point is a decimal, never a float. A value has at most 18 digits
//!   ([`DECIMAL_DIGITS_MAX`](crate::DECIMAL_DIGITS_MAX)) at its static scale of at most 9; results
//!   round half away from zero. Whole numbers divide as in CEL, towards zero: `decimal(7) / 2`.
//! - **Typed.** Each text has one type, known before it runs. Money adds up in one currency alone.
//!
//! Not here: SQL, loading of records, who may read what.

mod arithmetic;
mod check;
mod default;
mod evaluate;
mod functions;
mod link;
mod number;
mod operators;
mod program;
mod syntax;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use check::{Roots, check};
pub use evaluate::{Datum, INSTANTS, Scope, add_days, add_time, datum_of, days_between, utc_of};
pub use link::{Place, Subject, link};
pub use number::{
    HALF, add, compare, divide, halves, multiply, quotient, remainder, rescale, safe, text_of,
    truncate, units_of,
};
pub use program::{
    CalendarPart, Function, Node, Op, Path, PathColumn, Program, Root, SystemField, Type, Variable,
};

/// Most characters of an expression.
pub const EXPRESSION_CHARACTERS_MAX: usize = 2_000;
/// Most nodes of an expression, those of the formulas that it reads included.
pub const EXPRESSION_NODES_MAX: usize = 400;
/// Most operators, dots and brackets of an expression.
pub const EXPRESSION_SIGNS_MAX: usize = 250;
/// Most brackets around each other, and operators inside each other.
pub const EXPRESSION_DEPTH_MAX: usize = 40;
/// Most formulas that read each other, one after the other.
pub const EXPRESSION_FORMULAS_MAX: usize = 10;
/// Most relations that an expression follows one after the other.
pub const EXPRESSION_HOPS_MAX: usize = 3;

/// An expression as its author wrote it, and what it means in the catalogue that it stands in.
///
/// Only the text is stored and compared: the program is made from it ([`link`]) whenever a
/// catalogue is resolved or loaded.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    program: Option<Arc<Program>>,
}

impl Expression {
    /// The text alone, not looked at yet.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            program: None,
        }
    }

    /// As its author wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means. `None` only before its catalogue has been linked.
    #[must_use]
    pub fn program(&self) -> Option<&Arc<Program>> {
        self.program.as_ref()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
