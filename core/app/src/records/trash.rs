//! What takes records away and brings them back: into the trash, out of it, and for good.
//!
//! A deletion first finds everything that it would carry along (CASCADE), then everything that
//! forbids it (RESTRICT), then what it empties (SET_NULL), and writes only when nothing forbids
//! it. What goes into the trash together has one instant of deletion, by which it is restored
//! together.

use std::collections::HashSet;

use relata_catalog::{FieldIndex, Issue, Issues, Kind, Object, ObjectIndex, OnDelete, Value};
use relata_store::{
    Lock, Record,
    filter::Deleted,
    log::{Change, FieldChange},
};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{Draft, absent, changes, explained, is_demanded, live, uniques};
use crate::{AppError, access, hooks, transact::Unit};

/// Most records that one deletion or restoration carries along.
pub const CASCADE_MAX: usize = 10_000;
/// Most issues of one answer about referrers.
const REFERRERS_NAMED_MAX: usize = 20;

/// A record of a set that is deleted, restored or destroyed together.
pub(super) struct Member {
    pub(super) object: ObjectIndex,
    pub(super) record: Record,
}

/// Puts a record into the trash, and with it what depends on it by CASCADE. Relations with
/// SET_NULL are emptied, RESTRICT forbids it.
///
/// # Errors
/// `NOT_FOUND`, `REFERENCED` naming who points at it, what hooks say.
pub async fn record_delete(unit: &Unit, object: ObjectIndex, id: Uuid) -> Result<(), AppError> {
    let described = unit.catalogue().object(object).clone();
    access::authorise(unit, &described, Change::Delete, &[])?;
    let record = live(unit, &described, id).await?;
    delete(unit, Member { object, record }, &HashSet::new()).await
}

/// Takes a record out of the trash, and with it what went there together with it by CASCADE.
///
/// # Errors
/// `NOT_FOUND`, `UNIQUE_VIOLATION` when another record has taken its key meanwhile, `REFERENCED`
/// when a record that it must point at is not there.
pub async fn record_restore(unit: &Unit, object: ObjectIndex, id: Uuid) -> Result<(), AppError> {
    let described = unit.catalogue().object(object).clone();
    access::authorise(unit, &described, Change::Restore, &[])?;
    let record = match unit.transaction().get(&described, id, Lock::Update).await? {
        Some(record) if record.deleted_at.is_some() => record,
        Some(_) => {
            return Err(AppError::bad_input(format!(
                "the {} {id} is not in the trash",
                described.singular
            )));
        }
        None => return Err(absent(&described, id)),
    };
    restore(unit, Member { object, record }, &HashSet::new()).await
}

/// Removes a record for good, from the trash or directly, and with it what depends on it by
/// CASCADE. Its history stays.
///
/// # Errors
/// `NOT_FOUND`, `REFERENCED` naming who points at it, what hooks say.
pub async fn record_destroy(unit: &Unit, object: ObjectIndex, id: Uuid) -> Result<(), AppError> {
    let described = unit.catalogue().object(object).clone();
    access::authorise(unit, &described, Change::Destroy, &[])?;
    let record = unit
        .transaction()
        .get(&described, id, Lock::Update)
        .await?
        .ok_or_else(|| absent(&described, id))?;
    destroy(unit, Member { object, record }, &HashSet::new()).await
}

/// The deletion of one record. `others` go in the same transaction: they hold nobody back.
pub(super) async fn delete(
    unit: &Unit,
    first: Member,
    others: &HashSet<Uuid>,
) -> Result<(), AppError> {
    let members = carried(unit, first, Deleted::Exclude).await?;
    let emptied = loosened(unit, &members, others).await?;
    let effects = hooks_for(unit, Change::Delete, &members).await?;
    empty(unit, emptied).await?;
    for member in &members {
        let record = Record {
            deleted_at: Some(unit.now()),
            ..next(unit, &member.record)
        };
        put(unit, member, &record, Change::Delete).await?;
    }
    hooks::run_effects(unit, effects).await
}

/// The restoration of one record. `others` come back in the same transaction: they may be pointed
/// at.
pub(super) async fn restore(
    unit: &Unit,
    first: Member,
    others: &HashSet<Uuid>,
) -> Result<(), AppError> {
    let members = carried(unit, first, Deleted::Only).await?;
    let mut restored = targets_there(unit, &members, others).await?;
    let effects = hooks_for(unit, Change::Restore, &members).await?;
    for (member, values) in members.iter().zip(&mut restored) {
        unique_again(unit, member).await?;
        let record = Record {
            deleted_at: None,
            values: std::mem::take(values),
            ..next(unit, &member.record)
        };
        put(unit, member, &record, Change::Restore).await?;
    }
    hooks::run_effects(unit, effects).await
}

/// The end of one record. `others` go in the same transaction: they hold nobody back.
pub(super) async fn destroy(
    unit: &Unit,
    first: Member,
    others: &HashSet<Uuid>,
) -> Result<(), AppError> {
    let members = carried(unit, first, Deleted::Include).await?;
    let emptied = loosened(unit, &members, others).await?;
    let effects = hooks_for(unit, Change::Destroy, &members).await?;
    empty(unit, emptied).await?;
    // Those that point go before those that they point at.
    for member in members.iter().rev() {
        let object = unit.catalogue().object(member.object).clone();
        unit.transaction()
            .destroy(&object, member.record.id)
            .instrument(tracing::debug_span!("write", object = %object.key))
            .await?;
        let gone = changes::Entry {
            id: member.record.id,
            version: member.record.version + 1,
            fields: Vec::new(),
        };
        changes::append(unit, &object, Change::Destroy, vec![gone]).await?;
    }
    hooks::run_effects(unit, effects).await
}

/// The record and everything that goes with it by CASCADE, each before what depends on it.
/// `which` of the dependants: those outside the trash (delete), those that went into the trash at
/// the same instant (restore), all (destroy).
async fn carried(unit: &Unit, first: Member, which: Deleted) -> Result<Vec<Member>, AppError> {
    let catalogue = unit.catalogue().clone();
    let together = first.record.deleted_at;
    let mut seen: HashSet<Uuid> = HashSet::from([first.record.id]);
    let mut members = vec![first];
    let mut next = 0;
    while next < members.len() {
        let target = catalogue.object(members[next].object).key.clone();
        let id = members[next].record.id;
        for (object, field, relation) in catalogue.referrers_of(&target) {
            if relation.on_delete != OnDelete::Cascade {
                continue;
            }
            let found = unit
                .transaction()
                .referrers(
                    catalogue.object(object),
                    field,
                    id,
                    which,
                    Lock::Update,
                    CASCADE_MAX as u64 + 1,
                )
                .await?;
            for record in found {
                let belongs = which != Deleted::Only || record.deleted_at == together;
                if belongs && seen.insert(record.id) {
                    members.push(Member { object, record });
                }
            }
            if members.len() > CASCADE_MAX {
                return Err(AppError::LimitExceeded(format!(
                    "more than {CASCADE_MAX} records depend on this one; take some of them away first"
                )));
            }
        }
        next += 1;
    }
    Ok(members)
}

/// A record outside the set whose relation to one of the set becomes empty.
struct Emptied {
    object: ObjectIndex,
    field: FieldIndex,
    id: Uuid,
}

/// What the deletion of the set empties; or who forbids it.
async fn loosened(
    unit: &Unit,
    members: &[Member],
    others: &HashSet<Uuid>,
) -> Result<Vec<Emptied>, AppError> {
    let catalogue = unit.catalogue().clone();
    let mut going: HashSet<Uuid> = members.iter().map(|member| member.record.id).collect();
    going.extend(others);
    let mut emptied = Vec::new();
    let mut issues = Issues::default();
    for member in members {
        let target = catalogue.object(member.object).clone();
        for (object, field, relation) in catalogue.referrers_of(&target.key) {
            if relation.on_delete == OnDelete::Cascade {
                continue;
            }
            let referring = catalogue.object(object);
            // Emptying a required relation would leave a record that breaks its own rules.
            let forbids = relation.on_delete == OnDelete::Restrict || is_demanded(referring, field);
            let limit = if forbids {
                REFERRERS_NAMED_MAX + going.len()
            } else {
                CASCADE_MAX + 1
            };
            let referrers: Vec<Record> = unit
                .transaction()
                .referrers(
                    referring,
                    field,
                    member.record.id,
                    Deleted::Exclude,
                    Lock::Update,
                    limit as u64,
                )
                .await?
                .into_iter()
                .filter(|record| !going.contains(&record.id))
                .collect();
            if referrers.is_empty() {
                continue;
            }
            if forbids {
                issues.push(referenced(referring, field, &target, &referrers));
            } else {
                emptied.extend(referrers.into_iter().map(|record| Emptied {
                    object,
                    field,
                    id: record.id,
                }));
            }
            if emptied.len() > CASCADE_MAX {
                return Err(AppError::LimitExceeded(format!(
                    "more than {CASCADE_MAX} records point at what would be deleted; take some of them away first"
                )));
            }
        }
    }
    if issues.is_empty() {
        return Ok(emptied);
    }
    Err(AppError::Referenced {
        message: match issues.0.as_slice() {
            [only] => only.message.clone(),
            several => format!("{} relations forbid the deletion", several.len()),
        },
        issues,
    })
}

fn referenced(
    referring: &Object,
    field: FieldIndex,
    target: &Object,
    referrers: &[Record],
) -> Issue {
    let named = referrers.len().min(REFERRERS_NAMED_MAX);
    let count = match referrers.len() > named {
        true => format!("more than {named}"),
        false => named.to_string(),
    };
    let plural = if referrers.len() == 1 {
        &referring.singular
    } else {
        &referring.plural
    };
    let field = referring.field(field);
    Issue::new(
        "REFERENCED",
        format!(
            "{count} {plural} point at this {} by {}: change or delete them first",
            target.singular, field.name
        ),
    )
    .with("object", referring.singular.as_str())
    .with("field", field.name.as_str())
    .with(
        "ids",
        referrers
            .iter()
            .take(named)
            .map(|record| record.id.to_string())
            .collect::<Vec<_>>(),
    )
}

/// Empties relations, each as an update of its record with version and history. Hooks of those
/// records are called: for them it is an update like any other.
async fn empty(unit: &Unit, emptied: Vec<Emptied>) -> Result<(), AppError> {
    for Emptied { object, field, id } in emptied {
        let described = unit.catalogue().object(object).clone();
        // Read anew: two relations of one record may both become empty.
        let Some(record) = unit.transaction().get(&described, id, Lock::Update).await? else {
            continue;
        };
        let mut draft = Draft::of(record);
        draft.values[field.0] = Value::Null;
        super::write_boxed(unit, object, vec![draft]).await?;
    }
    Ok(())
}

/// Values with which each member comes back: what they must point at has to be there, what they
/// may point at and is not there becomes empty.
async fn targets_there(
    unit: &Unit,
    members: &[Member],
    others: &HashSet<Uuid>,
) -> Result<Vec<Vec<Value>>, AppError> {
    let catalogue = unit.catalogue().clone();
    let mut coming: HashSet<Uuid> = members.iter().map(|member| member.record.id).collect();
    coming.extend(others);
    let mut issues = Issues::default();
    let mut restored = Vec::with_capacity(members.len());
    for member in members {
        let object = catalogue.object(member.object);
        let mut values = member.record.values.clone();
        for (position, field) in object.fields.iter().enumerate() {
            let (Kind::Relation(relation), Value::Reference(id)) = (&field.kind, &values[position])
            else {
                continue;
            };
            if coming.contains(id) {
                continue;
            }
            let Some((target, described)) = catalogue.object_keyed(&relation.target) else {
                continue;
            };
            let there = super::references::existing(unit, target, &[*id]).await?;
            if there.contains(id) {
                continue;
            }
            if relation.on_delete == OnDelete::SetNull && !is_demanded(object, FieldIndex(position))
            {
                values[position] = Value::Null;
            } else {
                issues.push(
                    Issue::new(
                        "REFERENCED",
                        format!(
                            "the {} {id} that its {} points at is not there: restore it first",
                            described.singular, field.name
                        ),
                    )
                    .with("id", id.to_string())
                    .at(field.name.as_str()),
                );
            }
        }
        restored.push(values);
    }
    if issues.is_empty() {
        return Ok(restored);
    }
    Err(AppError::Referenced {
        message: "the record points at records that are not there".to_owned(),
        issues,
    })
}

/// A record in the trash is outside unique keys; coming back it must fit again.
async fn unique_again(unit: &Unit, member: &Member) -> Result<(), AppError> {
    let object = unit.catalogue().object(member.object).clone();
    // As a new record: every key counts, not only a changed one.
    let mut draft = Draft::new(&object, member.record.id, member.record.owner);
    draft.values = member.record.values.clone();
    let mut drafts = [draft];
    uniques::check(
        unit,
        member.object,
        &object,
        &mut drafts,
        uniques::Taking::ByAll,
    )
    .await?;
    super::verdict(&mut drafts, None)
}

async fn hooks_for(
    unit: &Unit,
    change: Change,
    members: &[Member],
) -> Result<Vec<hooks::Effects>, AppError> {
    let mut effects = Vec::new();
    for member in members {
        let mut draft = Draft::of(member.record.clone());
        effects.extend(hooks::before(unit, member.object, change, &mut draft).await?);
    }
    Ok(effects)
}

/// The record's next version.
fn next(unit: &Unit, record: &Record) -> Record {
    Record {
        version: record.version + 1,
        updated_at: unit.now(),
        updated_by: unit.actor_text(),
        ..record.clone()
    }
}

/// Writes the record, with history (of fields that restoring has emptied, if any) and outbox.
async fn put(
    unit: &Unit,
    member: &Member,
    record: &Record,
    change: Change,
) -> Result<(), AppError> {
    let object = unit.catalogue().object(member.object).clone();
    let before = &member.record;
    let changed: Vec<FieldIndex> = (0..object.fields.len())
        .map(FieldIndex)
        .filter(|field| before.value(*field) != record.value(*field))
        .collect();
    unit.transaction()
        .update(&object, record, &changed)
        .instrument(tracing::debug_span!("write", object = %object.key))
        .await
        .map_err(|error| explained(unit, &object, error))?;
    let fields = changed
        .into_iter()
        .map(|index| FieldChange {
            field: object.field(index).key.clone(),
            old: changes::history_json(object.field(index), before.value(index)),
            new: changes::history_json(object.field(index), record.value(index)),
        })
        .collect();
    let entry = changes::Entry {
        id: record.id,
        version: record.version,
        fields,
    };
    changes::append(unit, &object, change, vec![entry]).await
}
