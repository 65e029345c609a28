//! From JSON to the document's types.
use serde_json::Value as Json;

use super::{
    Blueprint, FieldDefinition, Limits, ObjectDefinition, PipelineDefinition, StageDefinition,
};
use crate::{Issue, Issues};

impl Blueprint {
    /// Reads a YAML or JSON text.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn parse(text: &str) -> Result<Self, Issues> {
        Self::parse_within(text, &Limits::default())
    }

    /// As [`Blueprint::parse`], with limits of one's own.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Self, Issues> {
        Self::from_json_within(&super::text::read(text, limits)?, limits)
    }

    /// Reads a document that is JSON already.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        Self::from_json_within(document, &Limits::default())
    }

    /// As [`Blueprint::from_json`], with limits of one's own.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json_within(document: &Json, limits: &Limits) -> Result<Self, Issues> {
        let _ = (document, limits);
        Err(Issue::new("NOT_READY", "being written").into())
    }
}

impl ObjectDefinition {
    /// Reads an item of `objects` that is no `extends`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let _ = document;
        Err(Issue::new("NOT_READY", "being written").into())
    }
}

impl FieldDefinition {
    /// Reads an item of `fields`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let _ = document;
        Err(Issue::new("NOT_READY", "being written").into())
    }
}

impl PipelineDefinition {
    /// Reads an item of `pipelines`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let _ = document;
        Err(Issue::new("NOT_READY", "being written").into())
    }
}

impl StageDefinition {
    /// Reads an item of `stages`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let _ = document;
        Err(Issue::new("NOT_READY", "being written").into())
    }
}
