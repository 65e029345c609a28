//! Where rows come from: what the writer needs of a database's row, and of whoever runs the
//! statements. Each executor implements both, and the writer is compiled for each.
//!
//! Columns are read by position, as the type that the catalogue says they have.

use uuid::Uuid;

use super::plan::Level;
use crate::StoreError;

/// One row of a statement's result.
pub(crate) trait Row {
    /// Whether the column is empty.
    fn is_null(&self, position: usize) -> Result<bool, StoreError>;
    /// A text, or JSON as text.
    fn text(&self, position: usize) -> Result<Option<&str>, StoreError>;
    /// A 64-bit integer.
    fn integer(&self, position: usize) -> Result<Option<i64>, StoreError>;
    /// A boolean.
    fn boolean(&self, position: usize) -> Result<Option<bool>, StoreError>;
    /// A UUID.
    fn uuid(&self, position: usize) -> Result<Option<Uuid>, StoreError>;
    /// A decimal, as an integer scaled by 10^scale.
    fn decimal(&self, position: usize, scale: u32) -> Result<Option<i64>, StoreError>;
    /// A calendar day, as days since 1970-01-01.
    fn day(&self, position: usize) -> Result<Option<i64>, StoreError>;
    /// An instant, as microseconds since 1970-01-01T00:00:00Z.
    fn instant(&self, position: usize) -> Result<Option<i64>, StoreError>;
    /// Writes a list of texts as JSON; false (and nothing written) when it is empty.
    fn write_list(&self, position: usize, out: &mut Vec<u8>) -> Result<bool, StoreError>;
}

/// Whether more rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    Enough,
}

/// Runs the statements of a read, or has run them.
pub(crate) trait Source: Sized {
    /// Its rows.
    type Row<'row>: Row;

    /// Hands over the rows of a level, one after the other: those of one parent, where the level
    /// has one.
    fn visit<F>(
        &mut self,
        level: &Level,
        parent: Option<&Self::Row<'_>>,
        each: F,
    ) -> Result<(), StoreError>
    where
        F: FnMut(&mut Self, &Self::Row<'_>) -> Result<Flow, StoreError>;
}

/// The column holds something else than the catalogue says.
pub(crate) fn unexpected(position: usize, expected: &str) -> StoreError {
    StoreError::value(&format!("column {position}"), format!("is not {expected}"))
}
