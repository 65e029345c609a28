//! Changes of many records at once: all that satisfy a condition, or none of them.
//!
//! Which records they are is decided at the beginning: they are locked and taken in the order of
//! their ids. For each of them it is the same change as alone, with hooks, history and outbox.

use std::collections::HashSet;

use indexmap::IndexMap;
use relata_catalog::{Issue, ObjectIndex};
use relata_store::{
    Find, Lock, Record,
    filter::{Deleted, Filter},
    log::Change,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    Draft, Taking, carry_out,
    draft::{self, Concern},
    input, judge, nested,
    trash::{self, Member},
    write,
};
use crate::{AppError, access, hooks, transact::Unit};

/// Records that one issue names.
const RECORDS_NAMED_MAX: usize = 20;

/// Which records a mutation is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// The condition; its operands are values.
    pub filter: Filter,
    /// More than this many are refused.
    pub records_max: u64,
}

/// Changes all records that satisfy the condition. Records that the data does not change are not
/// written, and count nevertheless.
///
/// # Errors
/// `LIMIT_EXCEEDED`, and what is wrong with the changed records: each mistake once, its param
/// `records` names some.
pub async fn record_update_where(
    unit: &Unit,
    object: ObjectIndex,
    matching: &Matching,
    data: &Map<String, Json>,
) -> Result<Vec<Uuid>, AppError> {
    let described = unit.catalogue().object(object).clone();
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Update, &fields)?;
    if nested::is_nested(unit, object, data) {
        return Err(AppError::bad_input(
            "other records are written inside the data of one record, not of many: write them by mutations of their own",
        ));
    }
    let records = found(unit, object, matching, Deleted::Exclude).await?;
    let ids = records.iter().map(|record| record.id).collect();
    if hooks::watch(unit, object, Change::Update) {
        for record in records {
            let id = record.id;
            update_watched(unit, object, id, data)
                .await
                .map_err(|error| about(id, error))?;
        }
        return Ok(ids);
    }
    let mut drafts: Vec<Draft> = records.into_iter().map(Draft::of).collect();
    input::overlay_all(unit, object, &mut drafts, data).await?;
    drafts.retain(|draft| !draft.is_unchanged() || !draft.problems.is_empty());
    judge(unit, object, &described, &mut drafts, Taking::ByAll).await?;
    verdict(&mut drafts)?;
    if !drafts.is_empty() {
        carry_out(unit, &described, Change::Update, drafts).await?;
    }
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
    let ids = ids(found(unit, object, matching, Deleted::Exclude).await?);
    let all: HashSet<Uuid> = ids.iter().copied().collect();
    for id in &ids {
        // One before may have carried it along.
        if let Some(member) = still(unit, object, *id).await?
            && member.record.deleted_at.is_none()
        {
            trash::delete(unit, member, &all)
                .await
                .map_err(|error| about(*id, error))?;
        }
    }
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
    let ids = ids(found(unit, object, matching, Deleted::Only).await?);
    let all: HashSet<Uuid> = ids.iter().copied().collect();
    for id in &ids {
        if let Some(member) = still(unit, object, *id).await?
            && member.record.deleted_at.is_some()
        {
            trash::restore(unit, member, &all)
                .await
                .map_err(|error| about(*id, error))?;
        }
    }
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
    let ids = ids(found(unit, object, matching, Deleted::Only).await?);
    let all: HashSet<Uuid> = ids.iter().copied().collect();
    for id in &ids {
        if let Some(member) = still(unit, object, *id).await? {
            trash::destroy(unit, member, &all)
                .await
                .map_err(|error| about(*id, error))?;
        }
    }
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

fn ids(records: Vec<Record>) -> Vec<Uuid> {
    records.into_iter().map(|record| record.id).collect()
}

/// The record as it is now: what came before in the same mutation may have changed it.
async fn still(unit: &Unit, object: ObjectIndex, id: Uuid) -> Result<Option<Member>, AppError> {
    let described = unit.catalogue().object(object).clone();
    let record = unit.transaction().get(&described, id, Lock::Update).await?;
    Ok(record.map(|record| Member { object, record }))
}

/// One of many updates, where hooks look at each: a hook may have changed the record on the
/// occasion of another.
async fn update_watched(
    unit: &Unit,
    object: ObjectIndex,
    id: Uuid,
    data: &Map<String, Json>,
) -> Result<(), AppError> {
    let Some(Member { record, .. }) = still(unit, object, id).await? else {
        return Ok(());
    };
    if record.deleted_at.is_some() {
        return Ok(());
    }
    let mut draft = Draft::of(record);
    input::overlay(unit, object, &mut draft, data).await?;
    if draft.is_unchanged() && draft.problems.is_empty() {
        return Ok(());
    }
    write(unit, object, vec![draft], None).await?;
    Ok(())
}

/// Says of which record the issues speak.
fn about(id: Uuid, mut error: AppError) -> AppError {
    if let Some(issues) = error.issues_mut() {
        for issue in &mut issues.0 {
            issue
                .params
                .entry("records")
                .or_insert_with(|| vec![id.to_string()].into());
        }
    }
    error
}

/// One error for all that is wrong with all drafts; the same mistake of several is told once.
fn verdict(drafts: &mut [Draft]) -> Result<(), AppError> {
    let mut mistakes: IndexMap<(String, String, String), (Concern, Issue, Vec<String>)> =
        IndexMap::new();
    for draft in drafts {
        for (concern, issue) in std::mem::take(&mut draft.problems) {
            let key = (issue.path_text(), issue.code.clone(), issue.message.clone());
            let (_, _, named) = mistakes
                .entry(key)
                .or_insert_with(|| (concern, issue, Vec::new()));
            if named.len() < RECORDS_NAMED_MAX {
                named.push(draft.id.to_string());
            }
        }
    }
    draft::verdict(
        mistakes
            .into_values()
            .map(|(concern, issue, named)| (None, concern, issue.with("records", named)))
            .collect(),
    )
}
