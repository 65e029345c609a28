//! Which column becomes which field: the options, held against the file's header and the
//! catalogue, all mistakes at once.

use std::collections::HashSet;

use relata_catalog::{
    Catalogue, Field, FieldIndex, Issue, Issues, Key, Kind, Object, ObjectIndex, PathSegment,
    UniqueBy,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    Empty, ImportOptions, RowError,
    cells::{self, Reading},
    source::{Cell, RawRow},
};
use crate::{AppError, Directory, records::KeyedRow};

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
    object: Key,
    fields: Vec<Field>,
    reading: Reading,
    empty: Empty,
}

/// Where a column's cells go.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// The record's id.
    Id,
    /// The user whose record it is.
    Owner,
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

/// One row, as far as it can be known without the database.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) keyed: KeyedRow,
    /// Values by which relations are found: position in the mapping's lookups, and the text.
    pub(super) lookups: Vec<(usize, String)>,
    /// Relations to records of the same object by their ids, as clients write them: they may come
    /// later in the file.
    pub(super) own: Map<String, Json>,
}

/// What a chunk of a file comes to without the database.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    /// Rows with something wrong in them.
    pub(super) bad: u64,
    pub(super) errors: Vec<RowError>,
}

/// Rows of which only the first is taken, as far as the file has been read.
pub(super) type Seen = HashSet<Vec<String>>;

/// Parts of composite fields that a column or a constant may fill.
pub(crate) fn parts(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Money { .. } => &["amount", "currency"],
        Kind::FullName => &["full", "given", "family", "order"],
        Kind::Emails => &["primary"],
        Kind::Phones => &["primary"],
        Kind::Address => &["street", "city", "region", "postalCode", "country"],
        Kind::GeoPoint => &["latitude", "longitude"],
        Kind::Stage => &["to", "pipeline"],
        _ => &[],
    }
}

impl Mapping {
    /// `map` is the file's mapping, whether somebody gave it or it was guessed.
    pub(super) fn resolve(
        catalogue: &Catalogue,
        object: ObjectIndex,
        header: &[String],
        map: &[String],
        options: &ImportOptions,
        reading: Reading,
    ) -> Result<Self, AppError> {
        let target_object = catalogue.object(object);
        let mut issues = Issues::default();
        let mut mapping = Self {
            columns: Vec::new(),
            constants: Map::new(),
            lookups: Vec::new(),
            skip_empty: positions(header, &options.skip_empty, "skipEmpty", &mut issues),
            distinct: positions(header, &options.distinct, "distinct", &mut issues),
            object: target_object.key.clone(),
            fields: target_object.fields.clone(),
            reading,
            empty: options.empty(),
        };
        if map.is_empty() {
            let nothing = bad(format!(
                "no column of the file is known; say what they are by at least one COLUMN=FIELD; there are {}",
                header.join(", ")
            ));
            issues.extend_at("map", nothing);
        }
        let mut taken = HashSet::new();
        for (index, text) in map.iter().enumerate() {
            let resolved = split_map(text).and_then(|(column, target)| {
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
            let resolved = split_set(text).and_then(|(target, value)| {
                if !taken.insert(target.to_owned()) {
                    return Err(given_twice(target));
                }
                mapping.constant(catalogue, target_object, target, value)
            });
            if let Err(found) = resolved {
                issues.extend_at("set", found.under(index));
            }
        }
        mapping.has_keys(options, &mut issues);
        issues
            .into_result(mapping)
            .map_err(AppError::bad_input_issues)
    }

    /// What rows are found by has to be in them.
    fn has_keys(&self, options: &ImportOptions, issues: &mut Issues) {
        for (index, name) in options.on.iter().enumerate() {
            let is_filled = self.constants.contains_key(name)
                || self.columns.iter().any(|(_, _, target)| match target {
                    Target::Id => name == "id",
                    Target::Owner => false,
                    Target::Field { name: known } | Target::Part { name: known, .. } => {
                        known == name
                    }
                    Target::Lookup(number) => self.lookups[*number].relation == *name,
                });
            if !is_filled {
                let missing = bad(format!(
                    "records are found by `{name}`, and no column is mapped to it"
                ));
                issues.extend_at("on", missing.under(index));
            }
        }
    }

    fn target(
        &mut self,
        catalogue: &Catalogue,
        object: &Object,
        column: &str,
        target: &str,
    ) -> Result<Target, Issues> {
        match target {
            "id" => return Ok(Target::Id),
            "owner" => return Ok(Target::Owner),
            _ => {}
        }
        let (name, part) = target
            .split_once('.')
            .map_or((target, None), |(name, part)| (name, Some(part)));
        let field = field(object, name)?;
        match (&field.kind, part) {
            // As without a part: the id is what a relation's cell holds.
            (Kind::Relation(_), Some("id")) => Ok(Target::Field {
                name: name.to_owned(),
            }),
            (Kind::Relation(relation), Some(by)) => {
                let (target, target_object) =
                    catalogue.object_keyed(&relation.target).ok_or_else(|| {
                        bad(format!("`{name}` points at an object that is not there"))
                    })?;
                let (position, found) = target_object
                    .field_named(by)
                    .ok_or_else(|| no_field(target_object, by))?;
                let is_comparable =
                    matches!(found.kind, Kind::LongText { .. } | Kind::RichText { .. })
                        || found.unique_column(UniqueBy::Exact).is_some();
                if !is_comparable || matches!(found.kind, Kind::Relation(_)) {
                    return Err(bad(format!(
                        "a record can't be found by a field of kind {}",
                        found.kind.name()
                    )));
                }
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
        let cell = Cell::Text(value.to_owned());
        match self.target(catalogue, object, "", target)? {
            Target::Lookup(_) => {
                self.lookups.pop();
                Err(bad(
                    "a relation can't be a constant; give the file a column for it",
                ))
            }
            Target::Id | Target::Owner => Err(bad(format!("`{target}` can't be a constant"))),
            Target::Field { name } => {
                let json = self.json(&name, &cell)?;
                self.constants.insert(name, json);
                Ok(())
            }
            Target::Part { name, part } => {
                let json = self.part(&name, &part, &cell);
                put_part(&mut self.constants, &name, &part, json);
                Ok(())
            }
        }
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The JSON for a cell of this field.
    fn json(&self, name: &str, cell: &Cell) -> Result<Json, Issues> {
        match self.field(name) {
            Some(field) => cells::json(field, cell, &self.reading),
            None => Ok(Json::String(cell.text())),
        }
    }

    fn part(&self, name: &str, part: &str, cell: &Cell) -> Json {
        match self.field(name) {
            Some(field) => cells::part(&field.kind, part, cell, &self.reading),
            None => Json::String(cell.text()),
        }
    }

    /// The rows that can be read, and what is wrong with the others.
    pub(super) fn rows(&self, raw: &[RawRow], directory: &Directory) -> Rows {
        let mut all = Rows::default();
        for raw in raw {
            let faults_before = all.errors.len();
            if let Some(fault) = &raw.fault {
                all.errors.push(RowError {
                    line: raw.line,
                    column: match fault.path.first() {
                        Some(PathSegment::Name(name)) => Some(name.clone()),
                        _ => None,
                    },
                    code: fault.code.clone(),
                    message: fault.message.clone(),
                });
            }
            let row = self.row(raw, directory, &mut all.errors);
            // What the file says of a cell, the field need not say again.
            if let [fault, others @ ..] = &all.errors[faults_before..]
                && raw.fault.is_some()
            {
                let is_new =
                    |error: &RowError| (&error.column, &error.code) != (&fault.column, &fault.code);
                let others: Vec<RowError> = others.iter().filter(|e| is_new(e)).cloned().collect();
                all.errors.truncate(faults_before + 1);
                all.errors.extend(others);
            }
            if all.errors.len() == faults_before {
                all.rows.push(row);
            } else {
                all.bad += 1;
            }
        }
        all
    }

    /// Whether a row is left out. To be asked of each row in the order of the file.
    pub(super) fn is_passed_over(&self, raw: &RawRow, seen: &mut Seen) -> bool {
        let text = |position: &usize| raw.cells.get(*position).map(Cell::text).unwrap_or_default();
        let is_empty = self
            .skip_empty
            .iter()
            .any(|position| text(position).trim().is_empty());
        is_empty
            || !self.distinct.is_empty()
                && !seen.insert(
                    self.distinct
                        .iter()
                        .map(|position| text(position).trim().to_owned())
                        .collect(),
                )
    }

    fn row(&self, raw: &RawRow, directory: &Directory, errors: &mut Vec<RowError>) -> Row {
        let mut row = Row {
            line: raw.line,
            keyed: KeyedRow {
                id: None,
                data: self.constants.clone(),
            },
            lookups: Vec::new(),
            own: Map::new(),
        };
        for (position, column, target) in &self.columns {
            let cell = raw.cells.get(*position).unwrap_or(&Cell::Empty);
            if cell.is_empty() {
                self.emptied(target, &mut row);
                continue;
            }
            let mut wrong = |code: &str, message: String| {
                errors.push(RowError {
                    line: raw.line,
                    column: Some(column.clone()),
                    code: code.to_owned(),
                    message: format!("`{}`: {message}", shortened(&cell.text())),
                });
            };
            match target {
                Target::Id => match cells::key_text(cell).parse::<Uuid>() {
                    Ok(id) => row.keyed.id = Some(id),
                    Err(_) => wrong("BAD_ID", "expected the id of a record, a UUID".to_owned()),
                },
                Target::Owner => {
                    let text = cells::key_text(cell);
                    match directory.owner_named(&text) {
                        Some(id) => {
                            row.keyed
                                .data
                                .insert("owner".to_owned(), id.to_string().into());
                        }
                        None => wrong(
                            "NOT_FOUND",
                            "there is no user with this e-mail address or id".to_owned(),
                        ),
                    }
                }
                Target::Lookup(number) => row.lookups.push((*number, cells::key_text(cell))),
                Target::Part { name, part } => {
                    let json = self.part(name, part, cell);
                    put_part(&mut row.keyed.data, name, part, json);
                }
                Target::Field { name } => match self.json(name, cell) {
                    Ok(json) if self.is_own(name) && !json.is_null() => {
                        row.own.insert(name.clone(), json);
                    }
                    Ok(json) => {
                        row.keyed.data.insert(name.clone(), json);
                    }
                    Err(issues) => {
                        for issue in issues.0 {
                            wrong(&issue.code, issue.message);
                        }
                    }
                },
            }
        }
        self.tidied(&mut row.keyed.data);
        row
    }

    /// Whether a field points at records of the object itself.
    fn is_own(&self, name: &str) -> bool {
        self.field(name).is_some_and(|field| {
            matches!(&field.kind, Kind::Relation(relation) if relation.target == self.object)
        })
    }

    /// Whether rows may name other rows of the file.
    pub(super) fn names_own(&self) -> bool {
        self.columns.iter().any(|(_, _, target)| match target {
            Target::Field { name } => self.is_own(name),
            Target::Lookup(number) => self.is_own(&self.lookups[*number].relation),
            Target::Id | Target::Owner | Target::Part { .. } => false,
        })
    }

    /// What an empty cell does to a field that may be emptied.
    fn emptied(&self, target: &Target, row: &mut Row) {
        if self.empty == Empty::Keep {
            return;
        }
        let data = &mut row.keyed.data;
        match target {
            Target::Id => {}
            Target::Owner => {
                data.insert("owner".to_owned(), Json::Null);
            }
            Target::Lookup(number) => {
                data.insert(self.lookups[*number].relation.clone(), Json::Null);
            }
            // A record always stands somewhere.
            Target::Field { name } | Target::Part { name, .. } if matches!(self.field(name), Some(field) if field.kind == Kind::Stage) =>
                {}
            Target::Field { name } => {
                data.insert(name.clone(), Json::Null);
            }
            Target::Part { name, part } => put_part(data, name, part, Json::Null),
        }
    }

    /// Composite values of which no part is filled are none; stages may pass gates.
    fn tidied(&self, data: &mut Map<String, Json>) {
        for (name, json) in data.iter_mut() {
            let Some(field) = self.field(name) else {
                continue;
            };
            if parts(&field.kind).is_empty() || !json.is_object() {
                continue;
            }
            if let Json::Object(members) = json {
                members.retain(|_, member| !member.is_null());
                if members.is_empty() {
                    *json = Json::Null;
                    continue;
                }
            }
            if field.kind == Kind::Stage {
                *json = cells::stage(json.take(), &self.reading);
            }
        }
    }

    /// The column that fills the field (and part) at the beginning of this path.
    pub(super) fn column_of(&self, path: &[&str]) -> Option<String> {
        let (name, rest) = path.split_first()?;
        let exact = self.columns.iter().find(|(_, _, target)| {
            matches!(target, Target::Part { name: known, part } if known == name && rest.first() == Some(&part.as_str()))
        });
        let any = self.columns.iter().find(|(_, _, target)| match target {
            Target::Id => *name == "id",
            Target::Owner => *name == "owner",
            Target::Field { name: known } | Target::Part { name: known, .. } => known == name,
            Target::Lookup(number) => self.lookups[*number].relation == *name,
        });
        exact.or(any).map(|(_, column, _)| column.clone())
    }
}

fn put_part(data: &mut Map<String, Json>, name: &str, part: &str, json: Json) {
    let value = data
        .entry(name.to_owned())
        .or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(members) = value {
        members.insert(part.to_owned(), json);
    }
}

/// `COLUMN=FIELD`: names of columns may have equals signs in them.
fn split_map(text: &str) -> Result<(&str, &str), Issues> {
    sides(text, text.rsplit_once('='))
}

/// `FIELD=VALUE`: values may.
fn split_set(text: &str) -> Result<(&str, &str), Issues> {
    sides(text, text.split_once('='))
}

fn sides<'t>(text: &str, split: Option<(&'t str, &'t str)>) -> Result<(&'t str, &'t str), Issues> {
    split
        .map(|(left, right)| (left.trim(), right.trim()))
        .filter(|(left, _)| !left.is_empty())
        .ok_or_else(|| bad(format!("`{text}` is not of the form LEFT=RIGHT")))
}

fn position(header: &[String], column: &str) -> Result<usize, Issues> {
    let mut found = header
        .iter()
        .enumerate()
        .filter(|(_, name)| *name == column)
        .map(|(position, _)| position);
    match (found.next(), found.next()) {
        (Some(position), None) => Ok(position),
        (Some(_), Some(_)) => Err(bad(format!(
            "the file has several columns `{column}`; give each a name of its own"
        ))),
        (None, _) => Err(bad(format!(
            "the file has no column `{column}`; it has {}",
            header.join(", ")
        ))),
    }
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
