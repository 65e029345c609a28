//! Records that are written together with the record that they hang on: targets of its relations
//! before it, records that point at it after it. All in its transaction, each through all steps.
//!
//! What is wrong with any of them is told together, with the path to it. Where a record can't be
//! written, those that would point at it can't be either: they are looked at nevertheless, as far
//! as that goes without hooks (a hook may read the record around it).

use std::collections::{HashMap, HashSet};

use futures_util::future::BoxFuture;
use relata_catalog::{Catalogue, FieldIndex, Issue, Issues, Kind, Object, ObjectIndex, Value};
use relata_store::{Lock, Record, log::Change};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    BulkMode, Draft, absent,
    bulk::{together, with_issue},
    can_go_together,
    draft::Concern,
    expect_version, in_trash, input, judged, live, references,
    uniques::Taking,
    write, write_one,
};
use crate::{AppError, access, transact::Unit};

/// How much may hang on the data of one mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NestedLimits {
    /// Records inside records.
    pub depth_max: usize,
    /// Records that are created, connected or disconnected inside the data of others.
    pub records_max: usize,
}

/// What a member of the data is.
enum Member<'d> {
    /// The record's own.
    Own,
    /// A target that is to be created.
    Target(ObjectIndex, FieldIndex, &'d Map<String, Json>),
    /// Records of the object that point at this one by the field.
    List(ObjectIndex, FieldIndex),
}

/// Data with what hangs on it taken apart.
struct Parts<'d> {
    own: Map<String, Json>,
    targets: Vec<Target<'d>>,
    lists: Vec<List<'d>>,
    /// What is in no form that could be carried out.
    problems: Issues,
}

impl Parts<'_> {
    fn complain(&mut self, draft: &mut Draft) {
        for issue in std::mem::take(&mut self.problems).0 {
            draft.problem(Concern::Data, issue);
        }
    }
}

struct Target<'d> {
    name: &'d str,
    field: FieldIndex,
    object: ObjectIndex,
    data: &'d Map<String, Json>,
}

/// Records that point at the one around them, or shall, or shall no longer.
struct List<'d> {
    name: &'d str,
    object: ObjectIndex,
    via: FieldIndex,
    disconnect: Vec<&'d Json>,
    connect: Vec<&'d Json>,
    create: Vec<&'d Json>,
}

/// The relation of a record inside the data, by which it points at the one around it.
type Via = (FieldIndex, Uuid);

/// Whether there is anything to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    /// The record around can't be written: what else is wrong is looked for.
    Look,
}

/// Counts what hangs on the data.
///
/// # Errors
/// `TOO_DEEP` or `TOO_MANY`, with the path to the record that is beyond the limit.
pub fn nested_within(
    catalogue: &Catalogue,
    object: ObjectIndex,
    data: &Map<String, Json>,
    limits: NestedLimits,
    count: &mut usize,
) -> Result<(), Issue> {
    within(catalogue, object, data, limits, 1, count)
}

fn within(
    catalogue: &Catalogue,
    object: ObjectIndex,
    data: &Map<String, Json>,
    limits: NestedLimits,
    depth: usize,
    count: &mut usize,
) -> Result<(), Issue> {
    let described = catalogue.object(object);
    for (name, json) in data {
        match member(catalogue, described, name, json) {
            Member::Own => {}
            Member::Target(object, _, data) => enter(limits, depth, count)
                .and_then(|()| within(catalogue, object, data, limits, depth + 1, count))
                .map_err(|issue| issue.at("create").at(name.as_str()))?,
            Member::List(object, _) => {
                for (what, json) in json.as_object().into_iter().flatten() {
                    for (position, item) in items(json).into_iter().enumerate() {
                        let at = |issue: Issue| {
                            issue.at(position).at(what.as_str()).at(name.as_str())
                        };
                        enter(limits, depth, count).map_err(at)?;
                        if let ("create", Json::Object(data)) = (what.as_str(), item) {
                            within(catalogue, object, data, limits, depth + 1, count)
                                .map_err(at)?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn enter(limits: NestedLimits, depth: usize, count: &mut usize) -> Result<(), Issue> {
    let NestedLimits {
        depth_max,
        records_max,
    } = limits;
    *count += 1;
    if depth > depth_max {
        let message = format!("records are nested at most {depth_max} deep");
        return Err(Issue::new("TOO_DEEP", message).with("max", depth_max));
    }
    if *count > records_max {
        let message = format!(
            "at most {records_max} records are written inside the data of others by one mutation; send them in parts"
        );
        return Err(Issue::new("TOO_MANY", message).with("max", records_max));
    }
    Ok(())
}

/// How many records hang on the data.
pub(super) fn count(unit: &Unit, object: ObjectIndex, data: &Map<String, Json>) -> usize {
    let endless = NestedLimits {
        depth_max: usize::MAX,
        records_max: usize::MAX,
    };
    let mut count = 0;
    // Without limits nothing is beyond them.
    let _ = nested_within(unit.catalogue(), object, data, endless, &mut count);
    count
}

/// Whether other records hang on this data.
pub(super) fn is_nested(unit: &Unit, object: ObjectIndex, data: &Map<String, Json>) -> bool {
    let catalogue = unit.catalogue();
    let described = catalogue.object(object);
    data.iter()
        .any(|(name, json)| !matches!(member(catalogue, described, name, json), Member::Own))
}

/// The data without what hangs on it.
pub(super) fn own(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Map<String, Json> {
    taken_apart(unit, object, data, None).own
}

/// Refuses what can't be done to many records with the same data: a record points at one of them,
/// so it can't be connected to all.
pub(super) fn fits_many(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Result<(), AppError> {
    let mut issues = Issues::default();
    for list in taken_apart(unit, object, data, None).lists {
        for (what, given) in [("connect", &list.connect), ("disconnect", &list.disconnect)] {
            if !given.is_empty() {
                let issue = Issue::new(
                    "BAD_INPUT",
                    format!(
                        "one of the {} belongs to one record, and `where` means many: {what} it by a mutation of one record",
                        list.name
                    ),
                );
                issues.push(issue.at(what).at(list.name));
            }
        }
    }
    issues.into_result(()).map_err(AppError::bad_input_issues)
}

fn member<'d>(
    catalogue: &Catalogue,
    object: &Object,
    name: &str,
    json: &'d Json,
) -> Member<'d> {
    if let Some((index, field)) = object.field_named(name) {
        return match (&field.kind, created(json)) {
            (Kind::Relation(relation), Some(data)) => catalogue
                .object_keyed(&relation.target)
                .map_or(Member::Own, |(target, _)| {
                    Member::Target(target, index, data)
                }),
            _ => Member::Own,
        };
    }
    catalogue
        .inverses_of(&object.key)
        .find(|(_, _, inverse)| inverse.name == *name)
        // Where there is no such field, reading the record's own data says so.
        .map_or(Member::Own, |(object, via, _)| Member::List(object, via))
}

/// `{create: {…}}`
fn created(json: &Json) -> Option<&Map<String, Json>> {
    match json {
        Json::Object(map) if map.len() == 1 => map.get("create")?.as_object(),
        _ => None,
    }
}

/// One value stands for a list of one.
fn items(json: &Json) -> Vec<&Json> {
    match json {
        Json::Null => Vec::new(),
        Json::Array(items) => items.iter().collect(),
        single => vec![single],
    }
}

/// `via`: the relation to the record around it, which the data does not name.
fn taken_apart<'d>(
    unit: &Unit,
    object: ObjectIndex,
    data: &'d Map<String, Json>,
    via: Option<Via>,
) -> Parts<'d> {
    let catalogue = unit.catalogue();
    let described = catalogue.object(object);
    let mut parts = Parts {
        own: Map::new(),
        targets: Vec::new(),
        lists: Vec::new(),
        problems: Issues::default(),
    };
    let around = via.map(|(field, _)| described.field(field).name.as_str());
    for (name, json) in data {
        if around == Some(name) {
            let issue = Issue::new(
                "CONFLICT",
                format!("{name} is the record around this one; leave it out"),
            );
            parts.problems.push(issue.at(name.as_str()));
            continue;
        }
        match member(catalogue, described, name, json) {
            Member::Own => {
                parts.own.insert(name.clone(), json.clone());
            }
            Member::Target(object, field, data) => parts.targets.push(Target {
                name,
                field,
                object,
                data,
            }),
            Member::List(object, via) => match list(name, object, via, json) {
                Ok(list) => parts.lists.push(list),
                Err(issue) => parts.problems.push(issue.at(name.as_str())),
            },
        }
    }
    parts
}

fn list<'d>(
    name: &'d str,
    object: ObjectIndex,
    via: FieldIndex,
    json: &'d Json,
) -> Result<List<'d>, Issue> {
    let form = || {
        Issue::new(
            "BAD_INPUT",
            "related records are written as {connect: […], create: […], disconnect: […]}",
        )
    };
    let mut list = List {
        name,
        object,
        via,
        disconnect: Vec::new(),
        connect: Vec::new(),
        create: Vec::new(),
    };
    let given = match json {
        Json::Null => return Ok(list),
        Json::Object(given) => given,
        _ => return Err(form()),
    };
    for (key, json) in given {
        match key.as_str() {
            "connect" => list.connect = items(json),
            "create" => list.create = items(json),
            "disconnect" => list.disconnect = items(json),
            _ => return Err(form().at(key.as_str())),
        }
    }
    Ok(list)
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
    let mut parts = taken_apart(unit, object, data, None);
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Update, &fields)?;
    let record = live(unit, &described, id).await?;
    expect_version(&described, &record, if_version)?;
    let mut draft = Draft::of(record);
    parts.complain(&mut draft);
    input::overlay(unit, object, &mut draft, &parts.own).await?;
    with_parts(unit, object, draft, &parts, Mode::Write).await?;
    Ok(())
}

/// Boxed: what is created inside a record may have records inside.
fn create_in<'u>(
    unit: &'u Unit,
    object: ObjectIndex,
    data: &'u Map<String, Json>,
    via: Option<Via>,
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
    via: Option<Via>,
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
        repoint(unit, id, list, mode, &mut errors).await?;
        create_list(unit, id, list, mode, &mut errors).await?;
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

/// Writes drafts, or looks at them; what is wrong is told at their places in the list.
async fn write_list(
    unit: &Unit,
    list: &List<'_>,
    drafts: Vec<Draft>,
    places: &[(&str, usize)],
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    let found = match mode {
        Mode::Look => look(unit, list.object, drafts).await?,
        Mode::Write => match write(unit, list.object, drafts, BulkMode::AllOrNone).await {
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
        Some(with_issue(error).at(*index).at(*what).at(list.name))
    }));
    Ok(())
}

/// Creates the records of a list, that point at the one around them.
async fn create_list(
    unit: &Unit,
    around: Uuid,
    list: &List<'_>,
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
    let via = Some((list.via, around));
    let is_plain = can_go_together(unit, list.object, Change::Create)
        && !rows.iter().any(|row| is_nested(unit, list.object, row));
    if is_plain {
        let mut parts: Vec<Parts<'_>> = rows
            .iter()
            .map(|row| taken_apart(unit, list.object, row, via))
            .collect();
        let drafts = drafts(unit, list.object, &rows, &mut parts, via).await?;
        return write_list(unit, list, drafts, &places, mode, errors).await;
    }
    for (row, (what, index)) in rows.into_iter().zip(places) {
        let made = create_in(unit, list.object, row, via, mode).await;
        kept(made, errors, |error| {
            error.at(index).at(what).at(list.name)
        })?;
    }
    Ok(())
}

/// Lets records point at the one around them, or no longer.
async fn repoint(
    unit: &Unit,
    around: Uuid,
    list: &List<'_>,
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    let of = |what: &'static str, keys: &[&'_ Json]| -> Vec<(&'static str, usize)> {
        (0..keys.len()).map(|index| (what, index)).collect()
    };
    let mut places = of("disconnect", &list.disconnect);
    places.extend(of("connect", &list.connect));
    let keys: Vec<&Json> = list.disconnect.iter().chain(&list.connect).copied().collect();
    if keys.is_empty() {
        return Ok(());
    }
    let object = unit.catalogue().object(list.object);
    access::authorise(unit, object, Change::Update, &[list.via])?;
    let at_once = if can_go_together(unit, list.object, Change::Update) {
        keys.len()
    } else {
        1
    };
    let mut named = HashSet::new();
    for (keys, places) in keys.chunks(at_once).zip(places.chunks(at_once)) {
        let found = references::find_many(unit, list.object, keys).await?;
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
                repointed(object, record, list, around, what)
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
        write_list(unit, list, drafts, &places_of_drafts, mode, errors).await?;
    }
    Ok(())
}

fn repointed(
    object: &Object,
    record: &Record,
    list: &List<'_>,
    around: Uuid,
    what: &str,
) -> Result<Draft, AppError> {
    if record.deleted_at.is_some() {
        return Err(in_trash(object, record.id));
    }
    let mut draft = Draft::of(record.clone());
    draft.values[list.via.0] = if what == "connect" {
        Value::Reference(around)
    } else if *record.value(list.via) == Value::Reference(around) {
        Value::Null
    } else {
        return Err(AppError::NotFound(format!(
            "the {} {} is not among the {} of this record",
            object.singular, record.id, list.name
        )));
    };
    Ok(draft)
}
