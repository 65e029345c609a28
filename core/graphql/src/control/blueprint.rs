//! Blueprints: plan, apply, export.

use async_graphql::{Context, ID, Object, Result};
use relata_app::catalogue::{self, PlanStep as StepView, PlanView};

use super::error::graphql;
use super::scalars::{JsonScalar, SafeInt};
use super::{Administrator, caller, workspace};

/// What must be done to come from the catalogue as it is to the one that is wanted.
pub(super) struct Plan(PlanView);

impl From<PlanView> for Plan {
    fn from(view: PlanView) -> Self {
        Self(view)
    }
}

/// What must be done to come from the catalogue as it is to the one that is wanted.
#[Object]
impl Plan {
    /// Applying with this id fails with `VERSION_CONFLICT` when the catalogue has moved on.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// The revision of the catalogue that it starts from.
    async fn base_revision(&self) -> SafeInt {
        self.0.base_revision.into()
    }

    /// Whether it has been carried out.
    async fn is_applied(&self) -> bool {
        self.0.revision.is_some()
    }

    /// The revision of the catalogue after it, where it has been carried out.
    async fn revision(&self) -> Option<SafeInt> {
        self.0.revision.map(SafeInt::from)
    }

    /// In the order in which they are carried out; none when there is nothing to do.
    async fn steps(&self) -> Vec<PlanStep> {
        self.0.steps.iter().cloned().map(PlanStep).collect()
    }
}

/// One step of a plan.
pub(super) struct PlanStep(StepView);

/// One step of a plan.
#[Object]
impl PlanStep {
    /// The kind of step: `ADD_FIELD`, `REMOVE_OBJECT` …
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// What it is confirmed by: `deal.amount`.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// One sentence.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Whether records or values may be lost.
    async fn is_destructive(&self) -> bool {
        self.0.destructive
    }

    /// How many records or values would be lost. A step that loses any must be confirmed.
    async fn loses(&self) -> SafeInt {
        SafeInt(self.0.loses)
    }

    /// How many records break the new rule. While there are any, the plan can't be carried out.
    async fn violations(&self) -> SafeInt {
        SafeInt(self.0.violations)
    }

    /// Of `CONVERT_FIELD`: up to 10 of the values that mean nothing in the new kind, as JSON.
    async fn unconverted(&self) -> &[String] {
        &self.0.unconverted
    }
}

#[derive(Default)]
pub(super) struct BlueprintQuery;

#[Object(guard = "Administrator")]
impl BlueprintQuery {
    /// What applying a blueprint would do. `document` is the document as JSON, or its YAML text.
    async fn plan_blueprint(&self, context: &Context<'_>, document: JsonScalar) -> Result<Plan> {
        plan(context, &document).await
    }

    /// The workspace's own configuration as a blueprint.
    async fn export_blueprint(&self, context: &Context<'_>) -> Result<JsonScalar> {
        catalogue::blueprint_export(workspace(context), caller(context))
            .map(|blueprint| JsonScalar(blueprint.to_json()))
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct BlueprintMutation;

#[Object(guard = "Administrator")]
impl BlueprintMutation {
    /// As the query of this name: here so that one request can plan, apply, and plan again.
    async fn plan_blueprint(&self, context: &Context<'_>, document: JsonScalar) -> Result<Plan> {
        plan(context, &document).await
    }

    /// Makes what the workspace owns exactly what the document says (JSON, or YAML text), in one
    /// transaction. With `plan`, only if that is still the plan. Steps that lose something must be
    /// confirmed by their names.
    async fn apply_blueprint(
        &self,
        context: &Context<'_>,
        document: JsonScalar,
        plan: Option<ID>,
        confirm: Option<Vec<String>>,
    ) -> Result<Plan> {
        catalogue::blueprint_apply(
            workspace(context),
            caller(context),
            &document.0,
            plan.as_ref().map(|plan| plan.as_str()),
            confirm.as_deref().unwrap_or_default(),
        )
        .await
        .map(Plan::from)
        .map_err(graphql)
    }
}

async fn plan(context: &Context<'_>, document: &JsonScalar) -> Result<Plan> {
    catalogue::blueprint_plan(workspace(context), caller(context), &document.0)
        .await
        .map(Plan::from)
        .map_err(graphql)
}
