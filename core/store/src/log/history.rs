//! The history: what was changed in a record, by whom, from what to what.

use std::collections::HashMap;

use relata_catalog::Key;
use sea_orm::{ConnectionTrait as _, QueryResult, Statement, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Change, LOG_ROWS_MAX, all_values, insert_text_behind};
use crate::database::{Backend, Database};
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

/// Under which key of a `MERGE` entry's fields the records stand that went into the survivor:
/// `new` is a list of `{id, label}`. No field has such a key; a column of its own would be one more
/// value in every write.
pub const MERGED: &str = "relata/_merged";

/// [`MERGED`] as a key.
#[must_use]
pub fn merged_key() -> Key {
    let (owner, local) = MERGED.split_once('/').unwrap_or((MERGED, ""));
    Key::new(owner, local)
}

pub(super) const COLUMNS: [&str; 7] = [
    "object", "record", "version", "at", "actor", "change", "fields",
];

/// The text that inserts entries behind the values of other statements.
pub(super) fn insertion(
    backend: Backend,
    entries: &[HistoryEntry],
    values: &mut Vec<Value>,
) -> String {
    let behind = values.len();
    for entry in entries {
        let fields = serde_json::to_string(&entry.fields).expect("keys and JSON values are JSON");
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
    let columns = all_values(&COLUMNS);
    insert_text_behind(backend, "relata_history", &columns, entries.len(), behind)
}

impl Transaction {
    /// Adds to the history.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_history(&self, entries: &[HistoryEntry]) -> Result<(), StoreError> {
        for chunk in entries.chunks(LOG_ROWS_MAX) {
            let mut values = Vec::with_capacity(chunk.len() * COLUMNS.len());
            let text = insertion(self.backend(), chunk, &mut values);
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
        let mut found = self.history_of_many(&[(record, version)], limit).await?;
        Ok(found.remove(&record).unwrap_or_default())
    }

    /// What was done to each of several records up to a version of it, newest first: at most
    /// `limit` entries of each. A record without any is left out; each is named once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history_of_many(
        &self,
        records: &[(Uuid, i64)],
        limit: u64,
    ) -> Result<HashMap<Uuid, Vec<HistoryEntry>>, StoreError> {
        /// Each is an arm of a UNION; SQLite takes 500.
        const ARMS_MAX: usize = 64;
        let backend = self.backend();
        let mut found: HashMap<Uuid, Vec<HistoryEntry>> = HashMap::with_capacity(records.len());
        for chunk in records.chunks(ARMS_MAX) {
            // Few lengths of statement, so that few are prepared: what is missing asks for the
            // record that is never there.
            let arms = chunk.len().next_power_of_two();
            let mut texts = Vec::with_capacity(arms);
            let mut values = Vec::with_capacity(arms * 2);
            // An arm for each record stops at the limit by the index; one ranking over all of
            // them would read all that was ever done to each.
            for arm in 0..arms {
                let (record, version) = chunk.get(arm).copied().unwrap_or((Uuid::nil(), 0));
                texts.push(format!(
                    "SELECT * FROM (SELECT object, record, version, at, actor, change, fields \
                     FROM relata_history WHERE record = {} AND version <= {} \
                     ORDER BY id DESC LIMIT {limit}) AS arm_{arm}",
                    backend.placeholder(values.len() + 1),
                    backend.placeholder(values.len() + 2),
                ));
                values.extend([record.into(), version.into()]);
            }
            let text = texts.join(" UNION ALL ");
            let rows = self
                .platform()
                .query_all_raw(Statement::from_sql_and_values(backend.sea(), text, values))
                .await?;
            for row in &rows {
                let entry = entry(row)?;
                found.entry(entry.record).or_default().push(entry);
            }
        }
        // A UNION promises no order. Each change of a record makes its next version.
        for entries in found.values_mut() {
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.version));
        }
        Ok(found)
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
