//! Relations in a client's data: an id, or a value of a unique key, becomes the id of a record
//! that exists outside the trash. All lookups of a batch go together, one query for each pair of
//! target and key.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use relata_catalog::{
    Field, FieldIndex, Issue, Issues, Key, Kind, Object, ObjectIndex, Relation, Value, coerce,
};
use relata_store::Lock;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    draft::{Concern, Draft},
    uniques,
};
use crate::{AppError, naming, transact::Unit};

/// What a client writes into a relation.
pub(super) enum Input {
    /// `null` or `{disconnect: true}`.
    Empty,
    /// `{connect: …}` or a bare id.
    To(Target),
}

/// How the target is named.
pub(super) enum Target {
    /// By id.
    Id(Uuid),
    /// By a unique field of the target, with what the client wrote as its name in the path.
    Unique(FieldIndex, Value),
}

/// A target that has to be found.
pub(super) struct Lookup {
    draft: usize,
    field: FieldIndex,
    object: Key,
    target: Target,
}

impl Lookup {
    /// The draft at this position wants its relation to point at the target.
    pub(super) fn new(
        draft: usize,
        field: FieldIndex,
        relation: &Relation,
        target: Target,
    ) -> Self {
        Self {
            draft,
            field,
            object: relation.target.clone(),
            target,
        }
    }
}

/// Reads a relation's input, without looking into the database.
pub(super) fn parse(unit: &Unit, relation: &Relation, json: &Json) -> Result<Input, Issues> {
    const FORM: &str = "a relation is written as {connect: {id: \"…\"}}, {connect: {<a unique field>: …}}, {create: {…}} or {disconnect: true}";
    match json {
        Json::Null => Ok(Input::Empty),
        Json::String(id) => parse_id(id).map(|id| Input::To(Target::Id(id))),
        Json::Object(map) if map.len() == 1 => {
            match map
                .iter()
                .next()
                .map(|(name, value)| (name.as_str(), value))
            {
                Some(("disconnect", Json::Bool(true))) => Ok(Input::Empty),
                Some(("connect", Json::Object(by))) => {
                    let Some((_, target)) = unit.catalogue().object_keyed(&relation.target) else {
                        return Err(Issue::new("BAD_INPUT", "the relation's target is gone").into());
                    };
                    parse_connect(unit, target, by)
                        .map(Input::To)
                        .map_err(|issues| at("connect", issues))
                }
                _ => Err(Issue::new("BAD_INPUT", FORM).into()),
            }
        }
        _ => Err(Issue::new("BAD_INPUT", FORM).into()),
    }
}

/// Records that are named as in `connect`, each by itself. Whether one is there by its id is not
/// looked up.
pub(super) async fn find_many(
    unit: &Unit,
    object: ObjectIndex,
    keys: &[&Json],
) -> Result<Vec<Result<Uuid, Issues>>, AppError> {
    let described = unit.catalogue().object(object);
    let targets: Vec<Result<Target, Issues>> = keys
        .iter()
        .map(|key| match key {
            Json::String(id) => parse_id(id).map(Target::Id),
            Json::Object(by) => parse_connect(unit, described, by),
            _ => Err(Issue::new("BAD_INPUT", "a record is named by {id: \"…\"}").into()),
        })
        .collect();
    let mut asked: IndexMap<FieldIndex, Vec<&Value>> = IndexMap::new();
    for target in &targets {
        if let Ok(Target::Unique(by, value)) = target {
            asked.entry(*by).or_default().push(value);
        }
    }
    let mut there = HashMap::new();
    for (by, values) in asked {
        there.insert(by, by_key(unit, object, by, values).await?);
    }
    Ok(targets
        .into_iter()
        .map(|target| match target? {
            Target::Id(id) => Ok(id),
            Target::Unique(by, value) => {
                let field = described.field(by);
                uniques::compared(uniques::compares(described, field), &value)
                    .and_then(|key| there.get(&by)?.get(&key).copied())
                    .ok_or_else(|| missing(described, field, &value).into())
            }
        })
        .collect())
}

/// Ids of records outside the trash by their keys, as unique keys compare.
async fn by_key(
    unit: &Unit,
    object: ObjectIndex,
    by: FieldIndex,
    mut values: Vec<&Value>,
) -> Result<HashMap<String, Uuid>, AppError> {
    let described = unit.catalogue().object(object);
    let compares = uniques::compares(described, described.field(by));
    // Many may name the same one: an update of many records does.
    let mut distinct = HashSet::new();
    values.retain(|value| distinct.insert(uniques::compared(compares, value)));
    let found = uniques::matching(unit, object, by, &values).await?;
    Ok(found
        .into_iter()
        .filter_map(|record| Some((uniques::compared(compares, record.value(by))?, record.id)))
        .collect())
}

fn missing(object: &Object, field: &Field, value: &Value) -> Issue {
    let shown = relata_catalog::to_json(&field.kind, value);
    Issue::new(
        "NOT_FOUND",
        format!(
            "there is no {} whose {} is {shown}",
            object.singular, field.name
        ),
    )
    .with(&field.name, shown)
    .at(field.name.as_str())
}

fn parse_connect(unit: &Unit, target: &Object, by: &Map<String, Json>) -> Result<Target, Issues> {
    let mut given = by.iter();
    let (Some((name, value)), None) = (given.next(), given.next()) else {
        return Err(Issue::new(
            "BAD_INPUT",
            format!("connect names one key: id{}", unique_names(target)),
        )
        .into());
    };
    if name == "id" {
        return match value {
            Json::String(id) => parse_id(id)
                .map(Target::Id)
                .map_err(|issues| at("id", issues)),
            _ => Err(Issue::new("BAD_INPUT", "an id is a text").at("id").into()),
        };
    }
    match target.field_named(name) {
        Some((index, field)) if is_unique(target, field) => {
            let value = connect_value(unit, field, value).map_err(|issues| at(name, issues))?;
            if value.is_null() {
                return Err(Issue::new(
                    "BAD_INPUT",
                    "an empty value names nothing; use {disconnect: true} to empty the relation",
                )
                .at(name.as_str())
                .into());
            }
            Ok(Target::Unique(index, value))
        }
        Some(_) => Err(Issue::new(
            "NOT_UNIQUE",
            format!(
                "{name} is no unique key of {}; connect by id{}",
                target.singular,
                unique_names(target)
            ),
        )
        .at(name.as_str())
        .into()),
        None => Err(Issue::new(
            "UNKNOWN_FIELD",
            format!(
                "{} has no field {name}{}",
                target.singular,
                naming::instead(name, unique_fields(target).map(|field| field.name.as_str()))
            ),
        )
        .at(name.as_str())
        .into()),
    }
}

/// The value of a unique key; an autonumber may be written as it is shown or as its number.
fn connect_value(unit: &Unit, field: &Field, json: &Json) -> Result<Value, Issues> {
    if let Kind::Autonumber { prefix, .. } = &field.kind {
        let number = match json {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text
                .strip_prefix(prefix.as_str())
                .unwrap_or(text)
                .parse()
                .ok(),
            _ => None,
        };
        return number.map(Value::Integer).ok_or_else(|| {
            Issue::new("BAD_INPUT", format!("a number such as {prefix}1 is wanted")).into()
        });
    }
    coerce(field, json, unit.coercion())
}

fn parse_id(text: &str) -> Result<Uuid, Issues> {
    Uuid::try_parse(text)
        .map_err(|_| Issue::new("BAD_INPUT", format!("{text:?} is not an id")).into())
}

fn at(segment: &str, issues: Issues) -> Issues {
    let mut moved = Issues::default();
    moved.extend_at(segment, issues);
    moved
}

fn is_unique(object: &Object, field: &Field) -> bool {
    object.unique_by(field).is_some()
}

fn unique_fields(object: &Object) -> impl Iterator<Item = &Field> {
    object
        .fields
        .iter()
        .filter(|field| is_unique(object, field))
}

fn unique_names(object: &Object) -> String {
    unique_fields(object)
        .map(|field| format!(" or {}", field.name))
        .collect()
}

/// Finds all targets and puts their ids into the drafts; what isn't there is a problem of its
/// draft.
pub(super) async fn resolve(
    unit: &Unit,
    object: &Object,
    drafts: &mut [Draft],
    lookups: Vec<Lookup>,
) -> Result<(), AppError> {
    let state = unit.state();
    let catalogue = &state.catalogue;
    let mut groups: IndexMap<(Key, Option<FieldIndex>), Vec<Lookup>> = IndexMap::new();
    for lookup in lookups {
        let by = match &lookup.target {
            Target::Id(_) => None,
            Target::Unique(field, _) => Some(*field),
        };
        groups
            .entry((lookup.object.clone(), by))
            .or_default()
            .push(lookup);
    }
    for ((target_key, by), group) in groups {
        let Some((target, described)) = catalogue.object_keyed(&target_key) else {
            return Err(AppError::broken("a relation points at an unknown object"));
        };
        match by {
            None => resolve_ids(unit, target, described, object, drafts, group).await?,
            Some(by) => resolve_keys(unit, target, by, object, drafts, group).await?,
        }
    }
    Ok(())
}

async fn resolve_ids(
    unit: &Unit,
    target: ObjectIndex,
    described: &Object,
    object: &Object,
    drafts: &mut [Draft],
    lookups: Vec<Lookup>,
) -> Result<(), AppError> {
    let wanted: Vec<Uuid> = lookups
        .iter()
        .filter_map(|lookup| match lookup.target {
            Target::Id(id) => Some(id),
            Target::Unique(..) => None,
        })
        .collect();
    let mut followed: HashMap<Uuid, Uuid> = wanted.iter().map(|id| (*id, *id)).collect();
    let there = follow_merged(unit, target, followed.values_mut()).await?;
    for lookup in lookups {
        let Target::Id(given) = lookup.target else {
            continue;
        };
        let id = followed[&given];
        let draft = &mut drafts[lookup.draft];
        if there.contains(&id) {
            draft.values[lookup.field.0] = Value::Reference(id);
        } else {
            let issue = Issue::new(
                "NOT_FOUND",
                format!("there is no {} with the id {given}", described.singular),
            )
            .with("id", given.to_string());
            draft.problem(
                Concern::Data,
                issue.at(object.field(lookup.field).name.as_str()),
            );
        }
    }
    Ok(())
}

async fn resolve_keys(
    unit: &Unit,
    target: ObjectIndex,
    by: FieldIndex,
    object: &Object,
    drafts: &mut [Draft],
    lookups: Vec<Lookup>,
) -> Result<(), AppError> {
    let described = unit.state().catalogue.object(target).clone();
    let values = lookups
        .iter()
        .filter_map(|lookup| match &lookup.target {
            Target::Unique(_, value) => Some(value),
            Target::Id(_) => None,
        })
        .collect();
    let there = by_key(unit, target, by, values).await?;
    let compares = uniques::compares(&described, described.field(by));
    for lookup in lookups {
        let Target::Unique(_, value) = &lookup.target else {
            continue;
        };
        let draft = &mut drafts[lookup.draft];
        match uniques::compared(compares, value).and_then(|key| there.get(&key)) {
            Some(id) => draft.values[lookup.field.0] = Value::Reference(*id),
            None => {
                let issue = missing(&described, described.field(by), value);
                draft.problem(
                    Concern::Data,
                    issue
                        .at("connect")
                        .at(object.field(lookup.field).name.as_str()),
                );
            }
        }
    }
    Ok(())
}

/// Puts survivors in the place of records that were merged away. Gives which of the ids, as they
/// are then, are records outside the trash.
pub(super) async fn follow_merged<'i>(
    unit: &Unit,
    object: ObjectIndex,
    ids: impl Iterator<Item = &'i mut Uuid>,
) -> Result<HashSet<Uuid>, AppError> {
    let ids: Vec<&mut Uuid> = ids.collect();
    let wanted: Vec<Uuid> = ids.iter().map(|id| **id).collect();
    let mut there = existing(unit, object, &wanted).await?;
    let missing: Vec<Uuid> = wanted
        .into_iter()
        .filter(|id| !there.contains(id))
        .collect();
    if missing.is_empty() {
        return Ok(there);
    }
    let survivors = unit.transaction().survivors(&missing).await?;
    if survivors.is_empty() {
        return Ok(there);
    }
    let found: Vec<Uuid> = survivors.values().copied().collect();
    there.extend(existing(unit, object, &found).await?);
    for id in ids {
        if let Some(survivor) = survivors.get(&*id)
            && there.contains(survivor)
        {
            *id = *survivor;
        }
    }
    Ok(there)
}

/// Which of the ids are records outside the trash.
pub(super) async fn existing(
    unit: &Unit,
    object: ObjectIndex,
    ids: &[Uuid],
) -> Result<HashSet<Uuid>, AppError> {
    let mut distinct = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let object = unit.catalogue().object(object);
    let records = unit
        .transaction()
        .get_many(object, &distinct, Lock::None)
        .await?;
    Ok(records
        .into_iter()
        .filter(|record| record.deleted_at.is_none())
        .map(|record| record.id)
        .collect())
}
