//! Which column becomes which field: the options, held against the file's header and the
//! catalogue, all mistakes at once.

use std::collections::HashSet;

use relata_catalog::{
    Catalogue, CoerceContext, Field, FieldIndex, Issue, Issues, Kind, Object, ObjectIndex,
};
use serde_json::{Map, Value as Json};

use super::{ImportOptions, Row, RowError, Table, cells};
use crate::AppError;

/// Resolved options.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    /// Column's position and name, and where its cells go.
    columns: Vec<(usize, String, Target)>,
    /// What every row gets.
    constants: Map<String, Json>,
    /// Relations found by a value.
    pub(super) lookups: Vec<Lookup>,
    skip_empty: Vec<usize>,
    distinct: Vec<usize>,
    fields: Vec<Field>,
    context: CoerceContext,
}

/// Where a column's cells go.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A field.
    Field { name: String },
    /// A part of a composite field.
    Part { name: String, part: String },
    /// A relation, found by a value: position in [`Mapping::lookups`].
    Lookup(usize),
}

/// A relation whose target is found by a value.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    /// The file's column.
    pub(super) column: String,
    /// The relation's name.
    pub(super) relation: String,
    /// The object that it points at.
    pub(super) target: ObjectIndex,
    /// The target's field that has the value.
    pub(super) field: FieldIndex,
}

/// Parts of composite fields that a column or a constant may fill.
fn parts(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Money { .. } => &["amount", "currency"],
        Kind::FullName => &["full", "given", "family", "order"],
        Kind::Emails => &["primary"],
        Kind::Phones => &["primary"],
        Kind::Address => &["street", "city", "region", "postalCode", "country"],
        Kind::Stage => &["to", "pipeline"],
        _ => &[],
    }
}

impl Mapping {
    pub(super) fn resolve(
        catalogue: &Catalogue,
        object: ObjectIndex,
        header: &[String],
        options: &ImportOptions,
        context: CoerceContext,
    ) -> Result<Self, AppError> {
        let target_object = catalogue.object(object);
        let mut issues = Issues::default();
        let mut mapping = Self {
            columns: Vec::new(),
            constants: Map::new(),
            lookups: Vec::new(),
            skip_empty: positions(header, &options.skip_empty, "skipEmpty", &mut issues),
            distinct: positions(header, &options.distinct, "distinct", &mut issues),
            fields: target_object.fields.clone(),
            context,
        };
        if options.map.is_empty() {
            let nothing = bad("nothing is mapped; write at least one COLUMN=FIELD");
            issues.extend_at("map", nothing);
        }
        let mut taken = HashSet::new();
        for (index, text) in options.map.iter().enumerate() {
            let resolved = split(text).and_then(|(column, target)| {
                let position = position(header, column)?;
                if !taken.insert(target.to_owned()) {
                    return Err(given_twice(target));
                }
                let target = mapping.target(catalogue, target_object, column, target)?;
                Ok((position, column.to_owned(), target))
            });
            match resolved {
                Ok(column) => mapping.columns.push(column),
                Err(found) => issues.extend_at("map", found.under(index)),
            }
        }
        for (index, text) in options.set.iter().enumerate() {
            let resolved = split(text).and_then(|(target, value)| {
                if !taken.insert(target.to_owned()) {
                    return Err(given_twice(target));
                }
                mapping.constant(catalogue, target_object, target, value)
            });
            if let Err(found) = resolved {
                issues.extend_at("set", found.under(index));
            }
        }
        issues
            .into_result(mapping)
            .map_err(AppError::bad_input_issues)
    }

    fn target(
        &mut self,
        catalogue: &Catalogue,
        object: &Object,
        column: &str,
        target: &str,
    ) -> Result<Target, Issues> {
        let (name, part) = target
            .split_once('.')
            .map_or((target, None), |(name, part)| (name, Some(part)));
        let field = field(object, name)?;
        match (&field.kind, part) {
            (Kind::Relation(relation), Some(by)) => {
                let (target, target_object) =
                    catalogue.object_keyed(&relation.target).ok_or_else(|| {
                        bad(format!("`{name}` points at an object that is not there"))
                    })?;
                let (position, _) = target_object
                    .field_named(by)
                    .ok_or_else(|| no_field(target_object, by))?;
                self.lookups.push(Lookup {
                    column: column.to_owned(),
                    relation: name.to_owned(),
                    target,
                    field: position,
                });
                Ok(Target::Lookup(self.lookups.len() - 1))
            }
            (Kind::Autonumber { .. }, _) => Err(bad(format!(
                "`{name}` is an autonumber: the platform gives it"
            ))),
            (_, None) => Ok(Target::Field {
                name: name.to_owned(),
            }),
            (kind, Some(part)) if parts(kind).contains(&part) => Ok(Target::Part {
                name: name.to_owned(),
                part: part.to_owned(),
            }),
            (kind, Some(part)) => Err(bad(if parts(kind).is_empty() {
                format!("`{name}` is of kind {} and has no parts", kind.name())
            } else {
                format!(
                    "`{name}` has no part `{part}`; it has {}",
                    parts(kind).join(", ")
                )
            })),
        }
    }

    fn constant(
        &mut self,
        catalogue: &Catalogue,
        object: &Object,
        target: &str,
        value: &str,
    ) -> Result<(), Issues> {
        match self.target(catalogue, object, "", target)? {
            Target::Lookup(_) => {
                self.lookups.pop();
                Err(bad(
                    "a relation can't be a constant; give the file a column for it",
                ))
            }
            Target::Field { name } => {
                let json = self.json(&name, value)?;
                self.constants.insert(name, json);
                Ok(())
            }
            Target::Part { name, part } => {
                put_part(&mut self.constants, &name, &part, value);
                Ok(())
            }
        }
    }

    /// The JSON for a cell of this field; what is wrong is never nothing.
    fn json(&self, name: &str, text: &str) -> Result<Json, Issues> {
        match self.fields.iter().find(|field| field.name == name) {
            Some(field) => cells::json(field, text, &self.context),
            None => Ok(Json::String(text.to_owned())),
        }
    }

    /// The rows that can be read, the number of those passed over, and what is wrong with the
    /// others.
    pub(super) fn rows(
        &self,
        table: &Table,
        options: &ImportOptions,
    ) -> (Vec<Row>, u64, Vec<RowError>) {
        let mut seen = HashSet::new();
        let mut rows = Vec::with_capacity(table.rows.len());
        let mut skipped = 0;
        let mut errors = Vec::new();
        for (line, record) in &table.rows {
            let cell = |position: usize| record.get(position).unwrap_or_default().trim();
            let is_empty = self
                .skip_empty
                .iter()
                .any(|position| cell(*position).is_empty());
            let is_repeated = !options.distinct.is_empty()
                && !seen.insert(
                    self.distinct
                        .iter()
                        .map(|position| cell(*position).to_owned())
                        .collect::<Vec<_>>(),
                );
            if is_empty || is_repeated {
                skipped += 1;
                continue;
            }
            let faults_before = errors.len();
            let mut row = Row {
                line: *line,
                data: self.constants.clone(),
                lookups: Vec::new(),
            };
            for (position, column, target) in &self.columns {
                let text = cell(*position);
                if text.is_empty() {
                    continue;
                }
                match target {
                    Target::Lookup(number) => row.lookups.push((*number, text.to_owned())),
                    Target::Part { name, part } => put_part(&mut row.data, name, part, text),
                    Target::Field { name } => match self.json(name, text) {
                        Ok(json) => {
                            row.data.insert(name.clone(), json);
                        }
                        Err(issues) => {
                            errors.extend(issues.0.into_iter().map(|issue| RowError {
                                line: *line,
                                column: Some(column.clone()),
                                code: issue.code,
                                message: format!("`{}`: {}", shortened(text), issue.message),
                            }));
                        }
                    },
                }
            }
            if errors.len() == faults_before {
                rows.push(row);
            }
        }
        (rows, skipped, errors)
    }

    /// The column that fills the field (and part) at the beginning of this path.
    pub(super) fn column_of(&self, path: &[&str]) -> Option<String> {
        let (name, rest) = path.split_first()?;
        let exact = self.columns.iter().find(|(_, _, target)| {
            matches!(target, Target::Part { name: known, part } if known == name && rest.first() == Some(&part.as_str()))
        });
        let any = self.columns.iter().find(|(_, _, target)| match target {
            Target::Field { name: known } | Target::Part { name: known, .. } => known == name,
            Target::Lookup(number) => self.lookups[*number].relation == *name,
        });
        exact.or(any).map(|(_, column, _)| column.clone())
    }
}

fn put_part(data: &mut Map<String, Json>, name: &str, part: &str, text: &str) {
    let value = data
        .entry(name.to_owned())
        .or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(members) = value {
        members.insert(part.to_owned(), Json::String(text.to_owned()));
    }
}

fn split(text: &str) -> Result<(&str, &str), Issues> {
    text.split_once('=')
        .map(|(left, right)| (left.trim(), right.trim()))
        .filter(|(left, _)| !left.is_empty())
        .ok_or_else(|| bad(format!("`{text}` is not of the form LEFT=RIGHT")))
}

fn position(header: &[String], column: &str) -> Result<usize, Issues> {
    header
        .iter()
        .position(|name| name == column)
        .ok_or_else(|| {
            bad(format!(
                "the file has no column `{column}`; it has {}",
                header.join(", ")
            ))
        })
}

fn positions(
    header: &[String],
    columns: &[String],
    option: &str,
    issues: &mut Issues,
) -> Vec<usize> {
    let mut found = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        match position(header, column) {
            Ok(position) => found.push(position),
            Err(found) => issues.extend_at(option, found.under(index)),
        }
    }
    found
}

fn field<'a>(object: &'a Object, name: &str) -> Result<&'a Field, Issues> {
    object
        .field_named(name)
        .map(|(_, field)| field)
        .ok_or_else(|| no_field(object, name))
}

fn no_field(object: &Object, name: &str) -> Issues {
    let names: Vec<&str> = object
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    bad(format!(
        "{} has no field `{name}`; it has {}",
        object.singular,
        names.join(", ")
    ))
}

/// The beginning of a cell, for a message.
fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn given_twice(target: &str) -> Issues {
    bad(format!("`{target}` is given twice"))
}

fn bad(message: impl Into<String>) -> Issues {
    Issue::new("BAD_INPUT", message).into()
}
