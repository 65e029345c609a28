//! What can go wrong, as the outside sees it: one variant for each code of the API.
//!
//! Two kinds never mix. What a person can mend carries its [`Issues`], all of them at once. What
//! we did wrong is logged here, with its chain, and the person gets a reference to the log line.

use std::error::Error as StdError;

use relata_catalog::{Issue, Issues};
use relata_store::StoreError;
use uuid::Uuid;

/// An error with a code of the API. Paths of issues start at the data that was given: whoever
/// called (GraphQL, an import) puts the way to the data in front.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// `BAD_INPUT`: what was given can't be read as what it should be.
    #[error("{}", headline.clone().unwrap_or_else(|| summary("the input is not valid", .issues)))]
    BadInput {
        /// What to say instead of a summary of the issues.
        headline: Option<String>,
        /// Each mistake.
        issues: Issues,
    },
    /// `NOT_FOUND`: what a write names is not there.
    #[error("{0}")]
    NotFound(String),
    /// `UNAUTHENTICATED`: nobody, or a token that isn't one.
    #[error("{0}")]
    Unauthenticated(String),
    /// `FORBIDDEN`: known, but may not.
    #[error("{0}")]
    Forbidden(String),
    /// `VERSION_CONFLICT`: somebody else was faster.
    #[error("{message}")]
    VersionConflict {
        /// For a person.
        message: String,
        /// One issue whose params say what is there now.
        issues: Issues,
    },
    /// `UNIQUE_VIOLATION`: another record has the key already.
    #[error("{}", summary("the record would not be unique", .0))]
    UniqueViolation(Issues),
    /// `REFERENCED`: other records forbid the deletion (or the restoration).
    #[error("{message}")]
    Referenced {
        /// For a person.
        message: String,
        /// One for each relation that forbids it.
        issues: Issues,
    },
    /// `VALIDATION_FAILED`: the data breaks rules of the catalogue.
    #[error("{}", summary("the data is not valid", .0))]
    ValidationFailed(Issues),
    /// `STAGE_GATE`: the record may not enter the stage yet.
    #[error("{}", summary("the record may not enter the stage", .0))]
    StageGate(Issues),
    /// `PLUGIN_REJECTED`: a plugin found something that a person can mend.
    #[error("{}", summary(&format!("the plugin {plugin} refused it"), .issues))]
    PluginRejected {
        /// Id of the plugin.
        plugin: String,
        /// In the plugin's words, in the caller's language.
        issues: Issues,
    },
    /// `PLUGIN_FAILED`: a plugin broke, and its hook's policy is to refuse the write then.
    #[error("the plugin {plugin} {version} failed: {message}")]
    PluginFailed {
        /// Id of the plugin.
        plugin: String,
        /// Its version.
        version: String,
        /// What happened, without insides.
        message: String,
        /// Where a further write of the plugin was refused: why.
        issues: Issues,
    },
    /// `LIMIT_EXCEEDED`: something grew past its limit.
    #[error("{0}")]
    LimitExceeded(String),
    /// `RATE_LIMITED`: too often.
    #[error("{0}")]
    RateLimited(String),
    /// `TIMEOUT`: it took too long, and was given up.
    #[error("{0}")]
    Timeout(String),
    /// `UNAVAILABLE`: not now (the database is away, or the server is ending).
    #[error("{0}")]
    Unavailable(String),
    /// `CONFLICT`: others write the same records, and the retries are used up. Inside
    /// [`transact`](crate::Workspace::transact) it is what makes the next try.
    #[error("others are writing the same records; try again")]
    Conflict,
    /// `PERSISTED_QUERY_NOT_FOUND`
    #[error("there is no such persisted query")]
    PersistedQueryNotFound,
    /// `INTERNAL`: our mistake. The chain is in the log under the reference.
    #[error("something went wrong here; the log has it under {reference}")]
    Internal {
        /// What the log calls it.
        reference: String,
    },
}

/// A headline, and the first issue where there is only one.
fn summary(headline: &str, issues: &Issues) -> String {
    match issues.0.as_slice() {
        [] => headline.to_owned(),
        [only] => format!("{headline}: {only}"),
        several => format!("{headline}: {} issues", several.len()),
    }
}

impl AppError {
    /// The code of the API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadInput { .. } => "BAD_INPUT",
            Self::NotFound(_) => "NOT_FOUND",
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::VersionConflict { .. } => "VERSION_CONFLICT",
            Self::UniqueViolation(_) => "UNIQUE_VIOLATION",
            Self::Referenced { .. } => "REFERENCED",
            Self::ValidationFailed(_) => "VALIDATION_FAILED",
            Self::StageGate(_) => "STAGE_GATE",
            Self::PluginRejected { .. } => "PLUGIN_REJECTED",
            Self::PluginFailed { .. } => "PLUGIN_FAILED",
            Self::LimitExceeded(_) => "LIMIT_EXCEEDED",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::Timeout(_) => "TIMEOUT",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Conflict => "CONFLICT",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::Internal { .. } => "INTERNAL",
        }
    }

    /// For a person.
    #[must_use]
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// What a person can mend; empty where there is nothing to mend.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        match self {
            Self::BadInput { issues, .. }
            | Self::VersionConflict { issues, .. }
            | Self::UniqueViolation(issues)
            | Self::Referenced { issues, .. }
            | Self::ValidationFailed(issues)
            | Self::StageGate(issues)
            | Self::PluginRejected { issues, .. }
            | Self::PluginFailed { issues, .. } => &issues.0,
            _ => &[],
        }
    }

    /// The issues, to put a path in front of them.
    pub fn issues_mut(&mut self) -> Option<&mut Issues> {
        match self {
            Self::BadInput { issues, .. }
            | Self::VersionConflict { issues, .. }
            | Self::UniqueViolation(issues)
            | Self::Referenced { issues, .. }
            | Self::ValidationFailed(issues)
            | Self::StageGate(issues)
            | Self::PluginRejected { issues, .. }
            | Self::PluginFailed { issues, .. } => Some(issues),
            _ => None,
        }
    }

    /// The same error with a segment in front of each issue's path.
    #[must_use]
    pub fn at(mut self, segment: impl Into<relata_catalog::PathSegment>) -> Self {
        let segment = segment.into();
        if let Some(issues) = self.issues_mut() {
            for issue in &mut issues.0 {
                issue.path.insert(0, segment.clone());
            }
        }
        self
    }

    /// Whether a further try of the same transaction may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict)
    }

    /// Whether the record that was written is to blame, and not what is around it: others of the
    /// same transaction may still be written.
    #[must_use]
    pub fn is_about_data(&self) -> bool {
        matches!(
            self,
            Self::BadInput { .. }
                | Self::NotFound(_)
                | Self::UniqueViolation(_)
                | Self::Referenced { .. }
                | Self::ValidationFailed(_)
                | Self::StageGate(_)
                | Self::PluginRejected { .. }
                | Self::PluginFailed { .. }
        )
    }

    /// The plugin that it came from.
    pub(crate) fn plugin(&self) -> Option<&str> {
        match self {
            Self::PluginRejected { plugin, .. } | Self::PluginFailed { plugin, .. } => Some(plugin),
            _ => None,
        }
    }

    /// Input that can't be read, with one mistake at its root.
    #[must_use]
    pub fn bad_input(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::BadInput {
            issues: Issue::new("BAD_INPUT", message.clone()).into(),
            headline: Some(message),
        }
    }

    /// Input with these mistakes.
    #[must_use]
    pub fn bad_input_issues(issues: Issues) -> Self {
        Self::BadInput {
            headline: None,
            issues,
        }
    }

    /// Our mistake: logs the chain under a fresh reference.
    #[must_use]
    pub fn internal(source: &(dyn StdError + 'static)) -> Self {
        let reference = Uuid::now_v7().simple().to_string();
        tracing::error!(%reference, error = %chain(source), "internal error");
        Self::Internal { reference }
    }

    /// Our mistake, where there is no source: an invariant that does not hold.
    #[must_use]
    pub fn broken(what: &str) -> Self {
        let reference = Uuid::now_v7().simple().to_string();
        tracing::error!(%reference, error = what, "internal error");
        Self::Internal { reference }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            // The version was checked before, so somebody wrote in between: the next try sees it.
            StoreError::Retryable(_) | StoreError::VersionConflict => Self::Conflict,
            StoreError::BadCursor => Self::bad_input(
                "the cursor does not belong to this list: it was made by another order, or by nobody",
            ),
            StoreError::SumTooLarge => Self::LimitExceeded(error.to_string()),
            StoreError::Timeout(_) => {
                tracing::warn!(error = %chain(&error), "the database took too long");
                Self::Timeout("the database took longer than allowed".to_owned())
            }
            StoreError::Unavailable(_) => {
                tracing::error!(error = %chain(&error), "the database is not available");
                Self::Unavailable("the database is not available".to_owned())
            }
            StoreError::Newer { .. }
            | StoreError::Held { .. }
            | StoreError::Options(_)
            | StoreError::ReadOnly => Self::Unavailable(error.to_string()),
            other => Self::internal(&other),
        }
    }
}

/// The error and its sources, as one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
