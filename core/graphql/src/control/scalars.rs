//! Scalars of the control plane, and the way between GraphQL's values and JSON.
//!
//! The way is walked by hand: numbers keep all their digits (`serde_json` with
//! `arbitrary_precision` has a private form for them that a detour through serde would show).

use async_graphql::parser::types::{BaseType, Type, VariableDefinition};
use async_graphql::{
    InputType, InputValueError, InputValueResult, Name, Positioned, Scalar, ScalarType, Value,
    Variables,
};
use relata_app::{AppError, Issue, Issues};
use relata_catalog::Labels as CatalogueLabels;
use serde_json::{Map, Value as Json};

use super::error::graphql;

/// Any JSON. In a document, where names of members have no `-` and no `/`, give it as a variable.
#[derive(Debug, Clone)]
pub(super) struct JsonScalar(pub(super) Json);

/// Any JSON. Names of members that GraphQL can't write (`zh-CN`) go in a variable.
#[Scalar(name = "JSON")]
impl ScalarType for JsonScalar {
    fn parse(value: Value) -> InputValueResult<Self> {
        to_json(value).map(Self)
    }

    fn to_value(&self) -> Value {
        from_json(&self.0)
    }
}

impl JsonScalar {
    /// The members of an object.
    pub(super) fn members(&self) -> Result<&Map<String, Json>, async_graphql::Error> {
        self.0
            .as_object()
            .ok_or_else(|| graphql(AppError::bad_input("data takes an object")))
    }

    /// What a definition calls its element: its name, else its key, else what it was called.
    pub(super) fn name_or(&self, before: &str) -> String {
        ["name", "key"]
            .iter()
            .find_map(|member| self.0[*member].as_str())
            .filter(|_| !self.0["name"].is_null() || before.is_empty())
            .unwrap_or(before)
            .to_owned()
    }
}

/// Whole number within ±(2^53 − 1).
#[derive(Debug, Clone, Copy)]
pub(super) struct SafeInt(pub(super) i64);

/// Whole number within ±(2^53 − 1).
#[Scalar]
impl ScalarType for SafeInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_i64()
                .filter(|number| number.unsigned_abs() < 1 << 53)
                .map(Self)
                .ok_or_else(|| InputValueError::custom("takes a whole number within ±(2^53 − 1)")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

impl From<u64> for SafeInt {
    fn from(number: u64) -> Self {
        Self(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// Instant, RFC 3339 in UTC.
#[derive(Debug, Clone)]
pub(super) struct DateTime(pub(super) i64);

/// Instant, RFC 3339 in UTC: `2026-11-22T08:00:00Z`.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => relata_catalog::parse_instant(text)
                .map(Self)
                .ok_or_else(|| {
                    InputValueError::custom("takes an instant, like 2026-11-22T08:00:00Z")
                }),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(relata_catalog::format_instant(self.0))
    }
}

/// Texts by language tag: `{"en": "Company", "zh-CN": "公司"}`.
#[derive(Debug, Clone)]
pub(super) struct Labels(pub(super) CatalogueLabels);

/// Texts by language tag: `{"en": "Company", "zh-CN": "公司"}`.
#[Scalar]
impl ScalarType for Labels {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::Object(members) = value else {
            return Err(InputValueError::expected_type(value));
        };
        let mut labels = CatalogueLabels::new();
        for (language, text) in members {
            let Value::String(text) = text else {
                return Err(InputValueError::custom("takes texts by language tag"));
            };
            labels.insert(language.to_string(), text);
        }
        Ok(Self(labels))
    }

    fn to_value(&self) -> Value {
        Value::Object(
            self.0
                .iter()
                .map(|(language, text)| (Name::new(language), Value::String(text.clone())))
                .collect(),
        )
    }
}

/// The text for a reader: in the locale, in its language, in English, in any, or `name` itself.
pub(super) fn label_for(labels: &CatalogueLabels, locale: &str, name: &str) -> String {
    let language = locale.split('-').next().unwrap_or_default();
    let same_language = || {
        labels
            .iter()
            .find_map(|(tag, text)| (tag.split('-').next() == Some(language)).then_some(text))
    };
    labels
        .get(locale)
        .or_else(same_language)
        .or_else(|| labels.get("en"))
        .or_else(|| labels.values().next())
        .map_or_else(|| name.to_owned(), String::clone)
}

/// Values of variables.
pub(super) fn variables(variables: Map<String, Json>) -> Variables {
    let mut values = Variables::default();
    for (name, value) in &variables {
        values.insert(Name::new(name), from_json(value));
    }
    values
}

/// What is wrong with the values of variables: async-graphql looks at those that are used when it
/// comes to them, after it has carried out what stands before, and by the type of the place alone.
pub(super) fn check_variables(
    definitions: &[Positioned<VariableDefinition>],
    given: &Map<String, Json>,
) -> Issues {
    let mut issues = Issues::default();
    for definition in definitions {
        let VariableDefinition {
            name,
            var_type,
            default_value,
            ..
        } = &definition.node;
        let (name, ty) = (name.node.as_str(), &var_type.node);
        let wrong = match given.get(name) {
            None if ty.nullable || default_value.is_some() => None,
            None => Some(("REQUIRED", "must be given")),
            Some(value) if is_of(ty, value) => None,
            Some(_) => Some(("WRONG_TYPE", "is given something else")),
        };
        if let Some((code, what)) = wrong {
            let message = format!("the variable `${name}` of type `{ty}` {what}");
            issues.push(Issue::new(code, message).at(name).at("variables"));
        }
    }
    issues
}

/// Whether a value can be one of this type. Of types that are not the language's, the resolvers'
/// own reading decides.
fn is_of(ty: &Type, value: &Json) -> bool {
    if value.is_null() {
        return ty.nullable;
    }
    match (&ty.base, value) {
        (BaseType::List(inner), Json::Array(items)) => items.iter().all(|item| is_of(inner, item)),
        (BaseType::List(inner), single) => is_of(inner, single),
        (BaseType::Named(name), value) => match name.as_str() {
            "String" => value.is_string(),
            "Boolean" => value.is_boolean(),
            "Int" => value
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok()),
            "Float" => value.is_number(),
            "ID" => value.is_string() || value.is_i64() || value.is_u64(),
            _ => true,
        },
    }
}

pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(boolean) => Value::Boolean(*boolean),
        Json::Number(number) => Value::Number(number.clone()),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (Name::new(name), from_json(value)))
                .collect(),
        ),
    }
}

fn to_json<T: InputType>(value: Value) -> Result<Json, InputValueError<T>> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(boolean) => Json::Bool(boolean),
        Value::Number(number) => Json::Number(number),
        Value::String(text) => Json::String(text),
        // A select's option may be written as in the records' endpoint.
        Value::Enum(name) => Json::String(name.to_string()),
        Value::Binary(_) => return Err(InputValueError::custom("takes JSON")),
        Value::List(items) => Json::Array(
            items
                .into_iter()
                .map(to_json)
                .collect::<Result<_, InputValueError<T>>>()?,
        ),
        Value::Object(members) => {
            let mut map = Map::new();
            for (name, value) in members {
                map.insert(name.to_string(), to_json(value)?);
            }
            Json::Object(map)
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn json_comes_back_as_it_went_with_all_digits() {
        let text =
            r#"{"a":[1,2.50,123456789012345678901234567890.1,null,true,"x"],"zh-CN":{"b":{}}}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        let value = from_json(&json);
        let back = to_json::<JsonScalar>(value.clone()).ok().unwrap();
        assert_eq!(back.to_string(), text);
        assert_eq!(serde_json::to_string(&value).unwrap(), text);
    }

    #[test]
    fn a_label_is_found_for_every_reader() {
        let labels: CatalogueLabels = [("zh-CN", "公司"), ("en", "Company")]
            .map(|(tag, text)| (tag.to_owned(), text.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(label_for(&labels, "zh-CN", "company"), "公司");
        assert_eq!(label_for(&labels, "zh-TW", "company"), "公司");
        assert_eq!(label_for(&labels, "de", "company"), "Company");
        assert_eq!(
            label_for(&CatalogueLabels::new(), "de", "company"),
            "company"
        );
    }
}
