//! What must be done to come from one catalogue to another, step by step.
//!
//! A plan is self-contained: who carries it out (the store) needs neither catalogue beside it.
//! Removals carry what is removed, additions what is added. Steps stand in an order in which they
//! can be done: removals first, then new objects, then fields, unique keys, pipelines.
//!
//! Objects that are created may point at each other in circles: create the tables before the
//! foreign keys.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Catalogue, Field, Key, Object, Pipeline, Unique};

/// The difference between two catalogues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// SHA-256 (hex) over the base revision, the steps and the target: the same difference from
    /// the same revision has the same id.
    pub id: String,
    /// Revision of the catalogue that the plan starts from; it fits no other.
    pub base_revision: u64,
    /// The catalogue after it: `base_revision + 1`, or the base itself when nothing is to be done.
    pub target: Catalogue,
    /// In the order in which they are carried out.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps that lose something.
    pub fn destructive(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.is_destructive())
    }
}

/// One attribute that gets another value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The attribute, as it is called in a blueprint: `name`, `labels`, `required`, `max` …
    pub what: String,
    /// Before.
    pub from: Json,
    /// After.
    pub to: Json,
}

/// Columns of a stage field that must be emptied where they name what is removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageColumns {
    /// The object's table.
    pub table: String,
    /// The stage field.
    pub field: Field,
}

/// One step of a plan. `name` is what a person confirms a destructive step by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "step",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Step {
    /// A unique key goes; no value is lost.
    RemoveUnique {
        /// `deal(number, year)`
        name: String,
        /// Whose it is.
        object: Key,
        /// Its table.
        table: String,
        /// The key.
        unique: Unique,
    },
    /// A pipeline goes, and with it where records stand in it.
    RemovePipeline {
        /// `deal.stage.sales`
        name: String,
        /// The pipeline.
        pipeline: Arc<Pipeline>,
        /// Where records stand in it; absent when the field goes as well.
        clears: Option<StageColumns>,
    },
    /// A stage goes; records that stand in it stand nowhere.
    RemoveStage {
        /// `deal.stage.sales.proposal`
        name: String,
        /// The pipeline.
        pipeline: Key,
        /// The stage's key.
        stage: String,
        /// Where records stand in it.
        clears: StageColumns,
    },
    /// An option goes; records that have it lose it.
    RemoveOption {
        /// `company.industry.BANKING`
        name: String,
        /// The object.
        object: Key,
        /// Its table.
        table: String,
        /// The field as it was.
        field: Field,
        /// The option's value.
        option: String,
    },
    /// A field goes, with its values.
    RemoveField {
        /// `deal.amount`
        name: String,
        /// The object.
        object: Key,
        /// Its table.
        table: String,
        /// The field as it was.
        field: Field,
    },
    /// An object goes, with its records, fields and unique keys.
    RemoveObject {
        /// `deal`
        name: String,
        /// The object as it was.
        object: Arc<Object>,
    },
    /// A new object with all its fields and unique keys.
    CreateObject {
        /// `deal`
        name: String,
        /// The object.
        object: Arc<Object>,
    },
    /// Names, labels, order of fields of an object; nothing physical.
    ChangeObject {
        /// `deal`
        name: String,
        /// The object.
        object: Key,
        /// What changes.
        changes: Vec<Change>,
    },
    /// A new field on an object that is there. Existing records get its default, if it has one.
    AddField {
        /// `deal.amount`
        name: String,
        /// The object.
        object: Key,
        /// Its table.
        table: String,
        /// The field.
        field: Field,
    },
    /// Attributes of a field; nothing physical (columns carry no lengths).
    ChangeField {
        /// `deal.amount`
        name: String,
        /// The object.
        object: Key,
        /// Its table.
        table: String,
        /// The field as it will be.
        field: Field,
        /// What changes. `required` from `false` to `true` wants every record to have a value.
        changes: Vec<Change>,
    },
    /// A field that becomes another kind, or a narrower one: its values go to new columns, as far
    /// as they mean something there; the old columns go as those of a removed field do.
    ConvertField {
        /// `deal.amount`
        name: String,
        /// The object.
        object: Key,
        /// Its table.
        table: String,
        /// The field as it was.
        from: Box<Field>,
        /// The field as it will be.
        field: Box<Field>,
        /// What changes.
        changes: Vec<Change>,
    },
    /// A new unique key.
    AddUnique {
        /// `deal(number, year)`
        name: String,
        /// Whose it is.
        object: Key,
        /// Its table.
        table: String,
        /// The key.
        unique: Unique,
        /// The physical columns that it is over.
        columns: Vec<String>,
    },
    /// A new pipeline.
    AddPipeline {
        /// `deal.stage.sales`
        name: String,
        /// The pipeline.
        pipeline: Arc<Pipeline>,
    },
    /// Names, labels, gates, order of stages of a pipeline, and new stages.
    ChangePipeline {
        /// `deal.stage.sales`
        name: String,
        /// The pipeline as it will be.
        pipeline: Arc<Pipeline>,
        /// What changes.
        changes: Vec<Change>,
    },
}

impl Step {
    /// What a person confirms it by: `deal.amount`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::RemoveUnique { name, .. }
            | Self::RemovePipeline { name, .. }
            | Self::RemoveStage { name, .. }
            | Self::RemoveOption { name, .. }
            | Self::RemoveField { name, .. }
            | Self::RemoveObject { name, .. }
            | Self::CreateObject { name, .. }
            | Self::ChangeObject { name, .. }
            | Self::AddField { name, .. }
            | Self::ChangeField { name, .. }
            | Self::ConvertField { name, .. }
            | Self::AddUnique { name, .. }
            | Self::AddPipeline { name, .. }
            | Self::ChangePipeline { name, .. } => name,
        }
    }

    /// The kind of step, `UPPER_SNAKE`: `REMOVE_FIELD`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::RemoveUnique { .. } => "REMOVE_UNIQUE",
            Self::RemovePipeline { .. } => "REMOVE_PIPELINE",
            Self::RemoveStage { .. } => "REMOVE_STAGE",
            Self::RemoveOption { .. } => "REMOVE_OPTION",
            Self::RemoveField { .. } => "REMOVE_FIELD",
            Self::RemoveObject { .. } => "REMOVE_OBJECT",
            Self::CreateObject { .. } => "CREATE_OBJECT",
            Self::ChangeObject { .. } => "CHANGE_OBJECT",
            Self::AddField { .. } => "ADD_FIELD",
            Self::ChangeField { .. } => "CHANGE_FIELD",
            Self::ConvertField { .. } => "CONVERT_FIELD",
            Self::AddUnique { .. } => "ADD_UNIQUE",
            Self::AddPipeline { .. } => "ADD_PIPELINE",
            Self::ChangePipeline { .. } => "CHANGE_PIPELINE",
        }
    }

    /// Whether records or values are lost.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        matches!(
            self,
            Self::RemovePipeline { .. }
                | Self::RemoveStage { .. }
                | Self::RemoveOption { .. }
                | Self::RemoveField { .. }
                | Self::RemoveObject { .. }
        )
    }

    /// One sentence for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::RemoveUnique { name, .. } => format!("drop the unique key {name}"),
            Self::RemovePipeline { name, .. } => {
                format!("remove the pipeline {name} and where records stand in it")
            }
            Self::RemoveStage { name, .. } => {
                format!("remove the stage {name}; records in it will stand nowhere")
            }
            Self::RemoveOption { name, .. } => {
                format!("remove the option {name} from the records that have it")
            }
            Self::RemoveField { name, field, .. } => {
                format!(
                    "remove the field {name} ({}) with its values",
                    field.kind.name()
                )
            }
            Self::RemoveObject { name, object } => format!(
                "remove the object {name} with its records and {} fields",
                object.fields.len()
            ),
            Self::CreateObject { name, object } => {
                format!(
                    "create the object {name} with {} fields",
                    object.fields.len()
                )
            }
            Self::ChangeObject { name, changes, .. } => {
                format!("change the object {name}: {}", described(changes))
            }
            Self::AddField { name, field, .. } => {
                format!("add the field {name} ({})", field.kind.name())
            }
            Self::ChangeField { name, changes, .. } => {
                format!("change the field {name}: {}", described(changes))
            }
            Self::ConvertField { name, changes, .. } => {
                format!("convert the field {name}: {}", described(changes))
            }
            Self::AddUnique { name, unique, .. } if !unique.folded.is_empty() => {
                format!("add the unique key {name}, case and accents aside")
            }
            Self::AddUnique { name, .. } => format!("add the unique key {name}"),
            Self::AddPipeline { name, pipeline } => {
                format!(
                    "add the pipeline {name} with {} stages",
                    pipeline.stages.len()
                )
            }
            Self::ChangePipeline { name, changes, .. } => {
                format!("change the pipeline {name}: {}", described(changes))
            }
        }
    }
}

/// `name company → organisation, labels`: small values are shown, large ones only named.
fn described(changes: &[Change]) -> String {
    const SHOWN_MAX: usize = 40;
    changes
        .iter()
        .map(|change| {
            let (from, to) = (change.from.to_string(), change.to.to_string());
            if from.chars().count() + to.chars().count() > SHOWN_MAX {
                change.what.clone()
            } else {
                format!("{} {from} → {to}", change.what)
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}
