//! Who points at a record: what a deletion must know.

use relata_catalog::{FieldIndex, Object};
use uuid::Uuid;

use super::{Lock, Record, columns_selected};
use crate::cells::quoted;
use crate::error::StoreError;
use crate::filter::Deleted;
use crate::transaction::Transaction;

impl Transaction {
    /// Records of `object` whose relation `field` points at `target`, in the order of their ids:
    /// at most `limit`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn referrers(
        &self,
        object: &Object,
        field: FieldIndex,
        target: Uuid,
        deleted: Deleted,
        lock: Lock,
        limit: u64,
    ) -> Result<Vec<Record>, StoreError> {
        let statement = self.statement(
            format!(
                "SELECT {} FROM {} WHERE {}{} ORDER BY \"id\" LIMIT {limit}{}",
                columns_selected(self.backend(), object),
                quoted(&object.table),
                self.points_at(object, field),
                trash(deleted),
                self.backend().lock_clause(lock),
            ),
            vec![target.into()],
        );
        self.records(object, statement).await
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
                "SELECT count(*) FROM {} WHERE {}{}",
                quoted(&object.table),
                self.points_at(object, field),
                trash(deleted),
            ),
            vec![target.into()],
        );
        let row = self.query_one(statement).await?;
        row.map_or(Ok(0), |row| {
            row.try_get_by_index(0).map_err(StoreError::from)
        })
    }

    fn points_at(&self, object: &Object, field: FieldIndex) -> String {
        let column = &object.field(field).columns()[0].name;
        format!("{} = {}", quoted(column), self.backend().placeholder(1))
    }
}

fn trash(deleted: Deleted) -> &'static str {
    match deleted {
        Deleted::Exclude => " AND \"_deleted_at\" IS NULL",
        Deleted::Only => " AND \"_deleted_at\" IS NOT NULL",
        Deleted::Include => "",
    }
}
