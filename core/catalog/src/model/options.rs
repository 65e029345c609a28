//! What a select may be.

use serde::{Deserialize, Serialize};

use super::Labels;

/// One option of a select.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelectOption {
    /// Stable, `UPPER_SNAKE`: what is stored and what GraphQL shows.
    pub value: String,
    /// What people read.
    #[serde(default)]
    pub labels: Labels,
    /// What it is shown in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<OptionColor>,
    /// Whether no record gets it any more. Those that have it keep it, and conditions know it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// What an option is shown in. Which shade that is, whoever shows it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum OptionColor {
    Gray,
    Red,
    Orange,
    Yellow,
    Green,
    Teal,
    Blue,
    Purple,
    Pink,
}

impl OptionColor {
    /// All of them in their order, with their names.
    pub const ALL: [(&'static str, Self); 9] = [
        ("gray", Self::Gray),
        ("red", Self::Red),
        ("orange", Self::Orange),
        ("yellow", Self::Yellow),
        ("green", Self::Green),
        ("teal", Self::Teal),
        ("blue", Self::Blue),
        ("purple", Self::Purple),
        ("pink", Self::Pink),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let (name, _) = Self::ALL[self as usize];
        name
    }
}
