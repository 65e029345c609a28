//! GraphQL queries and mutations that a plugin adds.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Actor, Error, Issue, Plugin, Result,
    bindings::operations::exports::relata::plugin::operations as wire, host, time::DateTime,
};

/// A call of a query or mutation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    call: wire::OperationCall,
}

impl Operation {
    pub(crate) fn new(call: wire::OperationCall) -> Self {
        Self { call }
    }

    /// Name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.call.name
    }

    /// The arguments as a struct. The host has checked them against the manifest's schema.
    ///
    /// # Errors
    /// A failure, when struct and schema disagree.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.call.arguments).map_err(|error| {
            Error::Failed(format!(
                "the arguments of `{}` are not what the plugin reads: {error}",
                self.call.name
            ))
        })
    }

    /// Who calls.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.call.actor
    }

    /// When.
    ///
    /// # Errors
    /// A failure, when the host's text is no instant.
    pub fn now(&self) -> Result<DateTime> {
        self.call
            .now
            .parse()
            .map_err(|error| Error::Failed(format!("the host's time: {error}")))
    }

    /// Language tag of the reader.
    #[must_use]
    pub fn locale(&self) -> &str {
        &self.call.locale
    }

    /// For an operation that the manifest names and the code doesn't know.
    #[must_use]
    pub fn unknown(&self) -> Error {
        Error::Failed(format!("no code for the operation `{}`", self.call.name))
    }
}

/// The result of an operation: JSON that satisfies the manifest's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// From anything that serde writes.
    ///
    /// # Errors
    /// A failure, when it can't be written as JSON (a map whose keys are no texts).
    pub fn from<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        serde_json::to_string(value)
            .map(Self)
            .map_err(|error| Error::Failed(format!("the result is no JSON: {error}")))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The component's `call`.
#[doc(hidden)]
pub fn serve<P: Plugin>(call: wire::OperationCall) -> Result<String, Vec<Issue>> {
    host::report_panics();
    host::issues_or_panic(P::operation(Operation::new(call))).map(|json| json.0)
}
