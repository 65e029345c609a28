//! What a plugin says when it says no.
//!
//! A rejection is for a person: where, a stable code, and what the text of that code speaks of.
//! The text itself stands in the plugin's translations (`i18n/<language>.toml`), so no language is
//! in the code. A failure is for whoever runs the plugin, and never reaches a person as advice.

use std::fmt;

use crate::{Issue, fields::FieldsError};

/// What a plugin's function answers.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A person can mend it. Never empty.
    Rejected(Vec<Issue>),
    /// The plugin, its manifest or the host is at fault.
    Failed(String),
}

impl Error {
    /// A failure with a text for the log.
    #[must_use]
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::Failed(detail.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(issues) => {
                formatter.write_str("rejected:")?;
                for issue in issues {
                    write!(formatter, " {}", issue.code)?;
                    for segment in &issue.path {
                        write!(formatter, " at {segment}")?;
                    }
                }
                Ok(())
            }
            Self::Failed(detail) => formatter.write_str(detail),
        }
    }
}

impl std::error::Error for Error {}

impl From<FieldsError> for Error {
    fn from(error: FieldsError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// One thing that a person can mend.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a rejection does nothing until it is returned"]
pub struct Reject(Issue);

impl Reject {
    /// With a code in `UPPER_SNAKE`, which the plugin's translations know.
    pub fn new(code: impl Into<String>) -> Self {
        Self(Issue {
            path: Vec::new(),
            code: code.into(),
            params: Vec::new(),
        })
    }

    /// Where: a field of the record, or an argument. Called again, it goes one step deeper.
    pub fn at(mut self, segment: impl Into<String>) -> Self {
        self.0.path.push(segment.into());
        self
    }

    /// What the text speaks of: fills in `{name}`.
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.0.params.push((name.into(), value.to_string()));
        self
    }
}

impl From<Reject> for Issue {
    fn from(reject: Reject) -> Self {
        reject.0
    }
}

impl From<Reject> for Error {
    fn from(reject: Reject) -> Self {
        Self::Rejected(vec![reject.0])
    }
}

/// Collects everything that is wrong, so that a person hears all of it at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rejections(Vec<Issue>);

impl Rejections {
    /// Nothing wrong so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn push(&mut self, reject: Reject) {
        self.0.push(reject.0);
    }

    /// One more, if the condition holds.
    pub fn push_if(&mut self, condition: bool, reject: impl FnOnce() -> Reject) {
        if condition {
            self.push(reject());
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes on when nothing is wrong.
    ///
    /// # Errors
    /// All that was collected.
    pub fn check(self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Rejected(self.0))
        }
    }
}
