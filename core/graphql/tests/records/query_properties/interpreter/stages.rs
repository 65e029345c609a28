//! Where a record stands in a pipeline, and where it may go.

use relata_catalog::{
    Field, FieldIndex, Kind, Labels, ObjectIndex, Pipeline, Stage, StageValue, Value, to_json,
};
use serde_json::{Value as Json, json};

use super::Interpreter;
use crate::query_properties::data::Record;
use crate::query_properties::query::Selection;

/// A stage and what is around it.
pub(super) struct Standing<'w> {
    pub(super) object: ObjectIndex,
    pub(super) record: &'w Record,
    pub(super) field: &'w Field,
    pub(super) value: &'w StageValue,
}

impl<'w> Interpreter<'w> {
    pub(super) fn stage_value(&self, standing: &Standing<'w>, sets: &[&[Selection]]) -> Json {
        let value = standing.value;
        let pipeline = self.world.catalogue.pipeline(&value.pipeline).unwrap();
        self.object(sets, "StageValue", &[], |field, sets| {
            match field.name.as_str() {
                "pipeline" => pipeline.name.as_str().into(),
                "enteredAt" => to_json(&Kind::DateTime, &Value::DateTime(value.entered_at)),
                "stage" => self.stage(pipeline, pipeline.stage(&value.stage).unwrap(), sets),
                _ => pipeline
                    .stages
                    .iter()
                    .map(|stage| self.option(standing, pipeline, stage, sets))
                    .collect(),
            }
        })
    }

    fn stage(&self, pipeline: &Pipeline, stage: &Stage, sets: &[&[Selection]]) -> Json {
        self.object(sets, "Stage", &[], |field, _| match field.name.as_str() {
            "name" => stage.name.as_str().into(),
            "label" => label(&stage.labels, &stage.name).into(),
            "type" => json!(stage.stage_type),
            "probability" => stage
                .probability
                .map_or(Json::Null, |probability| probability.to_string().into()),
            _ => {
                let mut stages = pipeline.stages.iter();
                stages.position(|other| other.key == stage.key).into()
            }
        })
    }

    fn option(
        &self,
        standing: &Standing<'w>,
        pipeline: &Pipeline,
        stage: &Stage,
        sets: &[&[Selection]],
    ) -> Json {
        let unmet = self.unmet(standing, pipeline, stage);
        self.object(sets, "StageOption", &[], |field, sets| {
            match field.name.as_str() {
                "stage" => self.stage(pipeline, stage, sets),
                "allowed" => unmet.is_empty().into(),
                _ => unmet
                    .iter()
                    .map(|(code, message, path)| {
                        self.object(sets, "StageUnmet", &[], |field, _| {
                            match field.name.as_str() {
                                "code" => (*code).into(),
                                "message" => message.as_str().into(),
                                _ => json!([path]),
                            }
                        })
                    })
                    .collect(),
            }
        })
    }

    /// What keeps a record from a stage: code, message, and the name of a field. Its own stage is
    /// always open to it.
    fn unmet(
        &self,
        standing: &Standing<'w>,
        pipeline: &Pipeline,
        stage: &Stage,
    ) -> Vec<(&'static str, String, String)> {
        let mut unmet = Vec::new();
        if stage.key == standing.value.stage {
            return unmet;
        }
        let to = label(&stage.labels, &stage.name);
        if !stage.from.is_empty() && !stage.from.contains(&standing.value.stage) {
            let names = stage.from.iter().map(|key| {
                let open = pipeline.stage(key).unwrap();
                label(&open.labels, &open.name)
            });
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("{to} is entered from {names}");
            unmet.push(("NOT_FROM_HERE", message, standing.field.name.clone()));
        }
        let object = self.world.object(standing.object);
        for key in &stage.requires {
            let (at, field): (FieldIndex, _) = object.field_keyed(key).unwrap();
            if self.value(standing.record, at).is_null() {
                let message = format!("{} must be filled before {to}", field.name);
                unmet.push(("REQUIRED", message, field.name.clone()));
            }
        }
        unmet
    }
}

/// In the language of the caller, which is English.
fn label<'l>(labels: &'l Labels, name: &'l str) -> &'l str {
    labels.get("en").map_or(name, String::as_str)
}
