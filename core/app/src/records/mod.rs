//! Records: what happens to them, as one list of steps ([`write`] for what has data,
//! [`trash`] for what takes away and brings back).
//!
//! Invariant: nobody writes a record past these steps, the platform's own code and plugins
//! included. Indices of objects and fields are those of [`Unit::state`].

mod bulk;
mod changes;
mod draft;
mod files;
mod input;
mod keyed;
mod many;
mod merge;
mod nested;
mod one_of;
mod references;
mod rollups;
mod rows;
mod rules;
mod stages;
mod trash;
mod trees;
mod uniques;
mod upsert;
mod validate;

use futures_util::future::BoxFuture;
use relata_catalog::{FieldIndex, Issue, Issues, Kind, Object, ObjectIndex};
use relata_store::{Lock, Record, log::Change};
use serde_json::{Map, Value as Json};
use tracing::Instrument as _;
use uuid::Uuid;

pub(crate) use bulk::issues_of;
pub use bulk::{Bulk, BulkMode, RowError, record_create_bulk};
pub(crate) use changes::value_from_history;
pub(crate) use draft::Draft;
pub(crate) use input::overlay;
pub use keyed::{FoundBy, Keyed, KeyedRow, RowDone, RowsDone, record_write_keyed};
pub use many::{
    Matching, record_delete_where, record_destroy_where, record_restore_where, record_update_where,
};
pub use merge::{
    MERGE_IDS_MAX, MERGE_MOVES_MAX, MergeConflict, MergePreview, MergeRequest, MergedField,
    MovedRelation, UnmergeLeft, Unmerged, record_merge, record_merge_preview, record_unmerge,
};
pub use nested::{NestedLimits, nested_within};
use rollups::Move;
pub use trash::{CASCADE_MAX, record_delete, record_destroy, record_restore};
use uniques::Taking;
pub(crate) use uniques::{compared, compares, matching};
pub use upsert::record_upsert_bulk;

use crate::{AppError, access, hooks, transact::Unit};

/// A record that was created or changed.
#[derive(Debug)]
pub struct Written {
    /// Its id.
    pub id: Uuid,
    /// The record as it stands now, where that is known without reading it: nothing has been
    /// written beside it.
    pub record: Option<Record>,
}

/// Creates a record from the client's data (field name → value).
///
/// # Errors
/// All that is wrong with the data at once, with paths into it.
pub async fn record_create(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Result<Written, AppError> {
    if nested::is_nested(unit, object, data) {
        let id = nested::create(unit, object, data).await?;
        return Ok(Written { id, record: None });
    }
    let described = unit.catalogue().object(object).clone();
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Create, &fields)?;
    let mut drafts = input::created(unit, object, &[data]).await?;
    match drafts.pop() {
        Some(draft) => write_one(unit, object, draft).await,
        None => Err(AppError::broken("a draft was not made")),
    }
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
) -> Result<Written, AppError> {
    if nested::is_nested(unit, object, data) {
        nested::update(unit, object, id, data, if_version).await?;
        return Ok(Written { id, record: None });
    }
    let described = unit.catalogue().object(object).clone();
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Update, &fields)?;
    let record = live(unit, &described, id).await?;
    expect_version(&described, &record, if_version)?;
    let mut draft = Draft::of(record);
    input::overlay(unit, object, &mut draft, data).await?;
    if draft.is_unchanged() && draft.problems.is_empty() {
        return Ok(Written {
            id,
            record: draft.before,
        });
    }
    write_one(unit, object, draft).await
}

/// Whether drafts of the object can be written at once. A hook may read what an earlier one has
/// written (a balance), so where hooks watch each is written before the next is made.
fn can_go_together(unit: &Unit, object: ObjectIndex, change: Change) -> bool {
    !hooks::watch(unit, object, change)
}

/// Whether a row of data is about one record, whatever the rows before it have written: no others
/// hang on it, and it doesn't name one of its own kind by a key that an earlier row may have made.
fn stands_alone(unit: &Unit, object: ObjectIndex, data: &Map<String, Json>) -> bool {
    let described = unit.catalogue().object(object);
    let names_its_kind = data.iter().any(|(name, json)| {
        let Some((_, field)) = described.field_named(name) else {
            return false;
        };
        let by_key = json.get("connect").is_some_and(|by| by.get("id").is_none());
        by_key
            && matches!(&field.kind, Kind::Relation(relation) if relation.target == described.key)
    });
    !names_its_kind && !nested::is_nested(unit, object, data)
}

/// The write, after authorisation and coercion: hooks → validation → gates → row → history →
/// outbox → further writes of hooks. Only drafts that [`can_go_together`] come together.
async fn write(
    unit: &Unit,
    index: ObjectIndex,
    drafts: Vec<Draft>,
    mode: BulkMode,
) -> Result<Bulk, AppError> {
    Ok(write_known(unit, index, drafts, mode).await?.0)
}

/// [`write`], and the records as they stand now: none where hooks have written as well.
async fn write_known(
    unit: &Unit,
    index: ObjectIndex,
    mut drafts: Vec<Draft>,
    mode: BulkMode,
) -> Result<(Bulk, Vec<Record>), AppError> {
    let mut effects = Vec::new();
    let object = unit.catalogue().object(index);
    for draft in &mut drafts {
        one_of::settle(object, draft);
        // A plugin sees typed values only, so what could not be read ends here.
        if draft.problems.is_empty() {
            effects.extend(hooks::before(unit, index, draft.change(), draft).await?);
        }
    }
    let taking = match mode {
        BulkMode::AllOrNone => Taking::ByAll,
        BulkMode::Partial => Taking::ByGood,
    };
    let Judged { good, errors } = judged(unit, index, drafts, taking).await?;
    let mut bulk = Bulk {
        ids: Vec::new(),
        errors,
    };
    let mut records = Vec::new();
    if mode == BulkMode::Partial || bulk.errors.is_empty() {
        bulk.ids = good.iter().map(|draft| draft.id).collect();
        records = carry_out(unit, index, good).await?;
        if !effects.is_empty() {
            records.clear();
            hooks::run_effects(unit, effects).await?;
        }
        // One may be a figure of itself.
        if object
            .rolled_up_by
            .iter()
            .any(|(own, _)| *own == object.key)
        {
            records.clear();
        }
    }
    Ok((bulk, records))
}

/// [`write`] of one draft.
async fn write_one(unit: &Unit, index: ObjectIndex, draft: Draft) -> Result<Written, AppError> {
    let id = draft.id;
    let (bulk, mut records) = write_known(unit, index, vec![draft], BulkMode::AllOrNone).await?;
    match bulk.errors.into_iter().next() {
        Some(row) => Err(row.error),
        None => Ok(Written {
            id,
            record: records.pop(),
        }),
    }
}

/// Drafts that nothing is wrong with, in their order, and what is wrong with the others.
struct Judged {
    good: Vec<Draft>,
    errors: Vec<RowError>,
}

/// All that is wrong with each draft, when hooks are through.
async fn judged(
    unit: &Unit,
    index: ObjectIndex,
    mut drafts: Vec<Draft>,
    taking: Taking,
) -> Result<Judged, AppError> {
    let object = unit.catalogue().object(index);
    // Hooks may have put others there.
    files::resolve(unit, object, &mut drafts).await?;
    for draft in &mut drafts {
        one_of::settle(object, draft);
        one_of::check(object, draft);
        validate::required(object, draft);
        validate::users(unit, object, draft);
        validate::options(object, draft);
        stages::gates(unit, object, draft);
    }
    rules::check(unit, object, &mut drafts).await?;
    trees::check(unit, object, &mut drafts).await?;
    uniques::check(unit, index, object, &mut drafts, taking)
        .instrument(tracing::debug_span!("validate"))
        .await?;
    let mut judged = Judged {
        good: Vec::with_capacity(drafts.len()),
        errors: Vec::new(),
    };
    for (index, mut draft) in drafts.into_iter().enumerate() {
        match draft.verdict() {
            Ok(()) => judged.good.push(draft),
            Err(error) => judged.errors.push(RowError { index, error }),
        }
    }
    Ok(judged)
}

/// Writes drafts that have been judged (rows → history → outbox), and gives them as records: new
/// ones first.
async fn carry_out(
    unit: &Unit,
    index: ObjectIndex,
    drafts: Vec<Draft>,
) -> Result<Vec<Record>, AppError> {
    let object = unit.catalogue().object(index);
    let mut records = Vec::with_capacity(drafts.len());
    let (new, stored): (Vec<Draft>, Vec<Draft>) =
        drafts.into_iter().partition(|draft| draft.before.is_none());
    for (change, mut drafts) in [(Change::Create, new), (Change::Update, stored)] {
        if drafts.is_empty() {
            continue;
        }
        let span = tracing::debug_span!("write", object = %object.key, rows = drafts.len());
        let stored = rows::store(unit, object, change, &mut drafts)
            .instrument(span)
            .await?;
        let moves = drafts.iter().zip(&stored).map(|(draft, record)| Move {
            before: draft.before.as_ref(),
            after: Some(record),
        });
        rollups::follow(unit, index, &moves.collect::<Vec<_>>()).await?;
        records.extend(stored);
    }
    Ok(records)
}

/// [`write`] for what comes out of another write (a relation that a deletion empties).
fn write_boxed(
    unit: &Unit,
    object: ObjectIndex,
    drafts: Vec<Draft>,
) -> BoxFuture<'_, Result<Bulk, AppError>> {
    Box::pin(write(unit, object, drafts, BulkMode::AllOrNone))
}

/// Runs a part of a mutation. When it fails by its data, the part alone is undone, and the inner
/// error tells why.
pub(crate) async fn attempt<T>(
    unit: &Unit,
    part: impl Future<Output = Result<T, AppError>>,
) -> Result<Result<T, AppError>, AppError> {
    let transaction = unit.transaction();
    let savepoint = transaction.savepoint().await?;
    match part.await {
        Ok(done) => {
            transaction.release(savepoint).await?;
            Ok(Ok(done))
        }
        Err(error) if error.is_about_data() => {
            transaction.rollback_to(savepoint).await?;
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

/// The record outside the trash, locked for this transaction.
async fn live(unit: &Unit, object: &Object, id: Uuid) -> Result<Record, AppError> {
    match unit.transaction().get(object, id, Lock::Update).await? {
        Some(record) if record.deleted_at.is_none() => Ok(record),
        Some(_) => Err(in_trash(object, id)),
        None => Err(absent(object, id)),
    }
}

fn in_trash(object: &Object, id: Uuid) -> AppError {
    AppError::NotFound(format!(
        "the {} {id} is in the trash; restore it first",
        object.singular
    ))
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
