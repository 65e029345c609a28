//! Parked elements: what has left the catalogue and still has its table or column.

use relata_catalog::{Field, Key, Object};
use sea_orm::{ConnectionTrait as _, Statement, Value as SqlValue};

use super::{Work, column_names};
use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// A removed element whose data is still there.
#[derive(Debug, Clone, PartialEq)]
pub struct Parked {
    /// Identity of the entry.
    pub id: i64,
    /// What it was called: `deal`, `deal.amount`.
    pub element: String,
    /// The object's key.
    pub object: String,
    /// The field's key; none for a whole object.
    pub field: Option<String>,
    /// Physical table.
    pub table: String,
    /// First part of the physical columns; none for a whole object.
    pub column: Option<String>,
    /// Physical columns; empty for a whole object.
    pub columns: Vec<String>,
    /// The revision that removed it.
    pub revision: i64,
    /// Who removed it.
    pub actor: String,
    /// When. Microseconds since 1970-01-01T00:00:00Z.
    pub since: i64,
}

/// One row to be written.
struct Removed<'a> {
    element: &'a str,
    object: &'a Key,
    field: Option<&'a Key>,
    table: &'a str,
    column: Option<&'a str>,
    columns: Vec<String>,
    dropped_at: Option<i64>,
}

impl Transaction {
    pub(super) async fn park_field(
        &self,
        name: &str,
        object: &Key,
        table: &str,
        field: &Field,
        work: &Work<'_>,
    ) -> Result<(), StoreError> {
        self.release_columns(table, field).await?;
        self.note_removed_field(name, object, table, field, work, None)
            .await
    }

    pub(super) async fn park_object(
        &self,
        name: &str,
        object: &Object,
        work: &Work<'_>,
    ) -> Result<(), StoreError> {
        for unique in &object.uniques {
            self.drop_index(&unique.index).await?;
        }
        for field in &object.fields {
            self.release_columns(&object.table, field).await?;
        }
        self.note_removed_object(name, object, work, None).await
    }

    pub(super) async fn note_removed_field(
        &self,
        name: &str,
        object: &Key,
        table: &str,
        field: &Field,
        work: &Work<'_>,
        dropped_at: Option<i64>,
    ) -> Result<(), StoreError> {
        let removed = Removed {
            element: name,
            object,
            field: Some(&field.key),
            table,
            column: Some(&field.column),
            columns: column_names(field),
            dropped_at,
        };
        self.note_removed(&removed, work).await
    }

    pub(super) async fn note_removed_object(
        &self,
        name: &str,
        object: &Object,
        work: &Work<'_>,
        dropped_at: Option<i64>,
    ) -> Result<(), StoreError> {
        let removed = Removed {
            element: name,
            object: &object.key,
            field: None,
            table: &object.table,
            column: None,
            columns: Vec::new(),
            dropped_at,
        };
        self.note_removed(&removed, work).await
    }

    async fn note_removed(&self, removed: &Removed<'_>, work: &Work<'_>) -> Result<(), StoreError> {
        let text = crate::log::insert_text(
            self.backend(),
            "relata_parked",
            &[
                "element",
                "object_key",
                "field_key",
                "table_name",
                "column_base",
                "columns",
                "revision",
                "actor",
                "since",
                "dropped_at",
            ],
            1,
        );
        let values = vec![
            removed.element.into(),
            removed.object.as_str().into(),
            SqlValue::String(removed.field.map(|key| key.as_str().to_owned())),
            removed.table.into(),
            SqlValue::String(removed.column.map(str::to_owned)),
            serde_json::to_string(&removed.columns)
                .expect("names are JSON strings")
                .into(),
            work.plan.target.revision.cast_signed().into(),
            work.actor.into(),
            work.at.into(),
            SqlValue::BigInt(removed.dropped_at),
        ];
        self.execute(self.statement(text, values)).await?;
        Ok(())
    }

    /// Drops the tables and columns that were parked before an instant, and says which elements
    /// they belonged to. Wants [`Turn::Alone`](crate::Turn::Alone).
    ///
    /// # Errors
    /// What the database says.
    pub async fn drop_parked(
        &self,
        parked_before: i64,
        at: i64,
    ) -> Result<Vec<String>, StoreError> {
        let text = format!(
            "{SELECT_PARKED} AND since < {} ORDER BY id",
            self.backend().placeholder(1)
        );
        let rows = self
            .query_all(self.statement(text, vec![parked_before.into()]))
            .await?;
        let parked: Vec<Parked> = rows.iter().map(parked).collect::<Result<_, _>>()?;
        let mut dropped = Vec::new();
        for element in parked {
            self.drop_element(&element, at).await?;
            dropped.push(element.element);
        }
        Ok(dropped)
    }

    async fn drop_element(&self, parked: &Parked, at: i64) -> Result<(), StoreError> {
        match &parked.column {
            None => {
                self.drop_table(&parked.table).await?;
            }
            Some(column) => {
                let there = self.columns_there(&parked.table).await?;
                let columns: Vec<String> = parked
                    .columns
                    .iter()
                    .filter(|column| there.contains(column))
                    .cloned()
                    .collect();
                self.drop_columns(&parked.table, &columns).await?;
                self.drop_series(&format!("{}.{column}", parked.table))
                    .await?;
            }
        }
        let p = |position| self.backend().placeholder(position);
        let text = format!(
            "UPDATE relata_parked SET dropped_at = {} WHERE id = {}",
            p(1),
            p(2)
        );
        self.execute(self.statement(text, vec![at.into(), parked.id.into()]))
            .await?;
        Ok(())
    }

    /// Columns that a table has now: its own table, or that of a relation's target, may have been
    /// dropped before it.
    pub(super) async fn columns_there(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let text = match self.backend() {
            crate::Backend::Sqlite => "SELECT name FROM pragma_table_info(?1)",
            crate::Backend::Postgres => {
                "SELECT column_name::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = $1"
            }
        };
        self.query_all(self.statement(text, vec![table.into()]))
            .await?
            .iter()
            .map(|row| row.try_get_by_index(0).map_err(StoreError::from))
            .collect()
    }
}

impl Database {
    /// What is parked, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn parked(&self) -> Result<Vec<Parked>, StoreError> {
        self.platform()
            .query_all_raw(Statement::from_string(
                self.backend().sea(),
                format!("{SELECT_PARKED} ORDER BY id"),
            ))
            .await?
            .iter()
            .map(parked)
            .collect()
    }
}

const SELECT_PARKED: &str = "SELECT id, element, object_key, field_key, table_name, column_base, \
                             columns, revision, actor, since FROM relata_parked \
                             WHERE dropped_at IS NULL";

fn parked(row: &sea_orm::QueryResult) -> Result<Parked, StoreError> {
    let columns: String = row.try_get_by_index(6)?;
    Ok(Parked {
        id: row.try_get_by_index(0)?,
        element: row.try_get_by_index(1)?,
        object: row.try_get_by_index(2)?,
        field: row.try_get_by_index(3)?,
        table: row.try_get_by_index(4)?,
        column: row.try_get_by_index(5)?,
        columns: serde_json::from_str(&columns)
            .map_err(|error| StoreError::value("relata_parked.columns", error.to_string()))?,
        revision: row.try_get_by_index(7)?,
        actor: row.try_get_by_index(8)?,
        since: row.try_get_by_index(9)?,
    })
}
