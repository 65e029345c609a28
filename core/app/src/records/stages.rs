//! Stages: where a record stands in a pipeline, what it takes to enter a stage, and the record
//! of each passage.

use relata_catalog::{
    Catalogue, Field, FieldIndex, Issue, Issues, Kind, Object, Pipeline, Stage, StageValue, Value,
};
use relata_store::log::Passage;
use serde_json::Value as Json;

use super::draft::{Concern, Draft, StageMove};
use crate::{naming, transact::Unit};

/// Most characters of a move's reason.
const REASON_MAX: usize = 2_000;

/// What a client writes into a stage field.
#[derive(Debug, Default, PartialEq)]
struct StageInput {
    to: String,
    pipeline: Option<String>,
    reason: Option<String>,
    override_gates: bool,
}

/// Puts the draft where the client wants it. Gates are looked at later, when hooks are through.
pub(super) fn place(
    catalogue: &Catalogue,
    object: &Object,
    draft: &mut Draft,
    index: FieldIndex,
    json: &Json,
    now: i64,
) {
    let field = object.field(index);
    let placed = parse(json).and_then(|input| {
        let value = target(
            catalogue,
            object,
            field,
            draft.old_value(index),
            &input,
            now,
        )?;
        Ok((input, value))
    });
    match placed {
        Ok((input, value)) => {
            draft.values[index.0] = value;
            draft.moves.push(StageMove {
                field: index,
                reason: input.reason,
                override_gates: input.override_gates,
            });
        }
        Err(issues) => draft.problems_at(&field.name, issues),
    }
}

/// Where a new record starts that says nothing: the first stage of the first pipeline.
pub(super) fn start(catalogue: &Catalogue, object: &Object, field: &Field, now: i64) -> Value {
    catalogue
        .pipelines_of(&object.key, &field.key)
        .next()
        .and_then(|pipeline| {
            pipeline.stages.first().map(|stage| {
                Value::Stage(StageValue {
                    pipeline: pipeline.key.clone(),
                    stage: stage.key.clone(),
                    entered_at: now,
                })
            })
        })
        .unwrap_or_default()
}

fn parse(json: &Json) -> Result<StageInput, Issues> {
    let map = match json {
        Json::String(to) => {
            return Ok(StageInput {
                to: to.clone(),
                ..StageInput::default()
            });
        }
        Json::Object(map) => map,
        Json::Null => {
            return Err(Issue::new(
                "STAGE_REQUIRED",
                "a record always stands in a stage; name the one to move to",
            )
            .into());
        }
        _ => {
            return Err(Issue::new(
                "BAD_INPUT",
                "a stage is written as {to: \"stage\"}, with pipeline, reason and override as needed",
            )
            .into());
        }
    };
    let mut issues = Issues::default();
    let mut input = StageInput::default();
    for (name, value) in map {
        match (name.as_str(), value) {
            ("to", Json::String(to)) => input.to = to.clone(),
            ("pipeline", Json::String(pipeline)) => input.pipeline = Some(pipeline.clone()),
            ("reason", Json::String(reason)) => {
                if reason.chars().count() > REASON_MAX {
                    issues.push(
                        Issue::new(
                            "TOO_LONG",
                            format!("a reason has at most {REASON_MAX} characters"),
                        )
                        .at("reason"),
                    );
                }
                input.reason = Some(reason.clone());
            }
            ("override", Json::Bool(override_gates)) => input.override_gates = *override_gates,
            ("pipeline" | "reason" | "override", Json::Null) => {}
            ("to" | "pipeline" | "reason", _) => {
                issues.push(Issue::new("BAD_INPUT", format!("{name} is a text")).at(name.as_str()))
            }
            ("override", _) => {
                issues.push(Issue::new("BAD_INPUT", "override is true or false").at("override"));
            }
            _ => issues.push(
                Issue::new(
                    "UNKNOWN_FIELD",
                    format!("a stage has no {name}; there are to, pipeline, reason and override"),
                )
                .at(name.as_str()),
            ),
        }
    }
    if !map.contains_key("to") {
        issues.push(Issue::new("REQUIRED", "to names the stage to move to").at("to"));
    }
    issues.into_result(input)
}

fn target(
    catalogue: &Catalogue,
    object: &Object,
    field: &Field,
    old: &Value,
    input: &StageInput,
    now: i64,
) -> Result<Value, Issues> {
    let pipeline = pipeline_for(catalogue, object, field, old, input)?;
    let Some(stage) = pipeline.stages.iter().find(|stage| stage.name == input.to) else {
        let names: Vec<&str> = pipeline
            .stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect();
        return Err(Issue::new(
            "UNKNOWN_STAGE",
            format!(
                "the pipeline {} has no stage {}{}",
                pipeline.name,
                input.to,
                naming::instead(&input.to, names.iter().copied())
            ),
        )
        .with("stages", names)
        .at("to")
        .into());
    };
    match old {
        Value::Stage(stands) if stands.pipeline == pipeline.key && stands.stage == stage.key => {
            Ok(old.clone())
        }
        _ => Ok(Value::Stage(StageValue {
            pipeline: pipeline.key.clone(),
            stage: stage.key.clone(),
            entered_at: now,
        })),
    }
}

fn pipeline_for<'a>(
    catalogue: &'a Catalogue,
    object: &'a Object,
    field: &'a Field,
    old: &Value,
    input: &StageInput,
) -> Result<&'a Pipeline, Issues> {
    let mut pipelines = catalogue.pipelines_of(&object.key, &field.key);
    let found = match (&input.pipeline, old) {
        (Some(name), _) => pipelines.find(|pipeline| pipeline.name == *name),
        (None, Value::Stage(stands)) => pipelines.find(|pipeline| pipeline.key == stands.pipeline),
        (None, _) => pipelines.next(),
    };
    found.map(AsRef::as_ref).ok_or_else(|| {
        let names: Vec<&str> = catalogue
            .pipelines_of(&object.key, &field.key)
            .map(|pipeline| pipeline.name.as_str())
            .collect();
        let issue = match &input.pipeline {
            Some(name) => Issue::new(
                "UNKNOWN_PIPELINE",
                format!(
                    "{} has no pipeline {name}{}",
                    field.name,
                    naming::instead(name, names.iter().copied())
                ),
            ),
            None => Issue::new(
                "UNKNOWN_PIPELINE",
                format!("{} has no pipeline yet: create one first", field.name),
            ),
        };
        issue.with("pipelines", names).at("pipeline").into()
    })
}

/// Gates: whether the record may enter the stages that it would enter.
pub(super) fn gates(unit: &Unit, object: &Object, draft: &mut Draft) {
    let catalogue = &unit.state().catalogue;
    for index in stage_fields(object) {
        let Some((pipeline, stage)) = entered(catalogue, draft, index) else {
            continue;
        };
        let said = draft.moves.iter().find(|said| said.field == index);
        if said.is_some_and(|said| said.override_gates) {
            if unit.caller().is_admin {
                continue;
            }
            let issue = Issue::new(
                "OVERRIDE_FORBIDDEN",
                "only an administrator may pass over a stage's gate",
            )
            .at("override")
            .at(object.field(index).name.as_str());
            draft.problem(Concern::Gate, issue);
        }
        for issue in unmet(object, draft, index, pipeline, stage) {
            draft.problem(Concern::Gate, issue);
        }
    }
}

fn unmet(
    object: &Object,
    draft: &Draft,
    index: FieldIndex,
    pipeline: &Pipeline,
    stage: &Stage,
) -> Vec<Issue> {
    let mut unmet = Vec::new();
    for (required, field) in stage
        .requires
        .iter()
        .filter_map(|key| object.field_keyed(key))
    {
        if draft.value(required).is_null() {
            unmet.push(
                Issue::new(
                    "STAGE_REQUIRES",
                    format!(
                        "{} must be filled before the {} enters {}",
                        field.name, object.singular, stage.name
                    ),
                )
                .with("field", field.name.as_str())
                .with("stage", stage.name.as_str())
                .at(field.name.as_str()),
            );
        }
    }
    if !stage.from.is_empty() {
        let from = match draft.old_value(index) {
            Value::Stage(stands) if stands.pipeline == pipeline.key => {
                pipeline.stage(&stands.stage)
            }
            _ => None,
        };
        if !from.is_some_and(|from| stage.from.contains(&from.key)) {
            let names = stage
                .from
                .iter()
                .map(|key| {
                    let open = pipeline.stage(key);
                    open.map_or(key.as_str(), |open| open.name.as_str())
                })
                .collect::<Vec<_>>();
            let message = match from {
                Some(from) => format!(
                    "{} is entered from {}, not from {}",
                    stage.name,
                    names.join(" or "),
                    from.name
                ),
                None => format!(
                    "{} is entered from {}: start there",
                    stage.name,
                    names.join(" or ")
                ),
            };
            unmet.push(
                Issue::new("STAGE_FROM", message)
                    .with("stage", stage.name.as_str())
                    .with("from", names)
                    .at("to")
                    .at(object.field(index).name.as_str()),
            );
        }
    }
    unmet
}

/// The passages that the draft makes, to be recorded with the write.
pub(super) fn passages(unit: &Unit, object: &Object, draft: &Draft) -> Vec<Passage> {
    stage_fields(object)
        .filter(|index| draft.is_changed(*index))
        .filter_map(|index| {
            let Value::Stage(to) = draft.value(index) else {
                return None;
            };
            let from = match draft.old_value(index) {
                Value::Stage(from) => Some(from),
                _ => None,
            };
            let said = draft.moves.iter().find(|said| said.field == index);
            Some(Passage {
                object: object.key.clone(),
                record: draft.id,
                field: object.field(index).key.clone(),
                from: from.map(|from| (from.pipeline.clone(), from.stage.clone())),
                to: Some((to.pipeline.clone(), to.stage.clone())),
                at: unit.now(),
                seconds: from.map(|from| (unit.now() - from.entered_at).max(0) / 1_000_000),
                actor: unit.actor_text(),
                reason: said.and_then(|said| said.reason.clone()),
            })
        })
        .collect()
}

fn stage_fields(object: &Object) -> impl Iterator<Item = FieldIndex> + '_ {
    object
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| matches!(field.kind, Kind::Stage))
        .map(|(index, _)| FieldIndex(index))
}

/// The stage that the draft would enter by this field, if it moves.
fn entered<'a>(
    catalogue: &'a Catalogue,
    draft: &Draft,
    index: FieldIndex,
) -> Option<(&'a Pipeline, &'a Stage)> {
    if !draft.is_changed(index) {
        return None;
    }
    let Value::Stage(to) = draft.value(index) else {
        return None;
    };
    let pipeline = catalogue.pipeline(&to.pipeline)?;
    Some((pipeline, pipeline.stage(&to.stage)?))
}
