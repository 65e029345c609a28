//! Pipelines and their stages.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result};
use relata_app::{State, catalogue};
use relata_catalog::{self as catalog, Key};

use super::blueprint::Plan;
use super::error::graphql;
use super::fields::Field;
use super::objects::ObjectType;
use super::scalars::{JsonScalar, Labels, label_for};
use super::{Administrator, caller, state, workspace};

/// An ordered list of stages for one stage field of one object.
pub(super) struct Pipeline {
    state: Arc<State>,
    pipeline: Arc<catalog::Pipeline>,
}

impl Pipeline {
    pub(super) fn all(state: &Arc<State>) -> Vec<Self> {
        state
            .catalogue
            .pipelines
            .iter()
            .map(|pipeline| Self {
                state: Arc::clone(state),
                pipeline: Arc::clone(pipeline),
            })
            .collect()
    }

    pub(super) fn object_key(&self) -> &Key {
        &self.pipeline.object
    }

    pub(super) fn field_key(&self) -> &Key {
        &self.pipeline.field
    }

    /// By key (`owner/key`), or by name where only one has it.
    fn called(state: &Arc<State>, called: &str) -> Option<Self> {
        let mut all = Self::all(state);
        if let Some(position) = all
            .iter()
            .position(|pipeline| pipeline.pipeline.key.as_str() == called)
        {
            return Some(all.swap_remove(position));
        }
        all.retain(|pipeline| pipeline.pipeline.name == called);
        if all.len() == 1 { all.pop() } else { None }
    }

    fn stage(&self, name: &str) -> Option<Stage> {
        let position = self
            .pipeline
            .stages
            .iter()
            .position(|stage| stage.name == name)?;
        Some(Stage {
            state: Arc::clone(&self.state),
            pipeline: Arc::clone(&self.pipeline),
            position,
        })
    }
}

/// An ordered list of stages for one stage field of one object.
#[Object]
impl Pipeline {
    /// `owner/key`: never changes.
    async fn key(&self) -> &str {
        self.pipeline.key.as_str()
    }

    /// Who brought it.
    async fn owner(&self) -> &str {
        self.pipeline.key.owner()
    }

    /// Name in the records' schema.
    async fn name(&self) -> &str {
        &self.pipeline.name
    }

    /// What people call it, in all languages.
    async fn labels(&self) -> Labels {
        Labels(self.pipeline.labels.clone())
    }

    /// What people call it, in the caller's language or another.
    async fn label(&self, context: &Context<'_>, locale: Option<String>) -> String {
        let locale = locale.as_deref().unwrap_or(&caller(context).locale);
        label_for(&self.pipeline.labels, locale, &self.pipeline.name)
    }

    /// The object whose records stand in it.
    async fn object(&self) -> Option<ObjectType> {
        let (_, object) = self.state.catalogue.object_keyed(&self.pipeline.object)?;
        ObjectType::named(&self.state, &object.singular)
    }

    /// The stage field that says where.
    async fn field(&self) -> Option<Field> {
        let (_, object) = self.state.catalogue.object_keyed(&self.pipeline.object)?;
        let (index, _) = object.field_keyed(&self.pipeline.field)?;
        Some(Field::new(&self.state, object, index))
    }

    /// Its stages, in order. A new record starts in the first.
    async fn stages(&self) -> Vec<Stage> {
        (0..self.pipeline.stages.len())
            .map(|position| Stage {
                state: Arc::clone(&self.state),
                pipeline: Arc::clone(&self.pipeline),
                position,
            })
            .collect()
    }
}

/// One stage of a pipeline.
pub(super) struct Stage {
    state: Arc<State>,
    pipeline: Arc<catalog::Pipeline>,
    position: usize,
}

impl Stage {
    fn stage(&self) -> &catalog::Stage {
        &self.pipeline.stages[self.position]
    }
}

/// One stage of a pipeline.
#[Object]
impl Stage {
    /// Never changes; unique in its pipeline.
    async fn key(&self) -> &str {
        &self.stage().key
    }

    /// What `to` takes.
    async fn name(&self) -> &str {
        &self.stage().name
    }

    /// What people call it, in all languages.
    async fn labels(&self) -> Labels {
        Labels(self.stage().labels.clone())
    }

    /// What people call it, in the caller's language or another.
    async fn label(&self, context: &Context<'_>, locale: Option<String>) -> String {
        let locale = locale.as_deref().unwrap_or(&caller(context).locale);
        label_for(&self.stage().labels, locale, &self.stage().name)
    }

    /// Whether it is an end.
    #[graphql(name = "type")]
    async fn stage_type(&self) -> StageType {
        self.stage().stage_type.into()
    }

    /// Place in the pipeline, from 0.
    async fn position(&self) -> usize {
        self.position
    }

    /// Probability of winning, 0 to 1, as decimal text.
    async fn probability(&self) -> Option<String> {
        self.stage()
            .probability
            .map(|probability| probability.to_string())
    }

    /// Gate: names of fields that must be filled to enter.
    async fn requires(&self) -> Vec<String> {
        let Some((_, object)) = self.state.catalogue.object_keyed(&self.pipeline.object) else {
            return Vec::new();
        };
        self.stage()
            .requires
            .iter()
            .filter_map(|key| object.field_keyed(key))
            .map(|(_, field)| field.name.clone())
            .collect()
    }

    /// Gate: stages from which it may be entered; none: from any.
    async fn from(&self) -> &[String] {
        &self.stage().from
    }
}

/// Whether a stage is an end, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum StageType {
    /// Work goes on.
    Open,
    /// A good end.
    Won,
    /// A bad end.
    Lost,
}

impl From<catalog::StageType> for StageType {
    fn from(stage_type: catalog::StageType) -> Self {
        match stage_type {
            catalog::StageType::Open => Self::Open,
            catalog::StageType::Won => Self::Won,
            catalog::StageType::Lost => Self::Lost,
        }
    }
}

#[derive(Default)]
pub(super) struct PipelineQuery;

#[Object(guard = "Administrator")]
impl PipelineQuery {
    /// All pipelines, or those of one object.
    async fn pipelines(&self, context: &Context<'_>, object: Option<String>) -> Vec<Pipeline> {
        let state = state(context);
        let mut all = Pipeline::all(&state);
        if let Some(name) = object {
            let key = state
                .catalogue
                .object_named(&name)
                .map(|(_, object)| &object.key);
            all.retain(|pipeline| Some(pipeline.object_key()) == key);
        }
        all
    }

    /// The pipeline with this key (`owner/key`), or with this name where only one has it.
    async fn pipeline(&self, context: &Context<'_>, name: String) -> Option<Pipeline> {
        Pipeline::called(&state(context), &name)
    }

    /// Stages of a pipeline, in order; none where there is no such pipeline.
    async fn stages(&self, context: &Context<'_>, pipeline: String) -> Result<Vec<Stage>> {
        match Pipeline::called(&state(context), &pipeline) {
            Some(pipeline) => pipeline.stages(context).await,
            None => Ok(Vec::new()),
        }
    }

    /// The stage of this name.
    async fn stage(&self, context: &Context<'_>, pipeline: String, name: String) -> Option<Stage> {
        Pipeline::called(&state(context), &pipeline)?.stage(&name)
    }
}

#[derive(Default)]
pub(super) struct PipelineMutation;

#[Object(guard = "Administrator")]
impl PipelineMutation {
    /// Makes a pipeline. `data` is an item of a blueprint's `pipelines`.
    async fn create_pipeline(&self, context: &Context<'_>, data: JsonScalar) -> Result<Pipeline> {
        catalogue::pipeline_create(workspace(context), caller(context), &data.0)
            .await
            .map_err(graphql)?;
        there(context, &own_key(&data))
    }

    /// Changes a pipeline of the workspace: members of `data` replace what they name.
    async fn update_pipeline(
        &self,
        context: &Context<'_>,
        name: String,
        data: JsonScalar,
        confirm: Option<Vec<String>>,
    ) -> Result<Pipeline> {
        // Looked up before: a new name is not what it was called by. Where there is none, the
        // update says so.
        let key = Pipeline::called(&state(context), &name).map_or_else(
            || name.clone(),
            |pipeline| pipeline.pipeline.key.to_string(),
        );
        catalogue::pipeline_update(
            workspace(context),
            caller(context),
            &name,
            data.members()?,
            confirm.as_deref().unwrap_or_default(),
        )
        .await
        .map_err(graphql)?;
        there(context, &key)
    }

    /// Removes a pipeline of the workspace, and where records stand in it. What would be lost must
    /// be confirmed by name.
    async fn delete_pipeline(
        &self,
        context: &Context<'_>,
        name: String,
        confirm: Option<Vec<String>>,
    ) -> Result<Plan> {
        catalogue::pipeline_delete(
            workspace(context),
            caller(context),
            &name,
            confirm.as_deref().unwrap_or_default(),
        )
        .await
        .map(Plan::from)
        .map_err(graphql)
    }

    /// Adds a stage, at a position from 0 or at the end. `data` is an item of a pipeline's
    /// `stages` in a blueprint.
    async fn create_stage(
        &self,
        context: &Context<'_>,
        pipeline: String,
        data: JsonScalar,
        position: Option<u32>,
    ) -> Result<Stage> {
        catalogue::stage_create(
            workspace(context),
            caller(context),
            &pipeline,
            &data.0,
            position.map(|position| position as usize),
        )
        .await
        .map_err(graphql)?;
        stage_there(context, &pipeline, &data.name_or(""))
    }

    /// Changes a stage: members of `data` replace what they name, `position` (from 0) moves it.
    async fn update_stage(
        &self,
        context: &Context<'_>,
        pipeline: String,
        name: String,
        data: JsonScalar,
        position: Option<u32>,
    ) -> Result<Stage> {
        catalogue::stage_update(
            workspace(context),
            caller(context),
            &pipeline,
            &name,
            data.members()?,
            position.map(|position| position as usize),
        )
        .await
        .map_err(graphql)?;
        stage_there(context, &pipeline, &data.name_or(&name))
    }

    /// Removes a stage; records in it stand nowhere then, which must be confirmed by name.
    async fn delete_stage(
        &self,
        context: &Context<'_>,
        pipeline: String,
        name: String,
        confirm: Option<Vec<String>>,
    ) -> Result<Plan> {
        catalogue::stage_delete(
            workspace(context),
            caller(context),
            &pipeline,
            &name,
            confirm.as_deref().unwrap_or_default(),
        )
        .await
        .map(Plan::from)
        .map_err(graphql)
    }
}

/// Key of a pipeline that the workspace has just made.
fn own_key(data: &JsonScalar) -> String {
    let local = data.0["key"]
        .as_str()
        .map_or_else(|| data.name_or(""), str::to_owned);
    Key::new(catalog::OWNER_WORKSPACE, &local).to_string()
}

fn there(context: &Context<'_>, key: &str) -> Result<Pipeline> {
    Pipeline::called(&state(context), key)
        .ok_or_else(|| super::gone(&format!("the pipeline {key}")))
}

fn stage_there(context: &Context<'_>, pipeline: &str, name: &str) -> Result<Stage> {
    there(context, pipeline)?
        .stage(name)
        .ok_or_else(|| super::gone(&format!("the stage {name} of {pipeline}")))
}
