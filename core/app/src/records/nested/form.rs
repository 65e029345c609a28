//! What hangs on the data of a record, as the client writes it: `{create: {…}}` in a relation, and
//! `{connect: […], create: […], disconnect: […]}` by the name that a relation has on its target.
//! Read here, and measured; nothing is looked up.

use relata_catalog::{Catalogue, FieldIndex, Issue, Issues, Kind, Object, ObjectIndex, Via};
use serde_json::{Map, Value as Json};

use super::Around;
use crate::{
    AppError,
    records::{Draft, draft::Concern},
    transact::Unit,
};

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
    /// Records of the object in a list of this one.
    List(ObjectIndex, Via),
}

/// Data with what hangs on it taken apart.
pub(super) struct Parts<'d> {
    pub(super) own: Map<String, Json>,
    pub(super) targets: Vec<Target<'d>>,
    pub(super) lists: Vec<List<'d>>,
    /// What is in no form that could be carried out.
    pub(super) problems: Issues,
}

impl Parts<'_> {
    pub(super) fn complain(&mut self, draft: &mut Draft) {
        for issue in std::mem::take(&mut self.problems).0 {
            draft.problem(Concern::Data, issue);
        }
    }
}

pub(super) struct Target<'d> {
    pub(super) name: &'d str,
    pub(super) field: FieldIndex,
    pub(super) object: ObjectIndex,
    pub(super) data: &'d Map<String, Json>,
}

/// Records in a list of the one around them, or that shall be there, or no longer.
pub(super) struct List<'d> {
    pub(super) name: &'d str,
    pub(super) object: ObjectIndex,
    pub(super) via: Via,
    pub(super) disconnect: Vec<&'d Json>,
    pub(super) connect: Vec<&'d Json>,
    pub(super) create: Vec<&'d Json>,
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
) -> Result<(), Issues> {
    within(catalogue, object, data, limits, 1, count)
}

fn within(
    catalogue: &Catalogue,
    object: ObjectIndex,
    data: &Map<String, Json>,
    limits: NestedLimits,
    depth: usize,
    count: &mut usize,
) -> Result<(), Issues> {
    let described = catalogue.object(object);
    for (name, json) in data {
        match member(catalogue, described, name, json) {
            Member::Own => {}
            Member::Target(object, _, data) => enter(limits, depth, count)
                .and_then(|()| within(catalogue, object, data, limits, depth + 1, count))
                .map_err(|issues| issues.under("create").under(name.as_str()))?,
            Member::List(object, _) => {
                for (what, json) in json.as_object().into_iter().flatten() {
                    for (position, item) in items(json).into_iter().enumerate() {
                        let at = |issues: Issues| {
                            issues
                                .under(position)
                                .under(what.as_str())
                                .under(name.as_str())
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

fn enter(limits: NestedLimits, depth: usize, count: &mut usize) -> Result<(), Issues> {
    let NestedLimits {
        depth_max,
        records_max,
    } = limits;
    *count += 1;
    if depth > depth_max {
        let message = format!("records are nested at most {depth_max} deep");
        return Err(Issue::new("TOO_DEEP", message)
            .with("max", depth_max)
            .into());
    }
    if *count > records_max {
        let message = format!(
            "at most {records_max} records are written inside the data of others by one mutation; send them in parts"
        );
        return Err(Issue::new("TOO_MANY", message)
            .with("max", records_max)
            .into());
    }
    Ok(())
}

/// How many records hang on the data.
pub(in crate::records) fn count(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> usize {
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
pub(in crate::records) fn is_nested(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> bool {
    let catalogue = unit.catalogue();
    let described = catalogue.object(object);
    data.iter()
        .any(|(name, json)| !matches!(member(catalogue, described, name, json), Member::Own))
}

/// The data without what hangs on it.
pub(in crate::records) fn own(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Map<String, Json> {
    taken_apart(unit, object, data, None).own
}

/// Refuses what can't be done to many records with the same data: a record points at one of them,
/// so it can't be connected to all.
pub(in crate::records) fn fits_many(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
) -> Result<(), AppError> {
    let mut issues = Issues::default();
    for list in taken_apart(unit, object, data, None).lists {
        // Links join any record with all of them.
        let is_pointing = matches!(list.via, Via::Relation(_));
        for (what, given) in [("connect", &list.connect), ("disconnect", &list.disconnect)] {
            if is_pointing && !given.is_empty() {
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

fn member<'d>(catalogue: &Catalogue, object: &Object, name: &str, json: &'d Json) -> Member<'d> {
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
        .list_named(&object.key, name)
        // What follows from relations along a line is not written; where there is no such field,
        // reading the record's own data says so.
        .filter(|list| !matches!(list.via, Via::Tree { .. }))
        .map_or(Member::Own, |list| Member::List(list.object, list.via))
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
pub(super) fn taken_apart<'d>(
    unit: &Unit,
    object: ObjectIndex,
    data: &'d Map<String, Json>,
    via: Option<Around>,
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
                Err(issues) => parts.problems.extend_at(name.as_str(), issues),
            },
        }
    }
    parts
}

fn list<'d>(
    name: &'d str,
    object: ObjectIndex,
    via: Via,
    json: &'d Json,
) -> Result<List<'d>, Issues> {
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
        _ => return Err(form().into()),
    };
    for (key, json) in given {
        match key.as_str() {
            "connect" => list.connect = items(json),
            "create" => list.create = items(json),
            "disconnect" => list.disconnect = items(json),
            _ => return Err(form().at(key.as_str()).into()),
        }
    }
    Ok(list)
}
