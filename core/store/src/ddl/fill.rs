//! Values for records that were there before their field.

use relata_catalog::expression::PathColumn;
use relata_catalog::{Catalogue, CoerceContext, Field, Key, Kind, Value, coerce};
use sea_orm::sea_query::{Alias, Query};

use crate::cells::{quoted, written};
use crate::database::Backend;
use crate::error::StoreError;
use crate::read::CompileError;
use crate::transaction::Transaction;

impl Transaction {
    /// Existing records get the default, or their number in the order in which they were made.
    pub(super) async fn fill_new_field(
        &self,
        table: &str,
        field: &Field,
        at: i64,
    ) -> Result<(), StoreError> {
        if let Kind::Autonumber { start, gapless, .. } = field.kind {
            return self.number_records(table, field, start, gapless).await;
        }
        let Some(default) = &field.default else {
            return Ok(());
        };
        let context = CoerceContext {
            now_micros: at,
            ..CoerceContext::default()
        };
        let value = coerce(field, default, &context).map_err(|issues| {
            // A catalogue that exists is valid, so its defaults are.
            StoreError::value(&field.column, issues.to_string())
        })?;
        if value == Value::Null {
            return Ok(());
        }
        let mut update = Query::update();
        update.table(Alias::new(table));
        let cells = written(self.backend(), field, &value)?;
        for (column, cell) in field.stored_columns().into_iter().zip(cells) {
            update.value(Alias::new(column.name), cell);
        }
        self.execute(self.backend().sea().build(&update)).await?;
        Ok(())
    }

    /// Works out new and changed rollups, those that others stand on first.
    pub(super) async fn fill_rollups(
        &self,
        catalogue: &Catalogue,
        mut rollups: Vec<(&Key, &Field)>,
    ) -> Result<(), StoreError> {
        while !rollups.is_empty() {
            let waits = |(_, field): &(&Key, &Field)| {
                let Kind::Rollup(rollup) = &field.kind else {
                    return false;
                };
                let stands_on = |key: &Key| {
                    rollups
                        .iter()
                        .any(|(object, other)| **object == rollup.object && other.key == *key)
                };
                rollup.reads().any(
                    |column| matches!(column, PathColumn::Field { field, .. } if stands_on(field)),
                )
            };
            let (later, now): (Vec<_>, Vec<_>) = rollups.iter().copied().partition(waits);
            if now.is_empty() {
                // A catalogue that exists has no circle of them.
                return Err(CompileError::Missing("a rollup that stands on no other").into());
            }
            for (object, field) in now {
                let found = catalogue
                    .object_keyed(object)
                    .and_then(|(index, object)| Some((index, object.field_keyed(&field.key)?.0)));
                if let Some((index, position)) = found {
                    self.roll_up(catalogue, index, &[position], None).await?;
                }
            }
            rollups = later;
        }
        Ok(())
    }

    async fn number_records(
        &self,
        table: &str,
        field: &Field,
        start: i64,
        gapless: bool,
    ) -> Result<(), StoreError> {
        let series = format!("{table}.{}", field.column);
        let named = table;
        let column = quoted(&field.columns()[0].name);
        let table = quoted(table);
        let p = self.backend().placeholder(1);
        let text = format!(
            "UPDATE {table} SET {column} = numbered.number FROM \
             (SELECT \"id\", {p} - 1 + row_number() OVER (ORDER BY \"_created_at\", \"id\") AS number \
              FROM {table}) AS numbered WHERE numbered.\"id\" = {table}.\"id\""
        );
        let given = self
            .execute(self.statement(text, vec![start.into()]))
            .await?
            .rows_affected();
        if given == 0 && (self.backend() == Backend::Sqlite || gapless) {
            // The first to draw makes the row.
            return Ok(());
        }
        let next = start + given.cast_signed();
        self.set_next(&series, next, gapless).await?;
        if gapless {
            Ok(())
        } else {
            self.own_sequence(named, field).await
        }
    }
}
