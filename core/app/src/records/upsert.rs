//! Records that are changed where there is one with the same key, and created where there is none.
//!
//! Where nothing has to be done for each row, all go together. Else they go one by one in their
//! order, each in a savepoint: a row may name the record that an earlier one has made. When
//! somebody else creates the same key at the same time, the unique index says so at the latest, and
//! the transaction is tried again: it finds their record then.

use std::collections::{HashMap, HashSet};

use relata_catalog::{Issue, Issues, Object, ObjectIndex, Unique};
use relata_store::{Lock, Record, log::Change};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    Bulk, BulkMode, Draft, RowError, attempt,
    bulk::{finished, together},
    can_go_together, input, nested, record_create, record_update, stands_alone, uniques, write,
};
use crate::{AppError, access, transact::Unit};

/// Changes the records whose unique key a row has, and creates the others. A record in the trash
/// is not found. A record is named once in the answer, however many rows were about it.
///
/// A row without a whole key is refused: it would be created anew each time that the same rows
/// come again.
///
/// # Errors
/// As of [`record_create_bulk`](super::record_create_bulk).
pub async fn record_upsert_bulk(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[Map<String, Json>],
    on: &Unique,
    mode: BulkMode,
) -> Result<Bulk, AppError> {
    let described = unit.catalogue().object(object).clone();
    for data in rows {
        let fields = input::named(&described, data);
        access::authorise(unit, &described, Change::Create, &fields)?;
        access::authorise(unit, &described, Change::Update, &fields)?;
    }
    let is_plain = can_go_together(unit, object, Change::Create)
        && can_go_together(unit, object, Change::Update)
        && rows.iter().all(|data| stands_alone(unit, object, data));
    if is_plain && let Some(bulk) = all_together(unit, object, &described, rows, on).await? {
        return Ok(bulk);
    }
    let mut bulk = Bulk::default();
    let mut seen = HashSet::new();
    for (index, data) in rows.iter().enumerate() {
        match attempt(unit, upsert(unit, object, &described, data, on)).await? {
            Ok(id) if seen.insert(id) => bulk.ids.push(id),
            Ok(_) => {}
            Err(error) => bulk.errors.push(RowError { index, error }),
        }
    }
    finished(bulk, mode)
}

/// All rows by a few statements. None, with nothing written: something is wrong with one of them,
/// or one is about what another one writes, so that their order counts.
async fn all_together(
    unit: &Unit,
    object: ObjectIndex,
    described: &Object,
    rows: &[Map<String, Json>],
    on: &Unique,
) -> Result<Option<Bulk>, AppError> {
    let rows: Vec<&Map<String, Json>> = rows.iter().collect();
    let new = input::created(unit, object, &rows).await?;
    let held = uniques::held(unit, object, described, on, &new).await?;
    let keys: HashSet<&Vec<String>> = held.iter().flatten().map(|held| &held.key).collect();
    if keys.len() < rows.len() {
        return Ok(None);
    }
    let found: Vec<Uuid> = held.iter().flatten().filter_map(|held| held.by).collect();
    let mut stored: HashMap<Uuid, Record> = unit
        .transaction()
        .get_many(described, &found, Lock::Update)
        .await?
        .into_iter()
        .map(|record| (record.id, record))
        .collect();
    let mut ids = Vec::with_capacity(rows.len());
    let (mut drafts, mut changes, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for ((draft, held), row) in new.into_iter().zip(&held).zip(rows) {
        let before = held.as_ref().and_then(|held| stored.remove(&held.by?));
        ids.push(before.as_ref().map_or(draft.id, |record| record.id));
        match before {
            Some(record) => {
                changes.push(Draft::of(record));
                data.push(row);
            }
            None => drafts.push(draft),
        }
    }
    input::overlay_each(unit, object, &mut changes, &data).await?;
    changes.retain(|draft| !draft.is_unchanged() || !draft.problems.is_empty());
    drafts.extend(changes);
    let bulk = write(unit, object, drafts, BulkMode::AllOrNone).await?;
    Ok(bulk.errors.is_empty().then_some(Bulk {
        ids,
        errors: Vec::new(),
    }))
}

async fn upsert(
    unit: &Unit,
    object: ObjectIndex,
    described: &Object,
    data: &Map<String, Json>,
    on: &Unique,
) -> Result<Uuid, AppError> {
    // The key that a new record would have; what is wrong with the rest is told by the write.
    let own = nested::own(unit, object, data);
    let mut drafts = input::created(unit, object, &[&own]).await?;
    let held = uniques::held(unit, object, described, on, &drafts).await?;
    match held.into_iter().next().flatten() {
        Some(held) => match held.by {
            Some(id) => record_update(unit, object, id, data, None).await,
            None => record_create(unit, object, data).await,
        }
        .map(|written| written.id),
        None => {
            let keyless = uniques::empty_fields(described, on, &drafts)
                .into_iter()
                .map(|name| keyless(described, name));
            let mut errors: Vec<AppError> = drafts
                .iter_mut()
                .filter_map(|draft| draft.verdict().err())
                .collect();
            // Unless it has been said in other words.
            let keyless: Vec<Issue> = keyless
                .filter(|issue| {
                    let mut said = errors.iter().flat_map(AppError::issues);
                    !said.any(|said| said.path.first() == issue.path.first())
                })
                .collect();
            if !keyless.is_empty() {
                errors.push(AppError::bad_input_issues(Issues(keyless)));
            }
            Err(together(errors))
        }
    }
}

/// That a row has no whole key.
fn keyless(described: &Object, name: &str) -> Issue {
    Issue::new(
        "REQUIRED",
        format!(
            "{name} is empty, so no {} can be found by it; give it, or create the record instead",
            described.singular
        ),
    )
    .at(name)
}
