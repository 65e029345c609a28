//! Errors as clients get them: message, path, locations, and `extensions` with a code.

use relata_catalog::{Issue, PathSegment};
use serde_json::{Map, Value as Json, json};

use crate::guard::{self, Refusal};

/// One error of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphqlError {
    /// For a person.
    pub message: String,
    /// One of the codes of the API.
    pub code: String,
    /// Way to the field in the answer, by response keys.
    pub path: Vec<PathSegment>,
    /// Lines and columns in the document, from 1.
    pub locations: Vec<(usize, usize)>,
    /// Each thing that a person can mend.
    pub issues: Vec<Issue>,
    /// What the log calls it, where it is our mistake.
    pub reference: Option<String>,
}

impl GraphqlError {
    /// An error without a place.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: code.to_owned(),
            path: Vec::new(),
            locations: Vec::new(),
            issues: Vec::new(),
            reference: None,
        }
    }

    /// What the guard says, with its place in the document.
    #[must_use]
    pub fn refused(refusal: &Refusal, document: &str) -> Self {
        match refusal {
            Refusal::Limit {
                limit,
                max,
                message,
                at,
            } => {
                let mut error = Self::new("LIMIT_EXCEEDED", message.clone());
                error.locations = at
                    .map(|at| guard::position(document, at))
                    .into_iter()
                    .collect();
                error.issues.push(
                    Issue::new("LIMIT", message.clone())
                        .with("limit", *limit)
                        .with("max", *max),
                );
                error
            }
            Refusal::Malformed { message, at } => {
                let mut error = Self::new("BAD_INPUT", message.clone());
                error.locations = vec![guard::position(document, *at)];
                error
            }
        }
    }

    /// What async-graphql says of a document.
    #[must_use]
    pub fn invalid(error: &async_graphql::ServerError) -> Self {
        let mut invalid = Self::new("BAD_INPUT", error.message.clone());
        invalid.locations = error
            .locations
            .iter()
            .map(|position| (position.line, position.column))
            .collect();
        invalid
    }

    /// As it stands in an answer.
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> Json {
        let mut error = Map::new();
        error.insert("message".into(), self.message.as_str().into());
        if !self.locations.is_empty() {
            let locations = self
                .locations
                .iter()
                .map(|(line, column)| json!({"line": line, "column": column}))
                .collect::<Vec<_>>();
            error.insert("locations".into(), locations.into());
        }
        if !self.path.is_empty() {
            let path = self
                .path
                .iter()
                .map(|segment| match segment {
                    PathSegment::Name(name) => Json::from(name.as_str()),
                    PathSegment::Index(index) => Json::from(*index),
                })
                .collect::<Vec<_>>();
            error.insert("path".into(), path.into());
        }
        let mut extensions = Map::new();
        extensions.insert("code".into(), self.code.as_str().into());
        if !self.issues.is_empty() {
            let issues = serde_json::to_value(&self.issues).unwrap_or_default();
            extensions.insert("issues".into(), issues);
        }
        if let Some(reference) = &self.reference {
            extensions.insert("reference".into(), reference.as_str().into());
        }
        if !request_id.is_empty() {
            extensions.insert("requestId".into(), request_id.into());
        }
        error.insert("extensions".into(), extensions.into());
        Json::Object(error)
    }
}
