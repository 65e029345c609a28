//! Who points at a record: what a deletion must know.

use relata_catalog::{FieldIndex, Object};
use sea_orm::sea_query::Value as SqlValue;
use uuid::Uuid;

use super::{IDS_MAX, Lock, Record, columns_selected};
use crate::cells::quoted;
use crate::error::StoreError;
use crate::filter::Deleted;
use crate::transaction::Transaction;

impl Transaction {
    /// Records of `object` whose relation `field` points at one of `targets`: at most `limit`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn referrers(
        &self,
        object: &Object,
        field: FieldIndex,
        targets: &[Uuid],
        deleted: Deleted,
        lock: Lock,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let column = &object.field(field).columns()[0].name;
        let mut found = Vec::new();
        for chunk in targets.chunks(IDS_MAX) {
            let rows = limit - found.len();
            if rows == 0 {
                break;
            }
            let statement = self.statement(
                format!(
                    "SELECT {} FROM {} WHERE {} IN ({}){} ORDER BY \"id\" LIMIT {rows}{}",
                    columns_selected(self.backend(), object),
                    quoted(&object.table),
                    quoted(column),
                    self.backend().placeholders(chunk.len()),
                    trash(deleted),
                    self.backend().lock_clause(lock),
                ),
                chunk.iter().copied().map(SqlValue::from).collect(),
            );
            found.extend(self.records(object, statement).await?);
        }
        Ok(found)
    }

    /// How many records of `object` point at `target`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn count_referrers(
        &self,
        object: &Object,
        field: FieldIndex,
        target: Uuid,
        deleted: Deleted,
    ) -> Result<i64, StoreError> {
        let statement = self.statement(
            format!(
                "SELECT count(*) FROM {} WHERE {} = {}{}",
                quoted(&object.table),
                quoted(&object.field(field).columns()[0].name),
                self.backend().placeholder(1),
                trash(deleted),
            ),
            vec![target.into()],
        );
        let row = self.query_one(statement).await?;
        row.map_or(Ok(0), |row| {
            row.try_get_by_index(0).map_err(StoreError::from)
        })
    }
}

fn trash(deleted: Deleted) -> &'static str {
    match deleted {
        Deleted::Exclude => " AND \"_deleted_at\" IS NULL",
        Deleted::Only => " AND \"_deleted_at\" IS NOT NULL",
        Deleted::Include => "",
    }
}
