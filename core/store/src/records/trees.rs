//! Lines of a tree, as a write must know them.

use std::collections::HashMap;

use relata_catalog::{FieldIndex, Object};
use sea_orm::sea_query::Value as SqlValue;
use uuid::Uuid;

use super::IDS_MAX;
use crate::cells::quoted;
use crate::error::StoreError;
use crate::read::TREE_DEPTH_MAX;
use crate::transaction::Transaction;

impl Transaction {
    /// What stands over these records, themselves included: of each its parent by the relation
    /// `field` of the object to itself, in the trash or not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn parents(
        &self,
        object: &Object,
        field: FieldIndex,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Option<Uuid>>, StoreError> {
        let mut found = HashMap::new();
        for chunk in ids.chunks(IDS_MAX) {
            // One more than a line may have: it is then seen to be too long.
            let text = format!(
                "WITH RECURSIVE w(id, parent, depth) AS (\
                 SELECT s.\"id\", s.{key}, 0 FROM {table} AS s WHERE s.\"id\" IN ({places}) \
                 UNION SELECT s.\"id\", s.{key}, w.depth + 1 FROM w JOIN {table} AS s ON s.\"id\" = w.parent \
                 WHERE w.depth < {TREE_DEPTH_MAX}) SELECT DISTINCT id, parent FROM w",
                key = key(object, field),
                table = quoted(&object.table),
                places = self.backend().placeholders(chunk.len()),
            );
            for row in self.query_all(self.statement(text, values(chunk))).await? {
                found.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            }
        }
        Ok(found)
    }

    /// How many records stand under each other below each of these, at most; 0 where there is
    /// none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn heights(
        &self,
        object: &Object,
        field: FieldIndex,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, usize>, StoreError> {
        let mut found = HashMap::new();
        for chunk in ids.chunks(IDS_MAX) {
            let text = format!(
                "WITH RECURSIVE w(root, id, depth) AS (\
                 SELECT s.{key}, s.\"id\", 1 FROM {table} AS s WHERE s.{key} IN ({places}) \
                 UNION SELECT w.root, s.\"id\", w.depth + 1 FROM w JOIN {table} AS s ON s.{key} = w.id \
                 WHERE w.depth < {TREE_DEPTH_MAX}) \
                 SELECT root, CAST(max(depth) AS BIGINT) FROM w GROUP BY root",
                key = key(object, field),
                table = quoted(&object.table),
                places = self.backend().placeholders(chunk.len()),
            );
            for row in self.query_all(self.statement(text, values(chunk))).await? {
                let height: i64 = row.try_get_by_index(1)?;
                found.insert(
                    row.try_get_by_index(0)?,
                    usize::try_from(height).unwrap_or_default(),
                );
            }
        }
        Ok(found)
    }
}

fn key(object: &Object, field: FieldIndex) -> String {
    quoted(&object.field(field).columns()[0].name)
}

fn values(ids: &[Uuid]) -> Vec<SqlValue> {
    ids.iter().copied().map(SqlValue::from).collect()
}
