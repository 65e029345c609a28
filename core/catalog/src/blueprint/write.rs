//! From the document's types to JSON and YAML. What has its default is left out, so that an export
//! reads as a person would have written it.

use serde_json::{Map, Value as Json, json};

use super::{
    BLUEPRINT_VERSION, Blueprint, DuplicatesDefinition, FieldDefinition, IndexDefinition,
    InverseDefinition, KindDefinition, ObjectDefinition, ObjectEntry, ObjectExtension,
    ObjectMembers, OneOfDefinition, PipelineDefinition, RecordsDefinition, RelationDefinition,
    RollupDefinition, RuleDefinition, StageDefinition, ThroughDefinition, UniqueField,
};
use crate::{
    FieldRules, Inverse, Key, Kind, Labels, OnDelete, Relation, SelectOption, StageType, UniqueBy,
};

impl Blueprint {
    /// The document as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("relata".to_owned(), json!(BLUEPRINT_VERSION));
        put_list(
            &mut map,
            "objects",
            self.objects.iter().map(|entry| match entry {
                ObjectEntry::Define(definition) => definition.to_json(),
                ObjectEntry::Extend(extension) => extension.to_json(),
            }),
        );
        put_list(
            &mut map,
            "pipelines",
            self.pipelines.iter().map(PipelineDefinition::to_json),
        );
        put_list(
            &mut map,
            "records",
            self.records.iter().map(RecordsDefinition::to_json),
        );
        Json::Object(map)
    }

    /// The document as YAML.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        serde_norway::to_string(&plain_numbers(self.to_json()))
            .expect("JSON values have no keys or tags that YAML could not write")
    }
}

impl ObjectDefinition {
    /// The item of `objects` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("key".to_owned(), json!(self.key));
        put(&mut map, "name", self.name.as_ref());
        map.insert("plural".to_owned(), json!(self.plural));
        put_labels(&mut map, "labels", &self.labels);
        put_labels(&mut map, "pluralLabels", &self.plural_labels);
        put_labels(&mut map, "description", &self.description);
        put(&mut map, "label", self.label.as_ref());
        put_members(&mut map, &self.members);
        put_list(
            &mut map,
            "oneOf",
            self.one_of.iter().map(OneOfDefinition::to_json),
        );
        put(&mut map, "lockedWhen", self.locked_when.as_ref());
        Json::Object(map)
    }
}

impl IndexDefinition {
    /// The item of `indexes` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("fields".to_owned(), json!(self.fields));
        put_list(
            &mut map,
            "include",
            self.include.iter().map(|key| json!(key)),
        );
        put_flag(&mut map, "filled", self.filled);
        put_flag(&mut map, "live", self.live);
        Json::Object(map)
    }
}

impl OneOfDefinition {
    /// The item of `oneOf` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("key".to_owned(), json!(self.key));
        put(&mut map, "name", self.name.as_ref());
        map.insert("relations".to_owned(), json!(self.relations));
        put_flag(&mut map, "required", self.required);
        put_labels(&mut map, "labels", &self.labels);
        Json::Object(map)
    }
}

impl RuleDefinition {
    /// The item of `rules` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("key".to_owned(), json!(self.key));
        put(&mut map, "when", self.when.as_ref());
        map.insert("must".to_owned(), json!(self.must));
        put_labels(&mut map, "message", &self.message);
        put_list(&mut map, "fields", self.fields.iter().map(|key| json!(key)));
        Json::Object(map)
    }
}

impl ObjectExtension {
    /// The item of `objects` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("extends".to_owned(), json!(self.extends));
        put_members(&mut map, &self.members);
        Json::Object(map)
    }
}

fn put_members(map: &mut Map<String, Json>, members: &ObjectMembers) {
    put_list(
        map,
        "fields",
        members.fields.iter().map(FieldDefinition::to_json),
    );
    put_list(
        map,
        "unique",
        members.unique.iter().map(|key| unique_json(key)),
    );
    put_list(
        map,
        "indexes",
        members.indexes.iter().map(IndexDefinition::to_json),
    );
    put_list(
        map,
        "rules",
        members.rules.iter().map(RuleDefinition::to_json),
    );
    put(
        map,
        "duplicates",
        members
            .duplicates
            .as_ref()
            .map(DuplicatesDefinition::to_json),
    );
}

impl FieldDefinition {
    /// Those of its members that come with its kind: another kind has others.
    #[must_use]
    pub fn kind_members(&self) -> Map<String, Json> {
        let mut map = Map::new();
        match &self.kind {
            KindDefinition::Relation(relation) => put_relation(&mut map, relation),
            KindDefinition::Rollup(rollup) => put_rollup(&mut map, rollup),
            KindDefinition::Plain(kind) => put_kind(&mut map, kind),
        }
        map
    }

    /// The item of `fields` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("key".to_owned(), json!(self.key));
        put(&mut map, "name", self.name.as_ref());
        map.extend(self.kind_members());
        put_flag(&mut map, "required", self.required);
        put_flag(&mut map, "unique", self.unique.is_some());
        put(
            &mut map,
            "uniqueBy",
            self.unique.filter(|by| *by != UniqueBy::Exact),
        );
        put_flag(&mut map, "indexed", self.indexed);
        put(&mut map, "default", self.default.as_ref());
        put_rules(&mut map, &self.rules);
        put_labels(&mut map, "labels", &self.labels);
        put_labels(&mut map, "description", &self.description);
        Json::Object(map)
    }
}

impl PipelineDefinition {
    /// The item of `pipelines` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("key".to_owned(), json!(self.key));
        put(&mut map, "name", self.name.as_ref());
        map.insert("object".to_owned(), json!(self.object));
        map.insert("field".to_owned(), json!(self.field));
        put_labels(&mut map, "labels", &self.labels);
        put_list(
            &mut map,
            "stages",
            self.stages.iter().map(StageDefinition::to_json),
        );
        Json::Object(map)
    }
}

impl StageDefinition {
    /// The item of `stages` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("key".to_owned(), json!(self.key));
        put(&mut map, "name", self.name.as_ref());
        put_labels(&mut map, "labels", &self.labels);
        match self.stage_type {
            StageType::Open => {}
            StageType::Won => put(&mut map, "type", Some("WON")),
            StageType::Lost => put(&mut map, "type", Some("LOST")),
        }
        put(
            &mut map,
            "probability",
            self.probability.map(|probability| probability.to_string()),
        );
        put_list(
            &mut map,
            "requires",
            self.requires.iter().map(|key| json!(key)),
        );
        put_list(&mut map, "from", self.from.iter().map(|key| json!(key)));
        Json::Object(map)
    }
}

impl RecordsDefinition {
    /// The item of `records` as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({ "object": self.object, "by": self.by, "rows": self.rows })
    }
}

impl RelationDefinition {
    /// What an author would have written: `object` and `field` say how keys are spelled, `name`
    /// how the names of its lists are.
    pub(crate) fn of(
        relation: &Relation,
        object: impl Fn(&Key) -> String,
        field: impl Fn(&Key) -> String,
        name: impl Fn(&str) -> String,
    ) -> Self {
        let list = |list: &Inverse| InverseDefinition {
            name: name(&list.name),
            labels: list.labels.clone(),
        };
        Self {
            to: object(&relation.target),
            inverse: relation.inverse.as_ref().map(list),
            through: relation.through.as_ref().map(|through| ThroughDefinition {
                list: list(&through.list),
                to: field(&through.to),
            }),
            ancestors: relation.tree.as_ref().map(|tree| list(&tree.ancestors)),
            descendants: relation.tree.as_ref().map(|tree| list(&tree.descendants)),
            on_delete: relation.on_delete,
        }
    }
}

/// The members of a kind, flattened into its field. Also what a change of a kind is told by.
pub(crate) fn put_kind(map: &mut Map<String, Json>, kind: &Kind) {
    map.insert("kind".to_owned(), json!(kind.name()));
    match kind {
        Kind::Text { max }
        | Kind::LongText { max }
        | Kind::RichText { max }
        | Kind::Rating { max } => put(map, "max", Some(*max)),
        Kind::Integer { min, max } => {
            put(map, "min", *min);
            put(map, "max", *max);
        }
        Kind::Decimal { scale, min, max } | Kind::Percent { scale, min, max } => {
            put(map, "scale", Some(*scale));
            put(map, "min", min.map(|number| number.to_string()));
            put(map, "max", max.map(|number| number.to_string()));
        }
        Kind::Money { scale, currency } => {
            put(map, "scale", Some(*scale));
            put(map, "currency", currency.as_ref());
        }
        Kind::Select { options } | Kind::MultiSelect { options } => {
            put_list(map, "options", options.iter().map(option_json));
        }
        Kind::File { types, max_size } => {
            put_list(map, "types", types.iter().map(|named| json!(named)));
            put(map, "maxSize", *max_size);
        }
        Kind::Json { schema } => put(
            map,
            "schema",
            schema.as_ref().map(|schema| schema.document().clone()),
        ),
        Kind::Autonumber {
            prefix,
            digits,
            start,
            gapless,
        } => {
            put(
                map,
                "prefix",
                Some(prefix).filter(|prefix| !prefix.is_empty()),
            );
            put(map, "digits", Some(*digits));
            put(map, "start", Some(*start));
            put_flag(map, "gapless", *gapless);
        }
        Kind::Relation(relation) => put_relation(
            map,
            &RelationDefinition::of(relation, Key::to_string, Key::to_string, str::to_owned),
        ),
        Kind::Formula(formula) => put(map, "expression", Some(&formula.expression)),
        Kind::Rollup(rollup) => put_rollup(
            map,
            &RollupDefinition {
                of: rollup.object.to_string(),
                by: rollup.by.clone(),
                function: rollup.function,
                expression: rollup.expression.clone(),
                filter: rollup.filter.clone(),
            },
        ),
        Kind::Boolean
        | Kind::Date
        | Kind::DateTime
        | Kind::Time
        | Kind::Duration
        | Kind::Uuid
        | Kind::Texts
        | Kind::Tags
        | Kind::User
        | Kind::Email
        | Kind::Phone
        | Kind::Url
        | Kind::FullName
        | Kind::Emails
        | Kind::Phones
        | Kind::Address
        | Kind::GeoPoint
        | Kind::Stage => {}
    }
}

/// The members of a field's rules, flattened into it.
pub(crate) fn put_rules(map: &mut Map<String, Json>, rules: &FieldRules) {
    put(map, "requiredWhen", rules.required_when.as_ref());
    put(map, "defaultFrom", rules.default_from.as_ref());
    put(map, "lockedWhen", rules.locked_when.as_ref());
    put_flag(map, "immutable", rules.immutable);
    put(map, "minLength", rules.min_length);
    put(map, "pattern", rules.pattern.as_ref());
}

fn put_rollup(map: &mut Map<String, Json>, rollup: &RollupDefinition) {
    map.insert("kind".to_owned(), json!("rollup"));
    map.insert("of".to_owned(), json!(rollup.of));
    map.insert("by".to_owned(), json!(rollup.by));
    map.insert("function".to_owned(), json!(rollup.function));
    put(map, "expression", rollup.expression.as_ref());
    put(map, "where", rollup.filter.as_ref());
}

fn put_relation(map: &mut Map<String, Json>, relation: &RelationDefinition) {
    map.insert("kind".to_owned(), json!("relation"));
    map.insert("to".to_owned(), json!(relation.to));
    let mut put_inverse = |name: &str, list: Option<&InverseDefinition>, to: Option<&String>| {
        if let Some(list) = list {
            let mut members = Map::new();
            members.insert("name".to_owned(), json!(list.name));
            put(&mut members, "to", to);
            put_labels(&mut members, "labels", &list.labels);
            map.insert(name.to_owned(), Json::Object(members));
        }
    };
    let through = relation.through.as_ref();
    put_inverse("inverse", relation.inverse.as_ref(), None);
    put_inverse(
        "through",
        through.map(|through| &through.list),
        through.map(|through| &through.to),
    );
    put_inverse("ancestors", relation.ancestors.as_ref(), None);
    put_inverse("descendants", relation.descendants.as_ref(), None);
    match relation.on_delete {
        OnDelete::SetNull => {}
        OnDelete::Restrict => put(map, "onDelete", Some("RESTRICT")),
        OnDelete::Cascade => put(map, "onDelete", Some("CASCADE")),
    }
}

fn unique_json(fields: &[UniqueField]) -> Json {
    fields
        .iter()
        .map(|field| match field.by {
            UniqueBy::Exact => json!(field.field),
            UniqueBy::Folded => json!({ "field": field.field, "folded": true }),
        })
        .collect()
}

fn option_json(option: &SelectOption) -> Json {
    let mut map = Map::new();
    map.insert("value".to_owned(), json!(option.value));
    put_labels(&mut map, "labels", &option.labels);
    put(&mut map, "color", option.color);
    put_flag(&mut map, "retired", option.retired);
    Json::Object(map)
}

pub(super) fn put(map: &mut Map<String, Json>, name: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), json!(value));
    }
}

fn put_flag(map: &mut Map<String, Json>, name: &str, flag: bool) {
    if flag {
        map.insert(name.to_owned(), Json::Bool(true));
    }
}

fn put_labels(map: &mut Map<String, Json>, name: &str, labels: &Labels) {
    if !labels.is_empty() {
        map.insert(name.to_owned(), json!(labels));
    }
}

fn put_list(map: &mut Map<String, Json>, name: &str, items: impl Iterator<Item = Json>) {
    let items: Vec<Json> = items.collect();
    if !items.is_empty() {
        map.insert(name.to_owned(), Json::Array(items));
    }
}

/// Numbers with all their digits serialise as a private map of serde_json outside of it: those
/// that a double holds become one, and those that it can't hold become texts, which is how the
/// API writes exact numbers anyway.
fn plain_numbers(value: Json) -> serde_norway::Value {
    use serde_norway::Value as Yaml;
    match value {
        Json::Null => Yaml::Null,
        Json::Bool(flag) => Yaml::Bool(flag),
        Json::Number(number) => {
            if let Some(whole) = number.as_i64() {
                Yaml::Number(whole.into())
            } else if let Some(whole) = number.as_u64() {
                Yaml::Number(whole.into())
            } else {
                match number.as_f64() {
                    Some(float) if same_digits(&number.to_string(), float) => {
                        Yaml::Number(float.into())
                    }
                    _ => Yaml::String(number.to_string()),
                }
            }
        }
        Json::String(text) => Yaml::String(text),
        Json::Array(items) => Yaml::Sequence(items.into_iter().map(plain_numbers).collect()),
        Json::Object(members) => Yaml::Mapping(
            members
                .into_iter()
                .map(|(name, member)| (Yaml::String(name), plain_numbers(member)))
                .collect(),
        ),
    }
}

fn same_digits(text: &str, float: f64) -> bool {
    text.parse::<f64>().is_ok_and(|parsed| parsed == float) && text.len() <= 16
}
