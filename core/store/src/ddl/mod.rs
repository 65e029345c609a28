//! Plans become tables: each step of a plan as data definition, inside the transaction that also
//! writes the new revision of the catalogue.
//!
//! What is removed disappears from the catalogue at once. Its table or column stays *parked* for
//! a while (requests of the old revision may still read it), without the constraints by which it
//! could stand in the way, and is dropped later; or it is dropped at once.
//!
//! Invariant: a physical name is never used twice, so a statement that was prepared before a
//! change never meets a column of another type.

mod convert;
mod fill;
mod indexes;
mod losses;
mod parked;
mod tables;

pub(crate) use indexes::begins_an_index;
pub use indexes::{IndexSpec, asked_for};

pub use losses::Loss;
pub use parked::Parked;

use convert::Conversion;
use relata_catalog::expression::PathColumn;
use relata_catalog::{Catalogue, Field, Key, Kind, Plan, StageColumns, Step};
use sea_orm::Value as SqlValue;

use crate::cells::quoted;
use crate::database::Backend;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// What becomes of the tables and columns of removed elements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retention {
    /// They stay, hidden, until [`Transaction::drop_parked`].
    #[default]
    Park,
    /// They are dropped at once.
    Drop,
}

/// What all steps of one plan have in common.
struct Work<'a> {
    plan: &'a Plan,
    retention: Retention,
    actor: &'a str,
    at: i64,
}

impl Transaction {
    pub(crate) async fn carry_out(
        &self,
        plan: &Plan,
        retention: Retention,
        actor: &str,
        at: i64,
    ) -> Result<(), StoreError> {
        let work = Work {
            plan,
            retention,
            actor,
            at,
        };
        for step in &plan.steps {
            self.carry_out_step(step, &work).await?;
        }
        // New tables may point at each other in circles: on PostgreSQL their foreign keys come
        // when all of them are there.
        for step in &plan.steps {
            if let Step::CreateObject { object, .. } = step {
                self.add_foreign_keys(object, &plan.target).await?;
            }
        }
        self.keep_indexes(plan).await?;
        // What they are figures of is there now.
        let mut rollups: Vec<(&Key, &Field)> = plan
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::AddField { object, field, .. } | Step::ChangeField { object, field, .. } => {
                    matches!(field.kind, Kind::Rollup(_)).then_some((object, field))
                }
                _ => None,
            })
            .collect();
        for step in &plan.steps {
            if let Step::ConvertField { object, field, .. } = step {
                for reader in readers(&plan.target, object, &field.key) {
                    if !rollups.contains(&reader) {
                        rollups.push(reader);
                    }
                }
            }
        }
        self.fill_rollups(&plan.target, rollups).await
    }

    async fn carry_out_step(&self, step: &Step, work: &Work<'_>) -> Result<(), StoreError> {
        match step {
            Step::RemoveUnique { unique, .. } => self.drop_index(&unique.index).await,
            Step::RemovePipeline {
                pipeline,
                clears: Some(clears),
                ..
            } => self.clear_stage(clears, pipeline.key.as_str(), None).await,
            Step::RemoveStage {
                pipeline,
                stage,
                clears,
                ..
            } => {
                self.clear_stage(clears, pipeline.as_str(), Some(stage))
                    .await
            }
            Step::RemoveOption {
                table,
                field,
                option,
                ..
            } => self.clear_option(table, field, option).await,
            Step::RemoveField {
                name,
                object,
                table,
                field,
            } => self.remove_field(name, object, table, field, work).await,
            Step::RemoveObject { name, object } => match work.retention {
                Retention::Park => self.park_object(name, object, work).await,
                Retention::Drop => {
                    self.note_removed_object(name, object, work, Some(work.at))
                        .await?;
                    self.drop_table(&object.table).await
                }
            },
            Step::CreateObject { object, .. } => self.create_table(object, &work.plan.target).await,
            Step::AddField { table, field, .. } => {
                self.add_columns(table, field, &work.plan.target).await?;
                self.fill_new_field(table, field, work.at).await
            }
            Step::ChangeField {
                table,
                field,
                changes,
                ..
            } => self.change_field(table, field, changes).await,
            Step::ConvertField {
                name,
                object,
                table,
                from,
                field,
                ..
            } => {
                self.add_columns(table, field, &work.plan.target).await?;
                self.convert_field(Conversion {
                    catalogue: &work.plan.target,
                    table,
                    from,
                    to: field,
                    at: work.at,
                })
                .await?;
                self.check_references().await?;
                self.remove_field(name, object, table, from, work).await
            }
            Step::AddUnique {
                table,
                unique,
                columns,
                ..
            } => self.add_unique(table, &unique.index, columns).await,
            // Names, labels, gates: nothing physical. A pipeline whose field goes needs no
            // clearing of its own.
            Step::RemovePipeline { clears: None, .. }
            | Step::ChangeObject { .. }
            | Step::AddPipeline { .. }
            | Step::ChangePipeline { .. } => Ok(()),
        }
    }

    /// `PostgreSQL` changes no table whose references are still to be looked at.
    async fn check_references(&self) -> Result<(), StoreError> {
        match self.backend() {
            Backend::Sqlite => Ok(()),
            Backend::Postgres => {
                self.execute_text("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
                    .await
            }
        }
    }

    async fn remove_field(
        &self,
        name: &str,
        object: &Key,
        table: &str,
        field: &Field,
        work: &Work<'_>,
    ) -> Result<(), StoreError> {
        match work.retention {
            Retention::Park => self.park_field(name, object, table, field, work).await,
            Retention::Drop => {
                self.note_removed_field(name, object, table, field, work, Some(work.at))
                    .await?;
                self.drop_columns(table, &column_names(field)).await?;
                self.drop_series(&format!("{table}.{}", field.column)).await
            }
        }
    }

    async fn clear_stage(
        &self,
        clears: &StageColumns,
        pipeline: &str,
        stage: Option<&String>,
    ) -> Result<(), StoreError> {
        let columns = column_names(&clears.field);
        let (condition, values) = standing_in(self.backend(), &columns, pipeline, stage);
        let emptied: Vec<String> = columns
            .iter()
            .map(|column| format!("{} = NULL", quoted(column)))
            .collect();
        let text = format!(
            "UPDATE {} SET {} WHERE {condition}",
            quoted(&clears.table),
            emptied.join(", ")
        );
        self.execute(self.statement(text, values)).await?;
        Ok(())
    }

    async fn clear_option(
        &self,
        table: &str,
        field: &Field,
        option: &str,
    ) -> Result<(), StoreError> {
        let column = quoted(&field.columns()[0].name);
        let table = quoted(table);
        let text = match (&field.kind, self.backend()) {
            (Kind::MultiSelect { .. }, Backend::Postgres) => format!(
                "UPDATE {table} SET {column} = nullif(array_remove({column}, $1), '{{}}') \
                 WHERE $1 = ANY ({column})"
            ),
            (Kind::MultiSelect { .. }, Backend::Sqlite) => format!(
                "UPDATE {table} SET {column} = nullif((SELECT json_group_array(value) \
                 FROM json_each({column}) WHERE value <> ?1), '[]') \
                 WHERE EXISTS (SELECT 1 FROM json_each({column}) WHERE value = ?1)"
            ),
            (_, backend) => format!(
                "UPDATE {table} SET {column} = NULL WHERE {column} = {}",
                backend.placeholder(1)
            ),
        };
        self.execute(self.statement(text, vec![option.into()]))
            .await?;
        Ok(())
    }

    /// Attributes of a field are the catalogue's alone, but where its numbers come from.
    async fn change_field(
        &self,
        table: &str,
        field: &Field,
        changes: &[relata_catalog::Change],
    ) -> Result<(), StoreError> {
        match &field.kind {
            Kind::Autonumber { start, gapless, .. }
                if changes.iter().any(|change| change.what == "gapless") =>
            {
                self.convert_series(&format!("{table}.{}", field.column), *start, *gapless)
                    .await?;
                if *gapless {
                    Ok(())
                } else {
                    self.own_sequence(table, field).await
                }
            }
            _ => Ok(()),
        }
    }
}

/// Rollups that read a field.
fn readers<'c>(
    catalogue: &'c Catalogue,
    object: &Key,
    field: &'c Key,
) -> impl Iterator<Item = (&'c Key, &'c Field)> {
    let of = catalogue.object_keyed(object).map(|(_, object)| object);
    of.into_iter()
        .flat_map(|object| &object.rolled_up_by)
        .filter_map(move |(parent, rollup)| {
            let (_, parent) = catalogue.object_keyed(parent)?;
            let (_, found) = parent.field_keyed(rollup)?;
            let Kind::Rollup(rollup) = &found.kind else {
                return None;
            };
            let is_read = rollup.reads().any(
                |column| matches!(column, PathColumn::Field { field: read, .. } if read == field),
            );
            is_read.then_some((&parent.key, found))
        })
}

/// The condition for records that stand in a pipeline, or in one of its stages.
fn standing_in(
    backend: Backend,
    columns: &[String],
    pipeline: &str,
    stage: Option<&String>,
) -> (String, Vec<SqlValue>) {
    let mut condition = format!("{} = {}", quoted(&columns[0]), backend.placeholder(1));
    let mut values = vec![pipeline.into()];
    if let Some(stage) = stage {
        condition.push_str(&format!(
            " AND {} = {}",
            quoted(&columns[1]),
            backend.placeholder(2)
        ));
        values.push(stage.as_str().into());
    }
    (condition, values)
}

/// Physical names of a field's columns.
fn column_names(field: &Field) -> Vec<String> {
    field
        .stored_columns()
        .into_iter()
        .map(|column| column.name)
        .collect()
}

/// The platform's table of files.
pub(crate) const FILES: &str = "relata_file";

/// The table that the first column of a relation or of a file points at.
fn target_table<'a>(catalogue: &'a Catalogue, field: &Field) -> Option<&'a str> {
    match &field.kind {
        Kind::Relation(relation) => catalogue
            .object_keyed(&relation.target)
            .map(|(_, object)| object.table.as_str()),
        Kind::File { .. } => Some(FILES),
        _ => None,
    }
}

/// A name made of others, at most 63 bytes: shortened with a hash where it would be longer.
fn physical_name(prefix: &str, parts: &[&str]) -> String {
    use sha2::{Digest as _, Sha256};
    const NAME_BYTES_MAX: usize = 63;
    let whole = format!("{prefix}_{}", parts.join("__"));
    if whole.len() <= NAME_BYTES_MAX {
        return whole;
    }
    let hash: String = Sha256::digest(whole.as_bytes())
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept = whole.floor_char_boundary(NAME_BYTES_MAX - hash.len() - 1);
    format!("{}_{hash}", &whole[..kept])
}
