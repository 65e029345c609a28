//! What is kept of a write: an entry of the history for people, an entry of the outbox for
//! everything that happens after the commit.

use relata_catalog::{
    CoerceContext, Field, Key, Kind, Object, StageValue, Value, coerce, parse_instant, to_json,
};
use relata_store::log::{Change, FieldChange, HistoryEntry, Log, MERGED, OutboxEntry};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Draft;
use crate::transact::Unit;

/// What is kept of creates or updates.
pub(super) fn of_drafts(unit: &Unit, object: &Object, change: Change, drafts: &[Draft]) -> Log {
    let entries = drafts.iter().map(|draft| Entry {
        id: draft.id,
        version: draft.before.as_ref().map_or(1, |before| before.version + 1),
        fields: draft
            .changed()
            .into_iter()
            .map(|index| {
                let field = object.field(index);
                FieldChange {
                    field: field.key.clone(),
                    old: history_json(field, draft.old_value(index)),
                    new: history_json(field, draft.value(index)),
                }
            })
            .collect(),
    });
    of_entries(unit, object, change, entries.collect())
}

/// What became of one record.
pub(super) struct Entry {
    pub(super) id: Uuid,
    pub(super) version: i64,
    pub(super) fields: Vec<FieldChange>,
}

/// What is kept of these.
pub(super) fn of_entries(unit: &Unit, object: &Object, change: Change, entries: Vec<Entry>) -> Log {
    let actor = unit.actor_text();
    let outbox = entries
        .iter()
        .map(|entry| OutboxEntry {
            object: object.key.clone(),
            record: entry.id,
            version: entry.version,
            // What else was merged is told of each of those records.
            change: match change {
                Change::Merge => Change::Update,
                other => other,
            },
            actor: actor.clone(),
            at: unit.now(),
            fields: entry
                .fields
                .iter()
                .filter(|field| field.field.as_str() != MERGED)
                .map(|field| field.field.clone())
                .collect(),
        })
        .collect();
    let history = entries
        .into_iter()
        .map(|entry| HistoryEntry {
            object: object.key.clone(),
            record: entry.id,
            version: entry.version,
            at: unit.now(),
            actor: actor.clone(),
            change,
            fields: entry.fields,
        })
        .collect();
    // The consumers of the outbox are woken after the commit.
    unit.note_write();
    Log { history, outbox }
}

/// A value as history keeps it: as clients see it, except stages, which are named by their keys,
/// because their names may change.
pub(super) fn history_json(field: &Field, value: &Value) -> Json {
    to_json(&field.kind, value)
}

/// The value that history keeps as JSON, as far as today's field can still hold it.
pub(crate) fn value_from_history(field: &Field, json: &Json) -> Value {
    match (&field.kind, json) {
        (_, Json::Null) => Value::Null,
        (Kind::Stage, Json::Object(map)) => stage_from(map).unwrap_or_default(),
        (Kind::Autonumber { prefix, .. }, Json::String(text)) => text
            .strip_prefix(prefix.as_str())
            .and_then(|digits| digits.parse().ok())
            .map_or(Value::Null, Value::Integer),
        _ => coerce(field, json, &CoerceContext::default()).unwrap_or_default(),
    }
}

fn stage_from(map: &Map<String, Json>) -> Option<Value> {
    let pipeline: Key = serde_json::from_value(map.get("pipeline")?.clone()).ok()?;
    Some(Value::Stage(StageValue {
        pipeline,
        stage: map.get("stage")?.as_str()?.to_owned(),
        entered_at: parse_instant(map.get("enteredAt")?.as_str()?)?,
    }))
}
