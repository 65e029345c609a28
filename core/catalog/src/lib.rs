//! The catalogue: what exists in a workspace (objects, fields, pipelines) and how it changes.
//!
//! Pure: no I/O, no async, no clock. A blueprint is [`resolve`]d against the current
//! [`Catalogue`] into a target catalogue (or all its issues at once), [`diff`] turns the two into
//! a [`Plan`], and whoever applies the plan (the store) does so in one transaction.
//!
//! Invariant: a `Catalogue` that exists is valid. Names are unique where they must be, every
//! reference points at something, physical names are fixed and at most 63 bytes.

mod blueprint;
mod coerce;
mod convert;
mod diff;
mod export;
pub mod expression;
mod fold;
mod geo;
mod issue;
mod model;
mod names;
mod pattern;
mod plan;
mod reading;
mod resolve;
mod retirement;
mod schema;
mod standard;
mod value;

pub use blueprint::{
    BLUEPRINT_SCHEMA, BLUEPRINT_VERSION, Blueprint, DuplicateRuleDefinition, DuplicatesDefinition,
    FieldDefinition, IndexDefinition, InverseDefinition, KindDefinition, Limits, ObjectDefinition,
    ObjectEntry, ObjectExtension, ObjectMembers, OneOfDefinition, PipelineDefinition,
    RecordsDefinition, RelationDefinition, RollupDefinition, RuleDefinition, StageDefinition,
    ThroughDefinition, UniqueField, options_of,
};
pub use coerce::{
    CoerceContext, coerce, coerce_geo_point, coerce_near, coerce_operand, coerce_text, file_issues,
    format_autonumber, format_duration, format_instant, format_time, parse_duration, parse_instant,
    parse_time, to_json, validate,
};
pub use convert::{Converted, convert, is_convertible};
pub use diff::diff;
pub use export::export;
pub use fold::folded;
pub use geo::{DEGREE_SCALE, EARTH_RADIUS_KM, GeoPoint, KILOMETERS_MAX, Near};
pub use issue::{Issue, Issues, PathSegment};
pub use model::*;
pub use names::{PLATFORM_TYPES, RESERVED_NAMES, RESERVED_OBJECT_SUFFIXES};
pub use pattern::Pattern;
pub use plan::{Change, Plan, StageColumns, Step};
pub use resolve::{
    TakenNames, plugin_prefix, resolve, resolve_document, resolve_text, resolve_within,
};
pub use retirement::newly_retired;
pub use schema::JsonSchema;
pub use standard::STANDARD;
pub use value::*;
