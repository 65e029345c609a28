//! What a read can cost, before it is run: the product of its page sizes, in rows.

use relata_catalog::Value;
use relata_store::{filter::Operand, read::Parameter};

/// Rows of one list (or one record) and of what is read inside each of them.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    pub(crate) size: Size,
    pub(crate) inner: Vec<Cost>,
}

/// How many rows, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Known(u64),
    /// As this parameter says.
    Parameter(usize),
}

impl Size {
    /// Of a page argument.
    pub(crate) fn of(operand: &Operand) -> Self {
        match operand {
            Operand::Value(Value::Integer(size)) => Self::Known(u64::try_from(*size).unwrap_or(0)),
            Operand::Parameter(position) => Self::Parameter(*position),
            // A mistake that has been collected.
            _ => Self::Known(0),
        }
    }

    /// How many that is, with these parameters.
    pub(crate) fn rows(self, parameters: &[Parameter]) -> u64 {
        match self {
            Self::Known(size) => size,
            Self::Parameter(position) => match parameters.get(position) {
                Some(Parameter::Value(Value::Integer(size))) => u64::try_from(*size).unwrap_or(0),
                _ => 0,
            },
        }
    }
}

impl Cost {
    /// One record.
    pub(crate) fn one(inner: Vec<Cost>) -> Self {
        Self {
            size: Size::Known(1),
            inner,
        }
    }

    /// Rows at most, with these parameters.
    pub(crate) fn rows(&self, parameters: &[Parameter]) -> u64 {
        let size = self.size.rows(parameters);
        let inner = self
            .inner
            .iter()
            .fold(1_u64, |sum, cost| sum.saturating_add(cost.rows(parameters)));
        size.saturating_mul(inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_multiply() {
        let leaf = Cost {
            size: Size::Parameter(0),
            inner: Vec::new(),
        };
        let cost = Cost {
            size: Size::Known(50),
            inner: vec![leaf, Cost::one(Vec::new())],
        };
        let ten = [Parameter::Value(Value::Integer(10))];
        assert_eq!(cost.rows(&ten), 50 * (1 + 10 + 1));
    }

    #[test]
    fn huge_pages_do_not_overflow() {
        let mut cost = Cost {
            size: Size::Known(u64::MAX),
            inner: Vec::new(),
        };
        for _ in 0..3 {
            cost = Cost {
                size: Size::Known(u64::MAX),
                inner: vec![cost],
            };
        }
        assert_eq!(cost.rows(&[]), u64::MAX);
    }
}
