//! What takes records away and brings them back: into the trash, out of it, and for good.
//!
//! A deletion first finds everything that it would carry along (CASCADE), then everything that
//! forbids it (RESTRICT), then what it empties (SET_NULL), and writes only when nothing forbids
//! it. What goes into the trash together has one instant of deletion, by which it is restored
//! together.
//!
//! A set of records goes as one: its members do not hold each other back. Hooks look at each before
//! anything is written.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use relata_catalog::{
    Catalogue, FieldIndex, Issue, Issues, Key, Kind, Object, ObjectIndex, OnDelete, Value,
};
use relata_store::{
    Lock, Record,
    filter::Deleted,
    log::{Change, FieldChange},
};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    Draft, absent,
    bulk::together,
    can_go_together, changes, is_demanded, live,
    many::Failed,
    references,
    rollups::{self, Move},
    rows::{self, Next},
    rules, uniques,
};
use crate::{AppError, access, hooks, transact::Unit};

/// Most records that one deletion or restoration carries along, beside those that it names.
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
    told(delete(unit, vec![Member { object, record }], &[]).await?)
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
    told(restore(unit, vec![Member { object, record }]).await?)
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
    told(destroy(unit, vec![Member { object, record }]).await?)
}

/// One error for a record that was named by itself.
fn told(failed: Vec<Failed>) -> Result<(), AppError> {
    if failed.is_empty() {
        return Ok(());
    }
    Err(together(
        failed.into_iter().map(|failed| failed.error).collect(),
    ))
}

/// The deletion of a set, or why nothing of it is deleted. Those that are `about_to_change` point
/// elsewhere before the transaction ends, so what they point at now is as if they did not.
pub(super) async fn delete(
    unit: &Unit,
    set: Vec<Member>,
    about_to_change: &[Uuid],
) -> Result<Vec<Failed>, AppError> {
    let named = set.len();
    let members = carried(unit, set, Deleted::Exclude, about_to_change).await?;
    let (emptied, mut failed) = loosened(unit, &members, named, about_to_change).await?;
    failed.extend(locked(unit, &members, named).await?);
    let effects = hooks_for(unit, Change::Delete, &members, named, &mut failed).await?;
    if !failed.is_empty() {
        return Ok(failed);
    }
    empty(unit, emptied).await?;
    let next = members
        .iter()
        .map(|member| Record {
            deleted_at: Some(unit.now()),
            ..next(unit, &member.record)
        })
        .collect();
    put(unit, Change::Delete, &members, next).await?;
    hooks::run_effects(unit, effects).await?;
    Ok(failed)
}

/// The restoration of a set, or why nothing of it is restored.
pub(super) async fn restore(unit: &Unit, set: Vec<Member>) -> Result<Vec<Failed>, AppError> {
    let named = set.len();
    let members = carried(unit, set, Deleted::Only, &[]).await?;
    let (restored, mut failed) = targets_there(unit, &members, named).await?;
    let effects = hooks_for(unit, Change::Restore, &members, named, &mut failed).await?;
    failed.extend(not_unique(unit, &members, named).await?);
    if !failed.is_empty() {
        return Ok(failed);
    }
    let next = members
        .iter()
        .zip(restored)
        .map(|(member, values)| Record {
            deleted_at: None,
            values,
            ..next(unit, &member.record)
        })
        .collect();
    put(unit, Change::Restore, &members, next).await?;
    let ids: Vec<Uuid> = members.iter().map(|member| member.record.id).collect();
    unit.transaction().forget_losers(&ids).await?;
    hooks::run_effects(unit, effects).await?;
    Ok(failed)
}

/// The end of a set, or why nothing of it ends.
pub(super) async fn destroy(unit: &Unit, set: Vec<Member>) -> Result<Vec<Failed>, AppError> {
    let named = set.len();
    let members = carried(unit, set, Deleted::Include, &[]).await?;
    let (emptied, mut failed) = loosened(unit, &members, named, &[]).await?;
    failed.extend(locked(unit, &members, named).await?);
    let effects = hooks_for(unit, Change::Destroy, &members, named, &mut failed).await?;
    if !failed.is_empty() {
        return Ok(failed);
    }
    empty(unit, emptied).await?;
    // Those that point go before those that they point at.
    for run in members
        .chunk_by(|one, next| one.object == next.object)
        .rev()
    {
        let object = unit.catalogue().object(run[0].object);
        let ids: Vec<Uuid> = run.iter().map(|member| member.record.id).collect();
        unit.transaction()
            .destroy(object, &ids)
            .instrument(tracing::debug_span!("write", object = %object.key, rows = ids.len()))
            .await?;
        let gone = run
            .iter()
            .map(|member| changes::Entry {
                id: member.record.id,
                version: member.record.version + 1,
                fields: Vec::new(),
            })
            .collect();
        let log = changes::of_entries(unit, object, Change::Destroy, gone);
        unit.transaction().append(&log).await?;
        let there = run
            .iter()
            .filter(|member| member.record.deleted_at.is_none());
        let moves = there.map(|member| Move {
            before: Some(&member.record),
            after: None,
        });
        rollups::follow(unit, run[0].object, &moves.collect::<Vec<_>>()).await?;
        unit.transaction().bridge_losers(&ids).await?;
    }
    hooks::run_effects(unit, effects).await?;
    Ok(failed)
}

/// Why the member at this position can't be.
fn failed(members: &[Member], named: usize, position: usize, error: AppError) -> Failed {
    Failed {
        index: (position < named).then_some(position),
        id: members[position].record.id,
        error,
    }
}

/// Members that a rule keeps from being taken away.
async fn locked(unit: &Unit, members: &[Member], named: usize) -> Result<Vec<Failed>, AppError> {
    let mut refused = Vec::new();
    for (position, member) in members.iter().enumerate() {
        let object = unit.catalogue().object(member.object);
        if let Some(issue) = rules::locked(unit, object, &member.record).await? {
            let error = AppError::ValidationFailed(issue.into());
            refused.push(failed(members, named, position, error));
        }
    }
    Ok(refused)
}

/// Ids of records by their object, in order.
fn by_object(members: &[Member]) -> IndexMap<ObjectIndex, Vec<Uuid>> {
    let mut by_object: IndexMap<ObjectIndex, Vec<Uuid>> = IndexMap::new();
    for member in members {
        let ids = by_object.entry(member.object).or_default();
        ids.push(member.record.id);
    }
    by_object
}

/// The records and everything that goes with them by CASCADE, each before what depends on it.
/// `which` of the dependants: those outside the trash (delete), those that went into the trash at
/// the same instant (restore), all (destroy). Those of `besides` never go.
async fn carried(
    unit: &Unit,
    mut members: Vec<Member>,
    which: Deleted,
    besides: &[Uuid],
) -> Result<Vec<Member>, AppError> {
    let catalogue = unit.catalogue().clone();
    let named = members.len();
    let too_many = || {
        AppError::LimitExceeded(format!(
            "more than {CASCADE_MAX} records depend on what is named; take some of them away first"
        ))
    };
    let mut instants: HashMap<Uuid, Option<i64>> = members
        .iter()
        .map(|member| (member.record.id, member.record.deleted_at))
        .collect();
    let mut looked_at = 0;
    while looked_at < members.len() {
        let level = by_object(&members[looked_at..]);
        looked_at = members.len();
        for (target, ids) in level {
            for (object, field, relation) in catalogue.referrers_of(&catalogue.object(target).key) {
                if relation.on_delete != OnDelete::Cascade {
                    continue;
                }
                let found = unit
                    .transaction()
                    .referrers(
                        catalogue.object(object),
                        field,
                        &ids,
                        which,
                        Lock::Update,
                        CASCADE_MAX + named + 1,
                    )
                    .await?;
                if found.len() > CASCADE_MAX + named {
                    return Err(too_many());
                }
                for record in found {
                    let together = match record.value(field) {
                        Value::Reference(target) => instants.get(target).copied().flatten(),
                        _ => None,
                    };
                    let belongs = which != Deleted::Only || record.deleted_at == together;
                    let is_new = !instants.contains_key(&record.id);
                    if belongs && is_new && !besides.contains(&record.id) {
                        instants.insert(record.id, record.deleted_at);
                        members.push(Member { object, record });
                    }
                }
                if members.len() > CASCADE_MAX + named {
                    return Err(too_many());
                }
            }
        }
    }
    Ok(members)
}

/// A record outside the set whose relation to one of the set becomes empty.
struct Emptied {
    object: ObjectIndex,
    field: FieldIndex,
    id: Uuid,
}

/// What the deletion of the set empties, and who forbids it; nobody of `besides` does.
async fn loosened(
    unit: &Unit,
    members: &[Member],
    named: usize,
    besides: &[Uuid],
) -> Result<(Vec<Emptied>, Vec<Failed>), AppError> {
    let catalogue = unit.catalogue().clone();
    let going: HashMap<Uuid, usize> = members
        .iter()
        .enumerate()
        .map(|(position, member)| (member.record.id, position))
        .collect();
    let mut emptied = Vec::new();
    let mut forbidden: IndexMap<usize, Issues> = IndexMap::new();
    for (target, ids) in by_object(members) {
        let target = catalogue.object(target);
        for (object, field, relation) in catalogue.referrers_of(&target.key) {
            if relation.on_delete == OnDelete::Cascade {
                continue;
            }
            let referring = catalogue.object(object);
            // Emptying a required relation would leave a record that breaks its own rules.
            let forbids = relation.on_delete == OnDelete::Restrict || is_demanded(referring, field);
            let limit = if forbids {
                (REFERRERS_NAMED_MAX * ids.len()).min(CASCADE_MAX) + going.len() + besides.len()
            } else {
                CASCADE_MAX + going.len() + besides.len() + 1
            };
            let mut referrers: IndexMap<usize, Vec<Record>> = IndexMap::new();
            for record in unit
                .transaction()
                .referrers(
                    referring,
                    field,
                    &ids,
                    Deleted::Exclude,
                    Lock::Update,
                    limit,
                )
                .await?
            {
                if let Value::Reference(target) = record.value(field)
                    && let Some(position) = going.get(target)
                    && !going.contains_key(&record.id)
                    && !besides.contains(&record.id)
                {
                    referrers.entry(*position).or_default().push(record);
                }
            }
            for (position, referrers) in referrers {
                if forbids {
                    let issue = referenced(referring, field, target, &referrers);
                    forbidden.entry(position).or_default().push(issue);
                } else {
                    emptied.extend(referrers.into_iter().map(|record| Emptied {
                        object,
                        field,
                        id: record.id,
                    }));
                }
            }
            if emptied.len() > CASCADE_MAX {
                return Err(AppError::LimitExceeded(format!(
                    "more than {CASCADE_MAX} records point at what would be deleted; take some of them away first"
                )));
            }
        }
    }
    let failed = forbidden
        .into_iter()
        .map(|(position, issues)| {
            let message = match issues.0.as_slice() {
                [only] => only.message.clone(),
                several => format!("{} relations forbid the deletion", several.len()),
            };
            let error = AppError::Referenced { message, issues };
            failed(members, named, position, error)
        })
        .collect();
    Ok((emptied, failed))
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
    // Two relations of one record may both become empty.
    let mut fields: IndexMap<ObjectIndex, IndexMap<Uuid, Vec<FieldIndex>>> = IndexMap::new();
    for Emptied { object, field, id } in emptied {
        let of_object = fields.entry(object).or_default();
        of_object.entry(id).or_default().push(field);
    }
    for (object, fields) in fields {
        let described = unit.catalogue().object(object);
        let ids: Vec<Uuid> = fields.keys().copied().collect();
        let at_once = match can_go_together(unit, object, Change::Update) {
            true => ids.len(),
            false => 1,
        };
        for ids in ids.chunks(at_once) {
            let records = unit
                .transaction()
                .get_many(described, ids, Lock::Update)
                .await?;
            let drafts = records
                .into_iter()
                .map(|record| {
                    let mut draft = Draft::of(record);
                    for field in &fields[&draft.id] {
                        draft.values[field.0] = Value::Null;
                    }
                    draft
                })
                .collect();
            let bulk = super::write_boxed(unit, object, drafts).await?;
            if let Some(row) = bulk.errors.into_iter().next() {
                return Err(row.error);
            }
        }
    }
    Ok(())
}

/// Values with which each member comes back: what was merged away is its survivor, what they must
/// point at has to be there, what they may point at and is not there becomes empty.
async fn targets_there(
    unit: &Unit,
    members: &[Member],
    named: usize,
) -> Result<(Vec<Vec<Value>>, Vec<Failed>), AppError> {
    let catalogue = unit.catalogue().clone();
    let mut there: HashSet<Uuid> = members.iter().map(|member| member.record.id).collect();
    let mut pointed_at: IndexMap<&Key, Vec<Uuid>> = IndexMap::new();
    for (_, target, id) in members
        .iter()
        .flat_map(|member| targets(&catalogue, member))
    {
        if !there.contains(&id) {
            pointed_at.entry(target).or_default().push(id);
        }
    }
    let mut survivors: HashMap<Uuid, Uuid> = HashMap::new();
    for (target, ids) in pointed_at {
        if let Some((target, _)) = catalogue.object_keyed(target) {
            let mut followed = ids.clone();
            there.extend(references::follow_merged(unit, target, followed.iter_mut()).await?);
            survivors.extend(ids.into_iter().zip(followed));
        }
    }
    let mut restored = Vec::with_capacity(members.len());
    let mut all_failed = Vec::new();
    for (position, member) in members.iter().enumerate() {
        let object = catalogue.object(member.object);
        let mut values = member.record.values.clone();
        let mut issues = Issues::default();
        for (field, target, id) in targets(&catalogue, member) {
            if there.contains(&id) {
                continue;
            }
            let survivor = survivors
                .get(&id)
                .filter(|survivor| there.contains(*survivor) && **survivor != member.record.id);
            if let Some(survivor) = survivor {
                values[field.0] = Value::Reference(*survivor);
                continue;
            }
            let Kind::Relation(relation) = &object.field(field).kind else {
                continue;
            };
            if relation.on_delete == OnDelete::SetNull && !is_demanded(object, field) {
                values[field.0] = Value::Null;
                continue;
            }
            let name = &object.field(field).name;
            let pointed_at = catalogue
                .object_keyed(target)
                .map_or("record", |(_, described)| described.singular.as_str());
            let issue = Issue::new(
                "REFERENCED",
                format!(
                    "the {pointed_at} {id} that its {name} points at is not there: restore it first"
                ),
            );
            issues.push(issue.with("id", id.to_string()).at(name.as_str()));
        }
        if !issues.is_empty() {
            let message = "the record points at records that are not there".to_owned();
            let error = AppError::Referenced { message, issues };
            all_failed.push(failed(members, named, position, error));
        }
        restored.push(values);
    }
    Ok((restored, all_failed))
}

/// What a record points at: by which field, of which object, which record.
fn targets<'c>(
    catalogue: &'c Catalogue,
    member: &Member,
) -> impl Iterator<Item = (FieldIndex, &'c Key, Uuid)> {
    let fields = catalogue.object(member.object).fields.iter();
    fields
        .zip(&member.record.values)
        .enumerate()
        .filter_map(|(position, (field, value))| match (&field.kind, value) {
            (Kind::Relation(relation), Value::Reference(id)) => {
                Some((FieldIndex(position), &relation.target, *id))
            }
            _ => None,
        })
}

/// A record in the trash is outside unique keys; coming back it must fit again.
async fn not_unique(
    unit: &Unit,
    members: &[Member],
    named: usize,
) -> Result<Vec<Failed>, AppError> {
    let mut positions: IndexMap<ObjectIndex, Vec<usize>> = IndexMap::new();
    for (position, member) in members.iter().enumerate() {
        positions.entry(member.object).or_default().push(position);
    }
    let mut all_failed = Vec::new();
    for (index, positions) in positions {
        let object = unit.catalogue().object(index);
        let mut drafts: Vec<Draft> = positions
            .iter()
            .map(|position| {
                let record = &members[*position].record;
                // As a new record: every key counts, not only a changed one.
                let mut draft = Draft::new(object, record.id, record.owner);
                draft.values = record.values.clone();
                draft
            })
            .collect();
        uniques::check(unit, index, object, &mut drafts, uniques::Taking::ByAll).await?;
        for (position, mut draft) in positions.into_iter().zip(drafts) {
            if let Err(error) = draft.verdict() {
                all_failed.push(failed(members, named, position, error));
            }
        }
    }
    Ok(all_failed)
}

/// Asks hooks about each member; a refusal is kept, so that the others are asked as well.
async fn hooks_for(
    unit: &Unit,
    change: Change,
    members: &[Member],
    named: usize,
    all_failed: &mut Vec<Failed>,
) -> Result<Vec<hooks::Effects>, AppError> {
    let mut effects = Vec::new();
    for (position, member) in members.iter().enumerate() {
        let mut draft = Draft::of(member.record.clone());
        match hooks::before(unit, member.object, change, &mut draft).await {
            Ok(wanted) => effects.extend(wanted),
            Err(error) if error.is_about_data() => {
                all_failed.push(failed(members, named, position, error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(effects)
}

/// The record's next version.
pub(super) fn next(unit: &Unit, record: &Record) -> Record {
    Record {
        version: record.version + 1,
        updated_at: unit.now(),
        updated_by: unit.actor_text(),
        ..record.clone()
    }
}

/// Writes the next version of each member, with history (of fields that restoring has emptied, if
/// any) and outbox.
pub(super) async fn put(
    unit: &Unit,
    change: Change,
    members: &[Member],
    next: Vec<Record>,
) -> Result<(), AppError> {
    put_noting(unit, change, members, next, &[]).await
}

/// As [`put`], with more in the history than follows from the records.
pub(super) async fn put_noting(
    unit: &Unit,
    change: Change,
    members: &[Member],
    next: Vec<Record>,
    noted: &[FieldChange],
) -> Result<(), AppError> {
    let mut next = next.into_iter();
    for run in members.chunk_by(|one, next| one.object == next.object) {
        let object = unit.catalogue().object(run[0].object);
        let mut versions = Vec::with_capacity(run.len());
        let mut entries = Vec::with_capacity(run.len());
        for (Member { record: before, .. }, record) in run.iter().zip(next.by_ref()) {
            let changed: Vec<FieldIndex> = (0..object.fields.len())
                .map(FieldIndex)
                .filter(|field| before.value(*field) != record.value(*field))
                .collect();
            entries.push(changes::Entry {
                id: record.id,
                version: record.version,
                fields: changed
                    .iter()
                    .map(|index| FieldChange {
                        field: object.field(*index).key.clone(),
                        old: changes::history_json(object.field(*index), before.value(*index)),
                        new: changes::history_json(object.field(*index), record.value(*index)),
                    })
                    .chain(noted.iter().cloned())
                    .collect(),
            });
            versions.push(Next { record, changed });
        }
        let log = changes::of_entries(unit, object, change, entries);
        rows::update(unit, object, &versions, &log)
            .instrument(tracing::debug_span!("write", object = %object.key, rows = run.len()))
            .await?;
        // In the trash a record counts nowhere.
        let moves = run.iter().zip(&versions).map(|(member, next)| Move {
            before: Some(&member.record).filter(|record| record.deleted_at.is_none()),
            after: Some(&next.record).filter(|record| record.deleted_at.is_none()),
        });
        rollups::follow(unit, run[0].object, &moves.collect::<Vec<_>>()).await?;
    }
    Ok(())
}
