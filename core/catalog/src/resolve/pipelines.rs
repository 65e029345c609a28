//! The document's pipelines, put among everybody's.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::{Resolver, path, under};
use crate::names::{did_you_mean, is_key, nearest, one_of};
use crate::reading::limit;
use crate::{
    Issue, Key, Kind, Object, PathSegment, Pipeline, PipelineDefinition, Stage, StageDefinition,
};

impl Resolver<'_> {
    /// All pipelines that there will be.
    pub(super) fn place_pipelines(&mut self, objects: &[Arc<Object>]) -> Vec<Arc<Pipeline>> {
        let mut own: Vec<Arc<Pipeline>> = Vec::new();
        for (position, definition) in self.blueprint.pipelines.iter().enumerate() {
            let place = path(&["pipelines".into(), position.into()]);
            let key = Key::new(self.owner, &definition.key);
            if own.iter().any(|pipeline| pipeline.key == key) {
                let issue = Issue::new(
                    "DUPLICATE_KEY",
                    format!(
                        "the key \"{}\" is taken by a pipeline before it",
                        definition.key
                    ),
                );
                self.report(under(place, "key"), issue);
                continue;
            }
            if let Some(pipeline) = self.make_pipeline(key, definition, &place, objects) {
                own.push(Arc::new(pipeline));
            }
        }
        let mut placed = Vec::new();
        for existing in &self.current.pipelines {
            if existing.key.owner() != self.owner {
                placed.push(existing.clone());
            } else if let Some(position) =
                own.iter().position(|pipeline| pipeline.key == existing.key)
            {
                let pipeline = own.remove(position);
                self.check_moved(existing, &pipeline);
                placed.push(pipeline);
            }
        }
        placed.extend(own);
        if placed.len() > self.limits.pipelines_max {
            let issue = limit("pipelines", self.limits.pipelines_max, placed.len());
            self.report(path(&["pipelines".into()]), issue);
        }
        self.check_pipeline_names(&placed);
        placed
    }

    fn make_pipeline(
        &mut self,
        key: Key,
        definition: &PipelineDefinition,
        place: &[PathSegment],
        objects: &[Arc<Object>],
    ) -> Option<Pipeline> {
        let at = |segment: &str| under(place.to_vec(), segment);
        self.check_key(&definition.key, at("key"));
        let name = definition.name.as_ref().unwrap_or(&definition.key);
        if definition.name.is_some() && !is_key(name) {
            let issue = pipeline_name_invalid(name);
            self.report(at("name"), issue);
        }
        let object_key = self.object_or_report(&definition.object, at("object"));
        let field_key = object_key
            .as_ref()
            .and_then(|object| self.field_or_report(object, &definition.field, at("field")));
        let object = object_key
            .as_ref()
            .and_then(|key| objects.iter().find(|object| object.key == *key));
        if let (Some(object), Some(field_key)) = (object, &field_key)
            && let Some((_, field)) = object.field_keyed(field_key)
            && field.kind != Kind::Stage
            && self.is_readable(&object.key, field_key)
        {
            let stages = object
                .fields
                .iter()
                .filter(|field| field.kind == Kind::Stage)
                .map(|field| field.key.local());
            let issue = Issue::new(
                "FIELD_UNFIT",
                format!(
                    "\"{}\" is of kind {}; a pipeline needs a field of kind stage: expected {}",
                    definition.field,
                    field.kind.name(),
                    one_of(stages)
                ),
            );
            self.report(at("field"), issue);
        }
        let stages = self.make_stages(definition, object.map(|object| &**object), place);
        Some(Pipeline {
            key,
            name: name.clone(),
            labels: definition.labels.clone(),
            object: object_key?,
            field: field_key?,
            stages,
        })
    }

    fn make_stages(
        &mut self,
        definition: &PipelineDefinition,
        object: Option<&Object>,
        place: &[PathSegment],
    ) -> Vec<Stage> {
        let place = under(place.to_vec(), "stages");
        if definition.stages.is_empty() {
            let issue = Issue::new("MISSING", "a pipeline has at least one stage");
            self.report(place, issue);
            return Vec::new();
        }
        if definition.stages.len() > self.limits.stages_max {
            let issue = limit(
                "stages of one pipeline",
                self.limits.stages_max,
                definition.stages.len(),
            );
            self.report(place, issue);
            return Vec::new();
        }
        let mut stages: Vec<Stage> = Vec::with_capacity(definition.stages.len());
        for (position, stage_definition) in definition.stages.iter().enumerate() {
            let stage_place = under(place.clone(), position);
            let stage = self.make_stage(definition, stage_definition, object, &stage_place);
            if let Some(first) = stages.iter().position(|other| other.key == stage.key) {
                let issue = Issue::new(
                    "DUPLICATE_KEY",
                    format!("the stage \"{}\" is there already, at {first}", stage.key),
                );
                self.report(under(stage_place, "key"), issue);
                continue;
            }
            if let Some(first) = stages.iter().position(|other| other.name == stage.name) {
                let issue = Issue::new(
                    "DUPLICATE_NAME",
                    format!(
                        "the stage at {first} has the name \"{}\" already",
                        stage.name
                    ),
                );
                self.report(under(stage_place, "name"), issue);
            }
            stages.push(stage);
        }
        stages
    }

    fn make_stage(
        &mut self,
        pipeline: &PipelineDefinition,
        definition: &StageDefinition,
        object: Option<&Object>,
        place: &[PathSegment],
    ) -> Stage {
        let at = |segment: &str| under(place.to_vec(), segment);
        self.check_key(&definition.key, at("key"));
        let name = definition.name.as_ref().unwrap_or(&definition.key);
        if definition.name.is_some() && !is_key(name) {
            let issue = pipeline_name_invalid(name);
            self.report(at("name"), issue);
        }
        if let Some(probability) = definition.probability
            && (probability < Decimal::ZERO || probability > Decimal::ONE)
        {
            let issue = Issue::new(
                "OUT_OF_RANGE",
                format!("expected a probability between 0 and 1, got {probability}"),
            );
            self.report(at("probability"), issue);
        }
        let mut requires = Vec::new();
        if let Some(object) = object {
            for (position, reference) in definition.requires.iter().enumerate() {
                let item = under(at("requires"), position);
                let Some(key) = self.field_or_report(&object.key, reference, item.clone()) else {
                    continue;
                };
                let is_stage = object
                    .field_keyed(&key)
                    .is_some_and(|(_, field)| field.kind == Kind::Stage);
                if is_stage {
                    let issue = Issue::new(
                        "FIELD_UNFIT",
                        format!("\"{reference}\" is a stage itself and can't be a gate"),
                    );
                    self.report(item, issue);
                } else if !requires.contains(&key) {
                    requires.push(key);
                }
            }
        }
        let mut from = Vec::new();
        let known = || pipeline.stages.iter().map(|stage| stage.key.as_str());
        for (position, reference) in definition.from.iter().enumerate() {
            if known().any(|stage| stage == reference) {
                if !from.contains(reference) {
                    from.push(reference.clone());
                }
                continue;
            }
            let meant = nearest(reference, known());
            let message = match meant {
                Some(_) => format!(
                    "the pipeline has no stage \"{reference}\".{}",
                    did_you_mean(meant)
                ),
                None => format!(
                    "the pipeline has no stage \"{reference}\"; expected {}",
                    one_of(known())
                ),
            };
            let mut issue = Issue::new("UNKNOWN_STAGE", message);
            if let Some(meant) = meant {
                issue = issue.with("suggestion", meant);
            }
            self.report(under(at("from"), position), issue);
        }
        Stage {
            key: definition.key.clone(),
            name: name.clone(),
            labels: definition.labels.clone(),
            stage_type: definition.stage_type,
            probability: definition.probability,
            requires,
            from,
        }
    }

    /// Records stand in a pipeline of one field; it can't be carried to another.
    fn check_moved(&mut self, existing: &Pipeline, pipeline: &Pipeline) {
        if existing.object == pipeline.object && existing.field == pipeline.field {
            return;
        }
        let position = self
            .blueprint
            .pipelines
            .iter()
            .position(|definition| definition.key == pipeline.key.local())
            .unwrap_or_default();
        let issue = Issue::new(
            "KIND_CHANGED",
            format!(
                "the pipeline belongs to the field {} of {} and can't move: make a new one with \
                 another key",
                existing.field.local(),
                existing.object
            ),
        );
        self.report(
            path(&["pipelines".into(), position.into(), "field".into()]),
            issue,
        );
    }

    /// Names are unique among the pipelines of one field, whoever's they are.
    fn check_pipeline_names(&mut self, pipelines: &[Arc<Pipeline>]) {
        for (position, pipeline) in pipelines.iter().enumerate() {
            let Some(other) = pipelines[..position].iter().find(|other| {
                other.object == pipeline.object
                    && other.field == pipeline.field
                    && other.name == pipeline.name
            }) else {
                continue;
            };
            let (own, others) = if pipeline.key.owner() == self.owner {
                (pipeline, other)
            } else {
                (other, pipeline)
            };
            if own.key.owner() != self.owner {
                continue;
            }
            let place = self
                .blueprint
                .pipelines
                .iter()
                .position(|definition| definition.key == own.key.local())
                .unwrap_or_default();
            let issue = Issue::new(
                "NAME_TAKEN",
                format!(
                    "{} has a pipeline \"{}\" on this field ({}); {} must choose another name",
                    others.key.owner(),
                    own.name,
                    others.key,
                    self.owner
                ),
            )
            .with("owner", others.key.owner());
            self.report(
                path(&["pipelines".into(), place.into(), "name".into()]),
                issue,
            );
        }
    }
}

fn pipeline_name_invalid(name: &str) -> Issue {
    Issue::new(
        "NAME_INVALID",
        format!(
            "\"{name}\" is no name: expected a small letter, then letters, digits, \"_\" or \
             \"-\", at most 60"
        ),
    )
}
