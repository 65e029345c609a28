//! Records: what happens to them, as one list of steps ([`write`] for what has data,
//! [`trash`] for what takes away and brings back).
//!
//! Invariant: nobody writes a record past these steps, the platform's own code and plugins
//! included. Indices of objects and fields are those of [`Unit::state`].

mod bulk;
mod changes;
mod draft;
mod input;
mod many;
mod nested;
mod references;
mod stages;
mod trash;
mod uniques;
mod upsert;
mod validate;

use futures_util::future::BoxFuture;
use relata_catalog::{FieldIndex, Issue, Issues, Kind, Object, ObjectIndex, Value};
use relata_store::{Lock, Record, StoreError, log::Change, numbers};
use serde_json::{Map, Value as Json};
use tracing::Instrument as _;
use uuid::Uuid;

pub use bulk::{Bulk, BulkMode, RowError, record_create_bulk};
pub(crate) use changes::value_from_history;
pub(crate) use draft::Draft;
pub(crate) use input::overlay;
pub use many::{
    Matching, record_delete_where, record_destroy_where, record_restore_where, record_update_where,
};
pub use nested::{NESTED_DEPTH_MAX, NESTED_MAX};
pub use trash::{CASCADE_MAX, record_delete, record_destroy, record_restore};
use uniques::Taking;
pub(crate) use uniques::matching;
pub use upsert::record_upsert_bulk;

use crate::{AppError, access, hooks, transact::Unit};

/// Rows that one statement inserts; also how many drafts are checked together.
const BATCH_ROWS: usize = 500;

/// Creates a record from the client's data (field name → value) and gives its id.
///
/// # Errors
/// All that is wrong with the data at once, with paths into it.
pub async fn record_create(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Result<Uuid, AppError> {
    if nested::is_nested(unit, object, data) {
        return nested::create(unit, object, data).await;
    }
    let ids = create(unit, object, &[data], None).await?;
    ids.first()
        .copied()
        .ok_or_else(|| AppError::broken("a record was created without an id"))
}

/// Creates several records, all or none. Paths of issues begin with the position in `rows`.
///
/// # Errors
/// All that is wrong with the rows at once (as far as they were looked at: at most 1,000 issues).
pub async fn record_create_many(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[Map<String, Json>],
) -> Result<Vec<Uuid>, AppError> {
    // A hook may read what an earlier row has written (a balance), so rows go one by one then.
    let batch = if hooks::watch(unit, object, Change::Create) {
        1
    } else {
        BATCH_ROWS
    };
    let mut ids = Vec::with_capacity(rows.len());
    for (number, chunk) in rows.chunks(batch).enumerate() {
        let chunk: Vec<&Map<String, Json>> = chunk.iter().collect();
        ids.extend(create(unit, object, &chunk, Some(number * batch)).await?);
    }
    Ok(ids)
}

/// Changes a record. With `if_version`, only while the record is at that version. Data that
/// changes nothing writes nothing.
///
/// # Errors
/// `NOT_FOUND`, `VERSION_CONFLICT`, and all that is wrong with the data at once.
pub async fn record_update(
    unit: &Unit,
    object: ObjectIndex,
    id: Uuid,
    data: &Map<String, Json>,
    if_version: Option<i64>,
) -> Result<(), AppError> {
    if nested::is_nested(unit, object, data) {
        return nested::update(unit, object, id, data, if_version).await;
    }
    let described = unit.catalogue().object(object).clone();
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Update, &fields)?;
    let record = live(unit, &described, id).await?;
    expect_version(&described, &record, if_version)?;
    let mut draft = Draft::of(record);
    input::overlay(unit, object, &mut draft, data).await?;
    if draft.is_unchanged() && draft.problems.is_empty() {
        return Ok(());
    }
    write(unit, object, vec![draft], None).await?;
    Ok(())
}

async fn create(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[&Map<String, Json>],
    first_position: Option<usize>,
) -> Result<Vec<Uuid>, AppError> {
    let described = unit.catalogue().object(object).clone();
    for data in rows {
        let fields = input::named(&described, data);
        access::authorise(unit, &described, Change::Create, &fields)?;
    }
    let drafts = input::created(unit, object, rows).await?;
    write(unit, object, drafts, first_position).await
}

/// The write, after authorisation and coercion: hooks → validation → gates → row → history →
/// outbox → further writes of hooks. Drafts are either all new or one that is there.
async fn write(
    unit: &Unit,
    index: ObjectIndex,
    mut drafts: Vec<Draft>,
    first_position: Option<usize>,
) -> Result<Vec<Uuid>, AppError> {
    let object = unit.catalogue().object(index).clone();
    let change = match drafts.first() {
        Some(draft) if draft.before.is_some() => Change::Update,
        Some(_) => Change::Create,
        None => return Ok(Vec::new()),
    };
    let mut effects = Vec::new();
    let at_row = |offset: usize, error: AppError| match first_position {
        Some(first) => error.at(first + offset),
        None => error,
    };
    for (offset, draft) in drafts.iter_mut().enumerate() {
        // A plugin sees typed values only, so what could not be read ends here.
        if draft.problems.is_empty() {
            let wanted = hooks::before(unit, index, change, draft)
                .await
                .map_err(|error| at_row(offset, error))?;
            effects.extend(wanted);
        }
    }
    judge(unit, index, &object, &mut drafts, Taking::ByAll).await?;
    verdict(&mut drafts, first_position)?;
    let ids = carry_out(unit, &object, change, drafts).await?;
    // Where hooks watch, a batch is one row long: what they cause is that row's.
    hooks::run_effects(unit, effects)
        .await
        .map_err(|error| at_row(0, error))?;
    Ok(ids)
}

/// Notes in each draft all that is wrong with it, when hooks are through.
async fn judge(
    unit: &Unit,
    index: ObjectIndex,
    object: &Object,
    drafts: &mut [Draft],
    taking: Taking,
) -> Result<(), AppError> {
    for draft in drafts.iter_mut() {
        validate::required(object, draft);
        stages::gates(unit, object, draft);
    }
    uniques::check(unit, index, object, drafts, taking)
        .instrument(tracing::debug_span!("validate"))
        .await
}

/// Writes drafts that have been judged: rows → history → outbox.
async fn carry_out(
    unit: &Unit,
    object: &Object,
    change: Change,
    mut drafts: Vec<Draft>,
) -> Result<Vec<Uuid>, AppError> {
    let span = tracing::debug_span!("write", object = %object.key, rows = drafts.len());
    store(unit, object, change, &mut drafts)
        .instrument(span)
        .await?;
    changes::record(unit, object, change, &drafts).await?;
    Ok(drafts.iter().map(|draft| draft.id).collect())
}

/// [`write`] for what comes out of another write (a relation that a deletion empties).
fn write_boxed(
    unit: &Unit,
    object: ObjectIndex,
    drafts: Vec<Draft>,
) -> BoxFuture<'_, Result<Vec<Uuid>, AppError>> {
    Box::pin(write(unit, object, drafts, None))
}

/// One error for all that is wrong with all drafts.
fn verdict(drafts: &mut [Draft], first_position: Option<usize>) -> Result<(), AppError> {
    let problems = drafts
        .iter_mut()
        .enumerate()
        .flat_map(|(position, draft)| {
            let position = first_position.map(|first| first + position);
            std::mem::take(&mut draft.problems)
                .into_iter()
                .map(move |(concern, issue)| (position, concern, issue))
        })
        .collect();
    draft::verdict(problems)
}

/// Numbers, rows and passages.
async fn store(
    unit: &Unit,
    object: &Object,
    change: Change,
    drafts: &mut [Draft],
) -> Result<(), AppError> {
    let transaction = unit.transaction();
    if change == Change::Create {
        number(unit, object, drafts).await?;
        let records: Vec<Record> = drafts.iter().map(|draft| row(unit, draft)).collect();
        transaction
            .insert(object, &records)
            .await
            .map_err(|error| explained(unit, object, error))?;
    } else {
        for draft in drafts.iter() {
            transaction
                .update(object, &row(unit, draft), &draft.changed())
                .await
                .map_err(|error| explained(unit, object, error))?;
        }
    }
    let passages: Vec<_> = drafts
        .iter()
        .flat_map(|draft| stages::passages(unit, object, draft))
        .collect();
    if !passages.is_empty() {
        transaction.append_passages(&passages).await?;
    }
    Ok(())
}

/// Gives autonumbers to new records, in order.
async fn number(unit: &Unit, object: &Object, drafts: &mut [Draft]) -> Result<(), AppError> {
    for (position, field) in object.fields.iter().enumerate() {
        let Kind::Autonumber { start, gapless, .. } = &field.kind else {
            continue;
        };
        let count = u32::try_from(drafts.len())
            .map_err(|_| AppError::broken("more drafts than a batch holds"))?;
        let first = unit
            .transaction()
            .next_numbers(&numbers::series(object, field), *start, count, *gapless)
            .await?;
        for (offset, draft) in drafts.iter_mut().enumerate() {
            draft.values[position] = Value::Integer(first + offset as i64);
        }
    }
    Ok(())
}

/// The row that a draft becomes.
fn row(unit: &Unit, draft: &Draft) -> Record {
    let now = unit.now();
    let actor = unit.actor_text();
    match &draft.before {
        None => Record {
            id: draft.id,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            created_by: actor.clone(),
            updated_by: actor,
            owner: draft.owner,
            values: draft.values.clone(),
        },
        Some(before) => Record {
            version: before.version + 1,
            updated_at: now,
            updated_by: actor,
            owner: draft.owner,
            values: draft.values.clone(),
            ..before.clone()
        },
    }
}

/// A violated unique index names its fields; the rest is as the store tells it. Where others
/// write at the same time, it was one of them who came first: the next try sees their record
/// beforehand, and can name all that collides.
fn explained(unit: &Unit, object: &Object, error: StoreError) -> AppError {
    if let StoreError::Unique { index } = &error {
        if !unit.is_alone() {
            return AppError::Conflict;
        }
        if let Some(violation) = uniques::violated(object, index) {
            return violation;
        }
    }
    error.into()
}

/// The record outside the trash, locked for this transaction.
async fn live(unit: &Unit, object: &Object, id: Uuid) -> Result<Record, AppError> {
    match unit.transaction().get(object, id, Lock::Update).await? {
        Some(record) if record.deleted_at.is_none() => Ok(record),
        Some(_) => Err(AppError::NotFound(format!(
            "the {} {id} is in the trash; restore it first",
            object.singular
        ))),
        None => Err(absent(object, id)),
    }
}

fn absent(object: &Object, id: Uuid) -> AppError {
    AppError::NotFound(format!("there is no {} with the id {id}", object.singular))
}

fn expect_version(
    object: &Object,
    record: &Record,
    if_version: Option<i64>,
) -> Result<(), AppError> {
    match if_version {
        Some(expected) if expected != record.version => {
            let message = format!(
                "the {} is at version {}, not {expected}: somebody has changed it; read it again",
                object.singular, record.version
            );
            Err(AppError::VersionConflict {
                issues: Issues::from(
                    Issue::new("VERSION_CONFLICT", message.clone())
                        .with("version", record.version)
                        .with("expected", expected),
                ),
                message,
            })
        }
        _ => Ok(()),
    }
}

/// Whether a field may not be left empty on create or emptied later. The platform fills some.
pub(crate) fn is_demanded(object: &Object, field: FieldIndex) -> bool {
    let field = object.field(field);
    field.required && !matches!(field.kind, Kind::Autonumber { .. })
}
