//! Configuration records of a blueprint: each row is made, or changes the record that has the same
//! value in its key field. Through the same write as every other record.

use relata_catalog::{
    Blueprint, FieldIndex, Issue, Issues, Key, OWNER_PLATFORM, Object, ObjectIndex,
    RecordsDefinition, coerce,
};
use serde_json::{Map, Value as Json};

use crate::{AppError, records, transact::Unit};

/// Upserts all configuration records of the blueprint. Paths of issues lead into the document.
pub(super) async fn configuration(
    unit: &Unit,
    owner: &str,
    blueprint: &Blueprint,
) -> Result<(), AppError> {
    for (position, definition) in blueprint.records.iter().enumerate() {
        rows(unit, owner, definition)
            .await
            .map_err(|error| error.at(position).at("records"))?;
    }
    Ok(())
}

async fn rows(unit: &Unit, owner: &str, definition: &RecordsDefinition) -> Result<(), AppError> {
    let catalogue = unit.catalogue().clone();
    let (index, object) = find(&catalogue, owner, &definition.object)
        .map(|index| (index, catalogue.object(index)))
        .ok_or_else(|| AppError::bad_input(format!("there is no object {}", definition.object)))?;
    let by = field(object, owner, &definition.by).ok_or_else(|| {
        AppError::bad_input(format!(
            "{} has no field {}",
            object.singular, definition.by
        ))
    })?;
    for (number, row) in definition.rows.iter().enumerate() {
        upsert(unit, owner, index, object, by, row)
            .await
            .map_err(|error| error.at(number).at("rows"))?;
    }
    Ok(())
}

async fn upsert(
    unit: &Unit,
    owner: &str,
    index: ObjectIndex,
    object: &Object,
    by: FieldIndex,
    row: &Map<String, Json>,
) -> Result<(), AppError> {
    let mut data = Map::with_capacity(row.len());
    let mut issues = Issues::default();
    for (key, value) in row {
        match field(object, owner, key) {
            Some(index) => {
                data.insert(object.field(index).name.clone(), value.clone());
            }
            None => issues.push(
                Issue::new(
                    "UNKNOWN_FIELD",
                    format!("{} has no field {key}", object.singular),
                )
                .at(key.as_str()),
            ),
        }
    }
    if !issues.is_empty() {
        return Err(AppError::bad_input_issues(issues));
    }
    let described = object.field(by);
    let key = data.get(&described.name).cloned().unwrap_or_default();
    let value = coerce(described, &key, unit.coercion())
        .map_err(|issues| AppError::bad_input_issues(issues).at(described.name.as_str()))?;
    let found = match value.is_null() {
        true => Vec::new(),
        false => records::matching(unit, index, by, &[&value]).await?,
    };
    match found.first() {
        Some(record) => records::record_update(unit, index, record.id, &data, None).await,
        None => records::record_create(unit, index, &data).await,
    }
    .map(|_| ())
}

/// The object as an author names it: one's own first, then the platform's, or `owner/key`.
fn find(catalogue: &relata_catalog::Catalogue, owner: &str, name: &str) -> Option<ObjectIndex> {
    let keys = match name.split_once('/') {
        Some((owner, key)) => vec![Key::new(owner, key)],
        None => vec![Key::new(owner, name), Key::new(OWNER_PLATFORM, name)],
    };
    keys.iter()
        .find_map(|key| catalogue.object_keyed(key))
        .map(|(index, _)| index)
}

/// The field by its key: one's own first, then the object's owner's.
fn field(object: &Object, owner: &str, key: &str) -> Option<FieldIndex> {
    let keys = match key.split_once('/') {
        Some((owner, key)) => vec![Key::new(owner, key)],
        None => vec![Key::new(owner, key), Key::new(object.owner(), key)],
    };
    keys.iter()
        .find_map(|key| object.field_keyed(key))
        .map(|(index, _)| index)
}
