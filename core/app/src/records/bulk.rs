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

use super::{attempt, can_go_together, input, record_create, stands_alone, write};
use crate::{AppError, access, transact::Unit};

/// Most issues that one answer carries.
const ISSUES_MAX: usize = 1_000;

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
        issues_of(&self.error).under(self.index)
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
    let stands_alone = |data| stands_alone(unit, object, data);
    if can_go_together(unit, object, Change::Create) && rows.iter().all(stands_alone) {
        let rows: Vec<&Map<String, Json>> = rows.iter().collect();
        let drafts = input::created(unit, object, &rows).await?;
        return finished(write(unit, object, drafts, mode).await?, mode);
    }
    let mut bulk = Bulk::default();
    for (index, data) in rows.iter().enumerate() {
        match attempt(unit, record_create(unit, object, data)).await? {
            Ok(written) => bulk.ids.push(written.id),
            Err(error) => bulk.errors.push(RowError { index, error }),
        }
    }
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

/// The same error with at least one issue, so that a path can be put in front of it.
pub(super) fn with_issue(mut error: AppError) -> AppError {
    let issues = issues_of(&error);
    match error.issues_mut() {
        Some(of_error) => {
            *of_error = issues;
            error
        }
        None => AppError::ValidationFailed(issues),
    }
}

/// What is wrong: at least one issue.
pub(crate) fn issues_of(error: &AppError) -> Issues {
    match error.issues() {
        [] => Issue::new(error.code(), error.message()).into(),
        issues => Issues(issues.to_vec()),
    }
}

/// One error for several, whose issues say where.
pub(super) fn together(errors: Vec<AppError>) -> AppError {
    let issues = errors.iter().flat_map(|error| issues_of(error).0).collect();
    combined(errors, Issues(issues))
}

/// One error with these issues for several errors: of their code, if they have the same.
pub(super) fn combined(errors: Vec<AppError>, mut issues: Issues) -> AppError {
    issues.0.truncate(ISSUES_MAX);
    let codes: BTreeSet<(&str, Option<&str>)> = errors
        .iter()
        .map(|error| (error.code(), error.plugin()))
        .collect();
    let is_one_code = codes.len() == 1;
    let count = errors.len();
    match errors.into_iter().next() {
        Some(AppError::BadInput { .. }) if is_one_code => AppError::bad_input_issues(issues),
        Some(AppError::Referenced { message, .. }) if is_one_code => AppError::Referenced {
            message: match count {
                1 => message,
                several => {
                    format!("{several} records can't go or come back: others are in the way")
                }
            },
            issues,
        },
        Some(mut first) if is_one_code => match first.issues_mut() {
            Some(of_first) => {
                *of_first = issues;
                first
            }
            None => AppError::ValidationFailed(issues),
        },
        _ => AppError::ValidationFailed(issues),
    }
}
