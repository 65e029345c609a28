//! A merge that is taken back: the survivor's fields and the relations go back unless somebody has
//! changed them since, and the losers come out of the trash.
//!
//! It can be undone as long as one of the losers is there, in the trash or restored already. What
//! was destroyed is not made again: what the survivor has of it stays, and so does what points at
//! the survivor in its stead. The survivor
//! changes first, because it may hold unique keys that were the losers'; relations go last, because
//! what they point at must be there.

use relata_catalog::{Catalogue, FieldIndex, Key, ObjectIndex, Value};
use relata_store::{
    Lock, Record,
    log::{Change, FieldChange},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    fields,
    moves::{self, Move},
};
use crate::{
    AppError, access,
    records::{
        Draft, attempt,
        bulk::{together, with_issue},
        changes, live,
        trash::{self, Member},
        write_one,
    },
    transact::Unit,
};

/// What undoes a merge, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Trace {
    pub(super) losers: Vec<Uuid>,
    /// The survivor's fields that hold something of losers, and of which.
    #[serde(default)]
    pub(super) taken: Vec<(Key, Vec<Uuid>)>,
    /// The survivor's owner before and after.
    pub(super) owner: (Option<Uuid>, Option<Uuid>),
    /// The survivor's fields before and after.
    pub(super) fields: Vec<FieldChange>,
    pub(super) moved: Vec<MovedBack>,
}

/// A relation that was moved. By keys: names and positions may be others by then.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MovedBack {
    object: Key,
    field: Key,
    record: Uuid,
    from: Uuid,
}

/// What came of an undoing.
#[derive(Debug)]
pub struct Unmerged {
    /// The record that had stayed.
    pub survivor: Uuid,
    /// The others, which are there again.
    pub restored: Vec<Uuid>,
    /// Those that were destroyed since, and stay so.
    pub gone: Vec<Uuid>,
    /// What somebody has changed since, what is gone, and what is of those that are.
    pub left: Vec<UnmergeLeft>,
}

/// A field that was left as it is.
#[derive(Debug)]
pub struct UnmergeLeft {
    /// Singular name of the object.
    pub object: String,
    /// The record.
    pub id: Uuid,
    /// The field.
    pub field: String,
}

impl Trace {
    pub(super) fn to_json(&self) -> Result<String, AppError> {
        serde_json::to_string(self).map_err(|error| AppError::internal(&error))
    }
}

impl MovedBack {
    pub(super) fn of(catalogue: &Catalogue, of_move: &Move) -> Self {
        let object = catalogue.object(of_move.object);
        Self {
            object: object.key.clone(),
            field: object.field(of_move.field).key.clone(),
            record: of_move.record,
            from: of_move.from,
        }
    }
}

/// Undoes the merge in which this record was lost.
///
/// # Errors
/// `NOT_FOUND` where it was lost in none, or its survivor is not there any more; what
/// refuses one of the writes that undo it, with a path of plural name and id of the record.
pub async fn record_unmerge(
    unit: &Unit,
    object: ObjectIndex,
    loser: Uuid,
) -> Result<Unmerged, AppError> {
    let described = unit.catalogue().object(object).clone();
    access::authorise(unit, &described, Change::Restore, &[])?;
    let merge = unit
        .transaction()
        .merge_of(loser)
        .await?
        .filter(|merge| merge.object == described.key)
        .ok_or_else(|| {
            AppError::NotFound(format!(
                "no {} with the id {loser} is in the trash because of a merge",
                described.singular
            ))
        })?;
    let trace: Trace =
        serde_json::from_str(&merge.undo).map_err(|error| AppError::internal(&error))?;
    let next = unit.transaction().survivors(&[merge.survivor]).await?;
    if let Some(next) = next.get(&merge.survivor) {
        return Err(AppError::NotFound(format!(
            "the {} {} was itself merged into {next}; undo that first",
            described.singular, merge.survivor
        )));
    }
    let survivor = live(unit, &described, merge.survivor).await?;
    let (losers, gone) = in_trash(unit, object, &trace).await?;
    let mut left = Vec::new();
    let mut errors = Vec::new();
    let changed = change_survivor(unit, object, survivor, &trace, &gone, &mut left);
    if let Err(error) = attempt(unit, changed).await? {
        let error = with_issue(error).at(merge.survivor.to_string());
        errors.push(error.at(described.plural.as_str()));
    }
    unit.transaction().delete_merge(merge.id).await?;
    // While the survivor holds their keys, nothing can be said of the losers.
    if errors.is_empty()
        && let Err(error) = attempt(unit, restore(unit, object, losers)).await?
    {
        errors.push(error);
    }
    let moves = moves_back(unit, merge.survivor, &trace, &gone, &mut left).await?;
    let refused = moves::carry_out(unit, &moves).await?;
    errors.extend(refused.into_iter().map(|(_, error)| error));
    if !errors.is_empty() {
        return Err(together(errors));
    }
    Ok(Unmerged {
        survivor: merge.survivor,
        restored: trace
            .losers
            .into_iter()
            .filter(|id| !gone.contains(id))
            .collect(),
        gone,
        left,
    })
}

async fn change_survivor(
    unit: &Unit,
    object: ObjectIndex,
    survivor: Record,
    trace: &Trace,
    gone: &[Uuid],
    left: &mut Vec<UnmergeLeft>,
) -> Result<(), AppError> {
    let described = unit.catalogue().object(object).clone();
    let id = survivor.id;
    let mut draft = Draft::of(survivor);
    for change in &trace.fields {
        let Some((index, field)) = described.field_keyed(&change.field) else {
            continue;
        };
        let is_as_it_was_left = changes::history_json(field, draft.value(index)) == change.new;
        let is_of_gone = trace
            .taken
            .iter()
            .any(|(taken, from)| *taken == change.field && from.iter().any(|id| gone.contains(id)));
        if is_as_it_was_left && !is_of_gone {
            draft.values[index.0] = changes::value_from_history(field, &change.old);
        } else {
            left.push(UnmergeLeft {
                object: described.singular.clone(),
                id,
                field: field.name.clone(),
            });
        }
    }
    let (before, after) = trace.owner;
    if draft.owner == after {
        draft.owner = before;
    } else if before != after {
        left.push(UnmergeLeft {
            object: described.singular.clone(),
            id,
            field: fields::OWNER.to_owned(),
        });
    }
    access::authorise(unit, &described, Change::Update, &draft.changed())?;
    if draft.is_unchanged() {
        return Ok(());
    }
    write_one(unit, object, draft).await?;
    Ok(())
}

/// The losers that are in the trash, and those that are gone; others were restored alone.
async fn in_trash(
    unit: &Unit,
    object: ObjectIndex,
    trace: &Trace,
) -> Result<(Vec<Member>, Vec<Uuid>), AppError> {
    let described = unit.catalogue().object(object).clone();
    let mut members = Vec::with_capacity(trace.losers.len());
    let mut gone = Vec::new();
    for id in &trace.losers {
        let found = unit
            .transaction()
            .get(&described, *id, Lock::Update)
            .await?;
        match found {
            Some(record) if record.deleted_at.is_some() => members.push(Member { object, record }),
            Some(_) => {}
            None => gone.push(*id),
        }
    }
    Ok((members, gone))
}

async fn restore(unit: &Unit, object: ObjectIndex, losers: Vec<Member>) -> Result<(), AppError> {
    let described = unit.catalogue().object(object).clone();
    let failed = trash::restore(unit, losers).await?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(together(
        failed
            .into_iter()
            .map(|failed| {
                let error = with_issue(failed.error).at(failed.id.to_string());
                error.at(described.plural.as_str())
            })
            .collect(),
    ))
}

/// Relations that still point at the survivor.
async fn moves_back(
    unit: &Unit,
    survivor: Uuid,
    trace: &Trace,
    gone: &[Uuid],
    left: &mut Vec<UnmergeLeft>,
) -> Result<Vec<Move>, AppError> {
    let catalogue = unit.catalogue().clone();
    let mut moves = Vec::with_capacity(trace.moved.len());
    // As they were noted: those of one relation stand together.
    for run in trace
        .moved
        .chunk_by(|one, next| one.object == next.object && one.field == next.field)
    {
        let Some((object, described)) = catalogue.object_keyed(&run[0].object) else {
            continue;
        };
        let Some((field, found)) = described.field_keyed(&run[0].field) else {
            continue;
        };
        let ids: Vec<Uuid> = run.iter().map(|moved| moved.record).collect();
        let records = unit
            .transaction()
            .get_many(described, &ids, Lock::Update)
            .await?;
        let there: std::collections::HashMap<Uuid, _> = records
            .into_iter()
            .map(|record| (record.id, record))
            .collect();
        for moved in run {
            match there.get(&moved.record) {
                Some(record)
                    if points_at(record, field, survivor) && !gone.contains(&moved.from) =>
                {
                    moves.push(Move {
                        object,
                        field,
                        record: moved.record,
                        from: survivor,
                        to: moved.from,
                        is_in_trash: record.deleted_at.is_some(),
                    })
                }
                _ => left.push(UnmergeLeft {
                    object: described.singular.clone(),
                    id: moved.record,
                    field: found.name.clone(),
                }),
            }
        }
    }
    Ok(moves)
}

fn points_at(record: &Record, field: FieldIndex, target: Uuid) -> bool {
    *record.value(field) == Value::Reference(target)
}
