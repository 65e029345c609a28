//! The blueprint document: what an owner says that there shall be.
//!
//! Read from YAML or JSON with [`Blueprint::parse`] (all that is wrong with its form at once, each
//! with its path), written by [`Blueprint::to_json`] and [`Blueprint::to_yaml`]. Names in it are
//! as the author wrote them: whether they mean anything is [`resolve`](crate::resolve)'s question.

mod duplicates;
mod limits;
mod read;
mod text;
mod write;

pub use duplicates::{DuplicateRuleDefinition, DuplicatesDefinition};
pub use limits::Limits;
pub(crate) use text::read as read_text;
pub(crate) use write::{put_kind, put_rules};

use serde_json::{Map, Value as Json};

use crate::expression::Expression;
use crate::{
    FieldRules, Kind, Labels, OnDelete, RollupFunction, SelectOption, StageType, UniqueBy,
};

/// The version that a document names in its header, `relata: 1`.
pub const BLUEPRINT_VERSION: u64 = 1;

/// JSON Schema (2020-12) of a blueprint document, for editors.
pub const BLUEPRINT_SCHEMA: &str = include_str!("../../blueprints/blueprint.schema.json");

/// One owner's part of a catalogue, as a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Blueprint {
    /// Own objects, and additions to others'. One list, so that paths into the document hold.
    pub objects: Vec<ObjectEntry>,
    /// Own pipelines, on own objects or on others'.
    pub pipelines: Vec<PipelineDefinition>,
    /// Configuration records. [`resolve`](crate::resolve) looks only at their objects and fields:
    /// whoever applies the blueprint upserts them in the same transaction.
    pub records: Vec<RecordsDefinition>,
}

impl Blueprint {
    /// The own object with this key.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<&ObjectDefinition> {
        self.objects.iter().find_map(|entry| match entry {
            ObjectEntry::Define(definition) if definition.key == key => Some(definition),
            _ => None,
        })
    }

    /// The own object with this key, to be edited.
    pub fn object_mut(&mut self, key: &str) -> Option<&mut ObjectDefinition> {
        self.objects.iter_mut().find_map(|entry| match entry {
            ObjectEntry::Define(definition) if definition.key == key => Some(definition),
            _ => None,
        })
    }

    /// The addition to another owner's object (`owner/key`), made if it is not there.
    pub fn extension_mut(&mut self, object: &str) -> &mut ObjectExtension {
        let position = self.objects.iter().position(
            |entry| matches!(entry, ObjectEntry::Extend(extension) if extension.extends == object),
        );
        let position = position.unwrap_or_else(|| {
            self.objects.push(ObjectEntry::Extend(ObjectExtension {
                extends: object.to_owned(),
                members: ObjectMembers::default(),
            }));
            self.objects.len() - 1
        });
        match &mut self.objects[position] {
            ObjectEntry::Extend(extension) => extension,
            ObjectEntry::Define(_) => unreachable!("the position was found by this variant"),
        }
    }

    /// The own pipeline with this key, to be edited.
    pub fn pipeline_mut(&mut self, key: &str) -> Option<&mut PipelineDefinition> {
        self.pipelines
            .iter_mut()
            .find(|pipeline| pipeline.key == key)
    }
}

/// An item of `objects`.
// Documents have few of them: a box would only be in the way of who edits one.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectEntry {
    /// An object of one's own.
    Define(ObjectDefinition),
    /// An addition to somebody else's.
    Extend(ObjectExtension),
}

impl ObjectEntry {
    /// What it brings to its object.
    #[must_use]
    pub fn members(&self) -> &ObjectMembers {
        match self {
            Self::Define(definition) => &definition.members,
            Self::Extend(extension) => &extension.members,
        }
    }

    /// What it brings to its object, to be edited.
    pub fn members_mut(&mut self) -> &mut ObjectMembers {
        match self {
            Self::Define(definition) => &mut definition.members,
            Self::Extend(extension) => &mut extension.members,
        }
    }
}

/// What an owner brings to an object, its own or somebody else's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectMembers {
    /// In the order in which they are shown.
    pub fields: Vec<FieldDefinition>,
    /// Unique keys over several fields; on somebody else's object at least one of them is one's
    /// own.
    pub unique: Vec<Vec<UniqueField>>,
    /// Indexes for what is often asked.
    pub indexes: Vec<IndexDefinition>,
    /// What must hold of every record.
    pub rules: Vec<RuleDefinition>,
    /// By what records may be the same: of a plugin, beside what others say.
    pub duplicates: Option<DuplicatesDefinition>,
}

impl ObjectMembers {
    /// Whether there is nothing of any kind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An object of one's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectDefinition {
    /// Never changes.
    pub key: String,
    /// Singular name; the key if not given.
    pub name: Option<String>,
    /// Plural name.
    pub plural: String,
    /// What people call one.
    pub labels: Labels,
    /// What people call many.
    pub plural_labels: Labels,
    /// What it is for.
    pub description: Labels,
    /// Key of the field that names a record to people.
    pub label: Option<String>,
    /// Its fields, and what is said of them.
    pub members: ObjectMembers,
    /// Relations of which one at most is filled, read together.
    pub one_of: Vec<OneOfDefinition>,
    /// Which records can't be changed any more.
    pub locked_when: Option<Expression>,
}

/// An addition to somebody else's object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectExtension {
    /// `company` (one's own first, then the platform's) or `owner/company`.
    pub extends: String,
    /// What it gets.
    pub members: ObjectMembers,
}

/// A field of a unique key over several.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UniqueField {
    /// Its key.
    pub field: String,
    /// What is the same.
    pub by: UniqueBy,
}

/// Relations of which one at most is filled, read together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OneOfDefinition {
    /// Never changes.
    pub key: String,
    /// Name; the key if not given.
    pub name: Option<String>,
    /// What people call it.
    pub labels: Labels,
    /// Keys of own relations of the object.
    pub relations: Vec<String>,
    /// Whether a record without any is refused.
    pub required: bool,
}

/// An index for what is often asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexDefinition {
    /// Keys of fields, in order.
    pub fields: Vec<String>,
    /// Keys of fields that are only carried along, so that a list of nothing else need not look
    /// at the records.
    pub include: Vec<String>,
    /// Whether it leaves out records in which the first field is empty.
    pub filled: bool,
    /// Whether it leaves out records in the trash.
    pub live: bool,
}

/// What must hold of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleDefinition {
    /// Never changes.
    pub key: String,
    /// Which records it is about.
    pub when: Option<Expression>,
    /// What must hold.
    pub must: Expression,
    /// What a person is told whose record breaks it.
    pub message: Labels,
    /// Keys of the fields that a person can mend it by.
    pub fields: Vec<String>,
}

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDefinition {
    /// Never changes.
    pub key: String,
    /// Name; the key if not given. A plugin's field on another owner's object gets the plugin's
    /// prefix without being told.
    pub name: Option<String>,
    /// What people call it.
    pub labels: Labels,
    /// What it is for.
    pub description: Labels,
    /// What it holds.
    pub kind: KindDefinition,
    /// Whether a record without it is refused.
    pub required: bool,
    /// Whether no two records may have the same value, and what is the same.
    pub unique: Option<UniqueBy>,
    /// Whether there is an index of it.
    pub indexed: bool,
    /// What a new record gets that says nothing.
    pub default: Option<Json>,
    /// What else must hold of its values.
    pub rules: FieldRules,
}

/// What a field holds, where relations still name their target as the author wrote it.
// Documents have few of them: a box would only be in the way of who edits one.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq)]
pub enum KindDefinition {
    /// A relation to one record.
    Relation(RelationDefinition),
    /// A figure over records that point at this one.
    Rollup(RollupDefinition),
    /// Every other kind; never one of those above.
    Plain(Kind),
}

/// A relation to one record.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationDefinition {
    /// `company` (one's own first, then the platform's) or `owner/company`.
    pub to: String,
    /// The to-many field that the target gets.
    pub inverse: Option<InverseDefinition>,
    /// The list of other records that the target gets through this one.
    pub through: Option<ThroughDefinition>,
    /// The list of all that stand over a record. A tree has this and the next.
    pub ancestors: Option<InverseDefinition>,
    /// The list of all that stand under a record.
    pub descendants: Option<InverseDefinition>,
    /// What becomes of this record when the target is deleted.
    pub on_delete: OnDelete,
}

/// The list of what stands at the other end of a link.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ThroughDefinition {
    /// Its name on the target, and what people call it.
    pub list: InverseDefinition,
    /// Key of the relation at the other end.
    pub to: String,
}

/// A figure over records that point at this one.
#[derive(Debug, Clone, PartialEq)]
pub struct RollupDefinition {
    /// Whose records, as in [`RelationDefinition::to`].
    pub of: String,
    /// Key of their relation to this object.
    pub by: String,
    /// Which figure.
    pub function: RollupFunction,
    /// Of what.
    pub expression: Option<Expression>,
    /// Which of the records.
    pub filter: Option<Expression>,
}

/// The to-many side of a relation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InverseDefinition {
    /// Its name on the target. A plugin's inverse on another owner's object gets the plugin's
    /// prefix without being told.
    pub name: String,
    /// What people call it.
    pub labels: Labels,
}

/// A pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PipelineDefinition {
    /// Never changes.
    pub key: String,
    /// Name; the key if not given.
    pub name: Option<String>,
    /// What people call it.
    pub labels: Labels,
    /// The object, as in [`ObjectExtension::extends`].
    pub object: String,
    /// Key of its stage field.
    pub field: String,
    /// In order.
    pub stages: Vec<StageDefinition>,
}

/// A stage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StageDefinition {
    /// Never changes.
    pub key: String,
    /// Name; the key if not given.
    pub name: Option<String>,
    /// What people call it.
    pub labels: Labels,
    /// Whether it is an end.
    pub stage_type: StageType,
    /// Probability of winning, 0 to 1.
    pub probability: Option<rust_decimal::Decimal>,
    /// Keys of fields that must be filled to enter.
    pub requires: Vec<String>,
    /// Keys of stages from which it may be entered; empty means from any.
    pub from: Vec<String>,
}

/// Configuration records of one object: each row is inserted, or updates the record that has the
/// same value in the field `by`.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordsDefinition {
    /// The object, as in [`ObjectExtension::extends`].
    pub object: String,
    /// Key of a unique field.
    pub by: String,
    /// Field *key* → value, as a client would send it.
    pub rows: Vec<Map<String, Json>>,
}

/// A select's options as values alone, where labels don't matter.
#[must_use]
pub fn options_of(values: &[&str]) -> Vec<SelectOption> {
    values
        .iter()
        .map(|value| SelectOption {
            value: (*value).to_owned(),
            ..SelectOption::default()
        })
        .collect()
}
