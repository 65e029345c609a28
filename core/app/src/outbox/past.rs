//! What records were at the versions that entries tell of: read from their history, for a whole
//! batch at once.

use std::collections::HashMap;

use relata_catalog::{Field, FieldIndex, Object, Value};
use relata_host::{PluginValue, to_plugin};
use relata_store::{
    Database,
    log::{HistoryEntry, OutboxRow},
};
use uuid::Uuid;

use crate::{AppError, records::value_from_history};

/// Versions of a record that are looked through for its values, newest first.
const VERSIONS_MAX: u64 = 1_000;
/// As many of each record are read together with those of the others: most have no more.
const VERSIONS_NEAR: u64 = 16;

/// The past of the records of a batch.
pub(super) struct Past {
    /// Newest first.
    records: HashMap<Uuid, Vec<HistoryEntry>>,
}

impl Past {
    /// Reads what is needed to tell these fields at the versions of the entries and just before.
    pub(super) async fn read(
        database: &Database,
        object: &Object,
        fields: &[FieldIndex],
        rows: &[OutboxRow],
    ) -> Result<Self, AppError> {
        if fields.is_empty() {
            return Ok(Self {
                records: HashMap::new(),
            });
        }
        let mut wanted: HashMap<Uuid, Versions> = HashMap::with_capacity(rows.len());
        for row in rows {
            let version = row.entry.version;
            let versions = wanted.entry(row.entry.record).or_insert(Versions {
                lowest: version - 1,
                highest: version,
            });
            versions.lowest = versions.lowest.min(version - 1);
            versions.highest = versions.highest.max(version);
        }
        let newest: Vec<(Uuid, i64)> = wanted
            .iter()
            .map(|(record, versions)| (*record, versions.highest))
            .collect();
        let mut records = database.history_of_many(&newest, VERSIONS_NEAR).await?;
        for (record, entries) in &mut records {
            let goes_on = entries.len() as u64 == VERSIONS_NEAR;
            if goes_on
                && let Some(versions) = wanted.get(record)
                && !tells(entries, object, fields, versions.lowest)
            {
                *entries = database
                    .history_of(*record, versions.highest, VERSIONS_MAX)
                    .await?;
            }
        }
        Ok(Self { records })
    }

    /// The field's value when the record was at this version: what the newest change up to it has
    /// made of it.
    pub(super) fn value_at(&self, record: Uuid, field: &Field, version: i64) -> PluginValue {
        let entries = self.records.get(&record).map_or(&[][..], Vec::as_slice);
        let json = entries
            .iter()
            .filter(|entry| entry.version <= version)
            .find_map(|entry| {
                let change = entry.fields.iter().find(|change| change.field == field.key);
                change.map(|change| &change.new)
            });
        let value = json.map_or(Value::Null, |json| value_from_history(field, json));
        to_plugin(&field.kind, &value)
    }
}

/// The span of versions of one record that a batch asks for.
struct Versions {
    lowest: i64,
    highest: i64,
}

/// Whether these entries know each field at the version.
fn tells(entries: &[HistoryEntry], object: &Object, fields: &[FieldIndex], version: i64) -> bool {
    fields.iter().all(|index| {
        let key = &object.field(*index).key;
        entries
            .iter()
            .filter(|entry| entry.version <= version)
            .any(|entry| entry.fields.iter().any(|change| change.field == *key))
    })
}
