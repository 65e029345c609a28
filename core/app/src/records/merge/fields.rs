//! What the survivor becomes: its own values, and where it has none those of the others.

use std::collections::HashMap;

use relata_catalog::{FieldIndex, Kind, Object, Value, folded, to_json};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{MergeRequest, Set};
use crate::records::Draft;

/// A field of the survivor as it would be.
#[derive(Debug)]
pub struct MergedField {
    /// Its name.
    pub name: String,
    /// Its value, in the JSON form that clients get.
    pub value: Json,
    /// Whose value it is, several where lists are united. None: it was given, or worked out.
    pub from: Vec<Uuid>,
}

/// A field in which records differ.
#[derive(Debug)]
pub struct MergeConflict {
    /// Its name.
    pub name: String,
    /// The value of each record that has one, the survivor's first.
    pub values: Vec<(Uuid, Json)>,
}

/// Whose values the survivor's are, by field.
#[derive(Debug, Default)]
pub(super) struct Origins(HashMap<FieldIndex, Vec<Uuid>>);

/// Whether a field holds what somebody has given: neither a number of the platform nor worked out.
pub(super) fn is_own(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::Autonumber { .. } | Kind::Formula(_) | Kind::Rollup(_)
    )
}

/// Fills what the survivor has empty, except what the data is about to say.
pub(super) fn fill(
    object: &Object,
    draft: &mut Draft,
    set: &Set,
    request: &MergeRequest,
) -> Origins {
    let mut origins = Origins::default();
    for (position, field) in object.fields.iter().enumerate() {
        let index = FieldIndex(position);
        if !is_own(&field.kind) || request.data.contains_key(&field.name) {
            continue;
        }
        let mut value = outside(&draft.values[position], set);
        let mut from = Vec::new();
        if !value.is_null() {
            from.push(set.keep.id);
        }
        for loser in &set.losers {
            let theirs = outside(loser.value(index), set);
            let united = match (&value, theirs) {
                (_, Value::Null) => None,
                (Value::Null, theirs) => Some(theirs),
                (mine, theirs) => united(mine, &theirs),
            };
            if let Some(united) = united {
                value = united;
                from.push(loser.id);
            }
        }
        draft.values[position] = value;
        origins.0.insert(index, from);
    }
    if draft.owner.is_none() && !request.data.contains_key("owner") {
        draft.owner = set.losers.iter().find_map(|loser| loser.owner);
    }
    origins
}

/// The value, unless it points at one of those that become one.
fn outside(value: &Value, set: &Set) -> Value {
    match value {
        Value::Reference(id) if set.has(*id) => Value::Null,
        other => other.clone(),
    }
}

/// Empties relations to the record itself that come of a merge.
pub(super) fn without_itself(object: &Object, draft: &mut Draft, keep: Uuid) {
    for position in 0..object.fields.len() {
        if draft.values[position] == Value::Reference(keep) {
            draft.values[position] = Value::Null;
        }
    }
}

/// Both, where the value is a list and the other one adds to it.
fn united(mine: &Value, theirs: &Value) -> Option<Value> {
    match (mine, theirs) {
        (Value::Choices(mine), Value::Choices(theirs)) => {
            let more = theirs.iter().filter(|choice| !mine.contains(choice));
            let all: Vec<String> = mine.iter().chain(more).cloned().collect();
            (all.len() > mine.len()).then_some(Value::Choices(all))
        }
        (Value::Emails(mine), Value::Emails(theirs)) => {
            let mut all = mine.clone();
            for address in std::iter::once(&theirs.primary).chain(&theirs.additional) {
                let is_there = |other: &String| folded(other) == folded(address);
                if !is_there(&all.primary) && !all.additional.iter().any(is_there) {
                    all.additional.push(address.clone());
                }
            }
            (all != *mine).then_some(Value::Emails(all))
        }
        (Value::Phones(mine), Value::Phones(theirs)) => {
            let mut all = mine.clone();
            for phone in std::iter::once(&theirs.primary).chain(&theirs.additional) {
                let is_there = |other: &relata_catalog::Phone| match (&other.e164, &phone.e164) {
                    (Some(other), Some(this)) => other == this,
                    _ => other == phone,
                };
                if !is_there(&all.primary) && !all.additional.iter().any(is_there) {
                    all.additional.push(phone.clone());
                }
            }
            (all != *mine).then_some(Value::Phones(all))
        }
        _ => None,
    }
}

impl Origins {
    /// The fields of the survivor that are filled.
    pub(super) fn filled(
        &self,
        object: &Object,
        set: &Set,
        after: &relata_store::Record,
        request: &MergeRequest,
    ) -> Vec<MergedField> {
        let fields = object.fields.iter().enumerate();
        fields
            .map(|(position, field)| (FieldIndex(position), field))
            .filter(|(index, _)| !after.value(*index).is_null())
            .map(|(index, field)| MergedField {
                name: field.name.clone(),
                value: to_json(field.shown(), after.value(index)),
                from: match self.0.get(&index) {
                    Some(from) => from.clone(),
                    None if request.data.contains_key(&field.name) => Vec::new(),
                    None if matches!(field.kind, Kind::Autonumber { .. }) => vec![set.keep.id],
                    None => Vec::new(),
                },
            })
            .collect()
    }
}

/// Fields in which the survivor's value, or the one that it would take, is not the only one.
pub(super) fn conflicts(object: &Object, set: &Set, request: &MergeRequest) -> Vec<MergeConflict> {
    let mut conflicts = Vec::new();
    for (position, field) in object.fields.iter().enumerate() {
        let index = FieldIndex(position);
        let is_united = matches!(
            field.kind,
            Kind::Emails | Kind::Phones | Kind::MultiSelect { .. }
        );
        if !is_own(&field.kind) || is_united || request.data.contains_key(&field.name) {
            continue;
        }
        let records = std::iter::once(&set.keep).chain(&set.losers);
        let values: Vec<(Uuid, Value)> = records
            .map(|record| (record.id, outside(record.value(index), set)))
            .filter(|(_, value)| !value.is_null())
            .collect();
        let differ = values
            .first()
            .is_some_and(|(_, first)| values.iter().any(|(_, other)| !is_same(first, other)));
        if differ {
            conflicts.push(MergeConflict {
                name: field.name.clone(),
                values: values
                    .into_iter()
                    .map(|(id, value)| (id, to_json(&field.kind, &value)))
                    .collect(),
            });
        }
    }
    conflicts
}

/// Two records are in the same stage whenever they came there.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Stage(one), Value::Stage(other)) => {
            (&one.pipeline, &one.stage) == (&other.pipeline, &other.stage)
        }
        _ => one == other,
    }
}
