//! Records that are different, whatever they look like: somebody has said so.
//!
//! It is said of pairs, so a third record that is like both of them is still shown beside each. It
//! is no change of a record: neither its version nor its history moves. Who has said it, and when,
//! is kept with the pair.

use std::collections::HashSet;

use relata_catalog::{Issue, Issues, ObjectIndex};
use relata_store::{Lock, log::Change, platform::Distinct};
use uuid::Uuid;

use super::sets::ordered;
use crate::{AppError, Caller, Workspace, access, records::MERGE_IDS_MAX, transact::Unit};

/// Pairs of one answer, at most.
pub const PAGE_MAX: u64 = 500;

/// Says of records that no two of them are the same; gives how many pairs that are. Paths of
/// issues begin at the arguments.
///
/// # Errors
/// `BAD_INPUT` for ids that name no set, `NOT_FOUND`.
pub async fn duplicates_dismiss(
    unit: &Unit,
    object: ObjectIndex,
    ids: &[Uuid],
) -> Result<usize, AppError> {
    let described = unit.catalogue().object(object).clone();
    let pairs = pairs_of(ids)?;
    access::authorise(unit, &described, Change::Update, &[])?;
    let found = unit
        .transaction()
        .get_many(&described, ids, Lock::None)
        .await?;
    let missing: Vec<String> = ids
        .iter()
        .filter(|id| !found.iter().any(|record| record.id == **id))
        .map(Uuid::to_string)
        .collect();
    if !missing.is_empty() {
        return Err(AppError::NotFound(format!(
            "there is no {} with the id {}",
            described.singular,
            missing.join(", nor with the id ")
        )));
    }
    let said: Vec<Distinct> = pairs
        .iter()
        .map(|(low, high)| Distinct {
            low: *low,
            high: *high,
            at: unit.now(),
            actor: unit.actor_text(),
        })
        .collect();
    unit.transaction()
        .insert_distinct(&described.key, &said)
        .await?;
    Ok(pairs.len())
}

/// Takes back that records are different; gives of how many pairs it had been said.
///
/// # Errors
/// `BAD_INPUT` for ids that name no set.
pub async fn duplicates_undismiss(
    unit: &Unit,
    object: ObjectIndex,
    ids: &[Uuid],
) -> Result<usize, AppError> {
    let described = unit.catalogue().object(object).clone();
    // Also of those that are gone by now: who cleans up has nothing but their ids.
    let pairs: HashSet<(Uuid, Uuid)> = pairs_of(ids)?.into_iter().collect();
    access::authorise(unit, &described, Change::Update, &[])?;
    let said: Vec<(Uuid, Uuid)> = unit
        .transaction()
        .distinct_among(&described.key, ids)
        .await?
        .into_iter()
        .map(|pair| (pair.low, pair.high))
        .filter(|pair| pairs.contains(pair))
        .collect();
    unit.transaction().delete_distinct(&said).await?;
    Ok(said.len())
}

/// What was said of records of an object: at most `first` pairs (and [`PAGE_MAX`]), in the order of
/// their ids, behind the pair `after`.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `BAD_INPUT`.
pub async fn distinct_list(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    first: u64,
    after: Option<(Uuid, Uuid)>,
) -> Result<Vec<Distinct>, AppError> {
    access::authorise_admin(caller)?;
    if !(1..=PAGE_MAX).contains(&first) {
        let message = format!("first takes a whole number from 1 to {PAGE_MAX}");
        let issue = Issue::new("OUT_OF_RANGE", message).with("max", PAGE_MAX);
        return Err(AppError::bad_input_issues(issue.at("first").into()));
    }
    let unit = workspace.snapshot(caller).await?;
    let state = unit.state().clone();
    let (_, described) = super::job::named(&state, object)?;
    Ok(unit
        .transaction()
        .distinct_of(&described.key, after, first)
        .await?)
}

fn pairs_of(ids: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, AppError> {
    if ids.len() > MERGE_IDS_MAX {
        return Err(AppError::LimitExceeded(format!(
            "{} records are more than one answer takes: at most {MERGE_IDS_MAX}; say it of some of them first",
            ids.len()
        )));
    }
    let mut issues = Issues::default();
    let mut named = HashSet::new();
    for (place, id) in ids.iter().enumerate() {
        if !named.insert(*id) {
            let issue = Issue::new("BAD_INPUT", "the same record is named twice");
            issues.push(issue.with("id", id.to_string()).at(place).at("ids"));
        }
    }
    if ids.len() < 2 {
        let issue = Issue::new("BAD_INPUT", "records that are different are two at least");
        issues.push(issue.at("ids"));
    }
    if !issues.is_empty() {
        return Err(AppError::bad_input_issues(issues));
    }
    Ok(ids
        .iter()
        .enumerate()
        .flat_map(|(place, one)| {
            ids[place + 1..]
                .iter()
                .map(|other| ordered(*one, *other))
                .collect::<Vec<_>>()
        })
        .collect())
}
