//! What a query must answer, worked out slowly: every list is a scan of all records, every order a
//! comparison of two of them, every relation is looked for.
//!
//! Nothing of the compiler is in here. Of the catalogue it takes how a value is written as JSON
//! ([`relata_catalog::to_json`]), what a text folds to, and how phones and autonumbers are read.
//!
//! What somebody may not see is to be left out in three places, when there is such a thing:
//! [`Interpreter::is_there`] (records), [`Interpreter::value`] (fields) and
//! [`Interpreter::target`] (what a relation leads to).

mod conditions;
mod stages;

use std::collections::HashMap;
use std::rc::Rc;

use relata_catalog::{FieldIndex, Kind, ObjectIndex, Value, to_json};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use self::stages::Standing;
use super::data::{Record, World};
use super::query::{Directive, Field, Fragment, Question, Selection};
use super::schema::composite;

/// Records on a page that does not say how many, at the root and below it.
pub(crate) const PAGE: usize = 7;
pub(crate) const PAGE_NESTED: usize = 3;

/// The cursors of all records of an object in an order, by id: no other program can make them.
pub(crate) type CursorsOf<'c> = dyn Fn(ObjectIndex, &Json) -> Rc<HashMap<Uuid, String>> + 'c;

pub(crate) struct Interpreter<'w> {
    pub(crate) world: &'w World,
    cursors: &'w CursorsOf<'w>,
    fragments: &'w [Fragment],
    variables: Map<String, Json>,
}

/// A member of an answer: its name there, the first field that asks for it, and all that is
/// selected of it.
struct Collected<'q> {
    key: &'q str,
    field: &'q Field,
    sets: Vec<&'q [Selection]>,
}

/// The bytes of a response.
pub(crate) fn response(world: &World, cursors: &CursorsOf<'_>, question: &Question) -> String {
    let interpreter = Interpreter {
        world,
        cursors,
        fragments: &question.fragments,
        variables: question.values(),
    };
    json!({"data": interpreter.root(&question.selections)}).to_string()
}

impl<'w> Interpreter<'w> {
    fn root(&self, selections: &[Selection]) -> Json {
        self.object(&[selections], "Query", &[], |field, sets| {
            if field.name == "node" {
                return self.node(field, sets);
            }
            for table in &self.world.tables {
                let object = self.world.object(table.object);
                if field.name == object.singular {
                    return match self.by_id(table.object, field) {
                        Some(record) => self.record(table.object, record, sets),
                        None => Json::Null,
                    };
                }
                if field.name == object.plural {
                    let records = table.records.iter().collect();
                    return self.connection(table.object, records, field, sets, PAGE);
                }
            }
            panic!("{} is no root field", field.name)
        })
    }

    fn node(&self, field: &Field, sets: &[&[Selection]]) -> Json {
        for table in &self.world.tables {
            if let Some(record) = self.by_id(table.object, field) {
                return self.record(table.object, record, sets);
            }
        }
        Json::Null
    }

    /// Also from the trash.
    fn by_id(&self, object: ObjectIndex, field: &Field) -> Option<&'w Record> {
        let id = self.argument(field, "id").unwrap();
        let id = id.as_str()?.parse::<Uuid>().ok()?;
        let records = self.world.records(object);
        records.iter().find(|record| record.id == id)
    }

    /// An argument; none where it is not given.
    fn argument(&self, field: &Field, name: &str) -> Option<Json> {
        let (_, literal) = field.arguments.iter().find(|(given, _)| given == name)?;
        literal.value(&self.variables)
    }

    /// An argument that null leaves out.
    fn filled(&self, field: &Field, name: &str) -> Option<Json> {
        self.argument(field, name).filter(|value| !value.is_null())
    }

    /// The members of an object of this type. `__typename` is the same everywhere.
    fn object(
        &self,
        sets: &[&[Selection]],
        type_name: &str,
        also: &[&str],
        mut member: impl FnMut(&Field, &[&[Selection]]) -> Json,
    ) -> Json {
        let mut collected = Vec::new();
        for set in sets {
            self.collect(
                set,
                &|on| on == type_name || also.contains(&on),
                &mut collected,
            );
        }
        let mut object = Map::new();
        for Collected { key, field, sets } in collected {
            let value = if field.name == "__typename" {
                type_name.into()
            } else {
                member(field, &sets)
            };
            object.insert(key.to_owned(), value);
        }
        object.into()
    }

    fn collect<'q>(
        &self,
        selections: &'q [Selection],
        applies: &dyn Fn(&str) -> bool,
        collected: &mut Vec<Collected<'q>>,
    ) where
        'w: 'q,
    {
        for selection in selections {
            match selection {
                Selection::Field(field) if self.is_included(&field.directives) => {
                    let known = collected.iter_mut().find(|known| known.key == field.key());
                    match known {
                        Some(known) => known.sets.push(&field.selections),
                        None => collected.push(Collected {
                            key: field.key(),
                            field,
                            sets: vec![&field.selections],
                        }),
                    }
                }
                Selection::Inline {
                    on,
                    directives,
                    selections,
                } if self.is_included(directives) && on.as_deref().is_none_or(applies) => {
                    self.collect(selections, applies, collected);
                }
                Selection::Spread {
                    fragment,
                    directives,
                } if self.is_included(directives) => {
                    let fragment = self
                        .fragments
                        .iter()
                        .find(|known| known.name == *fragment)
                        .unwrap();
                    if applies(&fragment.on) {
                        self.collect(&fragment.selections, applies, collected);
                    }
                }
                _ => {}
            }
        }
    }

    fn is_included(&self, directives: &[Directive]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive.condition.value(&self.variables);
            condition == Some(Json::Bool(directive.name == "include"))
        })
    }

    /// Whether a list shows a record, as far as the trash goes.
    fn is_there(&self, record: &Record, deleted: &str) -> bool {
        match deleted {
            "INCLUDE" => true,
            "ONLY" => record.deleted_at.is_some(),
            _ => record.deleted_at.is_none(),
        }
    }

    fn value(&self, record: &'w Record, field: FieldIndex) -> &'w Value {
        &record.values[field.0]
    }

    /// The record that a relation leads to: what is in the trash is not there.
    fn target(
        &self,
        record: &'w Record,
        target: ObjectIndex,
        field: FieldIndex,
    ) -> Option<&'w Record> {
        let Value::Reference(id) = self.value(record, field) else {
            return None;
        };
        self.world
            .records(target)
            .iter()
            .find(|target| target.id == *id && target.deleted_at.is_none())
    }

    /// The records of `object` whose relation `field` holds this one, in the trash or not.
    fn pointing(&self, record: &Record, object: ObjectIndex, field: FieldIndex) -> Vec<&'w Record> {
        self.world
            .records(object)
            .iter()
            .filter(|pointing| *self.value(pointing, field) == Value::Reference(record.id))
            .collect()
    }

    fn record(&self, index: ObjectIndex, record: &'w Record, sets: &[&[Selection]]) -> Json {
        let type_name = self.world.object(index).type_name();
        self.object(sets, &type_name, &["Record", "Node"], |field, sets| {
            self.member(index, record, field, sets)
        })
    }

    fn member(
        &self,
        index: ObjectIndex,
        record: &'w Record,
        field: &Field,
        sets: &[&[Selection]],
    ) -> Json {
        let instant = |micros: i64| to_json(&Kind::DateTime, &Value::DateTime(micros));
        match field.name.as_str() {
            "id" => record.id.to_string().into(),
            "label" => self.label(index, record).into(),
            "version" => record.version.into(),
            "createdAt" => instant(record.created_at),
            "updatedAt" => instant(record.updated_at),
            "deletedAt" => record.deleted_at.map_or(Json::Null, instant),
            "createdBy" => self.user(record.created_by, sets),
            "updatedBy" => self.user(record.updated_by, sets),
            "owner" => self.user(record.owner, sets),
            name => {
                let object = self.world.object(index);
                if let Some((at, described)) = object.field_named(name) {
                    if let Value::Stage(value) = self.value(record, at) {
                        let standing = Standing {
                            object: index,
                            record,
                            field: described,
                            value,
                        };
                        return self.stage_value(&standing, sets);
                    }
                    return match self.world.target(&described.kind) {
                        Some(target) => match self.target(record, target, at) {
                            Some(found) => self.record(target, found, sets),
                            None => Json::Null,
                        },
                        None => self.composite(&described.kind, self.value(record, at), sets),
                    };
                }
                let lists = self.world.lists(index);
                let (_, object, via) = lists.iter().find(|(list, ..)| *list == name).unwrap();
                let records = self.pointing(record, *object, *via);
                self.connection(*object, records, field, sets, PAGE_NESTED)
            }
        }
    }

    /// The text of the field that names it; else its id.
    fn label(&self, index: ObjectIndex, record: &'w Record) -> String {
        let object = self.world.object(index);
        let field = object.label_field.as_ref();
        let field = field.and_then(|key| object.field_keyed(key));
        let text = field.and_then(|(at, field)| match self.value(record, at) {
            Value::FullName(name) => Some(name.full.clone()),
            Value::Emails(emails) => Some(emails.primary.clone()),
            Value::Phone(phone) => Some(phone.typed.clone()),
            Value::Phones(phones) => Some(phones.primary.typed.clone()),
            value => match to_json(&field.kind, value) {
                Json::Null => None,
                Json::String(text) => Some(text),
                other => Some(other.to_string()),
            },
        });
        text.unwrap_or_else(|| record.id.to_string())
    }

    /// Somebody whom the workspace does not know by name.
    fn user(&self, id: Uuid, sets: &[&[Selection]]) -> Json {
        self.object(sets, "User", &["Actor", "Owner"], |field, _| {
            match field.name.as_str() {
                "id" => id.to_string().into(),
                _ => Json::Null,
            }
        })
    }

    fn composite(&self, kind: &Kind, value: &Value, sets: &[&[Selection]]) -> Json {
        let mut json = to_json(kind, value);
        if let Value::File(file) = value {
            json["url"] = format!("/files/{}", file.id).into();
        }
        match composite(kind) {
            Some((type_name, _)) => self.pick(&json, type_name, sets),
            None => json,
        }
    }

    /// The selected members of what is JSON already.
    fn pick(&self, json: &Json, type_name: &str, sets: &[&[Selection]]) -> Json {
        match json {
            Json::Array(items) => items
                .iter()
                .map(|item| self.pick(item, type_name, sets))
                .collect(),
            Json::Object(members) => self.object(sets, type_name, &[], |field, sets| {
                let member = &members[&field.name];
                if type_name == "Phones" {
                    self.pick(member, "Phone", sets)
                } else {
                    member.clone()
                }
            }),
            other => other.clone(),
        }
    }

    /// A list of records.
    fn connection(
        &self,
        index: ObjectIndex,
        records: Vec<&'w Record>,
        field: &Field,
        sets: &[&[Selection]],
        page: usize,
    ) -> Json {
        let deleted = self.filled(field, "deleted");
        let deleted = deleted.as_ref().and_then(Json::as_str);
        let filter = self.argument(field, "where");
        let order = self.filled(field, "orderBy").unwrap_or_else(|| json!([]));
        let mut rows = records
            .into_iter()
            .filter(|record| self.is_there(record, deleted.unwrap_or("EXCLUDE")))
            .filter(|record| {
                filter
                    .as_ref()
                    .is_none_or(|filter| self.matches(index, record, filter))
            })
            .collect::<Vec<_>>();
        let total = rows.len();
        rows.sort_by(|left, right| self.compare(index, &order, left, right));
        let [after, before] = ["after", "before"].map(|name| {
            self.filled(field, name)
                .map(|cursor| self.pointed_at(index, &order, &cursor))
        });
        if let Some(after) = after {
            rows.retain(|row| self.compare(index, &order, row, after).is_gt());
        }
        if let Some(before) = before {
            rows.retain(|row| self.compare(index, &order, row, before).is_lt());
        }
        let number = |name| {
            let number = self.filled(field, name)?;
            Some(usize::try_from(number.as_u64().unwrap()).unwrap())
        };
        let offset = number("offset").unwrap_or(0);
        // Who has skipped something, by a cursor or by a number, has something there.
        let (mut is_behind, mut is_before) = (before.is_some(), after.is_some());
        let rows = match number("last") {
            Some(last) => {
                is_behind |= offset > 0;
                rows.truncate(rows.len().saturating_sub(offset));
                let start = rows.len().saturating_sub(last);
                is_before |= start > 0;
                rows.split_off(start)
            }
            None => {
                is_before |= offset > 0;
                let mut rows = rows.split_off(offset.min(rows.len()));
                let first = number("first").unwrap_or(page);
                is_behind |= rows.len() > first;
                rows.truncate(first);
                rows
            }
        };
        let type_name = self.world.object(index).type_name();
        let cursor = |row: Option<&&Record>| match row {
            Some(row) => (self.cursors)(index, &order)[&row.id].as_str().into(),
            None => Json::Null,
        };
        self.object(
            sets,
            &format!("{type_name}Connection"),
            &[],
            |field, sets| match field.name.as_str() {
                "totalCount" => total.into(),
                "nodes" => rows
                    .iter()
                    .map(|row| self.record(index, row, sets))
                    .collect(),
                "edges" => rows
                    .iter()
                    .map(|row| {
                        self.object(sets, &format!("{type_name}Edge"), &[], |field, sets| {
                            match field.name.as_str() {
                                "cursor" => cursor(Some(row)),
                                _ => self.record(index, row, sets),
                            }
                        })
                    })
                    .collect(),
                _ => self.object(sets, "PageInfo", &[], |field, _| {
                    match field.name.as_str() {
                        "hasNextPage" => is_behind.into(),
                        "hasPreviousPage" => is_before.into(),
                        "startCursor" => cursor(rows.first()),
                        _ => cursor(rows.last()),
                    }
                }),
            },
        )
    }

    /// The record that a cursor was made of.
    fn pointed_at(&self, index: ObjectIndex, order: &Json, cursor: &Json) -> &'w Record {
        let cursors = (self.cursors)(index, order);
        let (id, _) = cursors.iter().find(|(_, text)| *cursor == **text).unwrap();
        self.world
            .records(index)
            .iter()
            .find(|record| record.id == *id)
            .unwrap()
    }
}
