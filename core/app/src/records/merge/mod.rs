//! Records that are the same become one: the survivor takes what it has empty from the others,
//! everything that points at them points at it, and they go to the trash.
//!
//! In this order: relations of others move (so that nothing forbids the deletion), the losers go to
//! the trash as they are (so that their unique keys are free), the survivor changes, once. Each part
//! goes through the steps of its own kind. Where one fails the whole merge is lost; what comes after it is looked at
//! nevertheless, so that all mistakes are told at once.
//!
//! A preview is the merge itself, come back from: so it can't promise what the merge refuses.

mod fields;
mod moves;
mod undo;

use std::collections::HashSet;

use relata_catalog::{FieldIndex, Issue, Issues, Object, ObjectIndex, Value, to_json};
use relata_store::{
    Lock, Record,
    log::{Change, FieldChange, merged_key},
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    Draft, Written, attempt,
    bulk::{together, with_issue},
    input, issues_of, live, nested,
    trash::{self, Member},
};
use crate::{AppError, access, transact::Unit};

pub use fields::{MergeConflict, MergedField};
pub use moves::MovedRelation;
pub use undo::{UnmergeLeft, Unmerged, record_unmerge};

use fields::Origins;
use moves::Move;
use undo::{MovedBack, Trace};

/// Most records of one merge, the survivor included.
pub const MERGE_IDS_MAX: usize = 50;
/// Most relations that one merge moves.
pub const MERGE_MOVES_MAX: usize = 10_000;

/// Which records become which one.
#[derive(Debug, Clone)]
pub struct MergeRequest {
    /// All of them, the one that stays included. Where several could fill a field, the first does.
    pub ids: Vec<Uuid>,
    /// The one that stays.
    pub keep: Uuid,
    /// What is put over it; wins against what the others have.
    pub data: Map<String, Json>,
}

/// What a merge would do.
#[derive(Debug)]
pub struct MergePreview {
    /// The survivor's fields that are filled, as they would be.
    pub fields: Vec<MergedField>,
    /// Relations that would move, without those that none would.
    pub moves: Vec<MovedRelation>,
    /// Fields in which the records differ, and of which one value would be lost.
    pub conflicts: Vec<MergeConflict>,
    /// Why the merge would be refused. Empty: it would not be.
    pub issues: Issues,
}

/// Merges records of one object. Paths of issues begin at the arguments.
///
/// # Errors
/// `BAD_INPUT` and `LIMIT_EXCEEDED` for ids that name no set, `NOT_FOUND`, and all that refuses one
/// of the writes that make it up.
pub async fn record_merge(
    unit: &Unit,
    object: ObjectIndex,
    request: &MergeRequest,
) -> Result<Written, AppError> {
    let set = Set::of(unit, object, request).await?;
    let merged = carry_out(unit, &set, request).await?;
    if merged.errors.is_empty() {
        Ok(Written {
            id: request.keep,
            record: None,
        })
    } else {
        Err(together(merged.errors))
    }
}

/// What [`record_merge`] would do, and what it would say. Nothing stays of it.
///
/// # Errors
/// As there, of the ids; what refuses one of the writes is in [`MergePreview::issues`].
pub async fn record_merge_preview(
    unit: &Unit,
    object: ObjectIndex,
    request: &MergeRequest,
) -> Result<MergePreview, AppError> {
    let set = Set::of(unit, object, request).await?;
    let transaction = unit.transaction();
    let savepoint = transaction.savepoint().await?;
    let merged = carry_out(unit, &set, request).await?;
    let described = unit.catalogue().object(object);
    let after = transaction
        .get(described, request.keep, Lock::None)
        .await?
        .unwrap_or_else(|| set.keep.clone());
    transaction.rollback_to(savepoint).await?;
    Ok(MergePreview {
        fields: merged.origins.filled(described, &set, &after, request),
        moves: moves::counted(unit, &merged.moves),
        conflicts: fields::conflicts(described, &set, request),
        issues: if merged.errors.is_empty() {
            Issues::default()
        } else {
            issues_of(&together(merged.errors))
        },
    })
}

/// The records of a merge, locked.
struct Set {
    object: ObjectIndex,
    keep: Record,
    /// In the order in which they were named.
    losers: Vec<Record>,
    /// Position of each loser among the ids.
    places: Vec<usize>,
}

impl Set {
    async fn of(
        unit: &Unit,
        object: ObjectIndex,
        request: &MergeRequest,
    ) -> Result<Self, AppError> {
        let described = unit.catalogue().object(object).clone();
        within_limits(request)?;
        access::authorise(
            unit,
            &described,
            Change::Update,
            &input::named(&described, &request.data),
        )?;
        access::authorise(unit, &described, Change::Delete, &[])?;
        let mut found = unit
            .transaction()
            .get_many(&described, &request.ids, Lock::Update)
            .await?;
        found.retain(|record| record.deleted_at.is_none());
        let mut losers = Vec::with_capacity(request.ids.len());
        let mut places = Vec::with_capacity(request.ids.len());
        let mut keep = None;
        let mut missing = Vec::new();
        for (place, id) in request.ids.iter().enumerate() {
            match found.iter().find(|record| record.id == *id) {
                Some(record) if *id == request.keep => keep = Some(record.clone()),
                Some(record) => {
                    losers.push(record.clone());
                    places.push(place);
                }
                None => missing.push(id.to_string()),
            }
        }
        match keep {
            Some(keep) if missing.is_empty() => Ok(Self {
                object,
                keep,
                losers,
                places,
            }),
            _ => Err(AppError::NotFound(format!(
                "there is no {} with the id {}",
                described.singular,
                missing.join(", nor with the id ")
            ))),
        }
    }

    fn loser_ids(&self) -> Vec<Uuid> {
        self.losers.iter().map(|record| record.id).collect()
    }

    /// The survivor first, then the others in the order in which they were named.
    fn records(&self) -> impl Iterator<Item = &Record> {
        std::iter::once(&self.keep).chain(&self.losers)
    }

    fn has(&self, id: Uuid) -> bool {
        self.records().any(|record| record.id == id)
    }

    /// Where a loser stands among the ids.
    fn place_of(&self, id: Uuid) -> usize {
        let mut losers = self.losers.iter().zip(&self.places);
        losers
            .find(|(record, _)| record.id == id)
            .map_or(0, |(_, place)| *place)
    }
}

fn within_limits(request: &MergeRequest) -> Result<(), AppError> {
    let count = request.ids.len();
    if count > MERGE_IDS_MAX {
        return Err(AppError::LimitExceeded(format!(
            "{count} records are more than one merge takes: at most {MERGE_IDS_MAX}; merge some of them first"
        )));
    }
    let mut issues = Issues::default();
    let mut named = HashSet::new();
    for (place, id) in request.ids.iter().enumerate() {
        if !named.insert(*id) {
            let issue = Issue::new("BAD_INPUT", "the same record is named twice");
            issues.push(issue.with("id", id.to_string()).at(place).at("ids"));
        }
    }
    if !named.contains(&request.keep) {
        let issue = Issue::new("BAD_INPUT", "the record that stays is one of `ids`");
        issues.push(issue.with("id", request.keep.to_string()).at("keep"));
    } else if named.len() < 2 {
        let issue = Issue::new("BAD_INPUT", "a merge is of two records at least");
        issues.push(issue.at("ids"));
    }
    if issues.is_empty() {
        Ok(())
    } else {
        Err(AppError::bad_input_issues(issues))
    }
}

/// What was done, or would have been.
struct Merged {
    moves: Vec<Move>,
    origins: Origins,
    /// Paths begin at the arguments.
    errors: Vec<AppError>,
}

async fn carry_out(unit: &Unit, set: &Set, request: &MergeRequest) -> Result<Merged, AppError> {
    let described = unit.catalogue().object(set.object).clone();
    let mut errors = Vec::new();
    let moves = moves::referring(unit, set).await?;
    // They are judged by the survivor as it will be: it can't be so yet, because what it takes
    // may be unique, and the losers still have it.
    let filled = as_it_will_be(unit, &described, set, request).await?;
    let expecting = unit.expecting(filled);
    for (of_move, error) in moves::carry_out(&expecting, &moves).await? {
        errors.push(error.at(set.place_of(of_move.from)).at("ids"));
    }
    let moves_failed = !errors.is_empty();
    delete(unit, set, moves_failed, &mut errors).await?;
    let merge = Uuid::now_v7();
    unit.transaction()
        .insert_losers(merge, set.keep.id, &set.loser_ids())
        .await?;
    let origins = change_survivor(unit, &described, set, request, &mut errors).await?;
    if errors.is_empty() {
        note(unit, &described, set, merge, &moves, &origins).await?;
    }
    Ok(Merged {
        moves,
        origins,
        errors,
    })
}

/// The survivor with what it takes from the others and from the data, as far as that says so
/// without writing anything.
async fn as_it_will_be(
    unit: &Unit,
    described: &Object,
    set: &Set,
    request: &MergeRequest,
) -> Result<Record, AppError> {
    let mut draft = Draft::of(set.keep.clone());
    fields::fill(described, &mut draft, set, request);
    let filled = (draft.values.clone(), draft.owner);
    let laid_over = attempt(
        unit,
        nested::laid_over(
            unit,
            set.object,
            draft,
            &request.data,
            fields::without_itself,
        ),
    );
    // What is wrong with the data is told when it is written.
    let (values, owner) = match laid_over.await? {
        Ok(draft) => (draft.values, draft.owner),
        Err(_) => filled,
    };
    Ok(Record {
        values,
        owner,
        ..set.keep.clone()
    })
}

/// Puts the losers into the trash. Where that is refused, or is in vain, they go there past its
/// steps: the survivor is looked at as it would be.
async fn delete(
    unit: &Unit,
    set: &Set,
    is_in_vain: bool,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    if !is_in_vain {
        let members = losers_now(unit, set).await?;
        let deleted = attempt(unit, async {
            let failed = trash::delete(unit, members, &[set.keep.id]).await?;
            if failed.is_empty() {
                return Ok(());
            }
            let errors = failed.into_iter().map(|failed| {
                let place = failed.index.and_then(|index| set.places.get(index));
                let place = place.copied().unwrap_or_default();
                with_issue(failed.error).at(place).at("ids")
            });
            Err(together(errors.collect()))
        });
        match deleted.await? {
            Ok(()) => return Ok(()),
            Err(error) => errors.push(with_issue(error)),
        }
    }
    let members = losers_now(unit, set).await?;
    let next = members
        .iter()
        .map(|member| Record {
            deleted_at: Some(unit.now()),
            ..trash::next(unit, &member.record)
        })
        .collect();
    trash::put(unit, Change::Delete, &members, next).await
}

/// The losers as they are now: hooks may have written them, and figures on them have changed.
async fn losers_now(unit: &Unit, set: &Set) -> Result<Vec<Member>, AppError> {
    let described = unit.catalogue().object(set.object).clone();
    let mut members = Vec::with_capacity(set.losers.len());
    for id in set.loser_ids() {
        members.push(Member {
            object: set.object,
            record: live(unit, &described, id).await?,
        });
    }
    Ok(members)
}

async fn change_survivor(
    unit: &Unit,
    described: &Object,
    set: &Set,
    request: &MergeRequest,
    errors: &mut Vec<AppError>,
) -> Result<Origins, AppError> {
    let mut draft = Draft::of(live(unit, described, request.keep).await?);
    let origins = fields::fill(described, &mut draft, set, request);
    access::authorise(unit, described, Change::Update, &draft.changed())?;
    let written = attempt(
        unit,
        nested::put_over(
            unit,
            set.object,
            draft,
            &request.data,
            fields::without_itself,
        ),
    );
    if let Err(error) = written.await? {
        errors.push(with_issue(error).at("data"));
    }
    Ok(origins)
}

/// Notes the merge in the survivor's history, and what undoes it.
async fn note(
    unit: &Unit,
    described: &Object,
    set: &Set,
    merge: Uuid,
    moves: &[Move],
    origins: &Origins,
) -> Result<(), AppError> {
    let record = live(unit, described, set.keep.id).await?;
    let trace = Trace {
        losers: set.loser_ids(),
        taken: origins.taken(described, set),
        owner: (set.keep.owner, record.owner),
        fields: (0..described.fields.len())
            .map(FieldIndex)
            .filter(|index| fields::is_own(&described.field(*index).kind))
            .filter(|index| set.keep.value(*index) != record.value(*index))
            .map(|index| {
                let field = described.field(index);
                FieldChange {
                    field: field.key.clone(),
                    old: super::changes::history_json(field, set.keep.value(index)),
                    new: super::changes::history_json(field, record.value(index)),
                }
            })
            .collect(),
        moved: moves
            .iter()
            .map(|of_move| MovedBack::of(unit.catalogue(), of_move))
            .collect(),
    };
    unit.transaction()
        .insert_merge(&relata_store::platform::Merge {
            id: merge,
            object: described.key.clone(),
            survivor: record.id,
            at: unit.now(),
            actor: unit.actor_text(),
            undo: trace.to_json()?,
        })
        .await?;
    let next = trash::next(unit, &record);
    let member = Member {
        object: set.object,
        record,
    };
    let losers: Vec<Json> = set
        .losers
        .iter()
        .map(|loser| json!({"id": loser.id.to_string(), "label": label_of(described, loser)}))
        .collect();
    let merged = FieldChange {
        field: merged_key(),
        old: Json::Null,
        new: Json::Array(losers),
    };
    trash::put_noting(unit, Change::Merge, &[member], vec![next], &[merged]).await
}

/// What people call a record: what the read says as its `label`.
fn label_of(object: &Object, record: &Record) -> String {
    let field = object
        .label_field
        .as_ref()
        .and_then(|key| object.field_keyed(key));
    let text = field.and_then(|(index, field)| match record.value(index) {
        Value::Null => None,
        Value::FullName(name) => Some(name.full.clone()),
        Value::Emails(emails) => Some(emails.primary.clone()),
        Value::Phone(phone) => Some(phone.typed.clone()),
        Value::Phones(phones) => Some(phones.primary.typed.clone()),
        value => Some(match to_json(field.shown(), value) {
            Json::String(text) => text,
            other => other.to_string(),
        }),
    });
    text.unwrap_or_else(|| record.id.to_string())
}
