//! Records that may be the same party, with a score and the reasons.
//!
//! Who may be meant at all is told by *keys* ([`rules::Rules::keys`]): short texts that two
//! spellings of one party share, kept in the index of search beside its words. How likely it is, is
//! told by comparing ([`rules::Rules::compare`]): each rule adds what it is worth or takes it away,
//! as the logarithm of odds, and the sum becomes a probability.
//!
//! Asked for a record, or before one is made ([`duplicates`]); over a whole object by a job
//! ([`job`]), which keeps the sets that it finds. Whoever reads those ([`sets`]) is shown what the
//! records are by now, compared again. Invariant: what a person has said to be different
//! ([`distinct`]) is shown by none of them.

pub mod companies;
pub mod distinct;
pub mod job;
pub mod people;
pub mod rules;
pub mod sets;

use std::sync::Arc;

use relata_catalog::{CoerceContext, FieldIndex, Issues, Object, ObjectIndex, Value, coerce};
use relata_store::Lock;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{AppError, Caller, State, Workspace};
use rules::{Reason, Rules};

/// Candidates that are compared.
const CANDIDATES_MAX: usize = 500;
/// A key that so many records share says nothing.
const COMMON: u32 = 300;
/// Most records that are answered.
pub const FIRST_MAX: usize = 100;

/// Whose duplicates are asked for.
#[derive(Debug, Clone)]
pub enum Of {
    /// A record's.
    Record(Uuid),
    /// Of data that is about to become one.
    Data(Map<String, Json>),
}

/// A record that may be the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The record.
    pub id: Uuid,
    /// How likely it is the same, 0 to 1.
    pub score: f64,
    /// What speaks for it and against it, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// Records of an object that may be the same, the likeliest first.
///
/// # Errors
/// `BAD_INPUT` for data that can't be read, `UNAVAILABLE` where there is no index.
pub async fn duplicates(
    workspace: &Workspace,
    state: &Arc<State>,
    caller: &Caller,
    object: ObjectIndex,
    of: &Of,
    first: usize,
) -> Result<Vec<Match>, AppError> {
    let described = state.catalogue.object(object);
    let rules = Rules::of(described);
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let unit = workspace.snapshot(caller).await?;
    if unit.state().revision != state.revision {
        return Err(AppError::Conflict);
    }
    let (own, mine) = match of {
        Of::Record(id) => {
            let found = unit.transaction().get(described, *id, Lock::None).await?;
            let Some(record) = found.filter(|record| record.deleted_at.is_none()) else {
                return Ok(Vec::new());
            };
            (Some(*id), rules.profile(described, &record.values))
        }
        Of::Data(data) => {
            let values = values(described, &rules, data, unit.coercion())?;
            (None, rules.profile(described, &values))
        }
    };
    let keys = rules.keys(&mine);
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let ids = workspace
        .with_search_keys(described.key.as_str(), keys, COMMON, CANDIDATES_MAX)
        .await?;
    let different = match own {
        Some(own) => unit.transaction().distinct_from(own).await?,
        None => Vec::new(),
    };
    let ids: Vec<Uuid> = ids
        .into_iter()
        .filter(|id| Some(*id) != own && !different.contains(id))
        .collect();
    let records = unit
        .transaction()
        .get_many(described, &ids, Lock::None)
        .await?;
    let mut matches: Vec<Match> = records
        .iter()
        .filter(|record| record.deleted_at.is_none())
        .filter_map(|record| {
            let theirs = rules.profile(described, &record.values);
            let (score, reasons) = rules.compare(&mine, &theirs);
            (score >= rules.score).then_some(Match {
                id: record.id,
                score,
                reasons,
            })
        })
        .collect();
    matches.sort_by(|left, right| {
        right
            .score
            .total_cmp(&left.score)
            .then(left.id.cmp(&right.id))
    });
    matches.truncate(first.min(FIRST_MAX));
    Ok(matches)
}

/// Data as a record would hold it; what says nothing about who it is, is left out.
fn values(
    object: &Object,
    rules: &Rules,
    data: &Map<String, Json>,
    context: &CoerceContext,
) -> Result<Vec<Value>, AppError> {
    let mut issues = Issues::default();
    let values = object
        .fields
        .iter()
        .enumerate()
        .map(|(position, field)| {
            let is_compared = rules.has(FieldIndex(position));
            match data.get(&field.name) {
                Some(json) if is_compared && !json.is_null() => coerce(field, json, context)
                    .unwrap_or_else(|wrong| {
                        issues.extend_at(field.name.as_str(), wrong);
                        Value::Null
                    }),
                _ => Value::Null,
            }
        })
        .collect();
    if issues.is_empty() {
        Ok(values)
    } else {
        Err(AppError::bad_input_issues(issues))
    }
}
