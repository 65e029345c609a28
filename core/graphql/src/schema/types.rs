//! Input types: what a client may send, as the planner sees it.
//!
//! async-graphql stops at the first mistake of an argument, and does not look into one that has a
//! variable in it. So values are checked here, those in a document and those of variables alike:
//! all mistakes at once, each with its path. The same table says which part of a variable's value
//! decides the *shape* of a read, and which part is a mere operand.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_graphql::parser::types::{BaseType, Type};
use async_graphql_value::Value as Literal;
use indexmap::{IndexMap, IndexSet};
use relata_catalog::{INTEGER_MAX, Issue, Issues};
use serde_json::Value as Json;

use super::{Source, writer::LANGUAGE_SCALARS};

/// All input types of a schema, by name.
#[derive(Debug, Default)]
pub(crate) struct InputTypes {
    /// Those of the platform and of plugins.
    types: HashMap<String, InputType>,
    /// Those of objects.
    objects: Option<ObjectTypes>,
    /// Whether a mistake in a name says which known name is near.
    pub(crate) suggestions: bool,
}

/// Input types that objects bring, each object's made when the first of them is asked for: a
/// catalogue may have hundreds of objects, of which a revision sees a few.
#[derive(Debug)]
struct ObjectTypes {
    source: Arc<Source>,
    made: Box<[OnceLock<HashMap<String, InputType>>]>,
}

impl ObjectTypes {
    fn get(&self, name: &str) -> Option<&InputType> {
        self.source.names.owners_of(name).find_map(|object| {
            self.made[object.0]
                .get_or_init(|| self.source.object(object).inputs().collect())
                .get(name)
        })
    }
}

/// One input type.
#[derive(Debug)]
pub(crate) enum InputType {
    Scalar(Scalar),
    Enum {
        values: IndexSet<String>,
        /// The value decides what is compiled (a direction), it isn't compared with (an option).
        structural: bool,
    },
    Object(InputObject),
}

/// Scalars of both the language and the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Int,
    Float,
    String,
    Boolean,
    Id,
    SafeInt,
    Decimal,
    Date,
    DateTime,
    Time,
    Duration,
    Json,
}

/// An input object.
#[derive(Debug, Default)]
pub(crate) struct InputObject {
    /// Exactly one field is given.
    pub(crate) one_of: bool,
    /// Handed on as it is: no part of it decides what is compiled.
    pub(crate) opaque: bool,
    pub(crate) fields: IndexMap<String, InputField>,
}

/// A field of an input object.
#[derive(Debug)]
pub(crate) struct InputField {
    pub(crate) ty: Type,
    pub(crate) has_default: bool,
}

impl InputTypes {
    /// Of the objects of a source, and these.
    pub(super) fn of(
        source: Arc<Source>,
        types: impl Iterator<Item = (String, InputType)>,
    ) -> Self {
        let language = LANGUAGE_SCALARS
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), InputType::Scalar(Scalar::named(name)?))));
        Self {
            types: language.chain(types).collect(),
            suggestions: source.suggestions,
            objects: Some(ObjectTypes {
                made: source
                    .catalogue
                    .objects
                    .iter()
                    .map(|_| OnceLock::new())
                    .collect(),
                source,
            }),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&InputType> {
        self.types
            .get(name)
            .or_else(|| self.objects.as_ref()?.get(name))
    }

    /// Collects what is wrong with a value of a variable.
    pub(crate) fn check_json(&self, ty: &Type, value: &Json) -> Issues {
        let mut issues = Issues::default();
        self.check(ty, Given::Json(value), &|_| None, &mut issues);
        issues
    }

    /// Collects what is wrong with a value in a document. Of variables in it the declared type is
    /// looked at (async-graphql's rule for that is never called: its visitors do not hand on
    /// input values), their value by [`InputTypes::check_json`].
    pub(crate) fn check_literal<'t>(
        &self,
        ty: &Type,
        value: &Literal,
        declared: &dyn Fn(&str) -> Option<Declared<'t>>,
    ) -> Issues {
        let mut issues = Issues::default();
        self.check(ty, Given::Literal(value), declared, &mut issues);
        issues
    }

    fn check<'t>(
        &self,
        ty: &Type,
        value: Given<'_>,
        declared: &dyn Fn(&str) -> Option<Declared<'t>>,
        issues: &mut Issues,
    ) {
        if let Some(name) = value.variable() {
            if let Some(variable) = declared(name)
                && !variable.fits(ty)
            {
                issues.push(Issue::new(
                    "WRONG_TYPE",
                    format!("`${name}` is of type `{}`, `{ty}` is expected", variable.ty),
                ));
            }
            return;
        }
        if value.is_null() {
            if !ty.nullable {
                issues.push(Issue::new(
                    "REQUIRED",
                    format!("`{ty}` is expected, null is not one"),
                ));
            }
            return;
        }
        match &ty.base {
            BaseType::List(inner) => match value.items() {
                Some(items) => {
                    for (index, item) in items.into_iter().enumerate() {
                        let mut of_item = Issues::default();
                        self.check(inner, item, declared, &mut of_item);
                        issues.extend_at(index, of_item);
                    }
                }
                // One value stands for a list of one.
                None => self.check(inner, value, declared, issues),
            },
            BaseType::Named(name) => match self.get(name) {
                Some(InputType::Scalar(scalar)) => {
                    if !value.is_scalar(*scalar) {
                        issues.push(wrong_type(scalar.expected(), &value));
                    }
                }
                Some(InputType::Enum { values, .. }) => match value.enum_name() {
                    Some(found) if values.contains(found) => {}
                    Some(found) => {
                        let listed = values.iter().map(String::as_str).collect::<Vec<_>>();
                        issues.push(
                            Issue::new(
                                "UNKNOWN_VALUE",
                                format!("`{found}` is none of {}", one_of(&listed)),
                            )
                            .with("value", found)
                            .with("allowed", Json::from(listed)),
                        );
                    }
                    None => issues.push(wrong_type(&format!("a value of `{name}`"), &value)),
                },
                Some(InputType::Object(object)) => match value.entries() {
                    Some(entries) => self.check_object(name, object, &entries, declared, issues),
                    None => issues.push(wrong_type(&format!("an object `{name}`"), &value)),
                },
                None => issues.push(Issue::new(
                    "UNKNOWN_TYPE",
                    format!("`{name}` is not an input type of this schema"),
                )),
            },
        }
    }

    fn check_object<'t>(
        &self,
        name: &str,
        object: &InputObject,
        entries: &[(&str, Given<'_>)],
        declared: &dyn Fn(&str) -> Option<Declared<'t>>,
        issues: &mut Issues,
    ) {
        for (key, value) in entries {
            match object.fields.get(*key) {
                Some(field) => {
                    let mut of_field = Issues::default();
                    self.check(&field.ty, *value, declared, &mut of_field);
                    issues.extend_at(*key, of_field);
                }
                None => {
                    let known = object.fields.keys().map(String::as_str);
                    let near = nearest(key, known)
                        .filter(|_| self.suggestions)
                        .map(|near| format!(", did you mean `{near}`?"))
                        .unwrap_or_default();
                    issues.push(
                        Issue::new("UNKNOWN_FIELD", format!("`{name}` has no `{key}`{near}"))
                            .at(*key),
                    );
                }
            }
        }
        if object.one_of {
            let given = entries.iter().filter(|(_, value)| !value.is_null()).count();
            if entries.len() != 1 || given != 1 {
                let listed = object.fields.keys().map(String::as_str).collect::<Vec<_>>();
                issues.push(Issue::new(
                    "ONE_OF",
                    format!("exactly one of {} is expected", one_of(&listed)),
                ));
            }
            return;
        }
        for (field_name, field) in &object.fields {
            if !field.ty.nullable
                && !field.has_default
                && !entries.iter().any(|(key, _)| key == field_name)
            {
                issues.push(
                    Issue::new("REQUIRED", format!("`{field_name}` must be given"))
                        .at(field_name.as_str()),
                );
            }
        }
    }

    /// Appends what of a variable's value decides the shape of a read: which members there are,
    /// and the values of what is structural. Two values with the same shape share a plan.
    pub(crate) fn shape(&self, ty: &Type, value: Option<&Json>, shape: &mut Vec<u8>) {
        let Some(value) = value else {
            shape.push(b'-');
            return;
        };
        if value.is_null() {
            shape.push(b'0');
            return;
        }
        match &ty.base {
            BaseType::List(inner) => match value {
                Json::Array(items) if self.is_structural(inner) => {
                    shape.push(b'[');
                    for item in items {
                        self.shape(inner, Some(item), shape);
                    }
                    shape.push(b']');
                }
                Json::Array(_) => shape.push(b'*'),
                _ => self.shape(inner, Some(value), shape),
            },
            BaseType::Named(name) => match (self.get(name), value) {
                (Some(InputType::Scalar(Scalar::Boolean)), Json::Bool(value)) => {
                    shape.push(if *value { b't' } else { b'f' });
                }
                (
                    Some(InputType::Enum {
                        structural: true, ..
                    }),
                    Json::String(value),
                ) => {
                    shape.push(b'=');
                    shape.extend_from_slice(value.as_bytes());
                    shape.push(b';');
                }
                (Some(InputType::Object(object)), Json::Object(entries)) if !object.opaque => {
                    shape.push(b'{');
                    for (key, value) in entries {
                        shape.extend_from_slice(key.as_bytes());
                        shape.push(b':');
                        if let Some(field) = object.fields.get(key) {
                            self.shape(&field.ty, Some(value), shape);
                        }
                    }
                    shape.push(b'}');
                }
                _ => shape.push(b'1'),
            },
        }
    }

    fn is_structural(&self, ty: &Type) -> bool {
        match &ty.base {
            BaseType::List(inner) => self.is_structural(inner),
            BaseType::Named(name) => match self.get(name) {
                Some(InputType::Scalar(scalar)) => *scalar == Scalar::Boolean,
                Some(InputType::Enum { structural, .. }) => *structural,
                Some(InputType::Object(object)) => !object.opaque,
                None => false,
            },
        }
    }
}

/// What a document says of a variable.
#[derive(Clone, Copy)]
pub(crate) struct Declared<'t> {
    pub(crate) ty: &'t Type,
    /// It has a default that is not null.
    pub(crate) has_default: bool,
}

impl Declared<'_> {
    /// Whether the variable may stand where this type is expected ("All Variable Usages Are
    /// Allowed" of the specification).
    pub(crate) fn fits(&self, location: &Type) -> bool {
        fn compatible(variable: &Type, location: &Type, is_filled: bool) -> bool {
            (location.nullable || !variable.nullable || is_filled)
                && match (&variable.base, &location.base) {
                    (BaseType::List(variable), BaseType::List(location)) => {
                        compatible(variable, location, false)
                    }
                    (BaseType::Named(variable), BaseType::Named(location)) => variable == location,
                    _ => false,
                }
        }
        compatible(self.ty, location, self.has_default)
    }
}

impl Scalar {
    /// The scalar with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Int" => Self::Int,
            "Float" => Self::Float,
            "String" => Self::String,
            "Boolean" => Self::Boolean,
            "ID" => Self::Id,
            "SafeInt" => Self::SafeInt,
            "Decimal" => Self::Decimal,
            "Date" => Self::Date,
            "DateTime" => Self::DateTime,
            "Time" => Self::Time,
            "Duration" => Self::Duration,
            "JSON" => Self::Json,
            _ => return None,
        })
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Int => "a whole number of 32 bits",
            Self::Float => "a number",
            Self::String => "a text",
            Self::Boolean => "true or false",
            Self::Id => "an id",
            Self::SafeInt => "a whole number within ±(2^53 − 1)",
            Self::Decimal => "a decimal number, as text or number",
            Self::Date => "a date as text, such as \"2026-11-22\"",
            Self::DateTime => "a date-time as text, such as \"2026-11-22T08:00:00Z\"",
            Self::Time => "a time of day as text, such as \"08:30:00\"",
            Self::Duration => "a length of time as text, such as \"PT1H30M\"",
            Self::Json => "any value",
        }
    }
}

/// A value that somebody gave: in the document, or as a variable.
#[derive(Clone, Copy)]
enum Given<'v> {
    Literal(&'v Literal),
    Json(&'v Json),
}

impl<'v> Given<'v> {
    fn variable(&self) -> Option<&'v str> {
        match self {
            Self::Literal(Literal::Variable(name)) => Some(name.as_str()),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Literal(Literal::Null) | Self::Json(Json::Null))
    }

    fn items(&self) -> Option<Vec<Given<'v>>> {
        match self {
            Self::Literal(Literal::List(items)) => Some(items.iter().map(Given::Literal).collect()),
            Self::Json(Json::Array(items)) => Some(items.iter().map(Given::Json).collect()),
            _ => None,
        }
    }

    fn entries(&self) -> Option<Vec<(&'v str, Given<'v>)>> {
        match self {
            Self::Literal(Literal::Object(entries)) => Some(
                entries
                    .iter()
                    .map(|(key, value)| (key.as_str(), Given::Literal(value)))
                    .collect(),
            ),
            Self::Json(Json::Object(entries)) => Some(
                entries
                    .iter()
                    .map(|(key, value)| (key.as_str(), Given::Json(value)))
                    .collect(),
            ),
            _ => None,
        }
    }

    fn enum_name(&self) -> Option<&'v str> {
        match self {
            Self::Literal(Literal::Enum(name)) => Some(name.as_str()),
            Self::Json(Json::String(name)) => Some(name),
            _ => None,
        }
    }

    fn text(&self) -> Option<&'v str> {
        match self {
            Self::Literal(Literal::String(text)) | Self::Json(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<&'v serde_json::Number> {
        match self {
            Self::Literal(Literal::Number(number)) | Self::Json(Json::Number(number)) => {
                Some(number)
            }
            _ => None,
        }
    }

    fn is_scalar(&self, scalar: Scalar) -> bool {
        match scalar {
            Scalar::Int => self
                .number()
                .and_then(serde_json::Number::as_i64)
                .is_some_and(|number| i32::try_from(number).is_ok()),
            Scalar::Float => self.number().is_some(),
            Scalar::String | Scalar::Date | Scalar::DateTime | Scalar::Time | Scalar::Duration => {
                self.text().is_some()
            }
            Scalar::Boolean => matches!(
                self,
                Self::Literal(Literal::Boolean(_)) | Self::Json(Json::Bool(_))
            ),
            Scalar::Id => {
                self.text().is_some()
                    || self
                        .number()
                        .is_some_and(|number| number.is_i64() || number.is_u64())
            }
            Scalar::SafeInt => self
                .number()
                .and_then(serde_json::Number::as_i64)
                .is_some_and(|number| (-INTEGER_MAX..=INTEGER_MAX).contains(&number)),
            Scalar::Decimal => self.text().is_some() || self.number().is_some(),
            Scalar::Json => true,
        }
    }

    fn describe(&self) -> String {
        let text = match self {
            Self::Literal(value) => value.to_string(),
            Self::Json(value) => value.to_string(),
        };
        if text.chars().count() > 40 {
            let start: String = text.chars().take(40).collect();
            format!("{start}…")
        } else {
            text
        }
    }
}

fn wrong_type(expected: &str, value: &Given<'_>) -> Issue {
    Issue::new(
        "WRONG_TYPE",
        format!("{expected} is expected, not {}", value.describe()),
    )
}

/// `a, b or c`, in backquotes; the first twelve.
pub(crate) fn one_of(names: &[&str]) -> String {
    let shown = names
        .iter()
        .take(12)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>();
    let more = if names.len() > 12 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The name that is one or two slips away.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance of short names; anything longer than 64 characters is far from all.
fn distance(left: &str, right: &str) -> usize {
    let left = left.chars().collect::<Vec<_>>();
    let right = right.chars().collect::<Vec<_>>();
    if left.len().max(right.len()) > 64 {
        return usize::MAX;
    }
    let mut row = (0..=right.len()).collect::<Vec<_>>();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1)
                .min(row[j] + 1)
                .min(diagonal + usize::from(!a.eq_ignore_ascii_case(b)));
            diagonal = above;
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn types() -> InputTypes {
        let mut types = InputTypes::default();
        for name in [
            "Int", "String", "Boolean", "SafeInt", "Decimal", "JSON", "ID",
        ] {
            let scalar = InputType::Scalar(Scalar::named(name).unwrap());
            types.types.insert(name.to_owned(), scalar);
        }
        types.types.insert(
            "Way".to_owned(),
            InputType::Enum {
                values: ["ASC", "DESC"].map(String::from).into(),
                structural: true,
            },
        );
        types.types.insert(
            "Text".to_owned(),
            object(
                &[("eq", "String"), ("in", "[String!]"), ("isNull", "Boolean")],
                false,
            ),
        );
        types.types.insert(
            "Filter".to_owned(),
            object(
                &[("name", "Text"), ("and", "[Filter!]"), ("size", "Int!")],
                false,
            ),
        );
        types.types.insert(
            "Order".to_owned(),
            object(&[("name", "Way"), ("size", "Way")], true),
        );
        types
    }

    fn object(fields: &[(&str, &str)], one_of: bool) -> InputType {
        InputType::Object(InputObject {
            one_of,
            opaque: false,
            fields: fields
                .iter()
                .map(|(name, ty)| {
                    (
                        (*name).to_owned(),
                        InputField {
                            ty: Type::new(ty).unwrap(),
                            has_default: false,
                        },
                    )
                })
                .collect(),
        })
    }

    fn check(ty: &str, value: Json) -> Vec<String> {
        types()
            .check_json(&Type::new(ty).unwrap(), &value)
            .0
            .iter()
            .map(|issue| format!("{} {}", issue.path_text(), issue.code))
            .collect()
    }

    fn shape(ty: &str, value: Json) -> String {
        let mut shape = Vec::new();
        types().shape(&Type::new(ty).unwrap(), Some(&value), &mut shape);
        String::from_utf8(shape).unwrap()
    }

    #[test]
    fn all_mistakes_at_once() {
        assert_eq!(
            check(
                "Filter!",
                json!({"nam": 1, "name": {"eq": 5, "in": ["a", null]}, "and": [{"size": "x"}]})
            ),
            [
                "nam UNKNOWN_FIELD",
                "name.eq WRONG_TYPE",
                "name.in[1] REQUIRED",
                "and[0].size WRONG_TYPE",
                "size REQUIRED",
            ]
        );
        assert_eq!(
            check("[Order!]", json!([{"name": "UP"}, {}])),
            ["[0].name UNKNOWN_VALUE", "[1] ONE_OF"]
        );
        assert_eq!(check("Int!", json!(null)), [" REQUIRED"]);
        assert_eq!(check("Int", json!(3_000_000_000_u64)), [" WRONG_TYPE"]);
        assert_eq!(
            check("SafeInt", json!(9_007_199_254_740_992_u64)),
            [" WRONG_TYPE"]
        );
        assert!(check("[Order!]", json!({"name": "ASC"})).is_empty());
        assert!(check("Decimal", json!("1.50")).is_empty());
        assert!(check("ID", json!(5)).is_empty());
    }

    #[test]
    fn operands_do_not_change_the_shape() {
        let a = shape("Filter", json!({"name": {"eq": "a", "in": ["x"]}}));
        let b = shape("Filter", json!({"name": {"eq": "b", "in": ["x", "y"]}}));
        assert_eq!(a, b);
        for other in [
            json!({"name": {"eq": null, "in": ["x"]}}),
            json!({"name": {"eq": "a"}}),
            json!({"name": {"eq": "a", "in": ["x"]}, "size": 1}),
            json!({"name": {"isNull": true}}),
            json!({"name": {"isNull": false}}),
            json!({"and": [{"name": {"eq": "a"}}]}),
            json!({"and": {"name": {"eq": "a"}}}),
        ] {
            assert_ne!(a, shape("Filter", other));
        }
        assert_ne!(
            shape("[Order!]", json!([{"name": "ASC"}])),
            shape("[Order!]", json!([{"name": "DESC"}]))
        );
    }
}
