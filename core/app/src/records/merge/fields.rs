//! What the survivor becomes: its own values, and where it has none those of the others.

use std::collections::HashMap;

use relata_catalog::{FieldIndex, Key, Kind, Object, Value, folded, to_json, validate};
use relata_store::Record;
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

/// Whose values the survivor's are.
#[derive(Debug, Default)]
pub(super) struct Origins {
    fields: HashMap<FieldIndex, Vec<Uuid>>,
    owner: Vec<Uuid>,
}

/// How clients call who a record belongs to: no field of the catalogue.
pub(super) const OWNER: &str = "owner";

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
        if is_another(object, &field.key, &draft.values) {
            continue;
        }
        let mut value = outside(&draft.values[position], &set.keep, set);
        let mut from = Vec::new();
        let mut is_united = false;
        if !value.is_null() {
            from.push(set.keep.id);
        }
        for loser in &set.losers {
            let theirs = outside(loser.value(index), loser, set);
            let united = match (&value, theirs) {
                (_, Value::Null) => None,
                (Value::Null, theirs) => Some(theirs),
                (mine, theirs) => united(mine, &theirs).inspect(|_| is_united = true),
            };
            if let Some(united) = united {
                value = united;
                from.push(loser.id);
            }
        }
        if is_united {
            // Each was within the limits; together they may be beyond.
            draft.problems_at(&field.name, validate(field, &value));
        }
        draft.values[position] = value;
        origins.fields.insert(index, from);
    }
    if !request.data.contains_key(OWNER) {
        let mut records = set.records();
        if let Some(record) = records.find(|record| record.owner.is_some()) {
            draft.owner = record.owner;
            origins.owner.push(record.id);
        }
    }
    origins
}

/// Whether another one of the alternatives is filled.
fn is_another(object: &Object, relation: &Key, values: &[Value]) -> bool {
    let is_filled = |key: &Key| {
        object
            .field_keyed(key)
            .is_some_and(|(field, _)| !values[field.0].is_null())
    };
    object
        .one_of
        .iter()
        .filter(|one_of| one_of.relations.contains(relation))
        .flat_map(|one_of| &one_of.relations)
        .any(|other| other != relation && is_filled(other))
}

/// The value, unless it points at one of those that become one. What has always pointed at itself
/// goes on.
fn outside(value: &Value, record: &Record, set: &Set) -> Value {
    match value {
        Value::Reference(id) if *id == record.id && *id == set.keep.id => value.clone(),
        Value::Reference(id) if set.has(*id) => Value::Null,
        other => other.clone(),
    }
}

/// Empties relations to the record itself that come of a merge.
pub(super) fn without_itself(draft: &mut Draft) {
    let itself = Value::Reference(draft.id);
    for index in (0..draft.values.len()).map(FieldIndex) {
        if *draft.value(index) == itself && draft.is_changed(index) {
            draft.values[index.0] = Value::Null;
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
            for address in theirs.all() {
                if !all.all().any(|other| folded(other) == folded(address)) {
                    all.additional.push(address.clone());
                }
            }
            (all != *mine).then_some(Value::Emails(all))
        }
        (Value::Phones(mine), Value::Phones(theirs)) => {
            let mut all = mine.clone();
            for phone in theirs.all() {
                let is_there = |other: &relata_catalog::Phone| match (&other.e164, &phone.e164) {
                    (Some(other), Some(this)) => other == this,
                    _ => other.typed == phone.typed,
                };
                if !all.all().any(is_there) {
                    all.additional.push(phone.clone());
                }
            }
            (all != *mine).then_some(Value::Phones(all))
        }
        _ => None,
    }
}

impl Origins {
    /// The fields that hold something of a loser, and of which.
    pub(super) fn taken(&self, object: &Object, set: &Set) -> Vec<(Key, Vec<Uuid>)> {
        let losers = set.loser_ids();
        let mut taken: Vec<(Key, Vec<Uuid>)> = self
            .fields
            .iter()
            .map(|(index, from)| {
                let from = from.iter().filter(|id| losers.contains(id));
                (object.field(*index).key.clone(), from.copied().collect())
            })
            .filter(|(_, from): &(Key, Vec<Uuid>)| !from.is_empty())
            .collect();
        taken.sort();
        taken
    }

    /// The fields of the survivor that are filled.
    pub(super) fn filled(
        &self,
        object: &Object,
        set: &Set,
        after: &Record,
        request: &MergeRequest,
    ) -> Vec<MergedField> {
        let fields = object.fields.iter().enumerate();
        let owner = after.owner.map(|owner| MergedField {
            name: OWNER.to_owned(),
            value: Json::from(owner.to_string()),
            from: self.owner.clone(),
        });
        fields
            .map(|(position, field)| (FieldIndex(position), field))
            .filter(|(index, _)| !after.value(*index).is_null())
            .map(|(index, field)| MergedField {
                name: field.name.clone(),
                value: to_json(field.shown(), after.value(index)),
                from: match self.fields.get(&index) {
                    Some(from) => from.clone(),
                    None if request.data.contains_key(&field.name) => Vec::new(),
                    None if matches!(field.kind, Kind::Autonumber { .. }) => vec![set.keep.id],
                    None => Vec::new(),
                },
            })
            .chain(owner)
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
        let values: Vec<(Uuid, Value)> = set
            .records()
            .map(|record| (record.id, outside(record.value(index), record, set)))
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
    let owners: Vec<(Uuid, Uuid)> = set
        .records()
        .filter_map(|record| Some((record.id, record.owner?)))
        .collect();
    let differ = owners.iter().any(|(_, owner)| *owner != owners[0].1);
    if differ && !request.data.contains_key(OWNER) {
        conflicts.push(MergeConflict {
            name: OWNER.to_owned(),
            values: owners
                .into_iter()
                .map(|(id, owner)| (id, Json::from(owner.to_string())))
                .collect(),
        });
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
