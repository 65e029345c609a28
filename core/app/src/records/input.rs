//! What a client sends becomes drafts: names to fields, JSON to values, defaults filled in.
//!
//! Nothing here stops at the first mistake: each goes into its draft, and the write is refused
//! with all of them.

use relata_catalog::{Catalogue, FieldIndex, Issue, Kind, Object, ObjectIndex, Value, coerce};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    draft::{Concern, Draft},
    files,
    references::{self, Lookup},
    rules, stages,
};
use crate::{AppError, naming, transact::Unit};

/// The member that says whose the record is. Not a field: every object has it.
const OWNER: &str = "owner";

/// New records.
pub(super) async fn created(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[&Map<String, Json>],
) -> Result<Vec<Draft>, AppError> {
    let state = unit.state();
    let owner = unit.caller().user.as_ref().map(|user| user.id);
    let described = state.catalogue.object(object);
    let mut drafts = Vec::with_capacity(rows.len());
    let mut lookups = Vec::new();
    for (position, data) in rows.iter().enumerate() {
        let mut draft = Draft::new(described, Uuid::now_v7(), owner);
        read(unit, described, &mut draft, position, data, &mut lookups);
        defaults(unit, &state.catalogue, described, &mut draft, data);
        drafts.push(draft);
    }
    references::resolve(unit, described, &mut drafts, lookups).await?;
    files::resolve(unit, described, &mut drafts).await?;
    rules::defaults(unit, described, &mut drafts, rows).await?;
    Ok(drafts)
}

/// Data put over a draft: a client's update, or a plugin's patch.
pub(crate) async fn overlay(
    unit: &Unit,
    object: ObjectIndex,
    draft: &mut Draft,
    data: &Map<String, Json>,
) -> Result<(), AppError> {
    overlay_each(unit, object, std::slice::from_mut(draft), &[data]).await
}

/// Data put over each draft, its own.
pub(super) async fn overlay_each(
    unit: &Unit,
    object: ObjectIndex,
    drafts: &mut [Draft],
    data: &[&Map<String, Json>],
) -> Result<(), AppError> {
    let described = unit.catalogue().object(object);
    let mut lookups = Vec::new();
    for (position, (draft, data)) in drafts.iter_mut().zip(data).enumerate() {
        read(unit, described, draft, position, data, &mut lookups);
    }
    references::resolve(unit, described, drafts, lookups).await?;
    files::resolve(unit, described, drafts).await
}

/// Fields that the data names, for the question of who may write them.
pub(super) fn named(object: &Object, data: &Map<String, Json>) -> Vec<FieldIndex> {
    data.keys()
        .filter_map(|name| object.field_named(name).map(|(index, _)| index))
        .collect()
}

fn read(
    unit: &Unit,
    object: &Object,
    draft: &mut Draft,
    position: usize,
    data: &Map<String, Json>,
    lookups: &mut Vec<Lookup>,
) {
    let catalogue = &unit.state().catalogue;
    for (name, json) in data {
        if name == OWNER {
            read_owner(unit, draft, json);
            continue;
        }
        let Some((index, field)) = object.field_named(name) else {
            let known = object.fields.iter().map(|field| field.name.as_str());
            let issue = Issue::new(
                "UNKNOWN_FIELD",
                format!(
                    "{} has no field {name}{}",
                    object.singular,
                    naming::instead(name, known)
                ),
            );
            draft.problem(Concern::Data, issue.at(name.as_str()));
            continue;
        };
        match &field.kind {
            Kind::Autonumber { .. } => draft.problem(
                Concern::Data,
                Issue::new(
                    "READ_ONLY",
                    format!("{name} is given by the platform; leave it out"),
                )
                .at(name.as_str()),
            ),
            Kind::Stage => stages::place(catalogue, object, draft, index, json, unit.now()),
            Kind::Relation(relation) => match references::parse(unit, relation, json) {
                Ok(references::Input::Empty) => draft.values[index.0] = Value::Null,
                // As it is: it was looked up when it came to be so.
                Ok(references::Input::To(references::Target::Id(id)))
                    if draft.values[index.0] == Value::Reference(id) => {}
                Ok(references::Input::To(key)) => {
                    lookups.push(Lookup::new(position, index, relation, key));
                }
                Err(issues) => draft.problems_at(name, issues),
            },
            _ => match coerce(field, json, unit.coercion()) {
                Ok(value) => draft.values[index.0] = value,
                Err(issues) => draft.problems_at(name, issues),
            },
        }
    }
}

fn read_owner(unit: &Unit, draft: &mut Draft, json: &Json) {
    let given = match json {
        Json::Null => {
            draft.owner = None;
            return;
        }
        Json::String(id) => Uuid::try_parse(id).ok(),
        _ => None,
    };
    match given {
        Some(id) if unit.state().directory.has_user(id) => draft.owner = Some(id),
        _ => draft.problem(
            Concern::Data,
            Issue::new(
                "NOT_FOUND",
                "the owner is the id of a user of this workspace",
            )
            .at(OWNER),
        ),
    }
}

fn defaults(
    unit: &Unit,
    catalogue: &Catalogue,
    object: &Object,
    draft: &mut Draft,
    data: &Map<String, Json>,
) {
    for (position, field) in object.fields.iter().enumerate() {
        if data.contains_key(&field.name) {
            continue;
        }
        if matches!(field.kind, Kind::Stage) {
            draft.values[position] = stages::start(catalogue, object, field, unit.now());
        } else if let Some(default) = &field.default {
            match coerce(field, default, unit.coercion()) {
                Ok(value) => draft.values[position] = value,
                Err(issues) => draft.problems_at(&field.name, issues),
            }
        }
    }
}
