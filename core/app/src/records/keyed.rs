//! Rows of data that say themselves which record they are about: by an id, or by a unique key.
//!
//! Good rows are written, bad ones are reported; what each row came to is told with the versions
//! before and after, so that it can be undone. Where no hook watches, rows go together as long as no
//! two of them are about the same record.

use std::collections::{HashMap, HashSet};

use relata_catalog::{Issue, Object, ObjectIndex, Unique};
use relata_store::{Lock, Record, log::Change};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    BulkMode, Draft, RowError, attempt, can_go_together, in_trash, input, nested, record_create,
    record_update, stands_alone, uniques, write, write_one,
};
use crate::{AppError, access, transact::Unit};

/// By what a row's record is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FoundBy<'o> {
    /// Nothing: each row is a new record.
    Nothing,
    /// [`KeyedRow::id`].
    Id,
    /// A unique key of the object.
    Unique(&'o Unique),
}

/// What may become of a row whose record is there, and of one whose record isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// It is changed; without a record the row is refused.
    Update,
    /// It is changed, or created.
    Upsert,
}

/// A row.
#[derive(Debug, Clone, Default)]
pub struct KeyedRow {
    /// The record's id, where rows name it. A new record gets it.
    pub id: Option<Uuid>,
    /// Field name → value.
    pub data: Map<String, Json>,
}

/// What a row came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowDone {
    /// Its position.
    pub index: usize,
    /// The record.
    pub id: Uuid,
    /// Its version before; 0 for one that was created.
    pub before: i64,
    /// Its version now; the same as before when the row changed nothing.
    pub after: i64,
}

/// What rows came to.
#[derive(Debug, Default)]
pub struct RowsDone {
    /// Rows that were written, in their order.
    pub done: Vec<RowDone>,
    /// Rows that were not, in their order.
    pub errors: Vec<RowError>,
}

/// Writes rows, each to the record that it is about.
///
/// # Errors
/// Only what is no row's fault.
pub async fn record_write_keyed(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[KeyedRow],
    by: FoundBy<'_>,
    keyed: Keyed,
) -> Result<RowsDone, AppError> {
    let described = unit.catalogue().object(object).clone();
    for row in rows {
        let fields = input::named(&described, &row.data);
        access::authorise(unit, &described, Change::Create, &fields)?;
        access::authorise(unit, &described, Change::Update, &fields)?;
    }
    let together = can_go_together(unit, object, Change::Create)
        && can_go_together(unit, object, Change::Update)
        && rows.iter().all(|row| stands_alone(unit, object, &row.data));
    let batch = Batch {
        unit,
        object,
        described: &described,
        by,
        keyed,
    };
    let mut all = RowsDone::default();
    let mut from = 0;
    while from < rows.len() {
        let aims = batch.aims(&rows[from..]).await?;
        let count = aims.len();
        let part = &rows[from..from + count];
        let mut done = if together {
            batch.together(part, aims).await?
        } else {
            batch.each(part, aims).await?
        };
        for row in &mut done.done {
            row.index += from;
        }
        for row in &mut done.errors {
            row.index += from;
        }
        all.done.append(&mut done.done);
        all.errors.append(&mut done.errors);
        from += count;
    }
    Ok(all)
}

struct Batch<'a> {
    unit: &'a Unit,
    object: ObjectIndex,
    described: &'a Object,
    by: FoundBy<'a>,
    keyed: Keyed,
}

/// What a row is about.
enum Aim {
    /// A record that is there.
    Stored(Box<Record>),
    /// One that is not.
    New,
    /// Nobody knows.
    Wrong(AppError),
}

impl Batch<'_> {
    /// What the first rows are about: up to the first that is about the same record as an earlier
    /// one, or that a hook or another row may have made by then.
    async fn aims(&self, rows: &[KeyedRow]) -> Result<Vec<Aim>, AppError> {
        match self.by {
            FoundBy::Nothing => Ok(rows.iter().map(|_| Aim::New).collect()),
            FoundBy::Id => self.by_id(rows).await,
            FoundBy::Unique(unique) => self.by_key(rows, unique).await,
        }
    }

    async fn by_id(&self, rows: &[KeyedRow]) -> Result<Vec<Aim>, AppError> {
        let mut seen = HashSet::new();
        let count = rows
            .iter()
            .take_while(|row| row.id.is_none_or(|id| seen.insert(id)))
            .count();
        let rows = &rows[..count];
        let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.id).collect();
        let mut stored = self.stored(&ids).await?;
        let new: Vec<Uuid> = ids
            .iter()
            .copied()
            .filter(|id| !stored.contains_key(id))
            .collect();
        let taken = self.taken_elsewhere(&new).await?;
        Ok(rows
            .iter()
            .map(|row| match row.id {
                None => Aim::Wrong(wrong("REQUIRED", "the row has no id")),
                Some(id) => match stored.remove(&id) {
                    Some(record) if record.deleted_at.is_some() => {
                        Aim::Wrong(in_trash(self.described, id))
                    }
                    Some(record) => Aim::Stored(Box::new(record)),
                    None if taken.contains(&id) => Aim::Wrong(wrong(
                        "NOT_UNIQUE",
                        "a record of another object has this id",
                    )),
                    // Ids tell the time at which a record was made; lists and pages count on it.
                    None if id.get_version_num() != 7 => {
                        Aim::Wrong(wrong("BAD_ID", "a new record's id is a UUID of version 7"))
                    }
                    None => Aim::New,
                },
            })
            .collect())
    }

    async fn by_key(&self, rows: &[KeyedRow], unique: &Unique) -> Result<Vec<Aim>, AppError> {
        // The keys that new records would have.
        let own: Vec<Map<String, Json>> = rows
            .iter()
            .map(|row| nested::own(self.unit, self.object, &row.data))
            .collect();
        let own: Vec<&Map<String, Json>> = own.iter().collect();
        let drafts = input::created(self.unit, self.object, &own).await?;
        let held = uniques::held(self.unit, self.object, self.described, unique, &drafts).await?;
        let mut seen = HashSet::new();
        let count = held
            .iter()
            .take_while(|held| held.as_ref().is_none_or(|held| seen.insert(&held.key)))
            .count();
        let found: Vec<Uuid> = held[..count]
            .iter()
            .flatten()
            .filter_map(|held| held.by)
            .collect();
        let mut stored = self.stored(&found).await?;
        let mut aims = Vec::with_capacity(count);
        for (position, held) in held.iter().take(count).enumerate() {
            aims.push(match held {
                Some(held) => match held.by.and_then(|id| stored.remove(&id)) {
                    Some(record) => Aim::Stored(Box::new(record)),
                    None => Aim::New,
                },
                None => {
                    let draft = std::slice::from_ref(&drafts[position]);
                    let names = uniques::empty_fields(self.described, unique, draft);
                    Aim::Wrong(keyless(self.described, &drafts[position], &names))
                }
            });
        }
        Ok(aims)
    }

    async fn stored(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Record>, AppError> {
        let transaction = self.unit.transaction();
        let records = transaction
            .get_many(self.described, ids, Lock::Update)
            .await?;
        Ok(records
            .into_iter()
            .map(|record| (record.id, record))
            .collect())
    }

    /// Ids that records of other objects have: an id names one record of a workspace.
    async fn taken_elsewhere(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, AppError> {
        let mut taken = HashSet::new();
        if ids.is_empty() {
            return Ok(taken);
        }
        for object in &self.unit.catalogue().objects {
            if object.key != self.described.key {
                let there = self.unit.transaction().get_many(object, ids, Lock::None);
                taken.extend(there.await?.into_iter().map(|record| record.id));
            }
        }
        Ok(taken)
    }

    fn refusal(&self, aim: &Aim) -> Option<AppError> {
        matches!(aim, Aim::New)
            .then_some(())
            .filter(|()| self.by != FoundBy::Nothing && self.keyed == Keyed::Update)
            .map(|()| AppError::NotFound(format!("there is no such {}", self.described.singular)))
    }

    /// Rows that are about different records, by a few statements.
    async fn together(&self, rows: &[KeyedRow], aims: Vec<Aim>) -> Result<RowsDone, AppError> {
        let (unit, object) = (self.unit, self.object);
        let mut result = RowsDone::default();
        let (mut new_at, mut changed_at) = (Vec::new(), Vec::new());
        let mut changes = Vec::new();
        for (index, aim) in aims.into_iter().enumerate() {
            if let Some(error) = self.refusal(&aim) {
                result.errors.push(RowError { index, error });
                continue;
            }
            match aim {
                Aim::Wrong(error) => result.errors.push(RowError { index, error }),
                Aim::New => new_at.push(index),
                Aim::Stored(record) => {
                    changed_at.push(index);
                    changes.push(Draft::of(*record));
                }
            }
        }
        let new_data: Vec<&Map<String, Json>> =
            new_at.iter().map(|index| &rows[*index].data).collect();
        let changed_data: Vec<&Map<String, Json>> =
            changed_at.iter().map(|index| &rows[*index].data).collect();
        let mut drafts = input::created(unit, object, &new_data).await?;
        for (draft, index) in drafts.iter_mut().zip(&new_at) {
            draft.id = rows[*index].id.unwrap_or(draft.id);
        }
        input::overlay_each(unit, object, &mut changes, &changed_data).await?;
        let mut places: Vec<RowDone> = drafts
            .iter()
            .zip(&new_at)
            .map(|(draft, index)| RowDone {
                index: *index,
                id: draft.id,
                before: 0,
                after: 1,
            })
            .collect();
        for (draft, index) in changes.into_iter().zip(&changed_at) {
            let before = draft.before.as_ref().map_or(0, |record| record.version);
            let mut place = RowDone {
                index: *index,
                id: draft.id,
                before,
                after: before,
            };
            if draft.is_unchanged() && draft.problems.is_empty() {
                result.done.push(place);
                continue;
            }
            place.after += 1;
            places.push(place);
            drafts.push(draft);
        }
        // Keys are taken in the order of the rows.
        let mut ordered: Vec<(RowDone, Draft)> = places.into_iter().zip(drafts).collect();
        ordered.sort_by_key(|(place, _)| place.index);
        let (places, drafts): (Vec<RowDone>, Vec<Draft>) = ordered.into_iter().unzip();
        let bulk = write(unit, object, drafts, BulkMode::Partial).await?;
        let mut is_bad = vec![false; places.len()];
        for row in bulk.errors {
            is_bad[row.index] = true;
            result.errors.push(RowError {
                index: places[row.index].index,
                error: row.error,
            });
        }
        let good = places.into_iter().zip(is_bad).filter(|(_, is_bad)| !is_bad);
        result.done.extend(good.map(|(place, _)| place));
        result.done.sort_by_key(|row| row.index);
        result.errors.sort_by_key(|row| row.index);
        Ok(result)
    }

    /// One row after the other, each in a savepoint: a hook may read what an earlier one has
    /// written.
    async fn each(&self, rows: &[KeyedRow], aims: Vec<Aim>) -> Result<RowsDone, AppError> {
        let mut result = RowsDone::default();
        for (index, (row, aim)) in rows.iter().zip(aims).enumerate() {
            let refusal = self.refusal(&aim);
            let written = match (refusal, aim) {
                (Some(error), _) | (None, Aim::Wrong(error)) => Err(error),
                (None, aim) => attempt(self.unit, self.one(row, aim)).await?,
            };
            match written {
                Ok(done) => result.done.push(RowDone { index, ..done }),
                Err(error) => result.errors.push(RowError { index, error }),
            }
        }
        Ok(result)
    }

    async fn one(&self, row: &KeyedRow, aim: Aim) -> Result<RowDone, AppError> {
        let (unit, object) = (self.unit, self.object);
        let before = match &aim {
            Aim::Stored(record) => record.version,
            _ => 0,
        };
        let written = match (aim, row.id) {
            (Aim::Stored(record), _) => {
                record_update(unit, object, record.id, &row.data, None).await?
            }
            (_, Some(id)) if !nested::is_nested(unit, object, &row.data) => {
                let mut drafts = input::created(unit, object, &[&row.data]).await?;
                let Some(mut draft) = drafts.pop() else {
                    return Err(AppError::broken("a draft was not made"));
                };
                draft.id = id;
                write_one(unit, object, draft).await?
            }
            (_, Some(_)) => {
                return Err(wrong(
                    "BAD_INPUT",
                    "a new record that is given its id can't have others inside",
                ));
            }
            _ => record_create(unit, object, &row.data).await?,
        };
        let after = match written.record {
            Some(record) => record.version,
            None => {
                let transaction = unit.transaction();
                let now = transaction.get(self.described, written.id, Lock::None);
                now.await?.map_or(before, |record| record.version)
            }
        };
        Ok(RowDone {
            index: 0,
            id: written.id,
            before,
            after,
        })
    }
}

fn wrong(code: &str, message: &str) -> AppError {
    AppError::bad_input_issues(Issue::new(code, message).at("id").into())
}

/// That a row has no whole key; and what is wrong with its fields, which may be why.
fn keyless(object: &Object, draft: &Draft, names: &[&str]) -> AppError {
    let told: Vec<Issue> = draft
        .problems
        .iter()
        .map(|(_, issue)| issue.clone())
        .collect();
    let missing = names.iter().map(|name| {
        Issue::new(
            "REQUIRED",
            format!(
                "{name} is empty, so no {} can be found by it",
                object.singular
            ),
        )
        .at(*name)
    });
    let issues = if told.is_empty() {
        missing.collect()
    } else {
        told
    };
    AppError::bad_input_issues(relata_catalog::Issues(issues))
}
