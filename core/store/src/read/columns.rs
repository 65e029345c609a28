//! Where things stand in tables: the columns, relations and targets that a read names, found in
//! the catalogue.

use relata_catalog::{Catalogue, ColumnType, FieldIndex, Kind, ObjectIndex, Relation};

use super::compile::CompileError;
use crate::filter::{ColumnRef, OrderTerm, SystemColumn};

/// A column found in the catalogue.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) column: ColumnType,
    pub(crate) nullable: bool,
}

/// A name in quotes. Physical names have none inside; doubling them costs nothing.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The physical column.
pub(crate) fn find_column(
    catalogue: &Catalogue,
    object: ObjectIndex,
    column: ColumnRef,
) -> Result<Found, CompileError> {
    let object = catalogue
        .objects
        .get(object.0)
        .ok_or(CompileError::Missing("an object"))?;
    match column {
        ColumnRef::System(system) => {
            let (name, column, nullable) = system_column(system);
            Ok(Found {
                name: name.to_owned(),
                column,
                nullable,
            })
        }
        ColumnRef::Field { field, part } => {
            let column = object
                .fields
                .get(field.0)
                .and_then(|field| field.columns().into_iter().nth(part))
                .ok_or(CompileError::Missing("a column"))?;
            Ok(Found {
                name: column.name,
                column: column.column_type,
                nullable: true,
            })
        }
    }
}

/// The folded key of a text column, or the column itself where it is one.
pub(crate) fn find_folded(
    catalogue: &Catalogue,
    object: ObjectIndex,
    column: ColumnRef,
) -> Result<Option<Found>, CompileError> {
    let found = find_column(catalogue, object, column)?;
    if found.column == ColumnType::Folded {
        return Ok(Some(found));
    }
    let ColumnRef::Field { field, part } = column else {
        return Ok(None);
    };
    let next = ColumnRef::Field {
        field,
        part: part + 1,
    };
    Ok(find_column(catalogue, object, next)
        .ok()
        .filter(|next| found.column == ColumnType::Text && next.column == ColumnType::Folded))
}

/// The column that orders: a text's folded key, else the column itself.
pub(crate) fn find_sorting(
    catalogue: &Catalogue,
    object: ObjectIndex,
    term: &OrderTerm,
) -> Result<Found, CompileError> {
    let found = match find_folded(catalogue, object, term.column)? {
        Some(folded) => folded,
        None => find_column(catalogue, object, term.column)?,
    };
    if matches!(found.column, ColumnType::TextList | ColumnType::Json) {
        return Err(CompileError::Unordered {
            column: describe(catalogue, object, term.column),
        });
    }
    Ok(found)
}

/// A relation field, and the name of its column.
pub(crate) fn find_relation(
    catalogue: &Catalogue,
    object: ObjectIndex,
    field: FieldIndex,
) -> Result<(&Relation, String), CompileError> {
    let field = catalogue
        .objects
        .get(object.0)
        .and_then(|object| object.fields.get(field.0))
        .ok_or(CompileError::Missing("a field"))?;
    match &field.kind {
        Kind::Relation(relation) => {
            let column = field.columns().swap_remove(0);
            Ok((relation, column.name))
        }
        _ => Err(CompileError::NoRelation {
            field: field.key.to_string(),
        }),
    }
}

/// The object that a relation points at.
pub(crate) fn find_target(
    catalogue: &Catalogue,
    relation: &Relation,
) -> Result<ObjectIndex, CompileError> {
    catalogue
        .object_keyed(&relation.target)
        .map(|(index, _)| index)
        .ok_or(CompileError::Missing("the target of a relation"))
}

pub(crate) fn system_column(column: SystemColumn) -> (&'static str, ColumnType, bool) {
    match column {
        SystemColumn::Id => ("id", ColumnType::Reference, false),
        SystemColumn::Version => ("_version", ColumnType::Integer, false),
        SystemColumn::CreatedAt => ("_created_at", ColumnType::DateTime, false),
        SystemColumn::UpdatedAt => ("_updated_at", ColumnType::DateTime, false),
        SystemColumn::DeletedAt => ("_deleted_at", ColumnType::DateTime, true),
        SystemColumn::CreatedBy => ("_created_by", ColumnType::Text, false),
        SystemColumn::UpdatedBy => ("_updated_by", ColumnType::Text, false),
        SystemColumn::Owner => ("_owner", ColumnType::Reference, true),
    }
}

/// A column as a person knows it.
pub(crate) fn describe(catalogue: &Catalogue, object: ObjectIndex, column: ColumnRef) -> String {
    let object = catalogue.object(object);
    match column {
        ColumnRef::System(system) => {
            format!("{}.{}", object.singular, system_column(system).0)
        }
        ColumnRef::Field { field, part } => {
            let field = object.field(field);
            let column = field
                .columns()
                .into_iter()
                .nth(part)
                .map_or_else(String::new, |column| column.name);
            format!("{}.{} ({column})", object.singular, field.name)
        }
    }
}
