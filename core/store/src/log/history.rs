//! The history: what was changed in a record, by whom, from what to what.

use relata_catalog::Key;
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Change, LOG_ROWS_MAX, insert_text};
use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// One change of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The object's key.
    pub object: Key,
    /// The record.
    pub record: Uuid,
    /// The version that this change made.
    pub version: i64,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub change: Change,
    /// Which fields it changed.
    pub fields: Vec<FieldChange>,
}

/// One field of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field's key.
    pub field: Key,
    /// Before, in the JSON form that clients get.
    pub old: Json,
    /// After.
    pub new: Json,
}

impl Transaction {
    /// Adds to the history.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_history(&self, entries: &[HistoryEntry]) -> Result<(), StoreError> {
        const COLUMNS: [&str; 7] = [
            "object", "record", "version", "at", "actor", "change", "fields",
        ];
        for chunk in entries.chunks(LOG_ROWS_MAX) {
            let mut values = Vec::with_capacity(chunk.len() * COLUMNS.len());
            for entry in chunk {
                let fields =
                    serde_json::to_string(&entry.fields).expect("keys and JSON values are JSON");
                values.extend([
                    entry.object.as_str().into(),
                    entry.record.into(),
                    entry.version.into(),
                    entry.at.into(),
                    entry.actor.as_str().into(),
                    entry.change.as_str().into(),
                    fields.into(),
                ]);
            }
            let text = insert_text(self.backend(), "relata_history", &COLUMNS, chunk.len());
            self.execute(self.statement(text, values)).await?;
        }
        Ok(())
    }

    /// Forgets the history and the passages of a record that is destroyed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget(&self, record: Uuid) -> Result<(), StoreError> {
        for table in ["relata_history", "relata_passage"] {
            let text = format!(
                "DELETE FROM {table} WHERE record = {}",
                self.backend().placeholder(1)
            );
            self.execute(self.statement(text, vec![record.into()]))
                .await?;
        }
        Ok(())
    }
}

impl Database {
    /// What was done to a record up to a version, newest first: at most `limit` entries.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history_of(
        &self,
        record: Uuid,
        version: i64,
        limit: u64,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let backend = self.backend();
        let text = format!(
            "SELECT object, record, version, at, actor, change, fields FROM relata_history \
             WHERE record = {} AND version <= {} ORDER BY id DESC LIMIT {limit}",
            backend.placeholder(1),
            backend.placeholder(2),
        );
        let values = vec![record.into(), version.into()];
        self.platform()
            .query_all_raw(Statement::from_sql_and_values(backend.sea(), text, values))
            .await?
            .iter()
            .map(entry)
            .collect()
    }
}

fn entry(row: &QueryResult) -> Result<HistoryEntry, StoreError> {
    let object: String = row.try_get_by_index(0)?;
    let change: String = row.try_get_by_index(5)?;
    let fields: String = row.try_get_by_index(6)?;
    Ok(HistoryEntry {
        object: object
            .split_once('/')
            .map(|(owner, local)| Key::new(owner, local))
            .ok_or_else(|| StoreError::value("object", "not a key"))?,
        record: row.try_get_by_index(1)?,
        version: row.try_get_by_index(2)?,
        at: row.try_get_by_index(3)?,
        actor: row.try_get_by_index(4)?,
        change: Change::parse(&change)
            .ok_or_else(|| StoreError::value("change", format!("unknown: {change}")))?,
        fields: serde_json::from_str(&fields)
            .map_err(|error| StoreError::value("fields", error.to_string()))?,
    })
}
