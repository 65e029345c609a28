//! Which records may not be there twice, and what counts as the same.

use serde::{Deserialize, Serialize};

use super::{Field, Key, Kind};

/// A unique key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unique {
    /// Fields, in order; at least one.
    pub fields: Vec<Key>,
    /// Those of them that compare by their folded keys, beside those whose kind always does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folded: Vec<Key>,
    /// Physical index, fixed at creation.
    pub index: String,
}

impl Unique {
    /// How it compares the values of one of its fields.
    #[must_use]
    pub fn compares(&self, field: &Field) -> UniqueBy {
        if self.folded.contains(&field.key) {
            UniqueBy::Folded
        } else {
            UniqueBy::of(&field.kind)
        }
    }
}

/// How a unique key compares values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UniqueBy {
    /// As they are.
    #[default]
    Exact,
    /// Case and accents aside (see [`crate::folded`]).
    Folded,
}

impl UniqueBy {
    /// How a key compares values of the kind that was not told. Nobody means another person by
    /// another case of a name or an address.
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Email | Kind::Emails | Kind::FullName => Self::Folded,
            _ => Self::Exact,
        }
    }
}
