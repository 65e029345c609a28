//! From a text in YAML or JSON to one JSON value, within limits.
//!
//! Both languages repeat keys silently and YAML expands aliases: here a key that stands twice is an
//! issue and every value counts, so that a page of text can't become gigabytes. Numbers of a JSON
//! text keep all their digits.

use std::cell::{Cell, RefCell};
use std::fmt;

use saphyr_parser::Event;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};

use super::Limits;
use crate::reading::limit;
use crate::{Issue, Issues, PathSegment};

/// How serde_json hands over a number with all its digits: as a map with this key.
const JSON_NUMBER: &str = "$serde_json::private::Number";

/// The document, and what is wrong with it although it could be read (keys that stand twice).
/// JSON is tried where the text begins like it; all that isn't JSON is YAML.
///
/// # Errors
/// What keeps it from being read.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<(Json, Issues), Issues> {
    if text.len() > limits.document_bytes_max {
        return Err(limit("bytes", limits.document_bytes_max, text.len()).into());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{')
        && let Ok(document) = read_json(text, limits)
    {
        return document;
    }
    read_yaml(text, limits)
}

/// `Err(())` when the text is no JSON.
fn read_json(text: &str, limits: &Limits) -> Result<Result<(Json, Issues), Issues>, ()> {
    let reading = Reading::new(limits);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = Seed(&reading)
        .deserialize(&mut deserializer)
        .and_then(|document| deserializer.end().map(|()| document));
    match parsed {
        Ok(document) => Ok(Ok((document, reading.issues.into_inner()))),
        Err(_) if reading.is_over_limit.get() => Ok(Err(reading.issues.into_inner())),
        Err(_) => Err(()),
    }
}

fn read_yaml(text: &str, limits: &Limits) -> Result<(Json, Issues), Issues> {
    check_nesting(text, limits)?;
    let reading = Reading::new(limits);
    let parsed = Seed(&reading).deserialize(serde_norway::Deserializer::from_str(text));
    match parsed {
        Ok(document) => Ok((document, reading.issues.into_inner())),
        Err(_) if reading.is_over_limit.get() => Err(reading.issues.into_inner()),
        Err(problem) => {
            let mut issue = Issue::new("SYNTAX", format!("no valid YAML or JSON: {problem}"));
            if let Some(place) = problem.location() {
                issue = issue
                    .with("line", place.line())
                    .with("column", place.column());
            }
            Err(issue.into())
        }
    }
}

/// A look at the events alone, which ends at the first limit: the parser that builds values reads
/// the whole text first, in time that grows with the square of its nesting (100,000 brackets took
/// it minutes).
fn check_nesting(text: &str, limits: &Limits) -> Result<(), Issues> {
    let mut depth = 0_usize;
    let mut nodes = 0_usize;
    for event in saphyr_parser::Parser::new_from_str(text) {
        let (event, _) = event.map_err(|problem| {
            let place = problem.marker();
            Issue::new("SYNTAX", format!("no valid YAML or JSON: {problem}"))
                .with("line", place.line())
                .with("column", place.col() + 1)
        })?;
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                depth += 1;
                nodes += 1;
            }
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            Event::Scalar(..) | Event::Alias(..) => nodes += 1,
            _ => {}
        }
        if depth > limits.depth_max {
            return Err(limit(
                "lists and mappings inside each other",
                limits.depth_max,
                depth,
            )
            .into());
        }
        // Keys are events too.
        if nodes > 2 * limits.nodes_max {
            return Err(limit("values", limits.nodes_max, nodes).into());
        }
    }
    Ok(())
}

struct Reading<'a> {
    limits: &'a Limits,
    nodes: Cell<usize>,
    path: RefCell<Vec<PathSegment>>,
    issues: RefCell<Issues>,
    is_over_limit: Cell<bool>,
}

impl<'a> Reading<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            nodes: Cell::new(0),
            path: RefCell::default(),
            issues: RefCell::default(),
            is_over_limit: Cell::new(false),
        }
    }

    /// Counts a value; an error ends the reading.
    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        let nodes = self.nodes.get() + 1;
        self.nodes.set(nodes);
        let depth = self.path.borrow().len();
        let problem = if nodes > self.limits.nodes_max {
            limit("values", self.limits.nodes_max, nodes)
        } else if depth > self.limits.depth_max {
            limit(
                "lists and mappings inside each other",
                self.limits.depth_max,
                depth,
            )
        } else {
            return Ok(());
        };
        self.is_over_limit.set(true);
        *self.issues.borrow_mut() = problem.into();
        Err(E::custom("over a limit"))
    }

    fn push_issue(&self, mut issue: Issue) {
        issue.path.clone_from(&self.path.borrow());
        self.issues.borrow_mut().push(issue);
    }
}

/// Reads one value at the current path.
struct Seed<'r, 'a>(&'r Reading<'a>);

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.0.enter()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number, true or false, a list or a mapping, without tags")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        if let Some(number) = Number::from_f64(number) {
            return Ok(Json::Number(number));
        }
        self.0.push_issue(Issue::new(
            "NOT_A_NUMBER",
            "infinity and not-a-number can't be kept; quote them if they are texts",
        ));
        Ok(Json::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        loop {
            self.0.path.borrow_mut().push(list.len().into());
            let item = items.next_element_seed(Seed(self.0));
            self.0.path.borrow_mut().pop();
            match item? {
                Some(item) => list.push(item),
                None => return Ok(Json::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key_seed(KeySeed)? {
            let Some(key) = key else {
                members.next_value::<serde::de::IgnoredAny>()?;
                self.0.push_issue(Issue::new(
                    "WRONG_TYPE",
                    "every key must be a text; quote it if it is one",
                ));
                continue;
            };
            if key == JSON_NUMBER {
                let digits: String = members.next_value()?;
                return digits
                    .parse::<Number>()
                    .map(Json::Number)
                    .map_err(serde::de::Error::custom);
            }
            self.0.path.borrow_mut().push(key.as_str().into());
            let value = members.next_value_seed(Seed(self.0));
            if map.contains_key(&key) {
                self.0.push_issue(Issue::new(
                    "DUPLICATE_KEY",
                    format!("\"{key}\" stands here twice"),
                ));
            }
            self.0.path.borrow_mut().pop();
            map.insert(key, value?);
        }
        Ok(Json::Object(map))
    }
}

/// A key, if it is a text.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Some(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}
