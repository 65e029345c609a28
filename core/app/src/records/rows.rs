//! Rows: what drafts that have been judged become in the database. New ones are inserted many at a
//! time, stored ones that change alike are updated by one statement.

use indexmap::IndexMap;
use relata_catalog::{FieldIndex, Kind, Object, Value};
use relata_store::{
    Record, StoreError,
    log::{Change, Log},
    numbers,
};
use uuid::Uuid;

use super::{Draft, changes, stages, uniques};
use crate::{AppError, transact::Unit};

/// Writes numbers, rows with history and outbox, and passages. Gives the rows.
pub(super) async fn store(
    unit: &Unit,
    object: &Object,
    change: Change,
    drafts: &mut [Draft],
) -> Result<Vec<Record>, AppError> {
    let transaction = unit.transaction();
    let records = if change == Change::Create {
        number(unit, object, drafts).await?;
        let mut records: Vec<Record> = drafts.iter().map(|draft| row(unit, draft)).collect();
        for (position, field) in object.fields.iter().enumerate() {
            // Nothing points at a new record yet.
            if let Kind::Rollup(rollup) = &field.kind {
                for record in &mut records {
                    record.values[position] = rollup.of_nothing();
                }
            }
        }
        let log = changes::of_drafts(unit, object, change, drafts);
        transaction
            .insert_logged(object, &records, &log)
            .await
            .map_err(|error| explained(unit, object, error))?;
        records
    } else {
        let next: Vec<Next> = drafts
            .iter()
            .map(|draft| Next {
                record: row(unit, draft),
                changed: draft.changed(),
            })
            .collect();
        let log = changes::of_drafts(unit, object, change, drafts);
        update(unit, object, &next, &log).await?;
        next.into_iter().map(|next| next.record).collect()
    };
    let passages: Vec<_> = drafts
        .iter()
        .flat_map(|draft| stages::passages(unit, object, draft))
        .collect();
    if !passages.is_empty() {
        transaction.append_passages(&passages).await?;
    }
    Ok(records)
}

/// What a stored record becomes.
pub(super) struct Next {
    /// Its next version.
    pub(super) record: Record,
    /// Fields that differ from what is stored.
    pub(super) changed: Vec<FieldIndex>,
}

impl Next {
    fn becomes_like(&self, other: &Self) -> bool {
        let (this, that) = (&self.record, &other.record);
        this.owner == that.owner
            && this.deleted_at == that.deleted_at
            && self
                .changed
                .iter()
                .all(|field| this.value(*field) == that.value(*field))
    }
}

/// Writes next versions of stored records, with history and outbox.
pub(super) async fn update(
    unit: &Unit,
    object: &Object,
    next: &[Next],
    log: &Log,
) -> Result<(), AppError> {
    // By the version and the fields that change; then neighbours that get the same.
    let mut alike: IndexMap<(i64, &[FieldIndex]), Vec<Vec<&Next>>> = IndexMap::new();
    for one in next {
        let key = (one.record.version, &*one.changed);
        let groups = alike.entry(key).or_default();
        match groups.last_mut() {
            Some(group) if group[0].becomes_like(one) => group.push(one),
            _ => groups.push(vec![one]),
        }
    }
    let groups: Vec<Vec<&Next>> = alike.into_values().flatten().collect();
    let last = groups.len().saturating_sub(1);
    let nothing = Log::default();
    for (position, group) in groups.into_iter().enumerate() {
        let log = if position == last { log } else { &nothing };
        let ids: Vec<Uuid> = group.iter().map(|next| next.record.id).collect();
        let to = &group[0];
        unit.transaction()
            .update_logged(object, &ids, &to.record, &to.changed, log)
            .await
            .map_err(|error| explained(unit, object, error))?;
    }
    Ok(())
}

/// Gives autonumbers to new records, in order.
async fn number(unit: &Unit, object: &Object, drafts: &mut [Draft]) -> Result<(), AppError> {
    for (position, field) in object.fields.iter().enumerate() {
        let Kind::Autonumber { start, gapless, .. } = &field.kind else {
            continue;
        };
        let count = u32::try_from(drafts.len())
            .map_err(|_| AppError::broken("more drafts than a batch holds"))?;
        let first = unit
            .transaction()
            .next_numbers(&numbers::series(object, field), *start, count, *gapless)
            .await?;
        for (offset, draft) in drafts.iter_mut().enumerate() {
            draft.values[position] = Value::Integer(first + offset as i64);
        }
    }
    Ok(())
}

/// The row that a draft becomes.
fn row(unit: &Unit, draft: &Draft) -> Record {
    let now = unit.now();
    let actor = unit.actor_text();
    match &draft.before {
        None => Record {
            id: draft.id,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            created_by: actor.clone(),
            updated_by: actor,
            owner: draft.owner,
            values: draft.values.clone(),
        },
        Some(before) => Record {
            version: before.version + 1,
            updated_at: now,
            updated_by: actor,
            owner: draft.owner,
            values: draft.values.clone(),
            ..before.clone()
        },
    }
}

/// A violated unique index names its fields; the rest is as the store tells it. Where others
/// write at the same time, it was one of them who came first: the next try sees their record
/// beforehand, and can name all that collides.
pub(super) fn explained(unit: &Unit, object: &Object, error: StoreError) -> AppError {
    if let StoreError::Unique { index } = &error {
        if !unit.is_alone() {
            return AppError::Conflict;
        }
        if let Some(violation) = uniques::violated(object, index) {
            return violation;
        }
    }
    error.into()
}
