//! Changes of many records at once: all that satisfy a condition, or none of them.
//!
//! Which records they are is decided at the beginning: they are locked and taken in the order of
//! their ids. For each of them it is the same change as alone, with hooks, history and outbox. What
//! is wrong with any of them is told together; the same mistake of several is told once.

use indexmap::IndexMap;
use relata_catalog::{Issue, Issues, ObjectIndex};
use relata_store::{
    Find, Lock, Record,
    filter::{Deleted, Filter},
    log::Change,
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    BulkMode, Draft, attempt,
    bulk::{combined, issues_of},
    can_go_together, input, nested, record_update,
    trash::{self, Member},
    write,
};
use crate::{AppError, access, transact::Unit};

/// Records that one issue names.
const RECORDS_NAMED_MAX: usize = 20;

/// Which records a mutation is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// The condition; its operands are values.
    pub filter: Filter,
    /// More than this many are refused.
    pub records_max: u64,
    /// So are more than this many that are written inside the data of these.
    pub nested_max: usize,
}

/// Why one of the records can't be changed.
pub(super) struct Failed {
    /// Its position among the records that satisfy the condition; none for what goes with them.
    pub(super) index: Option<usize>,
    pub(super) id: Uuid,
    pub(super) error: AppError,
}

/// Changes all records that satisfy the condition. Records that the data does not change are not
/// written, and count nevertheless. What the data creates is created for each of them.
///
/// # Errors
/// `LIMIT_EXCEEDED`, and what is wrong with the changed records: each mistake once, its param
/// `records` names some with their positions.
pub async fn record_update_where(
    unit: &Unit,
    object: ObjectIndex,
    matching: &Matching,
    data: &Map<String, Json>,
) -> Result<Vec<Uuid>, AppError> {
    let described = unit.catalogue().object(object).clone();
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Update, &fields)?;
    nested::fits_many(unit, object, data)?;
    let records = found(unit, object, matching, Deleted::Exclude).await?;
    let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    let is_nested = nested::is_nested(unit, object, data);
    if is_nested {
        nested_within_max(unit, object, matching, data, ids.len())?;
    }
    let failed = if is_nested || !can_go_together(unit, object, Change::Update) {
        update_each(unit, object, &ids, data).await?
    } else {
        update_together(unit, object, records, data).await?
    };
    refused(failed)?;
    Ok(ids)
}

/// Puts all records that satisfy the condition into the trash. Records of the set do not hold
/// each other back, whatever their relations say.
///
/// # Errors
/// `LIMIT_EXCEEDED`, `REFERENCED` naming who points at one of them, what hooks say.
pub async fn record_delete_where(
    unit: &Unit,
    object: ObjectIndex,
    matching: &Matching,
) -> Result<Vec<Uuid>, AppError> {
    let described = unit.catalogue().object(object).clone();
    access::authorise(unit, &described, Change::Delete, &[])?;
    let records = found(unit, object, matching, Deleted::Exclude).await?;
    let (ids, members) = set(object, records);
    refused(trash::delete(unit, members, &[]).await?)?;
    Ok(ids)
}

/// Takes all records in the trash that satisfy the condition out of it.
///
/// # Errors
/// `LIMIT_EXCEEDED`, and what [`record_restore`](super::record_restore) says of one of them.
pub async fn record_restore_where(
    unit: &Unit,
    object: ObjectIndex,
    matching: &Matching,
) -> Result<Vec<Uuid>, AppError> {
    let described = unit.catalogue().object(object).clone();
    access::authorise(unit, &described, Change::Restore, &[])?;
    let records = found(unit, object, matching, Deleted::Only).await?;
    let (ids, members) = set(object, records);
    refused(trash::restore(unit, members).await?)?;
    Ok(ids)
}

/// Removes all records in the trash that satisfy the condition for good.
///
/// # Errors
/// `LIMIT_EXCEEDED`, and what [`record_destroy`](super::record_destroy) says of one of them.
pub async fn record_destroy_where(
    unit: &Unit,
    object: ObjectIndex,
    matching: &Matching,
) -> Result<Vec<Uuid>, AppError> {
    let described = unit.catalogue().object(object).clone();
    access::authorise(unit, &described, Change::Destroy, &[])?;
    let records = found(unit, object, matching, Deleted::Only).await?;
    let (ids, members) = set(object, records);
    refused(trash::destroy(unit, members).await?)?;
    Ok(ids)
}

/// All records that satisfy the condition, locked, in the order of their ids.
async fn found(
    unit: &Unit,
    object: ObjectIndex,
    matching: &Matching,
    deleted: Deleted,
) -> Result<Vec<Record>, AppError> {
    let max = matching.records_max;
    let transaction = unit.transaction();
    let find = Find {
        limit: Some(max.saturating_add(1)),
        deleted,
        lock: Lock::Update,
        ..Find::new(object, matching.filter.clone())
    };
    let records = transaction.find(unit.catalogue(), &find).await?;
    if records.len() as u64 <= max {
        return Ok(records);
    }
    let count = transaction
        .count(unit.catalogue(), object, &matching.filter, deleted)
        .await?;
    Err(AppError::LimitExceeded(format!(
        "the condition is met by {count} {}, at most {max} are changed at once; narrow it",
        unit.catalogue().object(object).plural
    )))
}

fn set(object: ObjectIndex, records: Vec<Record>) -> (Vec<Uuid>, Vec<Member>) {
    let ids = records.iter().map(|record| record.id).collect();
    let members = records
        .into_iter()
        .map(|record| Member { object, record })
        .collect();
    (ids, members)
}

/// What hangs on the data is written once for each record.
fn nested_within_max(
    unit: &Unit,
    object: ObjectIndex,
    matching: &Matching,
    data: &Map<String, Json>,
    records: usize,
) -> Result<(), AppError> {
    let each = nested::count(unit, object, data);
    let max = matching.nested_max;
    if each.saturating_mul(records) <= max {
        return Ok(());
    }
    Err(AppError::LimitExceeded(format!(
        "{records} {} satisfy the condition, and inside each {each} are written: at most {max} are written inside others by one mutation; narrow it",
        unit.catalogue().object(object).plural
    )))
}

/// The update of records that nobody looks at one by one.
async fn update_together(
    unit: &Unit,
    object: ObjectIndex,
    records: Vec<Record>,
    data: &Map<String, Json>,
) -> Result<Vec<Failed>, AppError> {
    let mut drafts: Vec<Draft> = records.into_iter().map(Draft::of).collect();
    let same = vec![data; drafts.len()];
    input::overlay_each(unit, object, &mut drafts, &same).await?;
    let (places, drafts): (Vec<(usize, Uuid)>, Vec<Draft>) = drafts
        .into_iter()
        .enumerate()
        .filter(|(_, draft)| !draft.is_unchanged() || !draft.problems.is_empty())
        .map(|(index, draft)| ((index, draft.id), draft))
        .unzip();
    let bulk = write(unit, object, drafts, BulkMode::AllOrNone).await?;
    Ok(bulk
        .errors
        .into_iter()
        .map(|row| {
            let (index, id) = places[row.index];
            Failed {
                index: Some(index),
                id,
                error: row.error,
            }
        })
        .collect())
}

/// The update of one record after the other: of those before it, a hook may have changed it.
async fn update_each(
    unit: &Unit,
    object: ObjectIndex,
    ids: &[Uuid],
    data: &Map<String, Json>,
) -> Result<Vec<Failed>, AppError> {
    let described = unit.catalogue().object(object);
    let mut failed = Vec::new();
    for (index, id) in ids.iter().copied().enumerate() {
        let now = unit.transaction().get(described, id, Lock::Update).await?;
        if now.is_none_or(|record| record.deleted_at.is_some()) {
            continue;
        }
        if let Err(error) = attempt(unit, record_update(unit, object, id, data, None)).await? {
            failed.push(Failed {
                index: Some(index),
                id,
                error,
            });
        }
    }
    Ok(failed)
}

/// One error for all records that can't be changed; the same mistake of several is told once.
fn refused(failed: Vec<Failed>) -> Result<(), AppError> {
    if failed.is_empty() {
        return Ok(());
    }
    let mut mistakes: IndexMap<(String, String, String), (Issue, Vec<Json>)> = IndexMap::new();
    for Failed { index, id, error } in &failed {
        let record = match index {
            Some(index) => json!({"index": index, "id": id.to_string()}),
            None => json!({"id": id.to_string()}),
        };
        for issue in issues_of(error).0 {
            let key = (issue.path_text(), issue.code.clone(), issue.message.clone());
            let (_, records) = mistakes.entry(key).or_insert_with(|| (issue, Vec::new()));
            if records.len() < RECORDS_NAMED_MAX {
                records.push(record.clone());
            }
        }
    }
    let issues = mistakes
        .into_values()
        .map(|(issue, records)| issue.with("records", records))
        .collect();
    let errors = failed.into_iter().map(|failed| failed.error).collect();
    Err(combined(errors, Issues(issues)))
}
