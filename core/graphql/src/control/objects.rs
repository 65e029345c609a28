//! Objects.

use std::sync::Arc;

use async_graphql::{Context, Object, Result};
use relata_app::{State, catalogue, indexes::IndexState};
use relata_catalog as catalog;

use super::blueprint::Plan;
use super::duplicates::DuplicateRules;
use super::error::graphql;
use super::fields::Field;
use super::pipelines::Pipeline;
use super::scalars::{JsonScalar, Labels, label_for};
use super::{Administrator, caller, state, workspace};
use crate::records::Records;

/// A kind of record: what the records endpoint offers queries and mutations for.
pub(super) struct ObjectType {
    state: Arc<State>,
    object: Arc<catalog::Object>,
}

impl ObjectType {
    /// The object with this singular name.
    pub(super) fn named(state: &Arc<State>, name: &str) -> Option<Self> {
        let (_, object) = state.catalogue.object_named(name)?;
        Some(Self {
            object: Arc::clone(object),
            state: Arc::clone(state),
        })
    }
}

/// A kind of record.
#[Object(name = "Object")]
impl ObjectType {
    /// `owner/key`: never changes.
    async fn key(&self) -> &str {
        self.object.key.as_str()
    }

    /// `relata` (standard objects), `workspace`, or a plugin's id.
    async fn owner(&self) -> &str {
        self.object.owner()
    }

    /// Name of one, and of its query.
    async fn name(&self) -> &str {
        &self.object.singular
    }

    /// Name of many, and of their query.
    async fn plural(&self) -> &str {
        &self.object.plural
    }

    /// Name of the type in the records' schema.
    async fn type_name(&self) -> String {
        self.object.type_name()
    }

    /// What people call one, in all languages.
    async fn labels(&self) -> Labels {
        Labels(self.object.labels.clone())
    }

    /// What people call one, in the caller's language or another.
    async fn label(&self, context: &Context<'_>, locale: Option<String>) -> String {
        let locale = locale.as_deref().unwrap_or(&caller(context).locale);
        label_for(&self.object.labels, locale, &self.object.singular)
    }

    /// What people call many, in all languages.
    async fn plural_labels(&self) -> Labels {
        Labels(self.object.plural_labels.clone())
    }

    /// What people call many, in the caller's language or another.
    async fn plural_label(&self, context: &Context<'_>, locale: Option<String>) -> String {
        let locale = locale.as_deref().unwrap_or(&caller(context).locale);
        label_for(&self.object.plural_labels, locale, &self.object.plural)
    }

    /// What it is for, in all languages.
    async fn description(&self) -> Labels {
        Labels(self.object.description.clone())
    }

    /// The field whose text names a record to people.
    async fn label_field(&self) -> Option<Field> {
        let key = self.object.label_field.as_ref()?;
        let (index, _) = self.object.field_keyed(key)?;
        Some(Field::new(&self.state, &self.object, index))
    }

    /// Its fields, in order.
    async fn fields(&self) -> Vec<Field> {
        Field::all_of(&self.state, &self.object)
    }

    /// The field with this name.
    async fn field(&self, name: String) -> Option<Field> {
        Field::named(&self.state, &self.object, &name)
    }

    /// Unique keys, each by the names of its fields.
    async fn uniques(&self) -> Vec<Vec<String>> {
        self.object
            .uniques
            .iter()
            .map(|unique| {
                unique
                    .fields
                    .iter()
                    .filter_map(|key| self.object.field_keyed(key))
                    .map(|(_, field)| field.name.clone())
                    .collect()
            })
            .collect()
    }

    /// Indexes that somebody has asked for, beside those that every object has.
    async fn indexes(&self, context: &Context<'_>) -> Result<Vec<ObjectIndex>> {
        let states = relata_app::indexes::index_states(workspace(context), &self.object)
            .await
            .map_err(graphql)?;
        Ok(self
            .object
            .indexes
            .iter()
            .zip(states)
            .map(|(index, state)| ObjectIndex {
                object: Arc::clone(&self.object),
                index: index.clone(),
                state,
            })
            .collect())
    }

    /// By what its records may be the same.
    async fn duplicates(&self) -> DuplicateRules {
        DuplicateRules(Arc::clone(&self.object))
    }

    /// Pipelines of its stage fields.
    async fn pipelines(&self) -> Vec<Pipeline> {
        Pipeline::all(&self.state)
            .into_iter()
            .filter(|pipeline| *pipeline.object_key() == self.object.key)
            .collect()
    }
}

/// An index for what is often asked.
pub(super) struct ObjectIndex {
    object: Arc<catalog::Object>,
    index: catalog::Index,
    state: IndexState,
}

/// How an index stands.
#[derive(Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
enum IndexStanding {
    /// It is there, and used.
    Active,
    /// It is being made, beside those who write.
    Building,
    /// It could not be made, and will be tried again.
    Failed,
}

#[Object(name = "Index")]
impl ObjectIndex {
    /// Names of its fields, in order.
    async fn fields(&self) -> Vec<String> {
        self.names(&self.index.fields)
    }

    /// Names of fields that are only carried along.
    async fn include(&self) -> Vec<String> {
        self.names(&self.index.include)
    }

    /// Whether it leaves out records in which the first field is empty.
    async fn filled(&self) -> bool {
        self.index.filled
    }

    /// Whether it leaves out records in the trash.
    async fn live(&self) -> bool {
        self.index.live
    }

    /// Who asked for it: `relata`, `workspace`, or a plugin.
    async fn owner(&self) -> &str {
        &self.index.owner
    }

    /// How it stands.
    async fn state(&self) -> IndexStanding {
        match self.state {
            IndexState::Active => IndexStanding::Active,
            IndexState::Building => IndexStanding::Building,
            IndexState::Failed(_) => IndexStanding::Failed,
        }
    }

    /// Why it could not be made.
    async fn error(&self) -> Option<&str> {
        match &self.state {
            IndexState::Failed(reason) => Some(reason),
            IndexState::Active | IndexState::Building => None,
        }
    }
}

impl ObjectIndex {
    fn names(&self, keys: &[catalog::Key]) -> Vec<String> {
        keys.iter()
            .filter_map(|key| Some(self.object.field_keyed(key)?.1.name.clone()))
            .collect()
    }
}

#[derive(Default)]
pub(super) struct ObjectQuery;

#[Object(guard = "Administrator")]
impl ObjectQuery {
    /// Everything that records can be.
    async fn objects(&self, context: &Context<'_>) -> Vec<ObjectType> {
        let state = state(context);
        state
            .catalogue
            .objects
            .iter()
            .map(|object| ObjectType {
                state: Arc::clone(&state),
                object: Arc::clone(object),
            })
            .collect()
    }

    /// The object with this singular name.
    async fn object(&self, context: &Context<'_>, name: String) -> Option<ObjectType> {
        ObjectType::named(&state(context), &name)
    }

    /// The schema of the records' endpoint, in the schema definition language.
    async fn record_schema(&self, context: &Context<'_>) -> Result<String> {
        context
            .data_unchecked::<Records>()
            .sdl()
            .await
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct ObjectMutation;

#[Object(guard = "Administrator")]
impl ObjectMutation {
    /// Makes an object. `data` is an item of a blueprint's `objects`.
    async fn create_object(&self, context: &Context<'_>, data: JsonScalar) -> Result<ObjectType> {
        catalogue::object_create(workspace(context), caller(context), &data.0)
            .await
            .map_err(graphql)?;
        there(context, &data.name_or(""))
    }

    /// Changes an object of the workspace: members of `data` replace what they name. Of another
    /// owner's object, `duplicates` alone is taken.
    async fn update_object(
        &self,
        context: &Context<'_>,
        name: String,
        data: JsonScalar,
    ) -> Result<ObjectType> {
        let changes = data.members()?;
        catalogue::object_update(workspace(context), caller(context), &name, changes)
            .await
            .map_err(graphql)?;
        there(context, &data.name_or(&name))
    }

    /// Removes an object of the workspace with its records. What would be lost must be confirmed
    /// by name.
    async fn delete_object(
        &self,
        context: &Context<'_>,
        name: String,
        confirm: Option<Vec<String>>,
    ) -> Result<Plan> {
        catalogue::object_delete(
            workspace(context),
            caller(context),
            &name,
            confirm.as_deref().unwrap_or_default(),
        )
        .await
        .map(Plan::from)
        .map_err(graphql)
    }
}

fn there(context: &Context<'_>, name: &str) -> Result<ObjectType> {
    ObjectType::named(&state(context), name)
        .ok_or_else(|| super::gone(&format!("the object {name}")))
}
