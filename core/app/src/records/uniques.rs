//! Unique keys: a look before the write, so that all collisions are told at once, and with names.
//! The unique index stays the judge; what it says is told the same way.

use std::collections::{HashMap, HashSet};

use relata_catalog::{
    Field, FieldIndex, Issue, Object, ObjectIndex, Unique, UniqueBy, Value, folded,
};
use relata_store::{
    Find, Lock, Record,
    filter::{ColumnRef, Deleted, Filter, Operand, Operator},
};
use uuid::Uuid;

use super::draft::{Concern, Draft};
use crate::{AppError, transact::Unit};

/// Most operands of one `IN`: both databases take more, plans get no better.
const OPERANDS_MAX: usize = 500;
/// Conditions that can't be one `IN` go into one query by this many.
const ALTERNATIVES_MAX: usize = 100;

/// Which drafts of a batch take their keys from those after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// All: so that everything wrong with the batch is told at once.
    ByAll,
    /// Those that nothing is wrong with: the others are not going to be written.
    ByGood,
}

/// One unique key of the object, and what the drafts want of it.
struct Wanted<'o> {
    unique: &'o Unique,
    /// By position of the draft; nothing where the draft does not touch it.
    keys: Vec<Option<Vec<String>>>,
    /// What stored records hold of it.
    stored: HashMap<Vec<String>, Uuid>,
    /// What earlier drafts have taken.
    taken: HashSet<Vec<String>>,
}

/// Notes each draft whose unique keys another record, or an earlier draft of the batch, has.
pub(super) async fn check(
    unit: &Unit,
    index: ObjectIndex,
    object: &Object,
    drafts: &mut [Draft],
    taking: Taking,
) -> Result<(), AppError> {
    let mut wanted = Vec::with_capacity(object.uniques.len());
    for unique in &object.uniques {
        wanted.push(wanted_of(unit, index, object, unique, drafts).await?);
    }
    for (position, draft) in drafts.iter_mut().enumerate() {
        for of_key in &wanted {
            let Some(key) = &of_key.keys[position] else {
                continue;
            };
            let held = of_key.stored.get(key).is_some_and(|id| *id != draft.id);
            if held || of_key.taken.contains(key) {
                draft.problem(Concern::Unique, violation(object, of_key.unique));
            }
        }
        if taking == Taking::ByAll || draft.problems.is_empty() {
            for of_key in &mut wanted {
                if let Some(key) = of_key.keys[position].take() {
                    of_key.taken.insert(key);
                }
            }
        }
    }
    Ok(())
}

async fn wanted_of<'o>(
    unit: &Unit,
    index: ObjectIndex,
    object: &Object,
    unique: &'o Unique,
    drafts: &[Draft],
) -> Result<Wanted<'o>, AppError> {
    let fields = fields_of(object, unique);
    let keys: Vec<Option<Vec<String>>> = drafts
        .iter()
        .map(|draft| {
            fields
                .iter()
                .any(|part| draft.is_changed(part.field))
                .then(|| key_of(&fields, &draft.values))
                .flatten()
        })
        .collect();
    let mut distinct = HashSet::new();
    let asked: Vec<usize> = keys
        .iter()
        .enumerate()
        .filter_map(|(position, key)| Some((position, key.as_ref()?)))
        .filter(|(_, key)| distinct.insert(*key))
        .map(|(position, _)| position)
        .collect();
    let stored = holders(unit, index, &fields, drafts, &asked)
        .await?
        .into_iter()
        .filter_map(|record| Some((key_of(&fields, &record.values)?, record.id)))
        .collect();
    Ok(Wanted {
        unique,
        keys,
        stored,
        taken: HashSet::new(),
    })
}

/// The key of a new record.
pub(super) struct Held {
    pub(super) key: Vec<String>,
    /// The record outside the trash that has it.
    pub(super) by: Option<Uuid>,
}

/// The key of each new draft, and who has it; nothing where a part of it is empty: what is empty
/// equals nothing.
pub(super) async fn held(
    unit: &Unit,
    index: ObjectIndex,
    object: &Object,
    unique: &Unique,
    drafts: &[Draft],
) -> Result<Vec<Option<Held>>, AppError> {
    let Wanted { keys, stored, .. } = wanted_of(unit, index, object, unique, drafts).await?;
    Ok(keys
        .into_iter()
        .map(|key| {
            let key = key?;
            let by = stored.get(&key).copied();
            Some(Held { key, by })
        })
        .collect())
}

/// Names of the key's fields that are empty in one of the drafts.
pub(super) fn empty_fields<'o>(
    object: &'o Object,
    unique: &Unique,
    drafts: &[Draft],
) -> Vec<&'o str> {
    fields_of(object, unique)
        .into_iter()
        .filter(|part| {
            let mut values = drafts.iter().map(|draft| draft.value(part.field));
            values.any(|value| compared(part.by, value).is_none())
        })
        .map(|part| object.field(part.field).name.as_str())
        .collect()
}

/// A field of a unique key.
#[derive(Clone, Copy)]
struct Part {
    field: FieldIndex,
    by: UniqueBy,
}

fn fields_of(object: &Object, unique: &Unique) -> Vec<Part> {
    unique
        .fields
        .iter()
        .filter_map(|key| {
            let (index, field) = object.field_keyed(key)?;
            Some(Part {
                field: index,
                by: unique.compares(field),
            })
        })
        .collect()
}

/// How the values of a field compare where it names a record by itself.
pub(crate) fn compares(object: &Object, field: &Field) -> UniqueBy {
    object
        .unique_by(field)
        .unwrap_or_else(|| UniqueBy::of(&field.kind))
}

/// What the unique index said, as an issue.
pub(super) fn violated(object: &Object, index: &str) -> Option<AppError> {
    let unique = object.uniques.iter().find(|unique| unique.index == index)?;
    Some(AppError::UniqueViolation(violation(object, unique).into()))
}

fn violation(object: &Object, unique: &Unique) -> Issue {
    let names: Vec<&str> = unique
        .fields
        .iter()
        .filter_map(|key| {
            object
                .field_keyed(key)
                .map(|(_, field)| field.name.as_str())
        })
        .collect();
    let message = format!(
        "another {} has the same {}",
        object.singular,
        names.join(" and ")
    );
    let first = names.first().copied().unwrap_or_default().to_owned();
    Issue::new("NOT_UNIQUE", message)
        .with("fields", names)
        .at(first)
}

/// Records that hold the key of one of the drafts.
async fn holders(
    unit: &Unit,
    index: ObjectIndex,
    parts: &[Part],
    drafts: &[Draft],
    asked: &[usize],
) -> Result<Vec<Record>, AppError> {
    if let [part] = parts {
        let values: Vec<&Value> = asked
            .iter()
            .map(|position| drafts[*position].value(part.field))
            .collect();
        return by_part(unit, index, *part, &values).await;
    }
    let mut found = Vec::new();
    for chunk in asked.chunks(ALTERNATIVES_MAX) {
        let alternatives = chunk
            .iter()
            .map(|position| {
                Filter::And(
                    parts
                        .iter()
                        .map(|part| equals(*part, drafts[*position].value(part.field)))
                        .collect(),
                )
            })
            .collect();
        found.extend(find(unit, index, Filter::Or(alternatives)).await?);
    }
    Ok(found)
}

/// Records outside the trash whose field equals one of the values, as unique keys compare.
pub(crate) async fn matching(
    unit: &Unit,
    index: ObjectIndex,
    field: FieldIndex,
    values: &[&Value],
) -> Result<Vec<Record>, AppError> {
    let object = unit.catalogue().object(index);
    let by = compares(object, object.field(field));
    by_part(unit, index, Part { field, by }, values).await
}

async fn by_part(
    unit: &Unit,
    index: ObjectIndex,
    part: Part,
    values: &[&Value],
) -> Result<Vec<Record>, AppError> {
    let mut found = Vec::new();
    if part.by == UniqueBy::Folded || values.len() == 1 {
        for chunk in values.chunks(ALTERNATIVES_MAX) {
            let mut alternatives: Vec<Filter> =
                chunk.iter().map(|value| equals(part, value)).collect();
            let filter = match alternatives.len() {
                1 => alternatives.remove(0),
                _ => Filter::Or(alternatives),
            };
            found.extend(find(unit, index, filter).await?);
        }
        return Ok(found);
    }
    for chunk in values.chunks(OPERANDS_MAX) {
        let filter = Filter::Compare {
            column: ColumnRef::Field {
                field: part.field,
                part: 0,
            },
            operator: Operator::In,
            operand: Operand::List(chunk.iter().map(|value| operand(value)).collect()),
        };
        found.extend(find(unit, index, filter).await?);
    }
    Ok(found)
}

async fn find(unit: &Unit, object: ObjectIndex, filter: Filter) -> Result<Vec<Record>, AppError> {
    let find = Find {
        object,
        filter,
        order: Vec::new(),
        limit: None,
        deleted: Deleted::Exclude,
        lock: Lock::None,
    };
    Ok(unit.transaction().find(unit.catalogue(), &find).await?)
}

fn equals(part: Part, value: &Value) -> Filter {
    Filter::Compare {
        column: ColumnRef::Field {
            field: part.field,
            part: 0,
        },
        operator: match part.by {
            UniqueBy::Exact => Operator::Eq,
            UniqueBy::Folded => Operator::IEq,
        },
        operand: Operand::Value(operand(value)),
    }
}

/// What is compared of a value: for a composite its first column.
fn operand(value: &Value) -> Value {
    match value {
        Value::Emails(emails) => Value::Text(emails.primary.clone()),
        Value::FullName(name) => Value::Text(name.full.clone()),
        Value::Phone(phone) => phone.e164.clone().map_or(Value::Null, Value::Text),
        Value::Phones(phones) => phones.primary.e164.clone().map_or(Value::Null, Value::Text),
        other => other.clone(),
    }
}

fn key_of(parts: &[Part], values: &[Value]) -> Option<Vec<String>> {
    parts
        .iter()
        .map(|part| compared(part.by, &values[part.field.0]))
        .collect()
}

/// A text that is the same for two values exactly when the unique index holds them for the same.
/// Nothing for what never collides.
pub(crate) fn compared(by: UniqueBy, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) if by == UniqueBy::Folded => Some(folded(text)),
        Value::Emails(emails) => Some(folded(&emails.primary)),
        Value::FullName(name) => Some(folded(&name.full)),
        Value::Phone(phone) => phone.e164.clone(),
        Value::Phones(phones) => phones.primary.e164.clone(),
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) | Value::DateTime(number) => Some(number.to_string()),
        Value::Decimal(number) => Some(number.normalize().to_string()),
        Value::Boolean(boolean) => Some(boolean.to_string()),
        Value::Date(date) => Some(date.to_string()),
        Value::Reference(id) => Some(id.to_string()),
        Value::Stage(stage) => Some(stage.pipeline.to_string()),
        Value::Money(_)
        | Value::Choices(_)
        | Value::Json(_)
        | Value::Address(_)
        | Value::GeoPoint(_)
        | Value::File(_) => None,
    }
}
