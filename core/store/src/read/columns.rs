//! Where things stand in tables: the columns, relations and targets that a read names, found in
//! the catalogue.

use std::sync::Arc;

use relata_catalog::expression::Program;
use relata_catalog::{Catalogue, ColumnType, FieldIndex, Kind, ObjectIndex, Relation};

use super::compile::CompileError;
use crate::Backend;
use crate::expression::{TextForm, expression_text};
use crate::filter::{ColumnRef, OrderTerm, SystemColumn};

/// A column found in the catalogue.
pub(crate) struct Found<'c> {
    catalogue: &'c Catalogue,
    object: ObjectIndex,
    place: Place,
    pub(crate) column: ColumnType,
    pub(crate) nullable: bool,
}

/// Where a column's values come from.
enum Place {
    /// They stand in the table, under this name.
    Table(String),
    /// They are worked out: this part of a program.
    Program {
        program: Arc<Program>,
        part: usize,
        form: TextForm,
    },
}

impl Found<'_> {
    /// Its name in the table, if it stands there.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.place {
            Place::Table(name) => Some(name),
            Place::Program { .. } => None,
        }
    }

    /// Its value in the row `alias`.
    pub(crate) fn text(&self, backend: Backend, alias: &str) -> Result<String, CompileError> {
        match &self.place {
            Place::Table(name) => Ok(format!("{alias}.{}", quoted(name))),
            Place::Program {
                program,
                part,
                form,
            } => {
                let node = program
                    .parts
                    .get(*part)
                    .ok_or(CompileError::Missing("a part of a formula"))?;
                let object = self.catalogue.object(self.object);
                expression_text(backend, self.catalogue, object, alias, node, *form)
            }
        }
    }
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
) -> Result<Found<'_>, CompileError> {
    let described = catalogue
        .objects
        .get(object.0)
        .ok_or(CompileError::Missing("an object"))?;
    let (place, column, nullable) = match column {
        ColumnRef::System(system) => {
            let (name, column, nullable) = system_column(system);
            (Place::Table(name.to_owned()), column, nullable)
        }
        ColumnRef::Field { field, part } => {
            let missing = || CompileError::Missing("a column");
            let field = described.fields.get(field.0).ok_or_else(missing)?;
            let column = field.columns().into_iter().nth(part).ok_or_else(missing)?;
            let place = match &field.kind {
                Kind::Formula(formula) => {
                    let program = formula
                        .expression
                        .program()
                        .ok_or(CompileError::Missing("the program of a formula"))?;
                    // A folded key is no part of its own: it is the text before it, folded.
                    let (part, form) = match column.column_type {
                        ColumnType::Folded => (part - 1, TextForm::Folded),
                        _ => (part, TextForm::Exact),
                    };
                    Place::Program {
                        program: Arc::clone(program),
                        part,
                        form,
                    }
                }
                _ => Place::Table(column.name),
            };
            (place, column.column_type, true)
        }
    };
    Ok(Found {
        catalogue,
        object,
        place,
        column,
        nullable,
    })
}

/// The folded key of a text column, or the column itself where it is one.
pub(crate) fn find_folded(
    catalogue: &Catalogue,
    object: ObjectIndex,
    column: ColumnRef,
) -> Result<Option<Found<'_>>, CompileError> {
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
pub(crate) fn find_sorting<'c>(
    catalogue: &'c Catalogue,
    object: ObjectIndex,
    term: &OrderTerm,
) -> Result<Found<'c>, CompileError> {
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
