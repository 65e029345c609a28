//! `duplicates` of an object: how it is read and written.

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};

use super::{Limits, read, write};
use crate::reading::MapReader;
use crate::{DuplicateBy, Issues};

/// By what records may be the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DuplicatesDefinition {
    /// From how probable on they are shown.
    pub score: Option<Decimal>,
    /// The rules; absent: those that follow from kinds.
    pub rules: Option<Vec<DuplicateRuleDefinition>>,
}

/// Something that speaks for two records being the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DuplicateRuleDefinition {
    /// How values are compared; absent only where that could not be read.
    pub by: Option<DuplicateBy>,
    /// Keys of fields.
    pub fields: Vec<String>,
    /// What the same values are worth.
    pub weight: Option<Decimal>,
    /// What others are worth.
    pub otherwise: Option<Decimal>,
}

impl DuplicatesDefinition {
    /// Reads what an object says as `duplicates`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let (definition, issues) = duplicates(document, &Limits::default());
        issues.into_result(definition)
    }

    /// The member `duplicates` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        write::put(&mut map, "score", number(self.score));
        if let Some(rules) = &self.rules {
            let rules: Vec<Json> = rules.iter().map(rule_json).collect();
            map.insert("rules".to_owned(), Json::Array(rules));
        }
        Json::Object(map)
    }
}

fn rule_json(rule: &DuplicateRuleDefinition) -> Json {
    let mut map = Map::new();
    write::put(&mut map, "by", rule.by.map(DuplicateBy::name));
    map.insert("fields".to_owned(), json!(rule.fields));
    write::put(&mut map, "weight", number(rule.weight));
    write::put(&mut map, "otherwise", number(rule.otherwise));
    Json::Object(map)
}

fn number(number: Option<Decimal>) -> Option<Json> {
    number.map(|number| {
        let digits = number.normalize().to_string();
        // JSON keeps numbers as they are written.
        serde_json::from_str(&digits).unwrap_or(Json::String(digits))
    })
}

pub(super) fn member(reader: &mut MapReader<'_>, limits: &Limits) -> Option<DuplicatesDefinition> {
    let document = reader.take("duplicates")?;
    let (definition, issues) = duplicates(document, limits);
    reader.issues.extend_at("duplicates", issues);
    Some(definition)
}

fn duplicates(document: &Json, limits: &Limits) -> (DuplicatesDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "duplicates: a mapping with score and rules");
    let has_rules = document.get("rules").is_some_and(|rules| !rules.is_null());
    let rules = read::each(&mut reader, "rules", limits, rule);
    let definition = DuplicatesDefinition {
        score: read::decimal(&mut reader, "score"),
        rules: has_rules.then_some(rules),
    };
    (definition, reader.finish())
}

fn rule(document: &Json, _: &Limits) -> (DuplicateRuleDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "a rule: a mapping with by and fields");
    if !reader.has("by") {
        reader.missing("by");
    }
    let definition = DuplicateRuleDefinition {
        by: reader.one_of("by", &DuplicateBy::ALL),
        fields: reader.texts("fields"),
        weight: read::decimal(&mut reader, "weight"),
        otherwise: read::decimal(&mut reader, "otherwise"),
    };
    (definition, reader.finish())
}
