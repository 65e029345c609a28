//! What is selected of a stage. What depends on the stage alone is written here, once for each
//! stage there is, in the reader's language.

use std::sync::Arc;

use async_graphql::parser::types::SelectionSet;
use relata_catalog::{Field, FieldIndex, Key, Labels, ObjectIndex, Pipeline, Stage, Value};
use relata_store::{
    filter::Operand,
    read::{Member, PassageMember, StageMember, StageOption, StageOptionMember},
};
use serde_json::{Map, Value as Json};

use super::{
    coercer::Coercer,
    cost::{Cost, Size},
    draft::Draft,
    prepare::Selected,
    record::typename,
};

/// A pipeline's key, a stage's key, JSON.
type ByStage = Vec<(Key, String, String)>;

impl<'v> Draft<'_, 'v> {
    pub(crate) fn stage_member(
        &mut self,
        key: String,
        object: ObjectIndex,
        index: FieldIndex,
        field: &Field,
        selected: &Selected<'v>,
        costs: &mut Vec<Cost>,
    ) -> Member {
        let catalogue = self.planner.catalogue;
        let pipelines = catalogue
            .pipelines_of(&catalogue.object(object).key, &field.key)
            .cloned()
            .collect::<Vec<_>>();
        let members = self
            .selected(&selected.sets, "StageValue", &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                self.inside(member.key, |draft| match member.name() {
                    "pipeline" | "stage" => draft.standing(key, &pipelines, member),
                    "enteredAt" => StageMember::EnteredAt { key },
                    "passages" => draft.passages(key, &pipelines, member, costs),
                    "options" => draft.options(key, object, field, &pipelines, member),
                    _ => typename!(StageMember, key, "StageValue"),
                })
            })
            .collect();
        Member::Stage {
            key,
            field: index,
            members,
        }
    }

    /// The `pipeline` or the `stage` that a record or a group stands in.
    pub(crate) fn standing(
        &mut self,
        key: String,
        pipelines: &[Arc<Pipeline>],
        member: &Selected<'v>,
    ) -> StageMember {
        let json = match member.name() {
            "pipeline" => self.by_stage(pipelines, |_, pipeline, _| pipeline.name.as_str().into()),
            _ => self.stages_json(pipelines, &member.sets),
        };
        StageMember::ByStage { key, json }
    }

    pub(crate) fn by_stage(
        &mut self,
        pipelines: &[Arc<Pipeline>],
        mut json: impl FnMut(&mut Self, &Pipeline, usize) -> Json,
    ) -> ByStage {
        let mut written = Vec::new();
        for pipeline in pipelines {
            for (position, stage) in pipeline.stages.iter().enumerate() {
                let json = json(self, pipeline, position).to_string();
                written.push((pipeline.key.clone(), stage.key.clone(), json));
            }
        }
        written
    }

    pub(crate) fn stages_json(
        &mut self,
        pipelines: &[Arc<Pipeline>],
        sets: &[&'v SelectionSet],
    ) -> ByStage {
        self.by_stage(pipelines, |draft, pipeline, position| {
            draft.stage_json(&pipeline.stages[position], position, sets)
        })
    }

    fn stage_json(&mut self, stage: &Stage, position: usize, sets: &[&'v SelectionSet]) -> Json {
        let locale = self.planner.locale;
        self.json_object(sets, "Stage", |name| match name {
            "name" => stage.name.as_str().into(),
            "label" => label(&stage.labels, locale, &stage.name).into(),
            "type" => serde_json::to_value(stage.stage_type).unwrap_or_default(),
            "probability" => stage
                .probability
                .map_or(Json::Null, |probability| probability.to_string().into()),
            "position" => position.into(),
            _ => Json::Null,
        })
    }

    /// An object whose members are all known.
    fn json_object(
        &mut self,
        sets: &[&'v SelectionSet],
        type_name: &str,
        value: impl Fn(&str) -> Json,
    ) -> Json {
        let mut object = Map::new();
        for member in self.selected(sets, type_name, &[]) {
            let json = match member.name() {
                "__typename" => type_name.into(),
                name => value(name),
            };
            object.insert(member.key.to_owned(), json);
        }
        Json::Object(object)
    }

    fn passages(
        &mut self,
        key: String,
        pipelines: &[Arc<Pipeline>],
        selected: &Selected<'v>,
        costs: &mut Vec<Cost>,
    ) -> StageMember {
        let default = self.planner.limits.page_nested_default;
        let given = self
            .argument(selected, "first", "Int")
            .filter(|input| !input.is_null());
        let first = match given {
            Some(input) => self.inside("first", |draft| {
                draft.operand(&input, Coercer::PageSize, false)
            }),
            // Below 2^53 by its setting.
            None => Operand::Value(Value::Integer(default as i64)),
        };
        costs.push(Cost {
            size: Size::of(&first),
            inner: Vec::new(),
        });
        let members = self
            .selected(&selected.sets, "StagePassage", &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                match member.name() {
                    name @ ("from" | "to") => PassageMember::ByStage {
                        key,
                        left: name == "from",
                        json: self.stages_json(pipelines, &member.sets),
                    },
                    "at" => PassageMember::At { key },
                    "seconds" => PassageMember::Seconds { key },
                    "reason" => PassageMember::Reason { key },
                    "by" => PassageMember::By {
                        key,
                        members: self.actor(member),
                    },
                    _ => typename!(PassageMember, key, "StagePassage"),
                }
            })
            .collect();
        StageMember::Passages {
            key,
            first,
            members,
        }
    }

    fn options(
        &mut self,
        key: String,
        object: ObjectIndex,
        field: &Field,
        pipelines: &[Arc<Pipeline>],
        selected: &Selected<'v>,
    ) -> StageMember {
        let mut stage_sets: Vec<Vec<&'v SelectionSet>> = Vec::new();
        let mut unmet_sets: Vec<Vec<&'v SelectionSet>> = Vec::new();
        let members = self
            .selected(&selected.sets, "StageOption", &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                match member.name() {
                    // Under two names they are two texts.
                    "stage" => {
                        stage_sets.push(member.sets.clone());
                        let text = stage_sets.len() - 1;
                        StageOptionMember::Stage { key, text }
                    }
                    "unmet" => {
                        unmet_sets.push(member.sets.clone());
                        let text = unmet_sets.len() - 1;
                        StageOptionMember::Unmet { key, text }
                    }
                    "allowed" => StageOptionMember::Allowed { key },
                    _ => typename!(StageOptionMember, key, "StageOption"),
                }
            })
            .collect();
        let mut options = Vec::new();
        for pipeline in pipelines {
            for (position, stage) in pipeline.stages.iter().enumerate() {
                let option = self.option(
                    object,
                    field,
                    pipeline,
                    stage,
                    position,
                    &stage_sets,
                    &unmet_sets,
                );
                options.push(option);
            }
        }
        StageMember::Options {
            key,
            options,
            members,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one stage in its surroundings")]
    fn option(
        &mut self,
        object: ObjectIndex,
        field: &Field,
        pipeline: &Pipeline,
        stage: &Stage,
        position: usize,
        stage_sets: &[Vec<&'v SelectionSet>],
        unmet_sets: &[Vec<&'v SelectionSet>],
    ) -> StageOption {
        let record = self.planner.catalogue.object(object);
        let locale = self.planner.locale;
        let to = label(&stage.labels, locale, &stage.name);
        let requires = stage
            .requires
            .iter()
            .filter_map(|key| record.field_keyed(key))
            .map(|(index, required)| {
                let what = label(&required.labels, locale, &required.name);
                let message = format!("{what} must be filled before {to}");
                let json = self.unmet_json(unmet_sets, "REQUIRED", &message, &required.name);
                (index, json)
            })
            .collect();
        let names = stage
            .from
            .iter()
            .filter_map(|key| pipeline.stage(key))
            .map(|open| label(&open.labels, locale, &open.name))
            .collect::<Vec<_>>()
            .join(", ");
        let message = format!("{to} is entered from {names}");
        StageOption {
            pipeline: pipeline.key.clone(),
            stage: stage.key.clone(),
            stage_json: stage_sets
                .iter()
                .map(|sets| self.stage_json(stage, position, sets).to_string())
                .collect(),
            from: stage.from.clone(),
            from_unmet_json: self.unmet_json(unmet_sets, "NOT_FROM_HERE", &message, &field.name),
            requires,
        }
    }

    /// One text for each time that it is selected.
    fn unmet_json(
        &mut self,
        selected: &[Vec<&'v SelectionSet>],
        code: &str,
        message: &str,
        field: &str,
    ) -> Vec<String> {
        let mut texts = Vec::with_capacity(selected.len());
        for sets in selected {
            let json = self.json_object(sets, "StageUnmet", |name| match name {
                "code" => code.into(),
                "message" => message.into(),
                "path" => vec![field].into(),
                _ => Json::Null,
            });
            texts.push(json.to_string());
        }
        texts
    }
}

/// The text in the reader's language, in its main language (`zh` for `zh-CN`), in English, in
/// any; else the name.
fn label<'l>(labels: &'l Labels, locale: &str, name: &'l str) -> &'l str {
    let main = locale.split('-').next().unwrap_or(locale);
    [locale, main, "en"]
        .iter()
        .find_map(|language| labels.get(*language))
        .or_else(|| labels.values().next())
        .map_or(name, String::as_str)
}
