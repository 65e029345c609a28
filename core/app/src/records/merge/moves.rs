//! Relations that point elsewhere afterwards: those of live records through all steps of an update,
//! those of records in the trash as a new version of them, so that they come back to who is there.

use std::collections::HashSet;

use indexmap::IndexMap;
use relata_catalog::{FieldIndex, Issue, Key, ObjectIndex, Value};
use relata_store::{
    Find, Lock, Record,
    filter::{ColumnRef, Deleted, Filter, Operand, Operator},
    log::Change,
};
use uuid::Uuid;

use super::{MERGE_IDS_MAX, MERGE_MOVES_MAX, Set};
use crate::{
    AppError, access,
    records::{
        Draft, attempt,
        bulk::with_issue,
        can_go_together,
        trash::{self, Member},
        write_boxed,
    },
    transact::Unit,
};

/// A relation of a record that points from one record to another.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) object: ObjectIndex,
    pub(super) field: FieldIndex,
    pub(super) record: Uuid,
    pub(super) from: Uuid,
    pub(super) to: Uuid,
    pub(super) is_in_trash: bool,
}

/// How many records would move by one relation.
#[derive(Debug)]
pub struct MovedRelation {
    /// Singular name of the object that points.
    pub object: String,
    /// Its relation.
    pub field: String,
    /// Records outside the trash.
    pub count: usize,
    /// Records in it.
    pub trashed: usize,
}

/// Everything that points at a loser, except those that become one: the survivor is changed later,
/// the losers keep what they had.
pub(super) async fn referring(unit: &Unit, set: &Set) -> Result<Vec<Move>, AppError> {
    let catalogue = unit.catalogue().clone();
    let losers = set.loser_ids();
    let mut moves = Vec::new();
    for (object, field, relation) in catalogue.referrers_of(&catalogue.object(set.object).key) {
        let mut linked = match &relation.through {
            Some(through) => Some(linked(unit, object, field, &through.to, set.keep.id).await?),
            None => None,
        };
        let found = unit
            .transaction()
            .referrers(
                catalogue.object(object),
                field,
                &losers,
                Deleted::Include,
                Lock::Update,
                MERGE_MOVES_MAX + MERGE_IDS_MAX + 1 - moves.len(),
            )
            .await?;
        moves.extend(found.into_iter().filter_map(|record| {
            let Value::Reference(from) = record.value(field) else {
                return None;
            };
            if let Some((there, linked)) = &mut linked
                && record.deleted_at.is_none()
                && let Value::Reference(other) = record.value(*there)
                && !linked.insert(*other)
            {
                // A link with what the survivor is linked with already goes with its loser.
                return None;
            }
            (!set.has(record.id)).then_some(Move {
                object,
                field,
                record: record.id,
                from: *from,
                to: set.keep.id,
                is_in_trash: record.deleted_at.is_some(),
            })
        }));
        if moves.len() > MERGE_MOVES_MAX {
            return Err(AppError::LimitExceeded(format!(
                "more than {MERGE_MOVES_MAX} relations would move; merge fewer records at once, or move some of them first"
            )));
        }
    }
    Ok(moves)
}

/// What the survivor is linked with, and the relation of the links that says so.
async fn linked(
    unit: &Unit,
    object: ObjectIndex,
    here: FieldIndex,
    there: &Key,
    keep: Uuid,
) -> Result<(FieldIndex, HashSet<Uuid>), AppError> {
    let catalogue = unit.catalogue();
    let (there, _) = catalogue
        .object(object)
        .field_keyed(there)
        .ok_or_else(|| AppError::broken("a link without its other end"))?;
    let filter = Filter::Compare {
        column: ColumnRef::Field {
            field: here,
            part: 0,
        },
        operator: Operator::Eq,
        operand: Operand::from(keep),
    };
    let links = unit
        .transaction()
        .find(catalogue, &Find::new(object, filter))
        .await?;
    let others = links.iter().filter_map(|link| match link.value(there) {
        Value::Reference(other) => Some(*other),
        _ => None,
    });
    Ok((there, others.collect()))
}

/// How many there are of each relation.
pub(super) fn counted(unit: &Unit, moves: &[Move]) -> Vec<MovedRelation> {
    let mut counts: IndexMap<(ObjectIndex, FieldIndex), (usize, usize)> = IndexMap::new();
    for one in moves {
        let (live, trashed) = counts.entry((one.object, one.field)).or_default();
        *(if one.is_in_trash { trashed } else { live }) += 1;
    }
    counts
        .into_iter()
        .map(|((object, field), (count, trashed))| {
            let object = unit.catalogue().object(object);
            MovedRelation {
                object: object.singular.clone(),
                field: object.field(field).name.clone(),
                count,
                trashed,
            }
        })
        .collect()
}

/// Lets the relations point at where they go. Gives each that was refused, with a path from the
/// record that it pointed at: by which relation, which record, what of it.
pub(super) async fn carry_out<'m>(
    unit: &Unit,
    moves: &'m [Move],
) -> Result<Vec<(&'m Move, AppError)>, AppError> {
    let mut refused = Vec::new();
    let mut by_object: IndexMap<ObjectIndex, IndexMap<Uuid, Vec<&Move>>> = IndexMap::new();
    for one in moves {
        let records = by_object.entry(one.object).or_default();
        records.entry(one.record).or_default().push(one);
    }
    for (object, records) in by_object {
        let described = unit.catalogue().object(object).clone();
        let mut fields: Vec<FieldIndex> = records.values().flatten().map(|one| one.field).collect();
        fields.sort();
        fields.dedup();
        access::authorise(unit, &described, Change::Update, &fields)?;
        let ids: Vec<Uuid> = records.keys().copied().collect();
        let at_once = match can_go_together(unit, object, Change::Update) {
            true => ids.len(),
            false => 1,
        };
        for ids in ids.chunks(at_once) {
            let found = unit
                .transaction()
                .get_many(&described, ids, Lock::Update)
                .await?;
            let (live, trashed): (Vec<Record>, Vec<Record>) = found
                .into_iter()
                .partition(|record| record.deleted_at.is_none());
            let drafts: Vec<Draft> = live
                .into_iter()
                .map(|record| {
                    let mut draft = Draft::of(record);
                    point(&mut draft.values, &records[&draft.id]);
                    draft
                })
                .collect();
            let ids: Vec<Uuid> = drafts.iter().map(|draft| draft.id).collect();
            for (place, error) in written(unit, object, drafts).await? {
                let one = records[&ids[place]][0];
                refused.push((one, placed(unit, one, error)));
            }
            move_trashed(unit, object, trashed, &records).await?;
        }
    }
    Ok(refused)
}

/// Writes drafts, and gives what refuses them by position.
async fn written(
    unit: &Unit,
    object: ObjectIndex,
    drafts: Vec<Draft>,
) -> Result<Vec<(usize, AppError)>, AppError> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    Ok(
        match attempt(unit, write_boxed(unit, object, drafts)).await? {
            Ok(bulk) => bulk
                .errors
                .into_iter()
                .map(|row| (row.index, row.error))
                .collect(),
            // Of a hook, of which there is one draft at a time; or of the database.
            Err(error) => vec![(0, error)],
        },
    )
}

async fn move_trashed(
    unit: &Unit,
    object: ObjectIndex,
    trashed: Vec<Record>,
    records: &IndexMap<Uuid, Vec<&Move>>,
) -> Result<(), AppError> {
    if trashed.is_empty() {
        return Ok(());
    }
    let next = trashed
        .iter()
        .map(|record| {
            let mut next = trash::next(unit, record);
            point(&mut next.values, &records[&record.id]);
            next
        })
        .collect();
    let members: Vec<Member> = trashed
        .into_iter()
        .map(|record| Member { object, record })
        .collect();
    trash::put(unit, Change::Update, &members, next).await
}

/// What has been pointed elsewhere meanwhile, by a hook, stays there.
fn point(values: &mut [Value], moves: &[&Move]) {
    for one in moves {
        if values[one.field.0] == Value::Reference(one.from) {
            values[one.field.0] = Value::Reference(one.to);
        }
    }
}

/// The error of a record, with the way to it from where it points.
fn placed(unit: &Unit, one: &Move, error: AppError) -> AppError {
    let object = unit.catalogue().object(one.object);
    let mut error = with_issue(error);
    if let Some(issues) = error.issues_mut() {
        let told = std::mem::take(&mut issues.0);
        issues.0 = told
            .into_iter()
            .map(|issue: Issue| {
                issue
                    .with("object", object.singular.as_str())
                    .with("id", one.record.to_string())
            })
            .collect();
    }
    error.at(one.record.to_string()).at(object.plural.as_str())
}
