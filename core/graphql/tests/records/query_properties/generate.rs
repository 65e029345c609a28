//! Queries, drawn at random: every one is valid.
//!
//! Fields that take arguments get an alias that nothing else has, unless they are repeated on
//! purpose; so whatever meets in a selection merges.

mod conditions;

use std::collections::HashSet;

use relata_catalog::{Kind, ObjectIndex};
use serde_json::Value as Json;

use super::choices::Choices;
use super::data::World;
use super::interpreter::CursorsOf;
use super::query::{Directive, Field, Fragment, Literal, Question, Selection, Variable};
use super::schema::composite;

/// Relations and lists inside each other.
const DEPTH_MAX: usize = 3;

/// What all records have, whatever their object.
const SYSTEM: [&str; 10] = [
    "id",
    "label",
    "version",
    "__typename",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "createdBy",
    "updatedBy",
    "owner",
];

/// What a stage has.
const STAGE: [&str; 6] = [
    "name",
    "label",
    "type",
    "probability",
    "position",
    "__typename",
];

/// What a selection stands in.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    Object(ObjectIndex),
    Record,
    Node,
}

pub(crate) struct Generator<'w> {
    world: &'w World,
    cursors: &'w CursorsOf<'w>,
    choices: Choices,
    question: Question,
    names: usize,
    /// Root fields that have appeared under their own names.
    roots: HashSet<String>,
    /// What the fragments stand in, and how deep they reach.
    fragments: Vec<(Around, usize)>,
}

pub(crate) fn question<'w>(
    world: &'w World,
    cursors: &'w CursorsOf<'w>,
    choices: Choices,
) -> Question {
    let mut generator = Generator {
        world,
        cursors,
        choices,
        question: Question::default(),
        names: 0,
        roots: HashSet::new(),
        fragments: Vec::new(),
    };
    let mut selections = Vec::new();
    for _ in 0..1 + generator.choices.below(3) {
        let root = generator.root();
        selections.push(root);
        if generator.choices.one_in(8) {
            let again = generator.again(&selections);
            selections.extend(again);
        }
    }
    generator.question.selections = selections;
    generator.question.is_admin = !generator.choices.one_in(2);
    generator.question.forget_unused();
    generator.question
}

impl Generator<'_> {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn root(&mut self) -> Selection {
        let tables = &self.world.tables;
        let index = tables[self.choices.below(tables.len())].object;
        let object = self.world.object(index).clone();
        let mut field = match self.choices.below(8) {
            5 => Field::named(&object.singular),
            6 => Field::named("node"),
            7 => return Selection::Field(Field::named("__typename")),
            _ => Field::named(&object.plural),
        };
        if field.name == object.plural {
            field.arguments = self.list_arguments(index);
            field.selections = self.connection(index, DEPTH_MAX);
        } else {
            let id = self.id(index);
            field.arguments = vec![("id".to_owned(), self.perhaps_variable("ID!", id))];
            field.selections = if field.name == "node" {
                self.record(Around::Node, DEPTH_MAX)
            } else {
                self.record(Around::Object(index), DEPTH_MAX)
            };
        }
        if !self.roots.insert(field.name.clone()) || self.choices.one_in(2) {
            field.alias = Some(self.name("r"));
        }
        field.directives = self.directives();
        Selection::Field(field)
    }

    /// The id of a record of the object, of another one, or of nothing.
    fn id(&mut self, index: ObjectIndex) -> Literal {
        match self.choices.below(8) {
            5 => "0190163d-8694-739b-aea5-966c26f8ad99".into(),
            6 => "no id".into(),
            7 => 7.into(),
            4 => {
                let tables = &self.world.tables;
                let other = tables[self.choices.below(tables.len())].object;
                self.own_id(other)
            }
            _ => self.own_id(index),
        }
    }

    fn own_id(&mut self, index: ObjectIndex) -> Literal {
        let records = self.world.records(index);
        let id = records[self.choices.below(records.len())].id.to_string();
        match self.choices.one_in(6) {
            true => id.to_uppercase().as_str().into(),
            false => id.as_str().into(),
        }
    }

    /// The same field once more, with something else selected of it.
    fn again(&mut self, selections: &[Selection]) -> Option<Selection> {
        let again = &selections[self.choices.below(selections.len())];
        let Selection::Field(field) = again else {
            return Some(again.clone());
        };
        let mut field = field.clone();
        let known = self.choices.below(field.selections.len().max(1));
        field.selections = field.selections.into_iter().skip(known).collect();
        field.directives = self.directives();
        Some(Selection::Field(field))
    }

    fn directives(&mut self) -> Vec<Directive> {
        let mut directives = Vec::new();
        if self.choices.one_in(6) {
            let is_skip = self.choices.one_in(2);
            // More is shown than hidden.
            let hides = self.choices.one_in(3);
            let condition = Literal::Boolean(is_skip == hides);
            directives.push(Directive {
                name: if is_skip { "skip" } else { "include" },
                condition: self.perhaps_variable("Boolean!", condition),
            });
        }
        directives
    }

    /// The value as it is, or in a variable: given, or by default.
    fn perhaps_variable(&mut self, ty: &str, value: Literal) -> Literal {
        let Some(json) = value.constant() else {
            return value;
        };
        let (default, given) = match self.choices.below(6) {
            3 => (None, Some(json)),
            4 => (Some(value), None),
            5 => {
                let default = if ty.ends_with('!') {
                    value
                } else {
                    Literal::Null
                };
                (Some(default), Some(json))
            }
            _ => return value,
        };
        // A variable with a default may stand where null may not.
        let may_be_null = default
            .as_ref()
            .is_some_and(|default| *default != Literal::Null);
        let ty = match ty.strip_suffix('!') {
            Some(nullable) if may_be_null && self.choices.one_in(2) => nullable,
            _ => ty,
        };
        self.variable(ty, default, given)
    }

    fn variable(&mut self, ty: &str, default: Option<Literal>, given: Option<Json>) -> Literal {
        let name = self.name("v");
        self.question.variables.push(Variable {
            name: name.clone(),
            ty: ty.to_owned(),
            default,
            given,
        });
        Literal::Variable(name)
    }

    /// An argument that may be left out in all the ways that there are.
    fn optional(&mut self, name: &str, ty: &str, value: Literal) -> (String, Literal) {
        let null_is_nothing = name != "where";
        let value = match self.choices.below(12) {
            9 if null_is_nothing => Literal::Null,
            10 => self.variable(ty, None, None),
            11 if null_is_nothing => self.variable(ty, None, Some(Json::Null)),
            _ => self.perhaps_variable(ty, value),
        };
        (name.to_owned(), value)
    }

    fn list_arguments(&mut self, index: ObjectIndex) -> Vec<(String, Literal)> {
        let type_name = self.world.object(index).type_name();
        let mut arguments = Vec::new();
        if self.choices.one_in(2) {
            let filter = self.filter(index, 0);
            arguments.push(self.optional("where", &format!("{type_name}Filter"), filter));
        }
        let mut order = Literal::List(Vec::new());
        if !self.choices.one_in(3) {
            order = self.order(index);
            let (name, literal) =
                self.optional("orderBy", &format!("[{type_name}Order!]"), order.clone());
            // The order in force: a cursor belongs to it.
            let values = self.question.values();
            let json = literal.value(&values).filter(|json| !json.is_null());
            if json.is_none() {
                order = Literal::List(Vec::new());
            }
            arguments.push((name, literal));
        }
        if self.choices.one_in(2) {
            let size = self.choices.below(8) as i64;
            let name = self.choices.of(&["first", "last"]);
            arguments.push(self.optional(name, "Int", size.into()));
        }
        for name in ["after", "before"] {
            if self.choices.one_in(5) {
                let order = order.constant().unwrap_or_default();
                let cursors = (self.cursors)(index, &order);
                let records = self.world.records(index);
                let id = records[self.choices.below(records.len())].id;
                let cursor = cursors[&id].as_str().into();
                arguments.push(self.optional(name, "String", cursor));
            }
        }
        if self.choices.one_in(6) {
            let offset = [1, 0, 2, 5, 100][self.choices.below(5)];
            arguments.push(self.optional("offset", "Int", offset.into()));
        }
        if self.choices.one_in(3) {
            let deleted = self.choices.of(&["INCLUDE", "ONLY", "EXCLUDE"]);
            arguments.push(self.optional("deleted", "Deleted", Literal::Enum(deleted.to_owned())));
        }
        self.choices.shuffled(arguments)
    }

    fn connection(&mut self, index: ObjectIndex, depth: usize) -> Vec<Selection> {
        let type_name = format!("{}Connection", self.world.object(index).type_name());
        let mut selections = Vec::new();
        for _ in 0..1 + self.choices.below(4) {
            let mut field = match self.choices.below(7) {
                0 | 1 => Field::named("nodes"),
                2 | 3 => Field::named("edges"),
                4 => Field::named("pageInfo"),
                5 => Field::named("totalCount"),
                _ => Field::named("__typename"),
            };
            field.selections = match field.name.as_str() {
                "nodes" => self.record(Around::Object(index), depth),
                "edges" => self.edge(index, depth),
                "pageInfo" => self.leaves(&[
                    "hasNextPage",
                    "endCursor",
                    "hasPreviousPage",
                    "startCursor",
                    "__typename",
                ]),
                _ => Vec::new(),
            };
            self.add(&mut selections, field);
        }
        self.perhaps_inside(&type_name, selections)
    }

    fn edge(&mut self, index: ObjectIndex, depth: usize) -> Vec<Selection> {
        let mut selections = Vec::new();
        for _ in 0..1 + self.choices.below(3) {
            let mut field = Field::named(self.choices.of(&["node", "cursor", "__typename"]));
            if field.name == "node" {
                field.selections = self.record(Around::Object(index), depth);
            }
            self.add(&mut selections, field);
        }
        selections
    }

    /// Adds a field that takes no arguments, perhaps under another name, perhaps not always.
    fn add(&mut self, selections: &mut Vec<Selection>, mut field: Field) {
        if self.choices.one_in(5) {
            field.alias = Some(self.name("a"));
        }
        field.directives = self.directives();
        selections.push(Selection::Field(field));
    }

    fn leaves(&mut self, names: &[&str]) -> Vec<Selection> {
        let mut selections = Vec::new();
        for _ in 0..1 + self.choices.below(names.len()) {
            let name = self.choices.of(names);
            self.add(&mut selections, Field::named(name));
        }
        selections
    }

    /// The selections as they are, or inside a fragment on their own type.
    fn perhaps_inside(&mut self, type_name: &str, selections: Vec<Selection>) -> Vec<Selection> {
        if !self.choices.one_in(8) {
            return selections;
        }
        let on = self.choices.one_in(2).then(|| type_name.to_owned());
        let directives = if on.is_some() {
            self.directives()
        } else {
            Vec::new()
        };
        vec![Selection::Inline {
            on,
            directives,
            selections,
        }]
    }

    fn record(&mut self, around: Around, depth: usize) -> Vec<Selection> {
        let mut selections = Vec::new();
        for _ in 0..1 + self.choices.below(5) {
            match self.choices.below(10) {
                7 => {
                    let inline = self.inline(around, depth);
                    selections.push(inline);
                }
                8 => {
                    let spread = self.spread(around, depth);
                    selections.push(spread);
                }
                9 if !selections.is_empty() => {
                    let again = self.again(&selections);
                    selections.extend(again);
                }
                _ => {
                    let field = self.member(around, depth);
                    if field.arguments.is_empty() {
                        self.add(&mut selections, field);
                    } else {
                        selections.push(Selection::Field(field));
                    }
                }
            }
        }
        selections
    }

    /// A fragment on the type itself, on an interface of it, or on what belongs to it.
    fn within(&mut self, around: Around) -> Around {
        let tables = &self.world.tables;
        match (self.choices.below(3), around) {
            (0, around) => around,
            (1, Around::Object(_) | Around::Node) => Around::Record,
            (_, Around::Object(_)) => Around::Node,
            _ => Around::Object(tables[self.choices.below(tables.len())].object),
        }
    }

    fn type_name(&self, around: Around) -> String {
        match around {
            Around::Object(index) => self.world.object(index).type_name(),
            Around::Record => "Record".to_owned(),
            Around::Node => "Node".to_owned(),
        }
    }

    fn inline(&mut self, around: Around, depth: usize) -> Selection {
        let within = self.within(around);
        let on = (within != around || self.choices.one_in(2)).then(|| self.type_name(within));
        Selection::Inline {
            on,
            directives: self.directives(),
            selections: self.record(within, depth.saturating_sub(1)),
        }
    }

    fn spread(&mut self, around: Around, depth: usize) -> Selection {
        let depth = depth.saturating_sub(1);
        let within = self.within(around);
        let known = self
            .fragments
            .iter()
            .position(|known| known.0 == within && known.1 <= depth);
        let fragment = match known {
            Some(known) if self.choices.one_in(2) => self.question.fragments[known].name.clone(),
            _ => {
                let name = self.name("F");
                let selections = self.record(within, depth);
                // Those inside it stand before it.
                self.fragments.push((within, depth));
                self.question.fragments.push(Fragment {
                    name: name.clone(),
                    on: self.type_name(within),
                    selections,
                });
                name
            }
        };
        Selection::Spread {
            fragment,
            directives: self.directives(),
        }
    }

    /// A field of a record.
    fn member(&mut self, around: Around, depth: usize) -> Field {
        let index = match around {
            Around::Object(index) if !self.choices.one_in(4) => index,
            Around::Node => return Field::named(self.choices.of(&["id", "__typename"])),
            _ => {
                let mut field = Field::named(self.choices.of(&SYSTEM));
                if matches!(field.name.as_str(), "createdBy" | "updatedBy" | "owner") {
                    field.selections = self.somebody(&field.name);
                }
                return field;
            }
        };
        let object = self.world.object(index).clone();
        let lists = self.world.lists(index);
        let at = self.choices.below(object.fields.len() + 2 * lists.len());
        let Some(described) = object.fields.get(at) else {
            // Lists are worth more than one field.
            let (name, pointing, _) = lists[(at - object.fields.len()) / 2];
            if depth == 0 {
                return Field::named("id");
            }
            let mut field = Field::named(name);
            field.arguments = self.list_arguments(pointing);
            if !field.arguments.is_empty() {
                field.alias = Some(self.name("l"));
            }
            field.selections = self.connection(pointing, depth - 1);
            return field;
        };
        let mut field = Field::named(&described.name);
        if let Some(target) = self.world.target(&described.kind) {
            if depth == 0 {
                return Field::named("id");
            }
            field.selections = self.record(Around::Object(target), depth - 1);
        } else if let Some((type_name, parts)) = composite(&described.kind) {
            field.selections = self.parts(&described.kind, parts);
            field.selections = self.perhaps_inside(type_name, field.selections);
        }
        field
    }

    fn parts(&mut self, kind: &Kind, parts: &[&str]) -> Vec<Selection> {
        let parts = parts.iter().copied().chain(["__typename"]);
        let names = parts.collect::<Vec<_>>();
        let mut selections = Vec::new();
        for _ in 0..1 + self.choices.below(names.len()) {
            let mut field = Field::named(self.choices.of(&names));
            field.selections = match (kind, field.name.as_str()) {
                (Kind::Phones, "primary" | "additional") => {
                    self.leaves(&["typed", "e164", "__typename"])
                }
                (Kind::Stage, "stage") => self.leaves(&STAGE),
                (Kind::Stage, "options") => self.options(),
                _ => Vec::new(),
            };
            self.add(&mut selections, field);
        }
        selections
    }

    /// Where a record may go.
    fn options(&mut self) -> Vec<Selection> {
        let mut selections = Vec::new();
        for _ in 0..1 + self.choices.below(4) {
            let name = self
                .choices
                .of(&["allowed", "stage", "unmet", "__typename"]);
            let mut field = Field::named(name);
            field.selections = match name {
                "stage" => self.leaves(&STAGE),
                "unmet" => self.leaves(&["code", "path", "message", "__typename"]),
                _ => Vec::new(),
            };
            self.add(&mut selections, field);
        }
        selections
    }

    /// What is selected of who did something, or whose it is.
    fn somebody(&mut self, field: &str) -> Vec<Selection> {
        let (union, other) = match field {
            "owner" => ("Owner", "Team"),
            _ => ("Actor", "Token"),
        };
        let mut selections = vec![Selection::Field(Field::named("__typename"))];
        for _ in 0..1 + self.choices.below(2) {
            let on = self.choices.of(&["User", other, union]);
            let selections_of = match on {
                "User" => self.leaves(&["id", "name", "email", "__typename"]),
                "Owner" | "Actor" => self.leaves(&["__typename"]),
                _ => self.leaves(&["name", "__typename"]),
            };
            selections.push(Selection::Inline {
                on: Some(on.to_owned()),
                directives: self.directives(),
                selections: selections_of,
            });
        }
        selections
    }
}
