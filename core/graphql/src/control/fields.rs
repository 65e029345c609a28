//! Fields.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result};
use relata_app::{State, catalogue};
use relata_catalog::{self as catalog, FieldIndex, Kind};

use super::blueprint::Plan;
use super::error::graphql;
use super::objects::ObjectType;
use super::pipelines::Pipeline;
use super::scalars::{JsonScalar, Labels, label_for};
use super::{Administrator, caller, state, workspace};

/// A property of an object.
pub(super) struct Field {
    state: Arc<State>,
    object: Arc<catalog::Object>,
    index: FieldIndex,
}

impl Field {
    pub(super) fn new(
        state: &Arc<State>,
        object: &Arc<catalog::Object>,
        index: FieldIndex,
    ) -> Self {
        Self {
            state: Arc::clone(state),
            object: Arc::clone(object),
            index,
        }
    }

    pub(super) fn all_of(state: &Arc<State>, object: &Arc<catalog::Object>) -> Vec<Self> {
        (0..object.fields.len())
            .map(|position| Self::new(state, object, FieldIndex(position)))
            .collect()
    }

    pub(super) fn named(
        state: &Arc<State>,
        object: &Arc<catalog::Object>,
        name: &str,
    ) -> Option<Self> {
        let (index, _) = object.field_named(name)?;
        Some(Self::new(state, object, index))
    }

    fn field(&self) -> &catalog::Field {
        self.object.field(self.index)
    }
}

/// A property of an object.
#[Object]
impl Field {
    /// `owner/key`: never changes.
    async fn key(&self) -> &str {
        self.field().key.as_str()
    }

    /// Who brought it; may be another than the object's owner.
    async fn owner(&self) -> &str {
        self.field().key.owner()
    }

    /// Name in the records' schema.
    async fn name(&self) -> &str {
        &self.field().name
    }

    /// The object that it belongs to.
    async fn object(&self) -> Option<ObjectType> {
        ObjectType::named(&self.state, &self.object.singular)
    }

    /// What people call it, in all languages.
    async fn labels(&self) -> Labels {
        Labels(self.field().labels.clone())
    }

    /// What people call it, in the caller's language or another.
    async fn label(&self, context: &Context<'_>, locale: Option<String>) -> String {
        let locale = locale.as_deref().unwrap_or(&caller(context).locale);
        label_for(&self.field().labels, locale, &self.field().name)
    }

    /// What it is for, in all languages.
    async fn description(&self) -> Labels {
        Labels(self.field().description.clone())
    }

    /// What it holds, as blueprints say it: `text`, `integer`, `relation` …
    async fn kind(&self) -> &'static str {
        self.field().kind.name()
    }

    /// What the kind was told: `max`, `scale`, `options`, `prefix` …, as in a blueprint.
    async fn settings(&self) -> JsonScalar {
        let mut settings = serde_json::json!(self.field().kind);
        if let Some(members) = settings.as_object_mut() {
            members.shift_remove("kind");
        }
        JsonScalar(settings)
    }

    /// Whether a record without it is refused.
    async fn required(&self) -> bool {
        self.field().required
    }

    /// Whether no two records may have the same value.
    async fn unique(&self) -> bool {
        self.object.unique_by(self.field()).is_some()
    }

    /// What is the same value, where it is unique.
    async fn unique_by(&self) -> Option<UniqueBy> {
        Some(match self.object.unique_by(self.field())? {
            catalog::UniqueBy::Exact => UniqueBy::Exact,
            catalog::UniqueBy::Folded => UniqueBy::Folded,
        })
    }

    /// What a new record gets that says nothing.
    async fn default(&self) -> Option<JsonScalar> {
        self.field().default.clone().map(JsonScalar)
    }

    /// What a select may be, in order; empty for other kinds.
    async fn options(&self) -> Vec<SelectOption> {
        match &self.field().kind {
            Kind::Select { options } | Kind::MultiSelect { options } => {
                options.iter().cloned().map(SelectOption).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The object that a relation points at.
    async fn target(&self) -> Option<ObjectType> {
        let Kind::Relation(relation) = &self.field().kind else {
            return None;
        };
        let (_, target) = self.state.catalogue.object_keyed(&relation.target)?;
        ObjectType::named(&self.state, &target.singular)
    }

    /// Pipelines of a stage field.
    async fn pipelines(&self) -> Vec<Pipeline> {
        Pipeline::all(&self.state)
            .into_iter()
            .filter(|pipeline| {
                *pipeline.object_key() == self.object.key
                    && *pipeline.field_key() == self.field().key
            })
            .collect()
    }
}

/// What a unique key takes for the same.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum UniqueBy {
    /// What has the same letters.
    Exact,
    /// What has the same letters, case and accents aside.
    Folded,
}

/// One option of a select.
pub(super) struct SelectOption(catalog::SelectOption);

/// One option of a select.
#[Object]
impl SelectOption {
    /// Stable: what is stored, and the value of the enum in the records' schema.
    async fn value(&self) -> &str {
        &self.0.value
    }

    /// What people read, in all languages.
    async fn labels(&self) -> Labels {
        Labels(self.0.labels.clone())
    }

    /// What people read, in the caller's language or another.
    async fn label(&self, context: &Context<'_>, locale: Option<String>) -> String {
        let locale = locale.as_deref().unwrap_or(&caller(context).locale);
        label_for(&self.0.labels, locale, &self.0.value)
    }

    /// What it is shown in: `gray`, `red`, `orange`, `yellow`, `green`, `teal`, `blue`, `purple` or
    /// `pink`.
    async fn color(&self) -> Option<&'static str> {
        self.0.color.map(catalog::OptionColor::name)
    }

    /// Whether no record gets it any more; those that have it keep it.
    async fn is_retired(&self) -> bool {
        self.0.retired
    }
}

#[derive(Default)]
pub(super) struct FieldQuery;

#[Object(guard = "Administrator")]
impl FieldQuery {
    /// Fields of an object, in order; none where there is no such object.
    async fn fields(&self, context: &Context<'_>, object: String) -> Vec<Field> {
        let state = state(context);
        state
            .catalogue
            .object_named(&object)
            .map_or_else(Vec::new, |(_, object)| Field::all_of(&state, object))
    }

    /// The field of this name.
    async fn field(&self, context: &Context<'_>, object: String, name: String) -> Option<Field> {
        let state = state(context);
        let (_, object) = state.catalogue.object_named(&object)?;
        Field::named(&state, object, &name)
    }
}

#[derive(Default)]
pub(super) struct FieldMutation;

#[Object(guard = "Administrator")]
impl FieldMutation {
    /// Adds a field to an object, also to somebody else's. `data` is an item of a blueprint's
    /// `fields`.
    async fn create_field(
        &self,
        context: &Context<'_>,
        object: String,
        data: JsonScalar,
    ) -> Result<Field> {
        catalogue::field_create(workspace(context), caller(context), &object, &data.0)
            .await
            .map_err(graphql)?;
        there(context, &object, &data.name_or(""))
    }

    /// Changes a field of the workspace: members of `data` replace what they name. A new `name` is
    /// a rename: nothing is lost.
    async fn update_field(
        &self,
        context: &Context<'_>,
        object: String,
        name: String,
        data: JsonScalar,
        confirm: Option<Vec<String>>,
    ) -> Result<Field> {
        catalogue::field_update(
            workspace(context),
            caller(context),
            &object,
            &name,
            data.members()?,
            confirm.as_deref().unwrap_or_default(),
        )
        .await
        .map_err(graphql)?;
        there(context, &object, &data.name_or(&name))
    }

    /// Removes a field of the workspace with its values. What would be lost must be confirmed by
    /// name.
    async fn delete_field(
        &self,
        context: &Context<'_>,
        object: String,
        name: String,
        confirm: Option<Vec<String>>,
    ) -> Result<Plan> {
        catalogue::field_delete(
            workspace(context),
            caller(context),
            &object,
            &name,
            confirm.as_deref().unwrap_or_default(),
        )
        .await
        .map(Plan::from)
        .map_err(graphql)
    }
}

fn there(context: &Context<'_>, object: &str, name: &str) -> Result<Field> {
    let state = state(context);
    state
        .catalogue
        .object_named(object)
        .and_then(|(_, object)| Field::named(&state, object, name))
        .ok_or_else(|| super::gone(&format!("the field {object}.{name}")))
}
