//! Rules: what must hold of records beside the kinds of their fields.

use serde::{Deserialize, Serialize};

use super::{Key, Labels};
use crate::Pattern;
use crate::expression::Expression;

/// What must hold of a field's values beside its kind. Everybody who writes is held to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FieldRules {
    /// When a record without it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_when: Option<Expression>,
    /// What a new record gets that says nothing, where that depends on its other fields. Fields
    /// are filled in their order; one that is filled later is still empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_from: Option<Expression>,
    /// Refuses a change of the field where this holds: `old` is the record as it was, `record` as
    /// it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked_when: Option<Expression>,
    /// Whether it can't be changed once it is filled.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
    /// Fewest characters of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Regular expression that the whole of a text matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
}

impl FieldRules {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What must hold of a record, whoever writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Identity. Its owner may be another than the object's.
    pub key: Key,
    /// Which records it is about; all if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// What must hold. What is empty, because what it compares is, does not break the rule.
    pub must: Expression,
    /// What a person is told whose record breaks it.
    #[serde(default)]
    pub message: Labels,
    /// The fields that a person can mend it by; the first is where the mistake is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Key>,
}
