//! Conditions and orders, drawn at random. Operands are mostly values that some record has, or
//! nearly has.

use std::collections::HashSet;

use relata_catalog::{
    Field, FieldIndex, GeoPoint, INTEGER_MAX, Kind, ObjectIndex, Value, folded, to_json,
};
use rust_decimal::Decimal;

use super::Generator;
use crate::query_properties::{
    data::{EMAILS, PHONES, TEXTS, UUIDS},
    query::Literal,
};

/// `and`, `or`, `not` and relations inside each other.
const DEPTH_MAX: usize = 4;

const EQUALITY: [&str; 5] = ["eq", "ne", "in", "notIn", "isNull"];
const RANGES: [&str; 5] = ["lt", "lte", "gt", "gte", "between"];
const EXACT: [&str; 4] = ["contains", "startsWith", "endsWith", "like"];
const FOLDED: [&str; 5] = ["iEq", "iContains", "iStartsWith", "iEndsWith", "iLike"];
const LISTS: [&str; 4] = ["has", "hasAny", "hasAll", "isEmpty"];

/// What a member of a filter takes.
#[derive(Clone, Copy)]
enum Operators {
    /// Text whose folded form is known, or not.
    Text,
    ExactText,
    Ordered,
    Equality,
    /// Values, of which a record has any number.
    List,
    Boolean,
    Phone,
}

impl Operators {
    fn names(self) -> Vec<&'static str> {
        let parts: &[&[&'static str]] = match self {
            Self::Text => &[&EQUALITY, &RANGES, &EXACT, &FOLDED],
            Self::ExactText => &[&EQUALITY, &EXACT],
            Self::Ordered => &[&EQUALITY, &RANGES],
            Self::Equality => &[&EQUALITY],
            Self::List => &[&LISTS],
            Self::Boolean => &[&["eq", "ne", "isNull"]],
            Self::Phone => &[&EQUALITY, &["startsWith", "contains", "endsWith"]],
        };
        parts.concat()
    }
}

impl Generator<'_> {
    /// A condition on records of an object.
    pub(super) fn filter(&mut self, index: ObjectIndex, depth: usize) -> Literal {
        let count = [1, 1, 1, 2, 2, 3, 0][self.choices.below(7)];
        let mut names = HashSet::new();
        let mut members = Vec::new();
        for _ in 0..count {
            let (name, condition) = self.condition(index, depth);
            if names.insert(name.clone()) {
                members.push((name, condition));
            }
        }
        Literal::Object(members)
    }

    fn condition(&mut self, index: ObjectIndex, depth: usize) -> (String, Literal) {
        let is_deep = depth >= DEPTH_MAX;
        let (name, condition) = match self.choices.below(14) {
            9 | 10 if !is_deep => {
                let name = self.choices.of(&["or", "and"]);
                let parts = (0..self.choices.below(4))
                    .map(|_| self.filter(index, depth + 1))
                    .collect();
                (name, self.one_for_all(parts))
            }
            11 if !is_deep => ("not", self.filter(index, depth + 1)),
            12 => return self.system(index),
            13 if !is_deep => return self.related_many(index, depth),
            _ => return self.field(index, depth),
        };
        (name.to_owned(), condition)
    }

    /// A list, or the one thing that is in it.
    fn one_for_all(&mut self, mut items: Vec<Literal>) -> Literal {
        if items.len() == 1 && self.choices.one_in(3) {
            return items.remove(0);
        }
        Literal::List(items)
    }

    fn system(&mut self, index: ObjectIndex) -> (String, Literal) {
        let records = self.world.records(index);
        let record = &records[self.choices.below(records.len())];
        let name = self.choices.of(&[
            "id",
            "version",
            "createdAt",
            "updatedAt",
            "deletedAt",
            "owner",
        ]);
        let instant = |micros: i64| literal(&Kind::DateTime, &Value::DateTime(micros));
        let condition = match name {
            "id" => {
                let id = self.own_id(index);
                self.operators(Operators::Equality, "ID", |_| id.clone())
            }
            "owner" => {
                let owner = Literal::Text(record.owner.to_string());
                self.operators(Operators::Equality, "ID", |_| owner.clone())
            }
            "version" => {
                let version = record.version;
                self.operators(Operators::Ordered, "SafeInt", |_| version.into())
            }
            "createdAt" if self.choices.one_in(4) => self.lately(),
            "createdAt" => {
                let micros = record.created_at;
                self.operators(Operators::Ordered, "DateTime", |_| instant(micros))
            }
            "updatedAt" => {
                let micros = record.updated_at;
                self.operators(Operators::Ordered, "DateTime", |_| instant(micros))
            }
            _ => {
                let micros = record.deleted_at.unwrap_or(record.updated_at);
                self.operators(Operators::Ordered, "DateTime", |_| instant(micros))
            }
        };
        (name.to_owned(), condition)
    }

    /// A length of time before or after now. Nothing that records hold is near its other end.
    fn lately(&mut self) -> Literal {
        let way = self.choices.of(&["last", "next"]);
        let (unit, count) = [
            ("DAY", 3),
            ("WEEK", 55),
            ("MONTH", 17),
            ("QUARTER", 9),
            ("YEAR", 31),
        ][self.choices.below(5)];
        let count = self.perhaps_variable("Int", count.into());
        let unit = self.perhaps_variable("WithinUnit!", Literal::Enum(unit.to_owned()));
        let within = Literal::Object(vec![(way.to_owned(), count), ("unit".to_owned(), unit)]);
        Literal::Object(vec![("within".to_owned(), within)])
    }

    fn related_many(&mut self, index: ObjectIndex, depth: usize) -> (String, Literal) {
        let lists = self.world.lists(index);
        if lists.is_empty() {
            return self.field(index, depth);
        }
        let (name, pointing, _) = lists[self.choices.below(lists.len())];
        let mut members = vec![(
            self.choices.of(&["some", "none", "every"]).to_owned(),
            self.filter(pointing, depth + 1),
        )];
        if members[0].0 != "some" && self.choices.one_in(4) {
            members.push(("some".to_owned(), self.filter(pointing, depth + 1)));
        }
        (name.to_owned(), Literal::Object(members))
    }

    fn field(&mut self, index: ObjectIndex, depth: usize) -> (String, Literal) {
        let object = self.world.object(index).clone();
        // Only one object of a world has a stage, and there is much to be asked of it.
        let stage = object
            .fields
            .iter()
            .position(|field| field.kind == Kind::Stage);
        let at = match stage {
            Some(stage) if self.choices.one_in(5) => stage,
            _ => self.choices.below(object.fields.len()),
        };
        let field = &object.fields[at];
        let condition = match self.world.target(&field.kind) {
            Some(_) if self.choices.one_in(3) => {
                let is_null = self.flag();
                let operators = Literal::Object(vec![("isNull".to_owned(), is_null)]);
                Literal::Object(vec![("id".to_owned(), operators)])
            }
            Some(_) if depth >= DEPTH_MAX => Literal::Object(Vec::new()),
            Some(target) => self.filter(target, depth + 1),
            None => self.of_kind(index, FieldIndex(at), field),
        };
        (field.name.clone(), condition)
    }

    fn flag(&mut self) -> Literal {
        let flag = Literal::Boolean(self.choices.one_in(2));
        self.perhaps_variable("Boolean", flag)
    }

    /// A value of the field that some record has; none where the record has none.
    fn some_value(&mut self, index: ObjectIndex, field: FieldIndex) -> Value {
        let records = self.world.records(index);
        records[self.choices.below(records.len())].values[field.0].clone()
    }

    fn of_kind(&mut self, index: ObjectIndex, at: FieldIndex, field: &Field) -> Literal {
        let kind = &field.kind;
        let type_name = self.world.object(index).type_name();
        let choice = format!("{type_name}{}", relata_catalog::capitalised(&field.name));
        match kind {
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url => self.operators(Operators::Text, "String", |generator| {
                generator.text(index, at, text_of)
            }),
            Kind::Integer { .. } | Kind::Rating { .. } => {
                self.operators(Operators::Ordered, "SafeInt", |generator| {
                    match generator.some_value(index, at) {
                        Value::Integer(number) => generator
                            .nearby(number)
                            .clamp(-INTEGER_MAX, INTEGER_MAX)
                            .into(),
                        _ => 0.into(),
                    }
                })
            }
            Kind::Autonumber { .. } => self.operators(Operators::Ordered, "String", |generator| {
                match generator.some_value(index, at) {
                    Value::Integer(number) if generator.choices.one_in(3) => {
                        number.to_string().as_str().into()
                    }
                    value => literal(kind, &value),
                }
            }),
            Kind::Decimal { .. } | Kind::Percent { .. } => {
                self.operators(Operators::Ordered, "Decimal", |generator| {
                    match generator.some_value(index, at) {
                        Value::Decimal(number) => generator.decimal(number),
                        _ => "0".into(),
                    }
                })
            }
            Kind::Boolean => self.operators(Operators::Boolean, "Boolean", |generator| {
                Literal::Boolean(generator.choices.one_in(2))
            }),
            Kind::Date if self.choices.one_in(5) => self.lately(),
            Kind::Date => self.operators(Operators::Ordered, "Date", |generator| {
                match generator.some_value(index, at) {
                    Value::Null => "2024-02-28".into(),
                    date => literal(kind, &date),
                }
            }),
            Kind::DateTime if self.choices.one_in(5) => self.lately(),
            Kind::DateTime => {
                self.operators(Operators::Ordered, "DateTime", |generator| match generator
                    .some_value(index, at)
                {
                    Value::DateTime(micros) => {
                        literal(kind, &Value::DateTime(generator.nearby(micros)))
                    }
                    _ => "2026-11-22T10:30:00+02:30".into(),
                })
            }
            Kind::Time | Kind::Duration => {
                let scalar = relata_catalog::capitalised(kind.name());
                self.operators(Operators::Ordered, &scalar, |generator| {
                    match generator.some_value(index, at) {
                        Value::Integer(micros) => {
                            let greatest = match kind {
                                Kind::Time => 86_399_999_999,
                                _ => INTEGER_MAX,
                            };
                            let least = if *kind == Kind::Time { 0 } else { -greatest };
                            let near = generator.nearby(micros).clamp(least, greatest);
                            literal(kind, &Value::Integer(near))
                        }
                        _ => literal(kind, &Value::Integer(0)),
                    }
                })
            }
            Kind::Uuid => self.operators(Operators::Equality, "String", |generator| {
                generator.choices.of(&UUIDS).into()
            }),
            Kind::Select { options } => self.operators(Operators::Equality, &choice, |generator| {
                let option = &options[generator.choices.below(options.len())];
                Literal::Enum(option.value.clone())
            }),
            Kind::MultiSelect { options } => {
                self.operators(Operators::List, &choice, |generator| {
                    let option = &options[generator.choices.below(options.len())];
                    Literal::Enum(option.value.clone())
                })
            }
            Kind::Json { .. } => Literal::Object(vec![("isNull".to_owned(), self.flag())]),
            Kind::Money { .. } => self.money(index, at),
            Kind::FullName => {
                let part = self.choices.of(&["", "given", "family"]);
                let operators = match part {
                    "" => Operators::Text,
                    _ => Operators::ExactText,
                };
                self.part(index, at, part, operators)
            }
            Kind::Emails if self.choices.one_in(3) => {
                let additional = self.operators(Operators::List, "String", |generator| {
                    generator.choices.of(&EMAILS).into()
                });
                Literal::Object(vec![("additional".to_owned(), additional)])
            }
            Kind::Emails => self.part(index, at, "", Operators::Text),
            Kind::Address => {
                let part = self
                    .choices
                    .of(&["city", "street", "region", "postalCode", "country"]);
                let operators = match part {
                    "city" => Operators::Text,
                    _ => Operators::ExactText,
                };
                self.part(index, at, part, operators)
            }
            Kind::GeoPoint => self.geo_point(index, at),
            Kind::File { .. } => match self.choices.below(5) {
                0 => Literal::Object(vec![("isNull".to_owned(), self.flag())]),
                1 => {
                    let size =
                        self.operators(Operators::Ordered, "SafeInt", |generator| match generator
                            .some_value(index, at)
                        {
                            Value::File(file) => generator.nearby(file.size).into(),
                            _ => 1.into(),
                        });
                    Literal::Object(vec![("size".to_owned(), size)])
                }
                2 => self.part(index, at, "contentType", Operators::ExactText),
                3 => {
                    let id = self.operators(Operators::Equality, "ID", |generator| match generator
                        .some_value(index, at)
                    {
                        Value::File(file) => file.id.to_string().as_str().into(),
                        _ => UUIDS[0].into(),
                    });
                    Literal::Object(vec![("id".to_owned(), id)])
                }
                _ => self.part(index, at, "name", Operators::Text),
            },
            Kind::Phone | Kind::Phones if self.choices.one_in(3) => {
                self.part(index, at, "typed", Operators::ExactText)
            }
            Kind::Phone | Kind::Phones => self.operators(Operators::Phone, "String", |generator| {
                generator.choices.of(&PHONES).into()
            }),
            Kind::Stage => self.stage(index, field),
            Kind::Texts | Kind::Tags => self.operators(Operators::List, "String", |generator| {
                generator.choices.of(&TEXTS).into()
            }),
            Kind::Relation(_) | Kind::User | Kind::Formula(_) | Kind::Rollup(_) => {
                Literal::Object(Vec::new())
            }
        }
    }

    fn nearby(&mut self, number: i64) -> i64 {
        number + [0, 0, 1, -1][self.choices.below(4)]
    }

    /// As it is, with other digits, finer than any field, or as a number.
    fn decimal(&mut self, number: Decimal) -> Literal {
        match self.choices.below(5) {
            1 => number.normalize().to_string().as_str().into(),
            2 if number.mantissa().unsigned_abs() < 1_000_000 => {
                let finer = number + Decimal::new(5, number.scale() + 1);
                finer.to_string().as_str().into()
            }
            3 if number.scale() == 0 => {
                Literal::Number(serde_json::from_str(&number.to_string()).unwrap())
            }
            4 => (-number).to_string().as_str().into(),
            _ => number.to_string().as_str().into(),
        }
    }

    fn money(&mut self, index: ObjectIndex, at: FieldIndex) -> Literal {
        let member = match self.choices.below(4) {
            0 | 1 => {
                let amount = self.operators(Operators::Ordered, "Decimal", |generator| {
                    match generator.some_value(index, at) {
                        Value::Money(money) => generator.decimal(money.amount),
                        _ => "1".into(),
                    }
                });
                ("amount".to_owned(), amount)
            }
            2 => {
                let currency = self.operators(Operators::ExactText, "String", |generator| {
                    generator.choices.of(&["EUR", "USD", "eur", "E"]).into()
                });
                ("currency".to_owned(), currency)
            }
            _ => ("isNull".to_owned(), self.flag()),
        };
        Literal::Object(vec![member])
    }

    fn geo_point(&mut self, index: ObjectIndex, at: FieldIndex) -> Literal {
        let some_point = |generator: &mut Self| match generator.some_value(index, at) {
            Value::GeoPoint(point) => point,
            _ => GeoPoint::default(),
        };
        let member = match self.choices.below(4) {
            0 => {
                let axis = self.choices.of(&["latitude", "longitude"]);
                let condition = self.operators(Operators::Ordered, "Decimal", |generator| {
                    let point = some_point(generator);
                    generator.decimal(match axis {
                        "latitude" => point.latitude,
                        _ => point.longitude,
                    })
                });
                (axis.to_owned(), condition)
            }
            1 => ("isNull".to_owned(), self.flag()),
            _ => {
                let point = some_point(self);
                let kilometers = self.choices.of(&["0.001", "22.2", "600", "20016"]);
                let near = [
                    ("latitude", point.latitude.to_string()),
                    ("longitude", point.longitude.to_string()),
                    ("kilometers", kilometers.to_owned()),
                ]
                .map(|(name, number)| (name.to_owned(), number.as_str().into()));
                let near = Literal::Object(near.into());
                ("near".to_owned(), self.perhaps_variable("Geo_Near!", near))
            }
        };
        Literal::Object(vec![member])
    }

    /// Operators on a part of a composite; on the whole where the part has no name.
    fn part(
        &mut self,
        index: ObjectIndex,
        at: FieldIndex,
        part: &'static str,
        operators: Operators,
    ) -> Literal {
        let condition = self.operators(operators, "String", |generator| {
            generator.text(index, at, |value| match (value, part) {
                (Value::FullName(name), "given") => name.given.clone(),
                (Value::FullName(name), "family") => name.family.clone(),
                (Value::FullName(name), _) => Some(name.full.clone()),
                (Value::Emails(emails), _) => Some(emails.primary.clone()),
                (Value::Phone(phone), _) => Some(phone.typed.clone()),
                (Value::Phones(phones), _) => Some(phones.primary.typed.clone()),
                (Value::File(file), "name") => Some(file.name.clone()),
                (Value::File(file), _) => Some(file.content_type.clone()),
                (Value::Address(address), "city") => address.city.clone(),
                (Value::Address(address), "street") => address.street.clone(),
                (Value::Address(address), "region") => address.region.clone(),
                (Value::Address(address), "postalCode") => address.postal_code.clone(),
                (Value::Address(address), _) => address.country.clone(),
                _ => None,
            })
        });
        match part {
            "" => condition,
            part => Literal::Object(vec![(part.to_owned(), condition)]),
        }
    }

    /// A text that some record has, a piece of it, in other letters, as a pattern; or another.
    fn text(
        &mut self,
        index: ObjectIndex,
        at: FieldIndex,
        take: impl Fn(&Value) -> Option<String>,
    ) -> Literal {
        let value = self.some_value(index, at);
        let text = match take(&value) {
            Some(text) if !self.choices.one_in(4) => text,
            _ => self.choices.of(&TEXTS).to_owned(),
        };
        let letters = text.chars().collect::<Vec<_>>();
        let from = self.choices.below(letters.len());
        let text = match self.choices.below(10) {
            1 => folded(&text),
            2 => text.to_uppercase(),
            3 => letters[from..].iter().collect(),
            4 => letters[..from].iter().collect(),
            5 => format!("{}%", letters[..from].iter().collect::<String>()),
            6 => format!("%{}", letters[from..].iter().collect::<String>()),
            7 => format!("%{}%", letters[from]),
            8 => {
                let mut letters = letters;
                letters[from] = '_';
                letters.into_iter().collect()
            }
            9 => letters
                .into_iter()
                .flat_map(|letter| ['\\', letter])
                .collect(),
            _ => text,
        };
        Literal::Text(text)
    }

    fn stage(&mut self, index: ObjectIndex, field: &Field) -> Literal {
        let object = self.world.object(index).clone();
        let pipelines = self
            .world
            .catalogue
            .pipelines_of(&object.key, &field.key)
            .cloned()
            .collect::<Vec<_>>();
        let pipeline = pipelines[self.choices.below(pipelines.len())].clone();
        let member = match self.choices.below(7) {
            3 => {
                let name = Literal::Text(pipeline.name.clone());
                ("pipeline".to_owned(), self.perhaps_variable("String", name))
            }
            4 | 6 => {
                let types = [&["OPEN"][..], &["WON", "LOST"], &["LOST"], &[]];
                let types = types[self.choices.below(4)];
                let types = types.iter().map(|ty| Literal::Enum((*ty).to_owned()));
                let types = self.one_for_all(types.collect());
                let types = self.perhaps_variable("[StageType!]", types);
                let types = Literal::Object(vec![("in".to_owned(), types)]);
                ("type".to_owned(), types)
            }
            5 => {
                let records = self.world.records(index);
                let micros = records[self.choices.below(records.len())].updated_at;
                let instant = literal(&Kind::DateTime, &Value::DateTime(micros));
                let entered = self.operators(Operators::Ordered, "DateTime", |_| instant.clone());
                ("enteredAt".to_owned(), entered)
            }
            _ => {
                return self.operators(Operators::Equality, "String", |generator| {
                    let stage = generator.choices.below(pipeline.stages.len());
                    Literal::Text(pipeline.stages[stage].name.clone())
                });
            }
        };
        Literal::Object(vec![member])
    }

    /// Some operators, with operands that are made one by one.
    fn operators(
        &mut self,
        operators: Operators,
        ty: &str,
        mut operand: impl FnMut(&mut Self) -> Literal,
    ) -> Literal {
        let names = operators.names();
        let mut members: Vec<(String, Literal)> = Vec::new();
        for _ in 0..[1, 1, 1, 2][self.choices.below(4)] {
            let name = self.choices.of(&names);
            if members.iter().any(|(known, _)| known == name) {
                continue;
            }
            let value = match name {
                "isNull" | "isEmpty" => self.flag(),
                "between" => {
                    let ends = vec![operand(self), operand(self)];
                    self.perhaps_variable(&format!("[{ty}!]"), Literal::List(ends))
                }
                "in" | "notIn" | "hasAny" | "hasAll" => {
                    let count = [1, 2, 3, 0][self.choices.below(4)];
                    let items = (0..count)
                        .map(|_| {
                            let item = operand(self);
                            match self.choices.one_in(6) {
                                true => self.perhaps_variable(&format!("{ty}!"), item),
                                false => item,
                            }
                        })
                        .collect();
                    let items = self.one_for_all(items);
                    match items {
                        // A single value of another type than the list's.
                        Literal::Variable(_) => Literal::List(vec![items]),
                        items => self.perhaps_variable(&format!("[{ty}!]"), items),
                    }
                }
                _ => {
                    let value = operand(self);
                    self.perhaps_variable(ty, value)
                }
            };
            members.push((name.to_owned(), value));
        }
        Literal::Object(members)
    }

    /// Terms of an order.
    pub(super) fn order(&mut self, index: ObjectIndex) -> Literal {
        let terms = (0..[1, 1, 2, 3, 0][self.choices.below(5)])
            .map(|_| self.term(index, 0))
            .collect();
        self.one_for_all(terms)
    }

    fn term(&mut self, index: ObjectIndex, depth: usize) -> Literal {
        let object = self.world.object(index).clone();
        let orderable = object
            .fields
            .iter()
            .filter(|field| match &field.kind {
                Kind::MultiSelect { .. }
                | Kind::Texts
                | Kind::Tags
                | Kind::Uuid
                | Kind::User
                | Kind::Json { .. }
                | Kind::Address
                | Kind::GeoPoint
                | Kind::Stage => false,
                Kind::Relation(_) => depth < 2,
                _ => true,
            })
            .collect::<Vec<_>>();
        let system = ["id", "version", "createdAt", "updatedAt", "deletedAt"];
        let at = self.choices.below(orderable.len() + system.len());
        let (name, target) = match orderable.get(at) {
            Some(field) => (field.name.as_str(), self.world.target(&field.kind)),
            None => (system[at - orderable.len()], None),
        };
        let is_file = orderable
            .get(at)
            .is_some_and(|field| matches!(field.kind, Kind::File { .. }));
        let value = match target {
            Some(target) => self.term(target, depth + 1),
            None => {
                let ways = [
                    "ASC",
                    "DESC",
                    "ASC_NULLS_FIRST",
                    "DESC_NULLS_LAST",
                    "ASC_NULLS_LAST",
                    "DESC_NULLS_FIRST",
                ];
                Literal::Enum(self.choices.of(&ways).to_owned())
            }
        };
        let value = if is_file {
            let part = self.choices.of(&["name", "size"]);
            Literal::Object(vec![(part.to_owned(), value)])
        } else {
            value
        };
        Literal::Object(vec![(name.to_owned(), value)])
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// A value as it stands in a document.
fn literal(kind: &Kind, value: &Value) -> Literal {
    match to_json(kind, value) {
        serde_json::Value::String(text) => Literal::Text(text),
        serde_json::Value::Number(number) => Literal::Number(number),
        other => panic!("{other} stands in no condition"),
    }
}
