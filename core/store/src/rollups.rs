//! Rollups: figures that stand in a record's own columns, worked out again from the records that
//! point at it, by the database, in the transaction that has written one of them.
//!
//! They are worked out anew, never counted up and down: whatever has happened to the records
//! between, the figure is right. An index serves it, the relation's own.

use relata_catalog::expression::{HALF, Node, Type};
use relata_catalog::{Catalogue, FieldIndex, Kind, Object, ObjectIndex, Rollup, RollupFunction};
use sea_orm::sea_query::Value as SqlValue;
use uuid::Uuid;

use crate::Backend;
use crate::cells::quoted;
use crate::error::StoreError;
use crate::expression::{TextForm, bounded, divided, expression_text, numeric};
use crate::read::CompileError;
use crate::records::IDS_MAX;
use crate::transaction::Transaction;

/// The record whose figure it is, and one of those that point at it.
const OWN: &str = "p";
const CHILD: &str = "c";

impl Transaction {
    /// Works out rollups of one object again: of these records, or of all.
    ///
    /// # Errors
    /// What the database says. [`StoreError::Retryable`] where somebody else has written one of
    /// the records meanwhile.
    pub async fn roll_up(
        &self,
        catalogue: &Catalogue,
        object: ObjectIndex,
        fields: &[FieldIndex],
        ids: Option<&[Uuid]>,
    ) -> Result<(), StoreError> {
        let described = catalogue.object(object);
        let mut sets = Vec::new();
        for index in fields {
            let field = described.field(*index);
            let Kind::Rollup(rollup) = &field.kind else {
                continue;
            };
            let texts = figure(self.backend(), catalogue, rollup)?;
            for (column, text) in field.stored_columns().iter().zip(texts) {
                sets.push(format!("{} = {text}", quoted(&column.name)));
            }
        }
        if sets.is_empty() {
            return Ok(());
        }
        let update = format!(
            "UPDATE {} AS {OWN} SET {}",
            quoted(&described.table),
            sets.join(", ")
        );
        let Some(ids) = ids else {
            self.execute_text(&update).await?;
            return Ok(());
        };
        for ids in ids.chunks(IDS_MAX) {
            let places = self.backend().placeholders(ids.len());
            let values = || ids.iter().copied().map(SqlValue::from).collect();
            if self.backend() == Backend::Postgres {
                // In the order of ids, so that two writers never wait for each other.
                let lock = format!(
                    "SELECT \"id\" FROM {} WHERE \"id\" IN ({places}) ORDER BY \"id\" FOR UPDATE",
                    quoted(&described.table)
                );
                self.execute(self.statement(lock, values())).await?;
            }
            let text = format!("{update} WHERE {OWN}.\"id\" IN ({places})");
            self.execute(self.statement(text, values())).await?;
        }
        Ok(())
    }
}

/// The texts of a rollup's columns.
fn figure(
    backend: Backend,
    catalogue: &Catalogue,
    rollup: &Rollup,
) -> Result<Vec<String>, CompileError> {
    let missing = CompileError::Missing;
    let (_, child) = catalogue
        .object_keyed(&rollup.object)
        .ok_or(missing("the object of a rollup"))?;
    let relation = rollup
        .relation
        .as_ref()
        .and_then(|relation| child.field_keyed(relation))
        .ok_or(missing("the relation of a rollup"))?;
    let mut rows = format!(
        "FROM {} AS {CHILD} WHERE {CHILD}.{} = {OWN}.\"id\" AND {CHILD}.\"_deleted_at\" IS NULL",
        quoted(&child.table),
        quoted(&relation.1.columns()[0].name)
    );
    let of = Of {
        backend,
        catalogue,
        child,
    };
    if let Some(filter) = &rollup.filter {
        let program = filter.program().ok_or(missing("the filter of a rollup"))?;
        let condition = program.parts.first().ok_or(missing("a condition"))?;
        rows.push_str(&format!(" AND ({})", of.text(condition)?));
    }
    let Some(expression) = &rollup.expression else {
        return Ok(vec![format!("(SELECT count(*) {rows})")]);
    };
    let program = expression
        .program()
        .ok_or(missing("the expression of a rollup"))?;
    let scale = match rollup.result.as_ref() {
        Kind::Decimal { scale, .. } | Kind::Money { scale, .. } => *scale,
        _ => 0,
    };
    let figure = Figure {
        backend,
        function: rollup.function,
        of: program.of,
        result: match rollup.result.as_ref() {
            Kind::Integer { .. } => Type::Integer,
            _ => Type::Decimal(scale),
        },
    };
    match program.parts.as_slice() {
        [value] => {
            let rows = format!("FROM (SELECT {} AS v {rows}) AS r", of.text(value)?);
            Ok(vec![figure.text(&rows)])
        }
        [amount, currency] => {
            let rows = format!(
                "FROM (SELECT {} AS v, {} AS u {rows}) AS r WHERE r.v IS NOT NULL",
                of.text(amount)?,
                of.text(currency)?
            );
            if rollup.function == RollupFunction::Count {
                return Ok(vec![format!("(SELECT count(*) {rows})")]);
            }
            // Amounts in several currencies have neither a sum nor a greatest.
            let alone = |text: &str| {
                format!("(SELECT CASE WHEN count(DISTINCT r.u) = 1 THEN {text} END {rows})")
            };
            Ok(vec![alone(&figure.text(&rows)), alone("max(r.u)")])
        }
        _ => Err(missing("the value of a rollup")),
    }
}

struct Of<'a> {
    backend: Backend,
    catalogue: &'a Catalogue,
    child: &'a Object,
}

impl Of<'_> {
    fn text(&self, node: &Node) -> Result<String, CompileError> {
        expression_text(
            self.backend,
            self.catalogue,
            self.child,
            CHILD,
            node,
            TextForm::Exact,
        )
    }
}

struct Figure {
    backend: Backend,
    function: RollupFunction,
    of: Type,
    result: Type,
}

impl Figure {
    /// A figure of the column `v` of these rows.
    fn text(&self, rows: &str) -> String {
        let postgres = self.backend == Backend::Postgres;
        match self.function {
            RollupFunction::Count => format!("(SELECT count(r.v) {rows})"),
            RollupFunction::Min => format!("(SELECT min(r.v) {rows})"),
            RollupFunction::Max => format!("(SELECT max(r.v) {rows})"),
            RollupFunction::Sum if postgres => {
                let sum = bounded(&self.sum(rows), self.result);
                match self.result {
                    Type::Integer => self.whole(&sum),
                    _ => sum,
                }
            }
            RollupFunction::Sum => match self.result {
                Type::Integer => format!("relata_safe({})", self.sum(rows)),
                _ => self.sum(rows),
            },
            RollupFunction::Avg => {
                let count = format!("(SELECT count(r.v) {rows})");
                let sum = self.sum(rows);
                if postgres {
                    divided(&numeric(&sum), &numeric(&count), self.result)
                } else {
                    let (from, to) = (self.of.scale(), self.result.scale());
                    format!("relata_divide({sum}, {from}, {count}, 0, {to})")
                }
            }
        }
    }

    fn sum(&self, rows: &str) -> String {
        match self.backend {
            Backend::Postgres => format!("(SELECT coalesce(sum({}), 0) {rows})", numeric("r.v")),
            // `sum` of so large numbers would be an error.
            Backend::Sqlite => format!(
                "(SELECT relata_halves(coalesce(sum(r.v / {HALF}), 0), \
                 coalesce(sum(r.v % {HALF}), 0)) {rows})"
            ),
        }
    }

    /// PostgreSQL: as a column of whole numbers takes it.
    fn whole(&self, text: &str) -> String {
        format!(
            "CAST((SELECT CASE WHEN abs(q.a) <= 9007199254740991 THEN q.a END \
             FROM (SELECT {text} AS a OFFSET 0) AS q) AS int8)"
        )
    }
}
