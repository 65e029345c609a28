//! From the document's types to JSON and YAML.
use serde_json::Value as Json;

use super::{Blueprint, FieldDefinition, ObjectDefinition, PipelineDefinition};

impl Blueprint {
    /// The document as JSON; what has its default is left out.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Null
    }

    /// The document as YAML.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        String::new()
    }
}
impl ObjectDefinition {
    /// The item of `objects` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Null
    }
}
impl FieldDefinition {
    /// The item of `fields` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Null
    }
}
impl PipelineDefinition {
    /// The item of `pipelines` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Null
    }
}
