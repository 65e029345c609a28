//! The resolved catalogue: what every other room reads.
//!
//! Positions are stable within one revision only: a `Record` holds its values in the order of
//! [`Object::fields`]. Identity across revisions is the [`Key`].

mod columns;
mod derived;
mod duplicates;
mod options;
mod relations;
mod rules;
mod uniques;

pub use columns::{Column, ColumnType};
pub use derived::{Formula, Rollup, RollupFunction};
pub use duplicates::{
    DUPLICATE_SCORE, DUPLICATE_SCORES, DUPLICATE_WEIGHT_MAX, DuplicateBy, DuplicateRule, Duplicates,
};
pub use options::{OptionColor, SelectOption};
pub use relations::{Inverse, OnDelete, OneOf, Relation, Through, ToMany, Towards, Tree, Via};
pub use rules::{FieldRules, Rule};
pub use uniques::{Unique, UniqueBy};

use std::sync::Arc;

use indexmap::IndexMap;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::JsonSchema;
use crate::expression::Expression;

/// Who brought an element: `relata` (standard objects), `workspace` (its administrators), or a
/// plugin's id (`publisher.name`).
pub type Owner = String;

/// Owner of the standard objects.
pub const OWNER_PLATFORM: &str = "relata";
/// Owner of what administrators make.
pub const OWNER_WORKSPACE: &str = "workspace";

/// Identity of an element: its owner and the key that the owner gave it, as `owner/key`.
/// Never changes; a rename changes the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The identity of `local` in the hands of `owner`.
    #[must_use]
    pub fn new(owner: &str, local: &str) -> Self {
        Self(format!("{owner}/{local}"))
    }

    /// `owner/key`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The owner's part.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(owner, _)| owner)
    }

    /// The part that the owner gave.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, local)| local)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Texts by language tag (`en`, `zh-CN`).
pub type Labels = IndexMap<String, String>;

/// The text in a language, else in the same language of another region, else in English, else in
/// whichever there is.
#[must_use]
pub fn text_in<'a>(labels: &'a Labels, language: &str) -> Option<&'a str> {
    let primary = |tag: &str| {
        tag.split('-')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    labels
        .iter()
        .find(|(tag, _)| tag.eq_ignore_ascii_case(language))
        .or_else(|| {
            labels
                .iter()
                .find(|(tag, _)| primary(tag) == primary(language))
        })
        .or_else(|| labels.iter().find(|(tag, _)| primary(tag) == "en"))
        .or_else(|| labels.first())
        .map(|(_, text)| text.as_str())
}

/// Everything that exists in a workspace at one revision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Catalogue {
    /// Counts changes, from 0 (empty).
    pub revision: u64,
    /// In the order in which they came.
    pub objects: Vec<Arc<Object>>,
    /// In the order in which they came.
    pub pipelines: Vec<Arc<Pipeline>>,
}

impl Catalogue {
    /// The object with this singular name, and its position.
    #[must_use]
    pub fn object_named(&self, singular: &str) -> Option<(ObjectIndex, &Arc<Object>)> {
        let position = self
            .objects
            .iter()
            .position(|object| object.singular == singular)?;
        Some((ObjectIndex(position), &self.objects[position]))
    }

    /// The object with this key, and its position.
    #[must_use]
    pub fn object_keyed(&self, key: &Key) -> Option<(ObjectIndex, &Arc<Object>)> {
        let position = self.objects.iter().position(|object| object.key == *key)?;
        Some((ObjectIndex(position), &self.objects[position]))
    }

    /// The object at a position of this revision.
    #[must_use]
    pub fn object(&self, index: ObjectIndex) -> &Arc<Object> {
        &self.objects[index.0]
    }

    /// The pipeline with this key.
    #[must_use]
    pub fn pipeline(&self, key: &Key) -> Option<&Arc<Pipeline>> {
        self.pipelines.iter().find(|pipeline| pipeline.key == *key)
    }

    /// Pipelines of one stage field, in order.
    pub fn pipelines_of<'a>(
        &'a self,
        object: &'a Key,
        field: &'a Key,
    ) -> impl Iterator<Item = &'a Arc<Pipeline>> {
        self.pipelines
            .iter()
            .filter(move |pipeline| pipeline.object == *object && pipeline.field == *field)
    }
}

/// Position of an object in [`Catalogue::objects`], valid for one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectIndex(pub usize);

/// Position of a field in [`Object::fields`], valid for one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldIndex(pub usize);

/// A kind of record: a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    /// Identity.
    pub key: Key,
    /// Name of one, and of its GraphQL query: `company`. The GraphQL type is `Company`.
    pub singular: String,
    /// Name of many: `companies`.
    pub plural: String,
    /// What people call one.
    #[serde(default)]
    pub labels: Labels,
    /// What people call many.
    #[serde(default)]
    pub plural_labels: Labels,
    /// What it is for.
    #[serde(default)]
    pub description: Labels,
    /// The field that names a record to people; its text is `label`.
    pub label_field: Option<Key>,
    /// Physical table, fixed at creation.
    pub table: String,
    /// In the order in which they are shown.
    pub fields: Vec<Field>,
    /// Unique keys over one or more fields. A trashed record is outside them, and so is one in
    /// which any of the fields is empty.
    #[serde(default)]
    pub uniques: Vec<Unique>,
    /// Indexes that somebody has asked for, beside those that every object has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// What must hold of every record that is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Relations of which one at most is filled, read together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<OneOf>,
    /// By what its records may be the same, as each owner says it; see
    /// [`Object::duplicate_rules`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<Duplicates>,
    /// Refuses every change of a record, its deletion included, of which this holds: `old` is the
    /// record as it was, `record` as it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_when: Option<Expression>,
    /// Rollups that read this object's records, by object and field. Known once the catalogue is
    /// linked.
    #[serde(skip)]
    pub rolled_up_by: Vec<(Key, Key)>,
}

impl Object {
    /// The owner of the object.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.key.owner()
    }

    /// Name of the GraphQL type: the singular with a capital.
    #[must_use]
    pub fn type_name(&self) -> String {
        capitalised(&self.singular)
    }

    /// The field with this name, and its position.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<(FieldIndex, &Field)> {
        let position = self.fields.iter().position(|field| field.name == name)?;
        Some((FieldIndex(position), &self.fields[position]))
    }

    /// The field with this key, and its position.
    #[must_use]
    pub fn field_keyed(&self, key: &Key) -> Option<(FieldIndex, &Field)> {
        let position = self.fields.iter().position(|field| field.key == *key)?;
        Some((FieldIndex(position), &self.fields[position]))
    }

    /// The field at a position of this revision.
    #[must_use]
    pub fn field(&self, index: FieldIndex) -> &Field {
        &self.fields[index.0]
    }

    /// The physical columns of a unique key, in order: of each field the one that
    /// [`Field::unique_column`] names.
    #[must_use]
    pub fn unique_columns(&self, unique: &Unique) -> Vec<String> {
        unique
            .fields
            .iter()
            .filter_map(|key| {
                let (_, field) = self.field_keyed(key)?;
                field.unique_column(unique.compares(field))
            })
            .collect()
    }

    /// How the unique key over this field alone compares; nothing where there is none.
    #[must_use]
    pub fn unique_by(&self, field: &Field) -> Option<UniqueBy> {
        self.uniques
            .iter()
            .find(|unique| unique.fields.as_slice() == std::slice::from_ref(&field.key))
            .map(|unique| unique.compares(field))
    }
}

/// The name with its first letter in upper case: names of types are made so.
#[must_use]
pub fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + characters.as_str())
        .unwrap_or_default()
}

/// A property of an object: one or more columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// Identity, unique in the workspace together with its object. Its owner may be another than
    /// the object's.
    pub key: Key,
    /// Name in GraphQL: `closeDate`, or `membership_points` on another owner's object.
    pub name: String,
    /// What people call it.
    #[serde(default)]
    pub labels: Labels,
    /// What it is for.
    #[serde(default)]
    pub description: Labels,
    /// What it holds.
    pub kind: Kind,
    /// Whether a record without it is refused.
    #[serde(default)]
    pub required: bool,
    /// What a new record gets that says nothing: the JSON form that a client would send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// What else must hold of its values.
    #[serde(default, skip_serializing_if = "FieldRules::is_empty")]
    pub rules: FieldRules,
    /// First part of the physical column names, fixed at creation. See [`Field::columns`].
    pub column: String,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum Kind {
    /// One line of text.
    Text {
        /// Most characters, at most 4,000.
        #[serde(default = "text_max_default")]
        max: u32,
    },
    /// Text of several lines.
    LongText {
        /// Most characters, at most 1,000,000.
        #[serde(default = "long_text_max_default")]
        max: u32,
    },
    /// Markdown. It is kept as it was written: whoever shows it decides what of it is shown.
    RichText {
        /// Most characters, at most 1,000,000.
        #[serde(default = "long_text_max_default")]
        max: u32,
    },
    /// Whole number within ±(2^53 − 1).
    Integer {
        /// Least value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        /// Greatest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// Decimal number, at most 18 digits together.
    Decimal {
        /// Digits after the point, 0 to 9.
        #[serde(default = "decimal_scale_default")]
        scale: u32,
        /// Least value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<Decimal>,
        /// Greatest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Decimal>,
    },
    /// Decimal number that is shown with a percent sign: 12.5 means 12.5 %.
    Percent {
        /// Digits after the point, 0 to 9.
        #[serde(default = "percent_scale_default")]
        scale: u32,
        /// Least value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<Decimal>,
        /// Greatest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Decimal>,
    },
    /// So many of some symbols, at least one.
    Rating {
        /// How many there are, 2 to 10.
        #[serde(default = "rating_max_default")]
        max: u32,
    },
    /// Amount and currency.
    Money {
        /// Digits after the point, 0 to 9.
        #[serde(default = "money_scale_default")]
        scale: u32,
        /// Currency of an amount that names none (ISO 4217).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        currency: Option<String>,
    },
    /// Yes or no.
    Boolean,
    /// Calendar day.
    Date,
    /// Instant, in microseconds.
    DateTime,
    /// Time of day by no clock in particular, in microseconds.
    Time,
    /// Length of time in microseconds, within ±(2^53 − 1). It may be negative.
    Duration,
    /// UUID that means something elsewhere: no record of this workspace.
    Uuid,
    /// One of several options.
    Select {
        /// In the order in which they are shown.
        options: Vec<SelectOption>,
    },
    /// Any of several options.
    MultiSelect {
        /// In the order in which they are shown.
        options: Vec<SelectOption>,
    },
    /// Texts of one line in their order, at most 100 of 255 characters.
    Texts,
    /// Words that something is marked with, in their order. As [`Kind::Texts`], but each once,
    /// case and accents aside.
    Tags,
    /// A user of the workspace.
    User,
    /// One e-mail address.
    Email,
    /// One phone number.
    Phone,
    /// One absolute http or https address.
    Url,
    /// Anything that JSON can say.
    Json {
        /// JSON Schema (2020-12) that values satisfy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<JsonSchema>,
    },
    /// A person's name.
    FullName,
    /// E-mail addresses.
    Emails,
    /// Phone numbers.
    Phones,
    /// Postal address.
    Address,
    /// Point on the earth.
    GeoPoint,
    /// One file.
    File {
        /// Types that it may have: `image/*`, `application/pdf`. Empty: any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        types: Vec<String>,
        /// Most bytes; without, as many as the server takes.
        #[serde(default, rename = "maxSize", skip_serializing_if = "Option::is_none")]
        max_size: Option<i64>,
    },
    /// Points at one record.
    Relation(Relation),
    /// Number that the platform gives, once, at creation.
    Autonumber {
        /// Put before the digits.
        #[serde(default)]
        prefix: String,
        /// Digits are filled with zeros to this length, 1 to 15.
        #[serde(default = "autonumber_digits_default")]
        digits: u32,
        /// The first number given.
        #[serde(default = "autonumber_start_default")]
        start: i64,
        /// No number is left out, at the price of one writer at a time.
        #[serde(default)]
        gapless: bool,
    },
    /// Where the record stands in one of the field's pipelines.
    Stage,
    /// Worked out from other fields, when it is read.
    Formula(Formula),
    /// Worked out from records that point at this one, whenever one of them is written.
    Rollup(Rollup),
}

fn text_max_default() -> u32 {
    255
}
fn long_text_max_default() -> u32 {
    100_000
}
fn decimal_scale_default() -> u32 {
    4
}
fn percent_scale_default() -> u32 {
    2
}
fn rating_max_default() -> u32 {
    5
}
fn money_scale_default() -> u32 {
    2
}
fn autonumber_digits_default() -> u32 {
    5
}
fn autonumber_start_default() -> i64 {
    1
}

impl Kind {
    /// The kind's name in blueprints and in the control plane.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::LongText { .. } => "longText",
            Self::RichText { .. } => "richText",
            Self::Integer { .. } => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Percent { .. } => "percent",
            Self::Rating { .. } => "rating",
            Self::Money { .. } => "money",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "dateTime",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Uuid => "uuid",
            Self::Texts => "texts",
            Self::Tags => "tags",
            Self::User => "user",
            Self::Select { .. } => "select",
            Self::MultiSelect { .. } => "multiSelect",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Json { .. } => "json",
            Self::FullName => "fullName",
            Self::Emails => "emails",
            Self::Phones => "phones",
            Self::Address => "address",
            Self::GeoPoint => "geoPoint",
            Self::File { .. } => "file",
            Self::Relation(_) => "relation",
            Self::Autonumber { .. } => "autonumber",
            Self::Stage => "stage",
            Self::Formula(_) => "formula",
            Self::Rollup(_) => "rollup",
        }
    }

    /// Whether somebody gives its values. What is worked out nobody writes.
    #[must_use]
    pub fn is_written(&self) -> bool {
        !matches!(self, Self::Formula(_) | Self::Rollup(_))
    }

    /// Whether there are columns that hold it.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        !matches!(self, Self::Formula(_))
    }
}

/// An index that is there for what is often asked, and says nothing of what may be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// Who asked for it.
    pub owner: Owner,
    /// Fields, in order; at least one.
    pub fields: Vec<Key>,
    /// Fields that are only carried along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Key>,
    /// Whether it leaves out records in which the first field is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub filled: bool,
    /// Whether it leaves out records in the trash.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}

/// An ordered list of stages for one stage field of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pipeline {
    /// Identity.
    pub key: Key,
    /// Name in the API, unique among the pipelines of its field.
    pub name: String,
    /// What people call it.
    #[serde(default)]
    pub labels: Labels,
    /// The object.
    pub object: Key,
    /// Its stage field.
    pub field: Key,
    /// In order; at least one. The first is where a new record starts.
    pub stages: Vec<Stage>,
}

impl Pipeline {
    /// The stage with this key.
    #[must_use]
    pub fn stage(&self, key: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.key == key)
    }
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// Identity in its pipeline.
    pub key: String,
    /// Name in the API: what `to` takes. Unique in its pipeline.
    pub name: String,
    /// What people call it.
    #[serde(default)]
    pub labels: Labels,
    /// Whether it is an end.
    #[serde(rename = "type", default)]
    pub stage_type: StageType,
    /// Probability of winning, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<Decimal>,
    /// Gate: fields that must be filled to enter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Key>,
    /// Gate: keys of stages from which it may be entered; empty means from any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
}

/// Whether a stage is an end, and which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StageType {
    /// Work goes on.
    #[default]
    Open,
    /// A good end.
    Won,
    /// A bad end.
    Lost,
}
