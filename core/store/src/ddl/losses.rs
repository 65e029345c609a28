//! What a plan would cost: values that its destructive steps lose, records that do not satisfy its
//! new rules. Counted before anything is done, so that a person can decide.

use relata_catalog::{Field, Key, Kind, Plan, Step};
use sea_orm::{ConnectionTrait, Statement, Value as SqlValue};

use super::convert::{Conversion, unconverted};
use super::{column_names, standing_in};
use crate::cells::quoted;
use crate::database::{Backend, Database};
use crate::error::StoreError;
use crate::read::TREE_DEPTH_MAX;
use crate::transaction::Transaction;

/// What one step costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Position in [`Plan::steps`].
    pub step: usize,
    /// What a person confirms it by ([`Step::name`]).
    pub name: String,
    /// Records (of an object) or values (of all others) that are lost, the trash included.
    pub lost: i64,
    /// Records that have no value for what becomes required, share one that becomes unique, or
    /// would stand over themselves: while there are any, the plan cannot be applied.
    pub violations: i64,
    /// Of a conversion: some of the values that mean nothing in the new kind, as JSON.
    pub samples: Vec<String>,
}

impl Transaction {
    /// What the plan would cost: one entry for each destructive step, and for each step that
    /// records stand against.
    ///
    /// # Errors
    /// What the database says.
    pub async fn losses(&self, plan: &Plan) -> Result<Vec<Loss>, StoreError> {
        losses(&self.statements(), self.backend(), plan).await
    }
}

impl Database {
    /// The same outside of a transaction, for showing a plan.
    ///
    /// # Errors
    /// What the database says.
    pub async fn losses(&self, plan: &Plan) -> Result<Vec<Loss>, StoreError> {
        losses(&self.platform(), self.backend(), plan).await
    }
}

async fn losses(
    connection: &impl ConnectionTrait,
    backend: Backend,
    plan: &Plan,
) -> Result<Vec<Loss>, StoreError> {
    let mut found = Vec::new();
    for (position, step) in plan.steps.iter().enumerate() {
        let mut lost = match lost_by(backend, step) {
            Some(query) => count(connection, backend, query).await?,
            None => 0,
        };
        let mut violations = 0;
        for text in violating(plan, step)
            .into_iter()
            .chain(circles(step))
            .chain(alternatives(plan, step))
        {
            violations += count(connection, backend, (text, Vec::new())).await?;
        }
        let mut samples = Vec::new();
        if let Step::ConvertField {
            table, from, field, ..
        } = step
        {
            let conversion = Conversion {
                catalogue: &plan.target,
                table,
                from,
                to: field,
                at: 0,
            };
            let unconverted = unconverted(connection, backend, conversion).await?;
            lost = unconverted.count;
            samples = unconverted.samples;
            if field.required {
                violations += lost;
            }
        }
        if step.is_destructive() || lost > 0 || violations > 0 {
            found.push(Loss {
                step: position,
                name: step.name().to_owned(),
                lost,
                violations,
                samples,
            });
        }
    }
    Ok(found)
}

async fn count(
    connection: &impl ConnectionTrait,
    backend: Backend,
    (text, values): (String, Vec<SqlValue>),
) -> Result<i64, StoreError> {
    let row = connection
        .query_one_raw(Statement::from_sql_and_values(backend.sea(), text, values))
        .await?
        .ok_or(StoreError::NotFound)?;
    Ok(row.try_get_by_index(0)?)
}

/// Counts what a destructive step loses.
fn lost_by(backend: Backend, step: &Step) -> Option<(String, Vec<SqlValue>)> {
    let counted = |table: &str, condition: &str| {
        format!("SELECT count(*) FROM {} WHERE {condition}", quoted(table))
    };
    match step {
        Step::RemoveObject { object, .. } => Some((counted(&object.table, "1 = 1"), Vec::new())),
        // What is worked out is no value that anybody could lose.
        Step::RemoveField { field, .. } if !field.kind.is_written() => None,
        Step::RemoveField { table, field, .. } => {
            Some((counted(table, &filled(field)), Vec::new()))
        }
        Step::RemovePipeline {
            pipeline,
            clears: Some(clears),
            ..
        } => {
            let columns = column_names(&clears.field);
            let (condition, values) = standing_in(backend, &columns, pipeline.key.as_str(), None);
            Some((counted(&clears.table, &condition), values))
        }
        Step::RemoveStage {
            pipeline,
            stage,
            clears,
            ..
        } => {
            let columns = column_names(&clears.field);
            let (condition, values) =
                standing_in(backend, &columns, pipeline.as_str(), Some(stage));
            Some((counted(&clears.table, &condition), values))
        }
        Step::RemoveOption {
            table,
            field,
            option,
            ..
        } => {
            let column = quoted(&field.columns()[0].name);
            let condition = match (&field.kind, backend) {
                (Kind::MultiSelect { .. }, Backend::Postgres) => format!("$1 = ANY ({column})"),
                (Kind::MultiSelect { .. }, Backend::Sqlite) => {
                    format!("EXISTS (SELECT 1 FROM json_each({column}) WHERE value = ?1)")
                }
                _ => format!("{column} = {}", backend.placeholder(1)),
            };
            Some((counted(table, &condition), vec![option.as_str().into()]))
        }
        _ => None,
    }
}

/// Counts records that stand against a step.
fn violating(plan: &Plan, step: &Step) -> Option<String> {
    match step {
        // Existing records get the default; a number they all get.
        Step::AddField { table, field, .. }
            if field.required
                && field.default.is_none()
                && !matches!(field.kind, Kind::Autonumber { .. }) =>
        {
            Some(format!(
                "SELECT count(*) FROM {} WHERE \"_deleted_at\" IS NULL",
                quoted(table)
            ))
        }
        Step::ChangeField {
            table,
            field,
            changes,
            ..
        } if field.required && changes.iter().any(|change| change.what == "required") => {
            Some(format!(
                "SELECT count(*) FROM {} WHERE \"_deleted_at\" IS NULL AND NOT ({})",
                quoted(table),
                filled(field)
            ))
        }
        Step::ConvertField {
            table, from, field, ..
        } if field.required && !from.required => Some(format!(
            "SELECT count(*) FROM {} WHERE \"_deleted_at\" IS NULL AND NOT ({})",
            quoted(table),
            filled(from)
        )),
        // A column that comes with the same plan holds nothing yet, or one default in all rows,
        // which the database itself will refuse.
        Step::AddUnique {
            object,
            table,
            unique,
            columns,
            ..
        } if !unique
            .fields
            .iter()
            .any(|field| is_added(plan, object, field)) =>
        {
            let listed: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
            let all_filled: Vec<String> = listed
                .iter()
                .map(|column| format!("{column} IS NOT NULL"))
                .collect();
            // `CAST`: a sum of counts is NUMERIC on PostgreSQL.
            Some(format!(
                "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM (SELECT count(*) AS n FROM {} \
                 WHERE \"_deleted_at\" IS NULL AND {} GROUP BY {} HAVING count(*) > 1) AS shared",
                quoted(table),
                all_filled.join(" AND "),
                listed.join(", ")
            ))
        }
        _ => None,
    }
}

/// Counts records that would stand over themselves by a new tree, lead to such a circle, or stand
/// too deep.
fn circles(step: &Step) -> Option<String> {
    match step {
        Step::ChangeField {
            table,
            field,
            changes,
            ..
        } if matches!(&field.kind, Kind::Relation(relation) if relation.tree.is_some())
            && changes.iter().any(|change| {
                change.what == "ancestors" && change.from == serde_json::Value::Null
            }) =>
        {
            let key = quoted(&field.columns()[0].name);
            let table = quoted(table);
            Some(format!(
                "WITH RECURSIVE w(first, id, depth) AS (\
                 SELECT \"id\", {key}, 1 FROM {table} WHERE {key} IS NOT NULL \
                 UNION ALL SELECT w.first, s.{key}, w.depth + 1 FROM w JOIN {table} AS s ON s.\"id\" = w.id \
                 WHERE s.{key} IS NOT NULL AND w.id <> w.first AND w.depth <= {TREE_DEPTH_MAX}) \
                 SELECT count(DISTINCT first) FROM w WHERE id = first OR depth > {TREE_DEPTH_MAX}"
            ))
        }
        _ => None,
    }
}

/// Counts records in which several of new alternatives are filled, or none of those of which one
/// must be.
fn alternatives(plan: &Plan, step: &Step) -> Option<String> {
    let Step::ChangeObject {
        object, changes, ..
    } = step
    else {
        return None;
    };
    if !changes.iter().any(|change| change.what == "oneOf") {
        return None;
    }
    let (_, object) = plan.target.object_keyed(object)?;
    let mut wrong = Vec::new();
    for one_of in &object.one_of {
        let fields: Vec<&Field> = one_of
            .relations
            .iter()
            .filter_map(|key| Some(object.field_keyed(key)?.1))
            // What comes with the same plan holds nothing yet.
            .filter(|field| !is_added(plan, &object.key, &field.key))
            .collect();
        let count: Vec<String> = fields
            .iter()
            .map(|field| format!("CASE WHEN {} THEN 1 ELSE 0 END", filled(field)))
            .collect();
        let count = match count.is_empty() {
            true => "0".to_owned(),
            false => count.join(" + "),
        };
        wrong.push(format!("{count} > 1"));
        if one_of.required {
            wrong.push(format!("{count} = 0"));
        }
    }
    (!wrong.is_empty()).then(|| {
        format!(
            "SELECT count(*) FROM {} WHERE \"_deleted_at\" IS NULL AND ({})",
            quoted(&object.table),
            wrong.join(" OR ")
        )
    })
}

fn is_added(plan: &Plan, of: &Key, key: &Key) -> bool {
    plan.steps.iter().any(|step| match step {
        Step::AddField { object, field, .. } => object == of && field.key == *key,
        Step::ConvertField { object, field, .. } => object == of && field.key == *key,
        _ => false,
    })
}

/// The condition "this field has a value".
pub(super) fn filled(field: &Field) -> String {
    column_names(field)
        .iter()
        .map(|column| format!("{} IS NOT NULL", quoted(column)))
        .collect::<Vec<_>>()
        .join(" OR ")
}
