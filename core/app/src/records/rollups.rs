//! Rollups follow the records that they are figures of, in the transaction that writes them.
//!
//! They are no change of the record in which they stand: its version, its history and its hooks
//! are about what people and plugins write. A rollup of rollups follows in turn; the catalogue has
//! no circle of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use relata_catalog::{
    FieldIndex, Key, Kind, Object, ObjectIndex, Rollup, Value, expression::PathColumn,
};
use relata_store::{Lock, Record};
use uuid::Uuid;

use crate::{AppError, transact::Unit};

/// What has happened to a record; in the trash, or before and after its life, it is nothing.
pub(super) struct Move<'a> {
    pub(super) before: Option<&'a Record>,
    pub(super) after: Option<&'a Record>,
}

/// Works out again what stands on these records of one object.
pub(super) async fn follow(
    unit: &Unit,
    index: ObjectIndex,
    moves: &[Move<'_>],
) -> Result<(), AppError> {
    let object = unit.catalogue().object(index);
    let mut due = Due::default();
    for (parent, field, rollup) in readers(unit, object) {
        let Some((relation, _)) = rollup
            .relation
            .as_ref()
            .and_then(|relation| object.field_keyed(relation))
        else {
            continue;
        };
        for one in moves {
            if !concerns(object, rollup, relation, one) {
                continue;
            }
            for record in [one.before, one.after].into_iter().flatten() {
                if let Value::Reference(id) = record.value(relation) {
                    due.add(parent, field, *id);
                }
            }
        }
    }
    due.work_out(unit).await
}

/// Rollups that read records of an object.
fn readers<'u>(
    unit: &'u Unit,
    object: &'u Object,
) -> impl Iterator<Item = (ObjectIndex, FieldIndex, &'u Rollup)> {
    object.rolled_up_by.iter().filter_map(|(parent, field)| {
        let (parent, described) = unit.catalogue().object_keyed(parent)?;
        let (field, found) = described.field_keyed(field)?;
        match &found.kind {
            Kind::Rollup(rollup) => Some((parent, field, rollup)),
            _ => None,
        }
    })
}

/// Whether the figure may be another after it.
fn concerns(object: &Object, rollup: &Rollup, relation: FieldIndex, one: &Move<'_>) -> bool {
    let (Some(before), Some(after)) = (one.before, one.after) else {
        return true;
    };
    let differs = |field: FieldIndex| before.value(field) != after.value(field);
    differs(relation)
        || rollup.reads().any(|column| match column {
            PathColumn::Field { field, .. } => object
                .field_keyed(field)
                .is_some_and(|(field, _)| differs(field)),
            // Every write has another version, and another time.
            PathColumn::System(_) => true,
        })
}

/// Figures to work out: of which object and records, and which.
#[derive(Default)]
struct Due(IndexMap<ObjectIndex, (BTreeSet<Uuid>, HashSet<FieldIndex>)>);

impl Due {
    fn add(&mut self, object: ObjectIndex, field: FieldIndex, id: Uuid) {
        let (ids, fields) = self.0.entry(object).or_default();
        ids.insert(id);
        fields.insert(field);
    }

    fn work_out<'u>(self, unit: &'u Unit) -> BoxFuture<'u, Result<(), AppError>> {
        Box::pin(async move {
            for (object, (ids, fields)) in self.0 {
                let ids: Vec<Uuid> = ids.into_iter().collect();
                let mut fields: Vec<FieldIndex> = fields.into_iter().collect();
                fields.sort();
                unit.transaction()
                    .roll_up(unit.catalogue(), object, &fields, Some(&ids))
                    .await?;
                above(unit, object, &ids, &fields).await?;
            }
            Ok(())
        })
    }
}

/// Works out what stands on rollups that have been worked out.
async fn above(
    unit: &Unit,
    index: ObjectIndex,
    ids: &[Uuid],
    fields: &[FieldIndex],
) -> Result<(), AppError> {
    let object = unit.catalogue().object(index);
    let keys: HashSet<&Key> = fields
        .iter()
        .map(|field| &object.field(*field).key)
        .collect();
    let stands_on = |rollup: &Rollup| {
        rollup
            .reads()
            .any(|column| matches!(column, PathColumn::Field { field, .. } if keys.contains(field)))
    };
    let readers: Vec<_> = readers(unit, object)
        .filter(|(_, _, rollup)| stands_on(rollup))
        .filter_map(|(parent, field, rollup)| {
            let (relation, _) = object.field_keyed(rollup.relation.as_ref()?)?;
            Some((parent, field, relation))
        })
        .collect();
    if readers.is_empty() {
        return Ok(());
    }
    let records: HashMap<Uuid, Record> = unit
        .transaction()
        .get_many(object, ids, Lock::None)
        .await?
        .into_iter()
        .map(|record| (record.id, record))
        .collect();
    let mut due = Due::default();
    for (parent, field, relation) in readers {
        for record in records
            .values()
            .filter(|record| record.deleted_at.is_none())
        {
            if let Value::Reference(id) = record.value(relation) {
                due.add(parent, field, *id);
            }
        }
    }
    due.work_out(unit).await
}
