//! Conditions and orders, one record (or two) at a time.

use std::cmp::Ordering;

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use relata_catalog::{Field, FieldIndex, Kind, ObjectIndex, Value, coerce, coerce_operand, folded};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use uuid::Uuid;

use super::Interpreter;
use crate::query_properties::data::{Record, context, instant};

/// What an order compares.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Sorting {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Date(Date),
    Text(String),
    Id(Uuid),
}

impl<'w> Interpreter<'w> {
    /// Whether a condition holds for a record: all its members do.
    pub(super) fn matches(&self, index: ObjectIndex, record: &'w Record, filter: &Json) -> bool {
        let members = filter.as_object().unwrap();
        members
            .iter()
            .all(|(name, condition)| self.holds(index, record, name, condition))
    }

    fn holds(&self, index: ObjectIndex, record: &'w Record, name: &str, condition: &Json) -> bool {
        let mut each = list(condition).iter();
        match name {
            "and" => each.all(|part| self.matches(index, record, part)),
            "or" => each.any(|part| self.matches(index, record, part)),
            "not" => !self.matches(index, record, condition),
            "id" => scalars(Some(record.id), condition, id),
            "owner" => scalars(Some(record.owner), condition, id),
            "version" => scalars(Some(record.version), condition, integer),
            "createdAt" => instants(Some(record.created_at), condition),
            "updatedAt" => instants(Some(record.updated_at), condition),
            "deletedAt" => instants(record.deleted_at, condition),
            name => {
                let object = self.world.object(index);
                if let Some((at, field)) = object.field_named(name) {
                    return match self.world.target(&field.kind) {
                        Some(target) => self.target_holds(record, target, at, condition),
                        None => self.field_holds(field, self.value(record, at), condition),
                    };
                }
                let lists = self.world.lists(index);
                let (_, object, via) = lists.iter().find(|(list, ..)| *list == name).unwrap();
                self.list_holds(record, *object, *via, condition)
            }
        }
    }

    /// There is one, and the condition holds for it; or the question is whether there is one.
    fn target_holds(
        &self,
        record: &'w Record,
        target: ObjectIndex,
        field: FieldIndex,
        condition: &Json,
    ) -> bool {
        let found = self.target(record, target, field);
        if let Some(is_empty) = only(condition, "id").and_then(|id| only(id, "isNull")) {
            return found.is_none() == is_empty.as_bool().unwrap();
        }
        found.is_some_and(|found| self.matches(target, found, condition))
    }

    /// Of records outside the trash.
    fn list_holds(
        &self,
        record: &'w Record,
        object: ObjectIndex,
        via: FieldIndex,
        condition: &Json,
    ) -> bool {
        let mut pointing = self.pointing(record, object, via);
        pointing.retain(|record| record.deleted_at.is_none());
        members(condition).all(|(quantifier, condition)| {
            let mut each = pointing
                .iter()
                .map(|record| self.matches(object, record, condition));
            match quantifier {
                "some" => each.any(|holds| holds),
                "none" => !each.any(|holds| holds),
                _ => each.all(|holds| holds),
            }
        })
    }

    fn field_holds(&self, field: &Field, value: &Value, condition: &Json) -> bool {
        match (&field.kind, value) {
            (Kind::Integer { .. } | Kind::Rating { .. }, value) => {
                let number = match value {
                    Value::Integer(number) => Some(*number),
                    _ => None,
                };
                scalars(number, condition, integer)
            }
            (Kind::Autonumber { .. }, value) => {
                let number = match value {
                    Value::Integer(number) => Some(*number),
                    _ => None,
                };
                scalars(number, condition, |operand| {
                    match coerce_operand(field, operand, &context()).unwrap() {
                        Value::Integer(number) => number,
                        other => panic!("{other:?}"),
                    }
                })
            }
            (Kind::Decimal { .. } | Kind::Percent { .. }, value) => {
                let number = match value {
                    Value::Decimal(number) => Some(*number),
                    _ => None,
                };
                scalars(number, condition, decimal)
            }
            (Kind::Time | Kind::Duration, value) => {
                let micros = match value {
                    Value::Integer(micros) => Some(*micros),
                    _ => None,
                };
                scalars(micros, condition, |operand| {
                    match coerce_operand(field, operand, &context()).unwrap() {
                        Value::Integer(micros) => micros,
                        other => panic!("{other:?}"),
                    }
                })
            }
            (Kind::Uuid, value) => {
                let known = match value {
                    Value::Reference(known) => Some(*known),
                    _ => None,
                };
                scalars(known, condition, id)
            }
            (Kind::Boolean, value) => {
                let flag = match value {
                    Value::Boolean(flag) => Some(*flag),
                    _ => None,
                };
                scalars(flag, condition, |operand| operand.as_bool().unwrap())
            }
            (Kind::Date, value) => {
                let date = match value {
                    Value::Date(date) => Some(*date),
                    _ => None,
                };
                dates(date, condition)
            }
            (Kind::DateTime, value) => {
                let micros = match value {
                    Value::DateTime(micros) => Some(*micros),
                    _ => None,
                };
                instants(micros, condition)
            }
            (Kind::Json { .. }, value) => {
                members(condition).all(|(_, wanted)| value.is_null() == wanted.as_bool().unwrap())
            }
            (Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags, value) => {
                let choices = match value {
                    Value::Choices(choices) => choices.as_slice(),
                    _ => &[],
                };
                lists(choices, condition)
            }
            (Kind::Money { .. }, value) => members(condition).all(|(name, operand)| {
                let money = match value {
                    Value::Money(money) => Some(money),
                    _ => None,
                };
                match name {
                    "amount" => scalars(money.map(|money| money.amount), operand, decimal),
                    "currency" => texts(money.map(|money| money.currency.as_str()), operand),
                    _ => money.is_none() == operand.as_bool().unwrap(),
                }
            }),
            (Kind::FullName, value) => members(condition).all(|(name, operand)| {
                let full_name = match value {
                    Value::FullName(name) => Some(name),
                    _ => None,
                };
                match name {
                    "given" => texts(full_name.and_then(|name| name.given.as_deref()), operand),
                    "family" => texts(full_name.and_then(|name| name.family.as_deref()), operand),
                    operator => text(full_name.map(|name| name.full.as_str()), operator, operand),
                }
            }),
            (Kind::Emails, value) => members(condition).all(|(name, operand)| {
                let emails = match value {
                    Value::Emails(emails) => Some(emails),
                    _ => None,
                };
                match name {
                    "additional" => lists(
                        emails.map_or(&[], |emails| emails.additional.as_slice()),
                        operand,
                    ),
                    operator => text(
                        emails.map(|emails| emails.primary.as_str()),
                        operator,
                        operand,
                    ),
                }
            }),
            (Kind::Address, value) => members(condition).all(|(name, operand)| {
                let part = match (value, name) {
                    (Value::Address(address), "street") => address.street.as_deref(),
                    (Value::Address(address), "city") => address.city.as_deref(),
                    (Value::Address(address), "region") => address.region.as_deref(),
                    (Value::Address(address), "postalCode") => address.postal_code.as_deref(),
                    (Value::Address(address), _) => address.country.as_deref(),
                    _ => None,
                };
                texts(part, operand)
            }),
            (Kind::GeoPoint, value) => members(condition).all(|(name, operand)| {
                let point = match value {
                    Value::GeoPoint(point) => Some(point),
                    _ => None,
                };
                match name {
                    "latitude" => scalars(point.map(|point| point.latitude), operand, decimal),
                    "longitude" => scalars(point.map(|point| point.longitude), operand, decimal),
                    "near" => {
                        let near = relata_catalog::coerce_near(operand).unwrap();
                        point.is_some_and(|point| near.has(point))
                    }
                    _ => point.is_none() == operand.as_bool().unwrap(),
                }
            }),
            (Kind::File { .. }, value) => members(condition).all(|(name, operand)| {
                let file = match value {
                    Value::File(file) => Some(file),
                    _ => None,
                };
                match name {
                    "id" => scalars(file.map(|file| file.id), operand, id),
                    "size" => scalars(file.map(|file| file.size), operand, integer),
                    "contentType" => texts(file.map(|file| file.content_type.as_str()), operand),
                    "name" => texts(file.map(|file| file.name.as_str()), operand),
                    _ => file.is_none() == operand.as_bool().unwrap(),
                }
            }),
            (Kind::Phone | Kind::Phones, value) => phones(field, value, condition),
            (Kind::Stage, value) => self.stage_holds(value, condition),
            (_, Value::Text(value)) => texts(Some(value), condition),
            _ => texts(None, condition),
        }
    }

    fn stage_holds(&self, value: &Value, condition: &Json) -> bool {
        let Value::Stage(value) = value else {
            panic!("a record always stands in a stage")
        };
        let pipeline = self.world.catalogue.pipeline(&value.pipeline).unwrap();
        let stage = pipeline.stage(&value.stage).unwrap();
        members(condition).all(|(name, operand)| match name {
            "pipeline" => *operand == pipeline.name,
            "enteredAt" => instants(Some(value.entered_at), operand),
            "type" => {
                let own = serde_json::to_value(stage.stage_type).unwrap();
                members(operand).all(|(_, wanted)| list(wanted).contains(&own))
            }
            operator => scalar(Some(&stage.name), operator, operand, |operand| {
                operand.as_str().unwrap().to_owned()
            }),
        })
    }

    /// Which of two records of an object comes first; the id decides at last.
    pub(super) fn compare(
        &self,
        index: ObjectIndex,
        order: &Json,
        left: &'w Record,
        right: &'w Record,
    ) -> Ordering {
        for term in list(order) {
            let (left, way) = self.sorting(index, Some(left), term);
            let (right, _) = self.sorting(index, Some(right), term);
            let is_descending = way.starts_with("DESC");
            let nulls_first = match way {
                "ASC" => false,
                "DESC" => true,
                way => way.ends_with("NULLS_FIRST"),
            };
            let ordering = match (left, right) {
                (Some(left), Some(right)) if is_descending => right.cmp(&left),
                (Some(left), Some(right)) => left.cmp(&right),
                (None, None) => Ordering::Equal,
                (None, Some(_)) if nulls_first => Ordering::Less,
                (Some(_), None) if !nulls_first => Ordering::Less,
                _ => Ordering::Greater,
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        left.id.cmp(&right.id)
    }

    /// What a term compares of a record, if there is something, and its direction.
    fn sorting<'t>(
        &self,
        index: ObjectIndex,
        record: Option<&'w Record>,
        term: &'t Json,
    ) -> (Option<Sorting>, &'t str) {
        let (name, way) = members(term).next().unwrap();
        // Of a file, one of its parts has a direction.
        let part = way.as_object().and_then(|way| way.iter().next());
        let direction = part
            .map_or(way, |(_, way)| way)
            .as_str()
            .unwrap_or_default();
        let system = |take: fn(&Record) -> Option<Sorting>| (record.and_then(take), direction);
        match name {
            "id" => return system(|record| Some(Sorting::Id(record.id))),
            "version" => return system(|record| Some(Sorting::Integer(record.version))),
            "createdAt" => return system(|record| Some(Sorting::Integer(record.created_at))),
            "updatedAt" => return system(|record| Some(Sorting::Integer(record.updated_at))),
            "deletedAt" => return system(|record| record.deleted_at.map(Sorting::Integer)),
            _ => {}
        }
        let (at, field) = self.world.object(index).field_named(name).unwrap();
        if let Some(target) = self.world.target(&field.kind) {
            let found = record.and_then(|record| self.target(record, target, at));
            return self.sorting(target, found, way);
        }
        let value = record.map_or(&Value::Null, |record| self.value(record, at));
        let by_text = |text: &str| Some(Sorting::Text(folded(text)));
        let sorting = match (&field.kind, value) {
            (_, Value::Null) => None,
            (_, Value::Boolean(flag)) => Some(Sorting::Boolean(*flag)),
            (_, Value::Integer(number) | Value::DateTime(number)) => {
                Some(Sorting::Integer(*number))
            }
            (_, Value::Decimal(number)) => Some(Sorting::Decimal(*number)),
            (_, Value::Money(money)) => Some(Sorting::Decimal(money.amount)),
            (_, Value::Date(date)) => Some(Sorting::Date(*date)),
            // Options have no case.
            (Kind::Select { .. }, Value::Text(option)) => Some(Sorting::Text(option.clone())),
            (_, Value::Text(text)) => by_text(text),
            (_, Value::FullName(name)) => by_text(&name.full),
            (_, Value::File(file)) if part.is_some_and(|(part, _)| part == "size") => {
                Some(Sorting::Integer(file.size))
            }
            (_, Value::File(file)) => by_text(&file.name),
            (_, Value::Emails(emails)) => by_text(&emails.primary),
            (_, Value::Phone(phone)) => phone.e164.clone().map(Sorting::Text),
            (_, Value::Phones(phones)) => phones.primary.e164.clone().map(Sorting::Text),
            (kind, value) => panic!("{} has no order: {value:?}", kind.name()),
        };
        (sorting, direction)
    }
}

/// One value stands for a list of one.
fn list(json: &Json) -> &[Json] {
    match json {
        Json::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn members(json: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let members = json.as_object().unwrap();
    members.iter().map(|(name, value)| (name.as_str(), value))
}

/// The member with this name, where it is the only one.
fn only<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    let members = json.as_object()?;
    members.get(name).filter(|_| members.len() == 1)
}

fn id(operand: &Json) -> Uuid {
    operand.as_str().unwrap().parse().unwrap()
}

fn integer(operand: &Json) -> i64 {
    operand.as_i64().unwrap()
}

fn decimal(operand: &Json) -> Decimal {
    match operand {
        Json::String(text) => text.parse().unwrap(),
        number => number.to_string().parse().unwrap(),
    }
}

fn scalars<T: PartialOrd>(value: Option<T>, condition: &Json, read: impl Fn(&Json) -> T) -> bool {
    members(condition).all(|(operator, operand)| scalar(value.as_ref(), operator, operand, &read))
}

/// A comparison of two values. Nothing is not equal to anything, and stands in no order with it.
fn scalar<T: PartialOrd>(
    value: Option<&T>,
    operator: &str,
    operand: &Json,
    read: impl Fn(&Json) -> T,
) -> bool {
    let is = |wanted: fn(Ordering) -> bool, operand: &Json| {
        let ordering = value.and_then(|value| value.partial_cmp(&read(operand)));
        ordering.is_some_and(wanted)
    };
    match operator {
        "isNull" => value.is_none() == operand.as_bool().unwrap(),
        "eq" => is(Ordering::is_eq, operand),
        "ne" => !is(Ordering::is_eq, operand),
        "in" => list(operand).iter().any(|one| is(Ordering::is_eq, one)),
        "notIn" => !list(operand).iter().any(|one| is(Ordering::is_eq, one)),
        "lt" => is(Ordering::is_lt, operand),
        "lte" => is(Ordering::is_le, operand),
        "gt" => is(Ordering::is_gt, operand),
        "gte" => is(Ordering::is_ge, operand),
        "between" => is(Ordering::is_ge, &operand[0]) && is(Ordering::is_le, &operand[1]),
        other => panic!("there is no operator {other}"),
    }
}

fn instants(micros: Option<i64>, condition: &Json) -> bool {
    members(condition).all(|(operator, operand)| {
        if operator != "within" {
            return scalar(micros.as_ref(), operator, operand, |operand| {
                instant(operand).unwrap()
            });
        }
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        let far = now.checked_add(span(operand)).unwrap();
        let [now, far] = [now, far].map(|end| end.timestamp().as_microsecond());
        micros.is_some_and(|micros| (now.min(far)..=now.max(far)).contains(&micros))
    })
}

fn dates(date: Option<Date>, condition: &Json) -> bool {
    members(condition).all(|(operator, operand)| {
        if operator != "within" {
            return scalar(date.as_ref(), operator, operand, |operand| {
                operand.as_str().unwrap().parse::<Date>().unwrap()
            });
        }
        // Today is one of the days.
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let far = today.checked_add(span(operand)).unwrap();
        date.is_some_and(|date| {
            if far < today {
                far < date && date <= today
            } else {
                today <= date && date < far
            }
        })
    })
}

/// A length of time, into the past or the future.
fn span(within: &Json) -> Span {
    let count = match (within["last"].as_i64(), within["next"].as_i64()) {
        (Some(count), _) => -count,
        (None, count) => count.unwrap(),
    };
    match within["unit"].as_str().unwrap() {
        "MINUTE" => Span::new().minutes(count),
        "HOUR" => Span::new().hours(count),
        "DAY" => Span::new().days(count),
        "WEEK" => Span::new().weeks(count),
        "MONTH" => Span::new().months(count),
        "QUARTER" => Span::new().months(3 * count),
        _ => Span::new().years(count),
    }
}

fn texts(value: Option<&str>, condition: &Json) -> bool {
    members(condition).all(|(operator, operand)| text(value, operator, operand))
}

/// A comparison of texts: to the letter, or folded. Their order is that of their folded forms, and
/// of the letters where these are the same.
fn text(value: Option<&str>, operator: &str, operand: &Json) -> bool {
    let holds = |compare: fn(&str, &str) -> bool| {
        value.is_some_and(|value| compare(value, operand.as_str().unwrap()))
    };
    match operator {
        "contains" => holds(|value, part| value.contains(part)),
        "startsWith" => holds(|value, part| value.starts_with(part)),
        "endsWith" => holds(|value, part| value.ends_with(part)),
        "like" => holds(|value, pattern| is_like(value, &steps(pattern))),
        "iEq" => holds(|value, other| folded(value) == folded(other)),
        "iContains" => holds(|value, part| folded(value).contains(&folded(part))),
        "iStartsWith" => holds(|value, part| folded(value).starts_with(&folded(part))),
        "iEndsWith" => holds(|value, part| folded(value).ends_with(&folded(part))),
        "iLike" => holds(|value, pattern| {
            let steps = steps(pattern).into_iter().flat_map(|step| match step {
                Step::Letter(letter) => folded(&letter.to_string())
                    .chars()
                    .map(Step::Letter)
                    .collect(),
                other => vec![other],
            });
            is_like(&folded(value), &steps.collect::<Vec<_>>())
        }),
        operator => {
            let by_folded = |text: &str| (folded(text), text.to_owned());
            scalar(
                value.map(by_folded).as_ref(),
                operator,
                operand,
                |operand| by_folded(operand.as_str().unwrap()),
            )
        }
    }
}

/// A step of a pattern.
#[derive(Clone, Copy)]
enum Step {
    Any,
    One,
    Letter(char),
}

fn steps(pattern: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        steps.push(match letter {
            '%' => Step::Any,
            '_' => Step::One,
            // At the end it stands for itself.
            '\\' => Step::Letter(letters.next().unwrap_or('\\')),
            other => Step::Letter(other),
        });
    }
    steps
}

fn is_like(text: &str, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return text.is_empty();
    };
    let mut letters = text.chars();
    match step {
        Step::Any => {
            is_like(text, rest) || (letters.next().is_some() && is_like(letters.as_str(), steps))
        }
        Step::One => letters.next().is_some() && is_like(letters.as_str(), rest),
        Step::Letter(wanted) => letters.next() == Some(*wanted) && is_like(letters.as_str(), rest),
    }
}

/// A list without elements is as empty as no list: nothing is in it.
fn lists(values: &[String], condition: &Json) -> bool {
    members(condition).all(|(operator, operand)| {
        let has = |wanted: &Json| values.iter().any(|value| *wanted == **value);
        match operator {
            "isEmpty" => values.is_empty() == operand.as_bool().unwrap(),
            "has" => has(operand),
            "hasAny" => list(operand).iter().any(has),
            _ => !values.is_empty() && list(operand).iter().all(has),
        }
    })
}

/// Of several numbers, the first is asked about. It is compared in E.164, whatever the spelling.
fn phones(field: &Field, value: &Value, condition: &Json) -> bool {
    let phone = match value {
        Value::Phone(phone) => Some(phone),
        Value::Phones(phones) => Some(&phones.primary),
        _ => None,
    };
    let e164 = phone.and_then(|phone| phone.e164.as_deref());
    members(condition).all(|(operator, operand)| match operator {
        "typed" => texts(phone.map(|phone| phone.typed.as_str()), operand),
        "isNull" => phone.is_none() == operand.as_bool().unwrap(),
        "startsWith" | "contains" | "endsWith" => {
            text(e164, operator, &digits(operand.as_str().unwrap()).into())
        }
        operator => scalar(
            e164.map(str::to_owned).as_ref(),
            operator,
            operand,
            |operand| {
                let known = match coerce(field, operand, &context()) {
                    Ok(Value::Phone(phone)) => phone.e164,
                    Ok(Value::Phones(phones)) => phones.primary.e164,
                    _ => None,
                };
                known.unwrap_or_else(|| digits(operand.as_str().unwrap()))
            },
        ),
    })
}

/// Digits, and a plus before them.
fn digits(typed: &str) -> String {
    let plus = if typed.starts_with('+') { "+" } else { "" };
    let digits = typed.chars().filter(char::is_ascii_digit);
    plus.chars().chain(digits).collect()
}
