//! Records that are written together with the record that they hang on: targets of its relations
//! before it, records that point at it after it. All in its transaction, each through all steps.
//!
//! What is wrong with any of them is told together, with the path to it. Where a record can't be
//! written, those that would point at it can't be either: they are looked at nevertheless, as far
//! as that goes without hooks (a hook may read the record around it).

mod form;
mod links;

use std::collections::{HashMap, HashSet};

use futures_util::future::BoxFuture;
use relata_catalog::{FieldIndex, Object, ObjectIndex, Value, Via};
use relata_store::{Lock, Record, log::Change};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    BulkMode, Draft, absent,
    bulk::{together, with_issue},
    can_go_together, expect_version, in_trash, input, judged, live, references,
    uniques::Taking,
    write, write_one,
};
use crate::{AppError, access, transact::Unit};

pub use form::{NestedLimits, nested_within};
pub(super) use form::{count, fits_many, is_nested, own};

use form::{List, Parts, taken_apart};

/// The relation of a record inside the data, by which it points at the one around it.
type Around = (FieldIndex, Uuid);

/// Whether there is anything to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    /// The record around can't be written: what else is wrong is looked for.
    Look,
}

/// Creates a record and all that hangs on it.
pub(super) async fn create(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Result<Uuid, AppError> {
    create_in(unit, object, data, None, Mode::Write).await
}

/// Changes a record and what hangs on the data.
pub(super) async fn update(
    unit: &Unit,
    object: ObjectIndex,
    id: Uuid,
    data: &Map<String, Json>,
    if_version: Option<i64>,
) -> Result<(), AppError> {
    let described = unit.catalogue().object(object).clone();
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Update, &fields)?;
    let record = live(unit, &described, id).await?;
    expect_version(&described, &record, if_version)?;
    put_over(unit, object, Draft::of(record), data, |_| ()).await
}

/// Puts data over a draft, settles what comes of both, and writes it with what hangs on the data.
pub(super) async fn put_over(
    unit: &Unit,
    object: ObjectIndex,
    mut draft: Draft,
    data: &Map<String, Json>,
    settle: impl FnOnce(&mut Draft),
) -> Result<(), AppError> {
    let mut parts = taken_apart(unit, object, data, None);
    parts.complain(&mut draft);
    input::overlay(unit, object, &mut draft, &parts.own).await?;
    settle(&mut draft);
    with_parts(unit, object, draft, &parts, Mode::Write).await?;
    Ok(())
}

/// What [`put_over`] would put there, as far as that says so without writing anything: records
/// inside it are left out.
pub(super) async fn laid_over(
    unit: &Unit,
    object: ObjectIndex,
    mut draft: Draft,
    data: &Map<String, Json>,
    settle: impl FnOnce(&mut Draft),
) -> Result<Draft, AppError> {
    let parts = taken_apart(unit, object, data, None);
    input::overlay(unit, object, &mut draft, &parts.own).await?;
    settle(&mut draft);
    Ok(draft)
}

/// Boxed: what is created inside a record may have records inside.
fn create_in<'u>(
    unit: &'u Unit,
    object: ObjectIndex,
    data: &'u Map<String, Json>,
    via: Option<Around>,
    mode: Mode,
) -> BoxFuture<'u, Result<Uuid, AppError>> {
    Box::pin(async move {
        let mut parts = vec![taken_apart(unit, object, data, via)];
        let drafts = drafts(unit, object, &[data], &mut parts, via).await?;
        match (drafts.into_iter().next(), parts.pop()) {
            (Some(draft), Some(parts)) => with_parts(unit, object, draft, &parts, mode).await,
            _ => Err(AppError::broken("a draft was not made")),
        }
    })
}

/// New records, which point at the one around them.
async fn drafts(
    unit: &Unit,
    object: ObjectIndex,
    data: &[&Map<String, Json>],
    parts: &mut [Parts<'_>],
    via: Option<Around>,
) -> Result<Vec<Draft>, AppError> {
    let described = unit.catalogue().object(object);
    for data in data {
        let mut fields = input::named(described, data);
        fields.extend(via.map(|(field, _)| field));
        access::authorise(unit, described, Change::Create, &fields)?;
    }
    let own: Vec<&Map<String, Json>> = parts.iter().map(|parts| &parts.own).collect();
    let mut drafts = input::created(unit, object, &own).await?;
    for (draft, parts) in drafts.iter_mut().zip(parts) {
        parts.complain(draft);
        if let Some((field, around)) = via {
            draft.values[field.0] = Value::Reference(around);
        }
    }
    Ok(drafts)
}

/// Targets → the record → those that point at it.
async fn with_parts(
    unit: &Unit,
    object: ObjectIndex,
    mut draft: Draft,
    parts: &Parts<'_>,
    mut mode: Mode,
) -> Result<Uuid, AppError> {
    let id = draft.id;
    let mut errors = Vec::new();
    for target in &parts.targets {
        let made = create_in(unit, target.object, target.data, None, mode).await;
        let at = |error: AppError| error.at("create").at(target.name);
        // Of nobody, where it can't be made: a relation that is given is not empty.
        let target_id = kept(made, &mut errors, at)?.unwrap_or_default();
        draft.values[target.field.0] = Value::Reference(target_id);
    }
    if !errors.is_empty() {
        mode = Mode::Look;
    }
    if !draft.is_unchanged() || !draft.problems.is_empty() {
        let written = match mode {
            Mode::Write => write_one(unit, object, draft).await.map(|_| ()),
            Mode::Look => look(unit, object, vec![draft])
                .await?
                .into_iter()
                .next()
                .map_or(Ok(()), |(_, error)| Err(error)),
        };
        kept(written, &mut errors, |error| error)?;
    }
    if !errors.is_empty() {
        mode = Mode::Look;
    }
    for list in &parts.lists {
        match list.via {
            Via::Relation(via) => {
                repoint(unit, id, list, via, mode, &mut errors).await?;
                create_list(unit, id, list, via, mode, &mut errors).await?;
            }
            Via::Link {
                object,
                here,
                there,
            } => {
                let ends = links::Ends {
                    object,
                    here,
                    there,
                };
                links::write(unit, id, list, ends, mode, &mut errors).await?;
            }
            Via::Tree { .. } => {
                return Err(AppError::broken("a list that nobody writes was written"));
            }
        }
    }
    if errors.is_empty() {
        Ok(id)
    } else {
        Err(together(errors))
    }
}

/// Keeps an error that is about data, so that the others are looked for as well.
fn kept<T>(
    done: Result<T, AppError>,
    errors: &mut Vec<AppError>,
    at: impl FnOnce(AppError) -> AppError,
) -> Result<Option<T>, AppError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.is_about_data() => {
            errors.push(at(with_issue(error)));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What is wrong with drafts that are not going to be written, by position.
async fn look(
    unit: &Unit,
    object: ObjectIndex,
    drafts: Vec<Draft>,
) -> Result<Vec<(usize, AppError)>, AppError> {
    let judged = judged(unit, object, drafts, Taking::ByAll).await?;
    let errors = judged.errors.into_iter();
    Ok(errors.map(|row| (row.index, row.error)).collect())
}

/// Writes drafts, or looks at them; what is wrong is told at their places in the list `name`.
async fn write_places(
    unit: &Unit,
    name: &str,
    object: ObjectIndex,
    drafts: Vec<Draft>,
    places: &[(&str, usize)],
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    let found = match mode {
        Mode::Look => look(unit, object, drafts).await?,
        Mode::Write => match write(unit, object, drafts, BulkMode::AllOrNone).await {
            Ok(bulk) => {
                let errors = bulk.errors.into_iter();
                errors.map(|row| (row.index, row.error)).collect()
            }
            // Of a hook: then there is one draft.
            Err(error) if error.is_about_data() => vec![(0, error)],
            Err(error) => return Err(error),
        },
    };
    errors.extend(found.into_iter().filter_map(|(position, error)| {
        let (what, index) = places.get(position)?;
        Some(with_issue(error).at(*index).at(*what).at(name))
    }));
    Ok(())
}

/// Creates the records of a list, that point at the one around them.
async fn create_list(
    unit: &Unit,
    around: Uuid,
    list: &List<'_>,
    via: FieldIndex,
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    let mut rows = Vec::with_capacity(list.create.len());
    let mut places = Vec::with_capacity(list.create.len());
    for (index, json) in list.create.iter().enumerate() {
        match json {
            Json::Object(row) => {
                rows.push(row);
                places.push(("create", index));
            }
            _ => {
                let error = AppError::bad_input("a record is an object of its fields");
                errors.push(error.at(index).at("create").at(list.name));
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let via = Some((via, around));
    let is_plain = can_go_together(unit, list.object, Change::Create)
        && !rows.iter().any(|row| is_nested(unit, list.object, row));
    if is_plain {
        let mut parts: Vec<Parts<'_>> = rows
            .iter()
            .map(|row| taken_apart(unit, list.object, row, via))
            .collect();
        let drafts = drafts(unit, list.object, &rows, &mut parts, via).await?;
        return write_places(unit, list.name, list.object, drafts, &places, mode, errors).await;
    }
    for (row, (what, index)) in rows.into_iter().zip(places) {
        let made = create_in(unit, list.object, row, via, mode).await;
        kept(made, errors, |error| error.at(index).at(what).at(list.name))?;
    }
    Ok(())
}

/// Lets records point at the one around them, or no longer.
async fn repoint(
    unit: &Unit,
    around: Uuid,
    list: &List<'_>,
    via: FieldIndex,
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    let of = |what: &'static str, keys: &[&'_ Json]| -> Vec<(&'static str, usize)> {
        (0..keys.len()).map(|index| (what, index)).collect()
    };
    let mut places = of("disconnect", &list.disconnect);
    places.extend(of("connect", &list.connect));
    let keys: Vec<&Json> = list
        .disconnect
        .iter()
        .chain(&list.connect)
        .copied()
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let object = unit.catalogue().object(list.object);
    access::authorise(unit, object, Change::Update, &[via])?;
    let at_once = if can_go_together(unit, list.object, Change::Update) {
        keys.len()
    } else {
        1
    };
    let mut named = HashSet::new();
    for (keys, places) in keys.chunks(at_once).zip(places.chunks(at_once)) {
        let mut found = references::find_many(unit, list.object, keys).await?;
        references::follow_merged(unit, list.object, found.iter_mut().flatten()).await?;
        let ids: Vec<Uuid> = found.iter().flatten().copied().collect();
        let there: HashMap<Uuid, Record> = unit
            .transaction()
            .get_many(object, &ids, Lock::Update)
            .await?
            .into_iter()
            .map(|record| (record.id, record))
            .collect();
        let mut drafts = Vec::with_capacity(keys.len());
        let mut places_of_drafts = Vec::with_capacity(keys.len());
        for (found, (what, index)) in found.into_iter().zip(places) {
            let id = found.map_err(AppError::ValidationFailed);
            let draft = id.and_then(|id| {
                if !named.insert(id) {
                    return Err(AppError::bad_input("the same record is named twice"));
                }
                let record = there.get(&id).ok_or_else(|| absent(object, id))?;
                repointed(object, record, list, (via, around), what)
            });
            let at = |error: AppError| error.at(*index).at(*what).at(list.name);
            if let Some(draft) = kept(draft, errors, at)?
                && !draft.is_unchanged()
            {
                drafts.push(draft);
                places_of_drafts.push((*what, *index));
            }
        }
        let mode = if errors.is_empty() { mode } else { Mode::Look };
        let (name, object) = (list.name, list.object);
        write_places(unit, name, object, drafts, &places_of_drafts, mode, errors).await?;
    }
    Ok(())
}

fn repointed(
    object: &Object,
    record: &Record,
    list: &List<'_>,
    (via, around): Around,
    what: &str,
) -> Result<Draft, AppError> {
    if record.deleted_at.is_some() {
        return Err(in_trash(object, record.id));
    }
    let mut draft = Draft::of(record.clone());
    draft.values[via.0] = if what == "connect" {
        Value::Reference(around)
    } else if *record.value(via) == Value::Reference(around) {
        Value::Null
    } else {
        return Err(AppError::NotFound(format!(
            "the {} {} is not among the {} of this record",
            object.singular, record.id, list.name
        )));
    };
    Ok(draft)
}
