//! What stands in which column, and the records that columns of relations look at.

use std::collections::{HashMap, HashSet};

use relata_catalog::{
    Catalogue, Field, FieldIndex, Issue, Issues, Kind, Object, ObjectIndex, Value,
};
use relata_store::{Lock, Record};
use uuid::Uuid;

use super::ExportOptions;
use crate::{
    AppError, Unit, cards,
    imports::{Format, parts},
};

/// Where a column's cells come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The record's id.
    Id,
    /// The e-mail address of the user whose record it is.
    Owner,
    /// A field as a whole.
    Field(FieldIndex),
    /// A part of a composite field.
    Part(FieldIndex, &'static str),
    /// A field of the record that a relation points at.
    Key(FieldIndex, ObjectIndex, FieldIndex),
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// As an import maps it.
    pub(super) name: String,
    pub(super) from: From,
}

/// All columns of a file.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) object: ObjectIndex,
    pub(super) all: Vec<Column>,
}

impl Columns {
    pub(super) fn resolve(
        catalogue: &Catalogue,
        options: &ExportOptions,
    ) -> Result<Self, AppError> {
        let (object, described) = catalogue.object_named(&options.object).ok_or_else(|| {
            let names: Vec<&str> = catalogue
                .objects
                .iter()
                .map(|object| object.singular.as_str())
                .collect();
            let message = format!(
                "there is no object `{}`; there are {}",
                options.object,
                names.join(", ")
            );
            AppError::bad_input_issues(Issue::new("BAD_INPUT", message).at("object").into())
        })?;
        if options.format == Format::Vcard {
            return Self::of_cards(catalogue, object, described);
        }
        // One JSON value says all of a field.
        let is_whole = options.format == Format::Jsonl;
        let mut issues = Issues::default();
        let mut all = Vec::new();
        if options.fields.is_empty() {
            for name in ["id", "owner"]
                .into_iter()
                .chain(described.fields.iter().map(|field| field.name.as_str()))
            {
                let found = columns(catalogue, described, name, is_whole);
                all.extend(found.unwrap_or_default());
            }
        }
        for (index, name) in options.fields.iter().enumerate() {
            match columns(catalogue, described, name, is_whole) {
                Ok(found) => all.extend(found),
                Err(message) => {
                    issues.push(Issue::new("BAD_INPUT", message).at(index).at("fields"));
                }
            }
        }
        let mut names = HashSet::new();
        all.retain(|column: &Column| names.insert(column.name.clone()));
        issues
            .into_result(Self { object, all })
            .map_err(AppError::bad_input_issues)
    }

    fn of_cards(
        catalogue: &Catalogue,
        object: ObjectIndex,
        described: &Object,
    ) -> Result<Self, AppError> {
        let mut all = Vec::new();
        for name in cards::COLUMNS {
            match columns(catalogue, described, name, true) {
                Ok(found) if name == "name" => {
                    let is_name = described
                        .field_named(name)
                        .is_some_and(|(_, field)| field.kind == Kind::FullName);
                    if !is_name {
                        return Err(no_cards(described));
                    }
                    all.extend(found);
                }
                Ok(found) => all.extend(found),
                Err(_) => return Err(no_cards(described)),
            }
        }
        Ok(Self { object, all })
    }
}

fn no_cards(object: &Object) -> AppError {
    let message = format!(
        "{} are no persons, so there are no vCards of them",
        object.plural
    );
    AppError::bad_input_issues(Issue::new("BAD_INPUT", message).at("format").into())
}

/// The columns that a name stands for.
fn columns(
    catalogue: &Catalogue,
    object: &Object,
    name: &str,
    is_whole: bool,
) -> Result<Vec<Column>, String> {
    let column = |name: String, from| Column { name, from };
    match name {
        "id" => return Ok(vec![column(name.to_owned(), From::Id)]),
        "owner" => return Ok(vec![column(name.to_owned(), From::Owner)]),
        _ => {}
    }
    let (root, part) = match name.split_once('.') {
        Some((root, part)) => (root, Some(part)),
        None => (name, None),
    };
    let (index, field) = object.field_named(root).ok_or_else(|| {
        let names: Vec<&str> = object
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        format!(
            "{} has no field `{root}`; it has {}",
            object.singular,
            names.join(", ")
        )
    })?;
    match (&field.kind, part) {
        (Kind::Relation(_), None) if is_whole => {
            Ok(vec![column(name.to_owned(), From::Field(index))])
        }
        (Kind::Relation(_), None | Some("id")) => {
            Ok(vec![column(format!("{root}.id"), From::Field(index))])
        }
        (Kind::Relation(relation), Some(by)) => {
            let (target, described) = catalogue
                .object_keyed(&relation.target)
                .ok_or_else(|| format!("`{root}` points at an object that is not there"))?;
            let (by, _) = described
                .field_named(by)
                .ok_or_else(|| format!("{} has no field `{by}`", described.singular))?;
            Ok(vec![column(name.to_owned(), From::Key(index, target, by))])
        }
        (_, None) if is_whole || is_one_column(field) => {
            Ok(vec![column(name.to_owned(), From::Field(index))])
        }
        (kind, None) => Ok(parts(kind)
            .iter()
            .map(|part| column(format!("{root}.{part}"), From::Part(index, part)))
            .collect()),
        (kind, Some(wanted)) => parts(kind)
            .iter()
            .find(|part| **part == wanted)
            .map(|part| vec![column(name.to_owned(), From::Part(index, part))])
            .ok_or_else(|| format!("`{root}` has no part `{wanted}`")),
    }
}

/// Several addresses and numbers stand in one cell, so that none is lost.
fn is_one_column(field: &Field) -> bool {
    parts(&field.kind).is_empty() || matches!(field.kind, Kind::Emails | Kind::Phones)
}

/// Records that relations of a page point at, where columns look into them.
pub(super) struct Targets(HashMap<Uuid, Record>);

impl Targets {
    pub(super) async fn find(
        unit: &Unit,
        columns: &Columns,
        page: &[Record],
    ) -> Result<Self, AppError> {
        let mut wanted: HashMap<ObjectIndex, HashSet<Uuid>> = HashMap::new();
        for column in &columns.all {
            if let From::Key(relation, target, _) = column.from {
                let ids = page
                    .iter()
                    .filter_map(|record| match record.value(relation) {
                        Value::Reference(id) => Some(*id),
                        _ => None,
                    });
                wanted.entry(target).or_default().extend(ids);
            }
        }
        let mut found = HashMap::new();
        for (target, ids) in wanted {
            let ids: Vec<Uuid> = ids.into_iter().collect();
            let object = unit.catalogue().object(target);
            let records = unit
                .transaction()
                .get_many(object, &ids, Lock::None)
                .await?;
            found.extend(records.into_iter().map(|record| (record.id, record)));
        }
        Ok(Self(found))
    }

    /// The value of a column that looks into another record; none where that is gone.
    pub(super) fn value(&self, record: &Record, relation: FieldIndex, field: FieldIndex) -> Value {
        match record.value(relation) {
            Value::Reference(id) => self
                .0
                .get(id)
                .filter(|target| target.deleted_at.is_none())
                .map_or(Value::Null, |target| target.value(field).clone()),
            _ => Value::Null,
        }
    }
}
