//! Unique keys: a look before the write, so that all collisions are told at once, and with names.
//! The unique index stays the judge; what it says is told the same way.

use std::collections::{HashMap, hash_map::Entry};

use relata_catalog::{FieldIndex, Issue, Kind, Object, ObjectIndex, Unique, Value, folded};
use relata_store::{
    Find, Lock, Record,
    filter::{ColumnRef, Deleted, Filter, Operand, Operator},
};

use super::draft::{Concern, Draft};
use crate::{AppError, transact::Unit};

/// Most operands of one `IN`: both databases take more, plans get no better.
const OPERANDS_MAX: usize = 500;
/// Conditions that can't be one `IN` go into one query by this many.
const ALTERNATIVES_MAX: usize = 100;

/// Notes each draft whose unique keys another record, or an earlier draft of the batch, has.
pub(super) async fn check(
    unit: &Unit,
    index: ObjectIndex,
    object: &Object,
    drafts: &mut [Draft],
) -> Result<(), AppError> {
    for unique in &object.uniques {
        let fields: Vec<FieldIndex> = unique
            .fields
            .iter()
            .filter_map(|key| object.field_keyed(key).map(|(index, _)| index))
            .collect();
        let mut taken: HashMap<Vec<String>, usize> = HashMap::new();
        let mut asked: Vec<usize> = Vec::new();
        let mut collisions: Vec<usize> = Vec::new();
        for (position, draft) in drafts.iter().enumerate() {
            if !fields.iter().any(|field| draft.is_changed(*field)) {
                continue;
            }
            let Some(key) = key_of(object, &fields, &draft.values) else {
                continue;
            };
            match taken.entry(key) {
                Entry::Occupied(_) => collisions.push(position),
                Entry::Vacant(free) => {
                    free.insert(position);
                    asked.push(position);
                }
            }
        }
        for record in holders(unit, index, object, &fields, drafts, &asked).await? {
            let holder = key_of(object, &fields, &record.values).and_then(|key| taken.get(&key));
            if let Some(position) = holder
                && drafts[*position].id != record.id
            {
                collisions.push(*position);
            }
        }
        for position in collisions {
            drafts[position].problem(Concern::Unique, violation(object, unique));
        }
    }
    Ok(())
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
    object: &Object,
    fields: &[FieldIndex],
    drafts: &[Draft],
    asked: &[usize],
) -> Result<Vec<Record>, AppError> {
    if let [field] = fields {
        let values: Vec<&Value> = asked
            .iter()
            .map(|position| drafts[*position].value(*field))
            .collect();
        return matching(unit, index, *field, &values).await;
    }
    let mut found = Vec::new();
    for chunk in asked.chunks(ALTERNATIVES_MAX) {
        let alternatives = chunk
            .iter()
            .map(|position| {
                Filter::And(
                    fields
                        .iter()
                        .map(|field| {
                            equals(object, *field, drafts[*position].value(*field).clone())
                        })
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
    let object = unit.catalogue().object(index).clone();
    let mut found = Vec::new();
    if is_folded(&object.field(field).kind) || values.len() == 1 {
        for chunk in values.chunks(ALTERNATIVES_MAX) {
            let mut alternatives: Vec<Filter> = chunk
                .iter()
                .map(|value| equals(&object, field, (*value).clone()))
                .collect();
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
            column: ColumnRef::Field { field, part: 0 },
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

fn equals(object: &Object, field: FieldIndex, value: Value) -> Filter {
    Filter::Compare {
        column: ColumnRef::Field { field, part: 0 },
        operator: if is_folded(&object.field(field).kind) {
            Operator::IEq
        } else {
            Operator::Eq
        },
        operand: Operand::Value(operand(&value)),
    }
}

/// Kinds whose unique index is over the folded key.
fn is_folded(kind: &Kind) -> bool {
    matches!(kind, Kind::Email | Kind::Emails | Kind::FullName)
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

fn key_of(object: &Object, fields: &[FieldIndex], values: &[Value]) -> Option<Vec<String>> {
    fields
        .iter()
        .map(|field| compared(&object.field(*field).kind, &values[field.0]))
        .collect()
}

/// A text that is the same for two values exactly when the unique index holds them for the same.
/// Nothing for what never collides.
pub(super) fn compared(kind: &Kind, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) if is_folded(kind) => Some(folded(text)),
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
        Value::Money(_) | Value::Choices(_) | Value::Json(_) | Value::Address(_) => None,
    }
}
