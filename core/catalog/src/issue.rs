//! What somebody did wrong: a path to the mistake, a stable code, a text, and its parameters.
//!
//! Issues are collected, never thrown one at a time: whoever checks something gathers all that
//! is wrong with it and answers once.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// One step of a path into a document, an input or a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathSegment {
    /// Position in a list, from 0.
    Index(usize),
    /// Member of an object.
    Name(String),
}

impl From<&str> for PathSegment {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for PathSegment {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for PathSegment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// One thing that a person can mend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// Where, from the root of what was given.
    pub path: Vec<PathSegment>,
    /// `UPPER_SNAKE`, stable: programs may match on it.
    pub code: String,
    /// For a person: what is wrong and what would be right.
    pub message: String,
    /// What the message speaks of, for translation and for programs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Json>,
}

impl Issue {
    /// An issue at the root of what was given; [`Issue::at`] moves it.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            code: code.to_owned(),
            message: message.into(),
            params: Map::new(),
        }
    }

    /// Puts a segment in front of the path: callers add where they stood.
    #[must_use]
    pub fn at(mut self, segment: impl Into<PathSegment>) -> Self {
        self.path.insert(0, segment.into());
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// The path as a person reads it: `objects[2].fields[0].kind`.
    #[must_use]
    pub fn path_text(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                PathSegment::Index(index) => text.push_str(&format!("[{index}]")),
                PathSegment::Name(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
            }
        }
        text
    }
}

impl std::fmt::Display for Issue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            write!(formatter, "{}", self.message)
        } else {
            write!(formatter, "{}: {}", self.path_text(), self.message)
        }
    }
}

/// All that is wrong with one input. Never empty when returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Issues(pub Vec<Issue>);

impl Issues {
    /// Collects one more.
    pub fn push(&mut self, issue: Issue) {
        self.0.push(issue);
    }

    /// Collects those of a part, under the segment where the part stands.
    pub fn extend_at(&mut self, segment: impl Into<PathSegment>, part: Issues) {
        let segment = segment.into();
        self.0
            .extend(part.0.into_iter().map(|issue| issue.at(segment.clone())));
    }

    /// The same under a segment: of a part that stands there.
    #[must_use]
    pub fn under(self, segment: impl Into<PathSegment>) -> Self {
        let mut whole = Self::default();
        whole.extend_at(segment, self);
        whole
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok(value)` when nothing is wrong.
    ///
    /// # Errors
    /// The issues themselves, when there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Issues> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl From<Issue> for Issues {
    fn from(issue: Issue) -> Self {
        Self(vec![issue])
    }
}

impl std::fmt::Display for Issues {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, issue) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{issue}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Issues {}
