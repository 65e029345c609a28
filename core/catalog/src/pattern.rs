//! A regular expression that texts must match as a whole.
//!
//! Matched in time that grows with the text alone (the crate `regex` has no backtracking); what a
//! pattern may cost to compile is bounded.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Issue;

/// Most characters of a pattern.
const CHARACTERS_MAX: usize = 500;
/// Most bytes of a compiled pattern.
const COMPILED_BYTES_MAX: usize = 256 << 10;

/// A regular expression. One that can't be read (it is reported when its blueprint is resolved)
/// matches everything.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Option<Arc<Regex>>,
}

impl Pattern {
    /// The pattern as its author wrote it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let regex = compiled(&text).ok().map(Arc::new);
        Self { text, regex }
    }

    /// As its author wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole of a text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }

    /// What is wrong with it.
    #[must_use]
    pub fn issue(&self) -> Option<Issue> {
        let reason = compiled(&self.text).err()?;
        Some(Issue::new(
            "PATTERN_INVALID",
            format!("this is no regular expression: {reason}"),
        ))
    }
}

fn compiled(text: &str) -> Result<Regex, String> {
    if text.chars().count() > CHARACTERS_MAX {
        return Err(format!("it has more than {CHARACTERS_MAX} characters"));
    }
    // Alone first: `a)|(b` would be a pattern only between the brackets that are put around it.
    built(text)?;
    built(&format!("^(?:{text})$"))
}

fn built(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .nest_limit(50)
        .build()
        // The last line says what; those before it draw where.
        .map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().to_owned()
        })
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
