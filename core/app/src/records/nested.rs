//! Records that are written together with the record that they hang on: targets of its relations
//! before it, records that point at it after it. All in its transaction, each through all steps.
//!
//! What is wrong with targets is told together with what is wrong with the record itself. Those
//! that point at it can only be looked at when it is there, so they are told about when it is
//! good.

use futures_util::future::BoxFuture;
use relata_catalog::{FieldIndex, Issue, Issues, Kind, ObjectIndex, Value};
use relata_store::log::Change;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    Draft,
    bulk::{together, with_issue},
    draft::Concern,
    expect_version, input, live, references, write,
};
use crate::{AppError, access, transact::Unit};

/// Records inside records, counted from the one that hangs on the mutation.
pub const NESTED_DEPTH_MAX: usize = 5;
/// Records that hang on others in one transaction.
pub const NESTED_MAX: usize = 1_000;

/// Data with what hangs on it taken apart.
struct Parts<'d> {
    /// The record's own.
    own: Map<String, Json>,
    /// Targets to be created.
    targets: Vec<Target<'d>>,
    /// Records that point at it.
    lists: Vec<List<'d>>,
    /// What is in no form that could be carried out.
    problems: Issues,
}

struct Target<'d> {
    name: &'d str,
    field: FieldIndex,
    object: ObjectIndex,
    data: &'d Map<String, Json>,
}

struct List<'d> {
    name: &'d str,
    object: ObjectIndex,
    via: FieldIndex,
    disconnect: Vec<&'d Json>,
    connect: Vec<&'d Json>,
    create: Vec<&'d Json>,
}

/// Refuses what is nested too deep, or is one record too many.
fn within_limits(unit: &Unit, depth: usize) -> Result<(), AppError> {
    if depth > NESTED_DEPTH_MAX {
        return Err(AppError::LimitExceeded(format!(
            "records are nested at most {NESTED_DEPTH_MAX} deep"
        )));
    }
    if depth > 0 && unit.note_nested() > NESTED_MAX {
        return Err(AppError::LimitExceeded(format!(
            "at most {NESTED_MAX} records are written inside others by one request"
        )));
    }
    Ok(())
}

/// Whether other records hang on this data.
pub(super) fn is_nested(unit: &Unit, object: ObjectIndex, data: &Map<String, Json>) -> bool {
    let catalogue = unit.catalogue();
    let described = catalogue.object(object);
    data.iter()
        .any(|(name, json)| match described.field_named(name) {
            Some((_, field)) => matches!(field.kind, Kind::Relation(_)) && created(json).is_some(),
            None => catalogue
                .inverses_of(&described.key)
                .any(|(_, _, inverse)| inverse.name == *name),
        })
}

/// `{create: {…}}`
fn created(json: &Json) -> Option<&Map<String, Json>> {
    match json {
        Json::Object(map) if map.len() == 1 => map.get("create")?.as_object(),
        _ => None,
    }
}

/// Creates a record and all that hangs on it.
pub(super) async fn create(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Result<Uuid, AppError> {
    create_in(unit, object, data, None, 0).await
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
    let mut parts = taken_apart(unit, object, data);
    let fields = input::named(&described, data);
    access::authorise(unit, &described, Change::Update, &fields)?;
    let record = live(unit, &described, id).await?;
    expect_version(&described, &record, if_version)?;
    let mut draft = Draft::of(record);
    targets(unit, &mut parts, &mut draft, 0).await?;
    input::overlay(unit, object, &mut draft, &parts.own).await?;
    if !draft.is_unchanged() || !draft.problems.is_empty() {
        write(unit, object, vec![draft], None).await?;
    }
    lists(unit, id, &parts.lists, 0).await
}

/// `via`: the relation by which it points at the record that it hangs on.
fn create_in<'u>(
    unit: &'u Unit,
    object: ObjectIndex,
    data: &'u Map<String, Json>,
    via: Option<(FieldIndex, Uuid)>,
    depth: usize,
) -> BoxFuture<'u, Result<Uuid, AppError>> {
    Box::pin(async move {
        within_limits(unit, depth)?;
        let described = unit.catalogue().object(object).clone();
        let mut parts = taken_apart(unit, object, data);
        let mut fields = input::named(&described, data);
        if let Some((field, _)) = via {
            let name = &described.field(field).name;
            if data.contains_key(name) {
                let issue = Issue::new(
                    "CONFLICT",
                    format!("{name} is the record around this one; leave it out"),
                );
                parts.problems.push(issue.at(name.as_str()));
            }
            parts.own.remove(name);
            fields.push(field);
        }
        access::authorise(unit, &described, Change::Create, &fields)?;
        let mut drafts = input::created(unit, object, &[&parts.own]).await?;
        let Some(draft) = drafts.first_mut() else {
            return Err(AppError::broken("a draft was not made"));
        };
        if let Some((field, parent)) = via {
            draft.values[field.0] = Value::Reference(parent);
        }
        targets(unit, &mut parts, draft, depth).await?;
        let ids = write(unit, object, drafts, None).await?;
        let id = ids
            .first()
            .copied()
            .ok_or_else(|| AppError::broken("a record was created without an id"))?;
        lists(unit, id, &parts.lists, depth).await?;
        Ok(id)
    })
}

fn taken_apart<'d>(unit: &Unit, object: ObjectIndex, data: &'d Map<String, Json>) -> Parts<'d> {
    let catalogue = unit.catalogue();
    let described = catalogue.object(object);
    let mut parts = Parts {
        own: Map::new(),
        targets: Vec::new(),
        lists: Vec::new(),
        problems: Issues::default(),
    };
    for (name, json) in data {
        if let Some((index, field)) = described.field_named(name) {
            match (&field.kind, created(json)) {
                (Kind::Relation(relation), Some(data)) => {
                    if let Some((object, _)) = catalogue.object_keyed(&relation.target) {
                        parts.targets.push(Target {
                            name,
                            field: index,
                            object,
                            data,
                        });
                    }
                }
                _ => {
                    parts.own.insert(name.clone(), json.clone());
                }
            }
            continue;
        }
        let inverse = catalogue
            .inverses_of(&described.key)
            .find(|(_, _, inverse)| inverse.name == *name);
        match inverse {
            Some((object, via, _)) => match list(name, object, via, json) {
                Ok(list) => parts.lists.push(list),
                Err(issue) => parts.problems.push(issue.at(name.as_str())),
            },
            // It says itself that there is no such field.
            None => {
                parts.own.insert(name.clone(), json.clone());
            }
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
        let items = match json {
            Json::Null => Vec::new(),
            Json::Array(items) => items.iter().collect(),
            // One value stands for a list of one.
            single => vec![single],
        };
        match key.as_str() {
            "connect" => list.connect = items,
            "create" => list.create = items,
            "disconnect" => list.disconnect = items,
            _ => return Err(form().at(key.as_str())),
        }
    }
    Ok(list)
}

/// Creates the targets and lets the draft point at them.
async fn targets(
    unit: &Unit,
    parts: &mut Parts<'_>,
    draft: &mut Draft,
    depth: usize,
) -> Result<(), AppError> {
    for issue in std::mem::take(&mut parts.problems).0 {
        draft.problem(Concern::Data, issue);
    }
    for target in &parts.targets {
        let made = create_in(unit, target.object, target.data, None, depth + 1).await;
        match made {
            Ok(id) => draft.values[target.field.0] = Value::Reference(id),
            // Told together with what is wrong with the record itself.
            Err(
                error @ (AppError::ValidationFailed(_)
                | AppError::UniqueViolation(_)
                | AppError::StageGate(_)
                | AppError::BadInput { .. }),
            ) => {
                let concern = match error {
                    AppError::UniqueViolation(_) => Concern::Unique,
                    AppError::StageGate(_) => Concern::Gate,
                    _ => Concern::Data,
                };
                for issue in error.at("create").at(target.name).issues() {
                    draft.problem(concern, issue.clone());
                }
            }
            Err(error) => return Err(error.at("create").at(target.name)),
        }
    }
    Ok(())
}

/// Lets records point at `parent`, or no longer, or makes some that do.
async fn lists(
    unit: &Unit,
    parent: Uuid,
    lists: &[List<'_>],
    depth: usize,
) -> Result<(), AppError> {
    let mut errors = Vec::new();
    for list in lists {
        for (index, key) in list.disconnect.iter().enumerate() {
            let done = disconnect(unit, list, key, parent).await;
            collect(&mut errors, done, list, "disconnect", index)?;
        }
        for (index, key) in list.connect.iter().enumerate() {
            let done = connect(unit, list, key, parent).await;
            collect(&mut errors, done, list, "connect", index)?;
        }
        for (index, data) in list.create.iter().enumerate() {
            let done = match data {
                Json::Object(data) => {
                    let via = Some((list.via, parent));
                    create_in(unit, list.object, data, via, depth + 1)
                        .await
                        .map(|_| ())
                }
                _ => Err(AppError::bad_input("a record is an object of its fields")),
            };
            collect(&mut errors, done, list, "create", index)?;
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(together(errors))
    }
}

/// Keeps what is about one record's data, so that the others are looked at as well.
fn collect(
    errors: &mut Vec<AppError>,
    done: Result<(), AppError>,
    list: &List<'_>,
    what: &str,
    index: usize,
) -> Result<(), AppError> {
    match done {
        Ok(()) => Ok(()),
        Err(error) if error.is_about_data() => {
            errors.push(with_issue(error).at(index).at(what).at(list.name));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn connect(unit: &Unit, list: &List<'_>, key: &Json, parent: Uuid) -> Result<(), AppError> {
    within_limits(unit, 1)?;
    let id = references::find_one(unit, list.object, key).await?;
    let described = unit.catalogue().object(list.object).clone();
    access::authorise(unit, &described, Change::Update, &[list.via])?;
    let record = live(unit, &described, id).await?;
    point(unit, list, Draft::of(record), Value::Reference(parent)).await
}

async fn disconnect(
    unit: &Unit,
    list: &List<'_>,
    key: &Json,
    parent: Uuid,
) -> Result<(), AppError> {
    within_limits(unit, 1)?;
    let id = references::find_one(unit, list.object, key).await?;
    let described = unit.catalogue().object(list.object).clone();
    access::authorise(unit, &described, Change::Update, &[list.via])?;
    let record = live(unit, &described, id).await?;
    if *record.value(list.via) != Value::Reference(parent) {
        return Err(AppError::NotFound(format!(
            "the {} {id} is not among the {} of this record",
            described.singular, list.name
        )));
    }
    point(unit, list, Draft::of(record), Value::Null).await
}

async fn point(unit: &Unit, list: &List<'_>, mut draft: Draft, to: Value) -> Result<(), AppError> {
    draft.values[list.via.0] = to;
    if draft.is_unchanged() {
        return Ok(());
    }
    write(unit, list.object, vec![draft], None).await?;
    Ok(())
}
