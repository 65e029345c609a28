//! Many new records by one mutation: all of them, or those that nothing is wrong with.
//!
//! Where no hook watches, the rows are one batch: looked up, judged and written together. Where
//! one does, or other records hang on the data, they go one by one in their order, because a hook may read what an earlier row has
//! written; each in a savepoint, so that a row that fails leaves nothing behind.

use std::collections::BTreeSet;

use relata_catalog::{Issue, Issues, ObjectIndex};
use relata_store::log::Change;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Taking, carry_out, draft, input, judge, nested, record_create, write};
use crate::{AppError, access, hooks, transact::Unit};

/// What becomes of a bulk mutation when some of its rows can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkMode {
    /// Nothing is written, and all that is wrong with all rows is told.
    AllOrNone,
    /// The others are written.
    Partial,
}

/// What came of a bulk mutation.
#[derive(Debug, Default)]
pub struct Bulk {
    /// Records that were written, in the order of their rows.
    pub ids: Vec<Uuid>,
    /// Rows that were not (with [`BulkMode::Partial`] alone), in order.
    pub errors: Vec<RowError>,
}

/// Why a row was not written.
#[derive(Debug)]
pub struct RowError {
    /// Its position.
    pub index: usize,
    /// Paths of issues begin inside the row.
    pub error: AppError,
}

impl RowError {
    /// What is wrong with the row: at least one issue, with paths that begin with its position.
    #[must_use]
    pub fn issues(&self) -> Issues {
        let issues = match self.error.issues() {
            [] => vec![Issue::new(self.error.code(), self.error.message())],
            issues => issues.to_vec(),
        };
        Issues(
            issues
                .into_iter()
                .map(|issue| issue.at(self.index))
                .collect(),
        )
    }
}

/// Creates records from rows of the client's data (field name → value).
///
/// # Errors
/// With [`BulkMode::AllOrNone`] all that is wrong with all rows (at most 1,000 issues), with paths
/// that begin with a row's position. With [`BulkMode::Partial`] only what is no row's fault.
pub async fn record_create_bulk(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[Map<String, Json>],
    mode: BulkMode,
) -> Result<Bulk, AppError> {
    let described = unit.catalogue().object(object).clone();
    for data in rows {
        let fields = input::named(&described, data);
        access::authorise(unit, &described, Change::Create, &fields)?;
    }
    let is_nested = |data| nested::is_nested(unit, object, data);
    let bulk = if hooks::watch(unit, object, Change::Create) || rows.iter().any(is_nested) {
        one_by_one(unit, object, rows).await?
    } else {
        at_once(unit, object, rows, mode).await?
    };
    finished(bulk, mode)
}

/// With [`BulkMode::AllOrNone`] one error for all rows that failed.
pub(super) fn finished(bulk: Bulk, mode: BulkMode) -> Result<Bulk, AppError> {
    if mode == BulkMode::Partial || bulk.errors.is_empty() {
        return Ok(bulk);
    }
    let errors = bulk.errors.into_iter();
    Err(together(
        errors
            .map(|row| with_issue(row.error).at(row.index))
            .collect(),
    ))
}

async fn at_once(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[Map<String, Json>],
    mode: BulkMode,
) -> Result<Bulk, AppError> {
    let rows: Vec<&Map<String, Json>> = rows.iter().collect();
    let mut drafts = input::created(unit, object, &rows).await?;
    if mode == BulkMode::AllOrNone {
        let ids = write(unit, object, drafts, Some(0)).await?;
        let errors = Vec::new();
        return Ok(Bulk { ids, errors });
    }
    let described = unit.catalogue().object(object).clone();
    judge(unit, object, &described, &mut drafts, Taking::ByGood).await?;
    let mut good = Vec::with_capacity(drafts.len());
    let mut errors = Vec::new();
    for (index, mut draft) in drafts.into_iter().enumerate() {
        let problems = std::mem::take(&mut draft.problems)
            .into_iter()
            .map(|(concern, issue)| (None, concern, issue))
            .collect();
        match draft::verdict(problems) {
            Ok(()) => good.push(draft),
            Err(error) => errors.push(RowError { index, error }),
        }
    }
    let ids = if good.is_empty() {
        Vec::new()
    } else {
        carry_out(unit, &described, Change::Create, good).await?
    };
    Ok(Bulk { ids, errors })
}

async fn one_by_one(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[Map<String, Json>],
) -> Result<Bulk, AppError> {
    let transaction = unit.transaction();
    let mut bulk = Bulk::default();
    for (index, data) in rows.iter().enumerate() {
        let savepoint = transaction.savepoint().await?;
        match record_create(unit, object, data).await {
            Ok(id) => {
                transaction.release(savepoint).await?;
                bulk.ids.push(id);
            }
            Err(error) if error.is_about_data() => {
                transaction.rollback_to(savepoint).await?;
                bulk.errors.push(RowError { index, error });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(bulk)
}

/// The same error with at least one issue, so that it can be told among others.
pub(super) fn with_issue(mut error: AppError) -> AppError {
    let issue = Issue::new(error.code(), error.message());
    match error.issues_mut() {
        Some(issues) => {
            if issues.is_empty() {
                issues.push(issue);
            }
            error
        }
        None => AppError::ValidationFailed(issue.into()),
    }
}

/// One error for several, whose issues say where.
pub(super) fn together(mut errors: Vec<AppError>) -> AppError {
    let issues = errors
        .iter()
        .flat_map(|error| error.issues().iter().cloned())
        .take(draft::ISSUES_MAX)
        .collect();
    let issues = Issues(issues);
    let codes: BTreeSet<&str> = errors.iter().map(AppError::code).collect();
    if codes.len() > 1 {
        return AppError::ValidationFailed(issues);
    }
    match errors.pop() {
        Some(error) if errors.is_empty() => error,
        Some(AppError::UniqueViolation(_)) => AppError::UniqueViolation(issues),
        Some(AppError::StageGate(_)) => AppError::StageGate(issues),
        Some(AppError::PluginRejected { plugin, .. }) => {
            AppError::PluginRejected { plugin, issues }
        }
        _ => AppError::ValidationFailed(issues),
    }
}
