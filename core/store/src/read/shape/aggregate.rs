//! What is measured over many records.

use relata_catalog::FieldIndex;

use super::PartMember;
use crate::filter::ColumnRef;

/// A member of an aggregate.
#[derive(Debug, Clone)]
pub enum AggregateMember {
    /// `count`: how many records.
    Count {
        /// Response key.
        key: String,
    },
    /// What is measured of a column.
    Column {
        /// Response key.
        key: String,
        /// Which.
        column: ColumnRef,
        /// What is written of it.
        members: Vec<MeasureMember>,
    },
    /// What is measured of amounts of money, each currency by itself.
    Money {
        /// Response key.
        key: String,
        /// The field.
        field: FieldIndex,
        /// What is written of it.
        members: Vec<MeasureMember>,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// A measure of a column.
#[derive(Debug, Clone)]
pub enum MeasureMember {
    /// One value, or `null` where nothing is filled.
    Measure {
        /// Response key.
        key: String,
        /// What is measured.
        measure: Measure,
    },
    /// Of money: a list of amounts, one for each currency, in the order of their codes.
    Amounts {
        /// Response key.
        key: String,
        /// What is measured: a sum, a mean, an end or the median.
        measure: Measure,
        /// What is written of each: amount (part 0) and currency (part 1).
        members: Vec<PartMember>,
    },
    /// JSON that is known beforehand.
    Literal {
        /// Response key.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// What can be measured of a column. Empty columns never count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// How many are filled.
    Count,
    /// How many different values.
    CountDistinct,
    /// How many are true.
    CountTrue,
    /// How many are false.
    CountFalse,
    /// The sum, exactly.
    Sum,
    /// The mean, rounded half away from zero: to six digits behind the point, or to as many as the
    /// column has, if these are more; of money to the digits of the field.
    Mean,
    /// The least; of text by its folded key.
    Least,
    /// The greatest, likewise.
    Greatest,
    /// The value in the middle, or the mean of the two there, rounded as a mean is.
    Median,
}
