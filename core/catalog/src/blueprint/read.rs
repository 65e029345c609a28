//! From JSON to the document's types: the form alone. All that is wrong with it, each with its path.
//!
//! Reading never stops: what can't be read is left at its default in its place, so that positions
//! hold and [`resolve_document`](crate::resolve_document) can look at the meaning of the rest.

use serde_json::Value as Json;

use super::{
    BLUEPRINT_VERSION, Blueprint, FieldDefinition, IndexDefinition, InverseDefinition,
    KindDefinition, Limits, ObjectDefinition, ObjectEntry, ObjectExtension, ObjectMembers,
    OneOfDefinition, PipelineDefinition, RecordsDefinition, RelationDefinition, RollupDefinition,
    RuleDefinition, StageDefinition, ThroughDefinition, UniqueField, duplicates,
};
use crate::expression::Expression;
use crate::names::{did_you_mean, nearest};
use crate::reading::{MapReader, limit, wrong_type};
use crate::{
    FieldRules, Formula, Issue, Issues, JsonSchema, Kind, OnDelete, OptionColor, Pattern,
    RollupFunction, SelectOption, StageType, UniqueBy,
};

impl Blueprint {
    /// Reads a YAML or JSON text.
    ///
    /// # Errors
    /// All that is wrong with its form; whether it means something is
    /// [`resolve`](crate::resolve)'s question.
    pub fn parse(text: &str) -> Result<Self, Issues> {
        Self::parse_within(text, &Limits::default())
    }

    /// As [`Blueprint::parse`], with limits of one's own.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Self, Issues> {
        let (document, mut issues) = super::text::read(text, limits)?;
        let (blueprint, form) = Self::scan(&document, limits);
        issues.0.extend(form.0);
        issues.into_result(blueprint)
    }

    /// Reads a document that is JSON already.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        Self::from_json_within(document, &Limits::default())
    }

    /// As [`Blueprint::from_json`], with limits of one's own.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json_within(document: &Json, limits: &Limits) -> Result<Self, Issues> {
        let (blueprint, issues) = Self::scan(document, limits);
        issues.into_result(blueprint)
    }

    /// What can be read, and what is wrong with the rest.
    pub(crate) fn scan(document: &Json, limits: &Limits) -> (Self, Issues) {
        let mut reader = MapReader::lenient(document, "a blueprint: a mapping with \"relata: 1\"");
        header(&mut reader);
        let blueprint = Self {
            objects: each(&mut reader, "objects", limits, object_entry),
            pipelines: each(&mut reader, "pipelines", limits, pipeline),
            records: each(&mut reader, "records", limits, records),
        };
        let rows: usize = blueprint.records.iter().map(|part| part.rows.len()).sum();
        if rows > limits.rows_max {
            reader
                .issues
                .push(limit("rows", limits.rows_max, rows).at("records"));
        }
        (blueprint, reader.finish())
    }
}

impl ObjectDefinition {
    /// Reads an item of `objects` that is no `extends`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let (definition, issues) = object(document, &Limits::default());
        issues.into_result(definition)
    }
}

impl FieldDefinition {
    /// Reads an item of `fields`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let (definition, issues) = field(document, &Limits::default());
        issues.into_result(definition)
    }
}

impl PipelineDefinition {
    /// Reads an item of `pipelines`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let (definition, issues) = pipeline(document, &Limits::default());
        issues.into_result(definition)
    }
}

impl StageDefinition {
    /// Reads an item of `stages`.
    ///
    /// # Errors
    /// All that is wrong with its form.
    pub fn from_json(document: &Json) -> Result<Self, Issues> {
        let (definition, issues) = stage(document, &Limits::default());
        issues.into_result(definition)
    }
}

fn header(reader: &mut MapReader<'_>) {
    match reader.take("relata") {
        Some(version) if version.as_u64() == Some(BLUEPRINT_VERSION) => {}
        Some(version) => reader.issues.push(
            Issue::new(
                "UNKNOWN_VERSION",
                format!(
                    "this server reads blueprints of version {BLUEPRINT_VERSION}: expected \
                     \"relata: {BLUEPRINT_VERSION}\", got {version}"
                ),
            )
            .at("relata"),
        ),
        None => reader.issues.push(
            Issue::new(
                "MISSING",
                format!("the header \"relata: {BLUEPRINT_VERSION}\" is missing"),
            )
            .at("relata"),
        ),
    }
}

/// Reads each item of a list, in its place.
pub(super) fn each<T>(
    reader: &mut MapReader<'_>,
    name: &'static str,
    limits: &Limits,
    read: fn(&Json, &Limits) -> (T, Issues),
) -> Vec<T> {
    let items = reader.list(name);
    let mut issues = Issues::default();
    let mut all = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let (value, part) = read(item, limits);
        issues.extend_at(position, part);
        all.push(value);
    }
    reader.issues.extend_at(name, issues);
    all
}

fn object_entry(document: &Json, limits: &Limits) -> (ObjectEntry, Issues) {
    let is_extension = document
        .as_object()
        .is_some_and(|map| map.contains_key("extends"));
    if is_extension {
        let (extension, issues) = extension(document, limits);
        (ObjectEntry::Extend(extension), issues)
    } else {
        let (object, issues) = object(document, limits);
        (ObjectEntry::Define(object), issues)
    }
}

fn object(document: &Json, limits: &Limits) -> (ObjectDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "an object: a mapping with key, plural, fields");
    let definition = ObjectDefinition {
        key: reader.required_text("key"),
        name: reader.text("name"),
        plural: reader.required_text("plural"),
        labels: reader.labels("labels", limits, limits.label_max),
        plural_labels: reader.labels("pluralLabels", limits, limits.label_max),
        description: reader.labels("description", limits, limits.label_max * 10),
        label: reader.text("label"),
        members: members(&mut reader, limits),
        one_of: each(&mut reader, "oneOf", limits, one_of),
        locked_when: expression(&mut reader, "lockedWhen"),
    };
    (definition, reader.finish())
}

fn one_of(document: &Json, limits: &Limits) -> (OneOfDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "a mapping with key and relations");
    let definition = OneOfDefinition {
        key: reader.required_text("key"),
        name: reader.text("name"),
        labels: reader.labels("labels", limits, limits.label_max),
        relations: reader.texts("relations"),
        required: reader.flag("required"),
    };
    (definition, reader.finish())
}

fn extension(document: &Json, limits: &Limits) -> (ObjectExtension, Issues) {
    let mut reader = MapReader::lenient(document, "an extension: a mapping with extends, fields");
    let definition = ObjectExtension {
        extends: reader.required_text("extends"),
        members: members(&mut reader, limits),
    };
    (definition, reader.finish())
}

fn members(reader: &mut MapReader<'_>, limits: &Limits) -> ObjectMembers {
    ObjectMembers {
        fields: each(reader, "fields", limits, field),
        unique: unique_keys(reader),
        indexes: each(reader, "indexes", limits, index),
        rules: each(reader, "rules", limits, rule),
        duplicates: duplicates::member(reader, limits),
    }
}

fn index(document: &Json, _: &Limits) -> (IndexDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "an index: a mapping with fields");
    let definition = IndexDefinition {
        fields: reader.texts("fields"),
        include: reader.texts("include"),
        filled: reader.flag("filled"),
        live: reader.flag("live"),
    };
    (definition, reader.finish())
}

fn rule(document: &Json, limits: &Limits) -> (RuleDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "a rule: a mapping with key, must and message");
    let definition = RuleDefinition {
        key: reader.required_text("key"),
        when: expression(&mut reader, "when"),
        must: Expression::new(reader.required_text("must")),
        message: reader.labels("message", limits, limits.label_max * 10),
        fields: reader.texts("fields"),
    };
    (definition, reader.finish())
}

fn expression(reader: &mut MapReader<'_>, name: &'static str) -> Option<Expression> {
    reader.text(name).map(Expression::new)
}

/// A list of lists of fields.
fn unique_keys(reader: &mut MapReader<'_>) -> Vec<Vec<UniqueField>> {
    let items = reader.list("unique");
    let mut issues = Issues::default();
    let mut keys = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let Json::Array(fields) = item else {
            issues.extend_at(
                position,
                wrong_type("a list of field keys, such as [symbol, index]", item),
            );
            continue;
        };
        let mut key = Vec::with_capacity(fields.len());
        for (place, field) in fields.iter().enumerate() {
            match unique_field(field) {
                Ok(field) => key.push(field),
                Err(part) => issues.extend_at(position, part.under(place)),
            }
        }
        keys.push(key);
    }
    reader.issues.extend_at("unique", issues);
    keys
}

/// `{field, folded}`, or the field's key alone.
fn unique_field(document: &Json) -> Result<UniqueField, Issues> {
    match document {
        Json::String(field) => Ok(UniqueField {
            field: field.clone(),
            by: UniqueBy::Exact,
        }),
        Json::Object(_) => {
            let mut reader = MapReader::lenient(document, "a field's key");
            let field = UniqueField {
                field: reader.required_text("field"),
                by: match reader.flag("folded") {
                    true => UniqueBy::Folded,
                    false => UniqueBy::Exact,
                },
            };
            reader.finish().into_result(field)
        }
        other => Err(wrong_type("a field's key", other)),
    }
}

/// `unique`, and `uniqueBy` beside it.
fn unique(reader: &mut MapReader<'_>) -> Option<UniqueBy> {
    let is_unique = reader.flag("unique");
    let words = [("EXACT", UniqueBy::Exact), ("FOLDED", UniqueBy::Folded)];
    let by = reader.one_of("uniqueBy", &words);
    if by.is_some() && !is_unique {
        reader.issues.push(
            Issue::new(
                "MISSING",
                "\"uniqueBy\" says what \"unique\" means: add \"unique: true\"",
            )
            .at("uniqueBy"),
        );
    }
    is_unique.then(|| by.unwrap_or_default())
}

fn field(document: &Json, limits: &Limits) -> (FieldDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "a field: a mapping with key and kind");
    let key = reader.required_text("key");
    let name = reader.text("name");
    let labels = reader.labels("labels", limits, limits.label_max);
    let description = reader.labels("description", limits, limits.label_max * 10);
    let required = reader.flag("required");
    let unique = unique(&mut reader);
    let indexed = reader.flag("indexed");
    let default = reader.take("default").cloned();
    let rules = FieldRules {
        required_when: expression(&mut reader, "requiredWhen"),
        default_from: expression(&mut reader, "defaultFrom"),
        locked_when: expression(&mut reader, "lockedWhen"),
        immutable: reader.flag("immutable"),
        min_length: reader.whole("minLength"),
        pattern: reader.text("pattern").map(Pattern::new),
    };
    let kind_name = reader.required_text("kind");
    let kind = kind(&kind_name, &mut reader, limits);
    let is_known = kind.is_some();
    let definition = FieldDefinition {
        key,
        name,
        labels,
        description,
        // What an unknown kind would hold is unknown too; resolving knows from the issue.
        kind: kind.unwrap_or(KindDefinition::Plain(Kind::Text { max: 255 })),
        required,
        unique,
        indexed,
        default,
        rules,
    };
    let issues = if is_known {
        reader.finish()
    } else {
        // Which other members are known depends on the kind: they are not looked at without it.
        reader.issues
    };
    (definition, issues)
}

/// Names of all kinds, as in [`Kind::name`].
const KIND_NAMES: [&str; 34] = [
    "text",
    "longText",
    "richText",
    "integer",
    "decimal",
    "percent",
    "rating",
    "money",
    "boolean",
    "date",
    "dateTime",
    "time",
    "duration",
    "uuid",
    "select",
    "multiSelect",
    "texts",
    "tags",
    "user",
    "email",
    "phone",
    "url",
    "json",
    "fullName",
    "emails",
    "phones",
    "address",
    "geoPoint",
    "file",
    "relation",
    "autonumber",
    "stage",
    "formula",
    "rollup",
];

fn kind(name: &str, reader: &mut MapReader<'_>, limits: &Limits) -> Option<KindDefinition> {
    let kind = match name {
        "text" => Kind::Text {
            max: reader.whole("max").unwrap_or(255),
        },
        "longText" => Kind::LongText {
            max: reader.whole("max").unwrap_or(100_000),
        },
        "richText" => Kind::RichText {
            max: reader.whole("max").unwrap_or(100_000),
        },
        "integer" => Kind::Integer {
            min: reader.whole("min"),
            max: reader.whole("max"),
        },
        "decimal" => Kind::Decimal {
            scale: reader.whole("scale").unwrap_or(4),
            min: decimal(reader, "min"),
            max: decimal(reader, "max"),
        },
        "percent" => Kind::Percent {
            scale: reader.whole("scale").unwrap_or(2),
            min: decimal(reader, "min"),
            max: decimal(reader, "max"),
        },
        "rating" => Kind::Rating {
            max: reader.whole("max").unwrap_or(5),
        },
        "money" => Kind::Money {
            scale: reader.whole("scale").unwrap_or(2),
            currency: reader.text("currency"),
        },
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "dateTime" => Kind::DateTime,
        "time" => Kind::Time,
        "duration" => Kind::Duration,
        "uuid" => Kind::Uuid,
        "texts" => Kind::Texts,
        "tags" => Kind::Tags,
        "user" => Kind::User,
        "select" => Kind::Select {
            options: options(reader, limits),
        },
        "multiSelect" => Kind::MultiSelect {
            options: options(reader, limits),
        },
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "url" => Kind::Url,
        "json" => Kind::Json {
            schema: reader.take("schema").cloned().map(JsonSchema::new),
        },
        "fullName" => Kind::FullName,
        "emails" => Kind::Emails,
        "phones" => Kind::Phones,
        "address" => Kind::Address,
        "geoPoint" => Kind::GeoPoint,
        "file" => Kind::File {
            types: reader.texts("types"),
            max_size: reader.whole("maxSize"),
        },
        "autonumber" => Kind::Autonumber {
            prefix: reader.text("prefix").unwrap_or_default(),
            digits: reader.whole("digits").unwrap_or(5),
            start: reader.whole("start").unwrap_or(1),
            gapless: reader.flag("gapless"),
        },
        "stage" => Kind::Stage,
        "formula" => Kind::Formula(Formula::new(Expression::new(
            reader.required_text("expression"),
        ))),
        "rollup" => return Some(KindDefinition::Rollup(rollup(reader))),
        "relation" => return Some(KindDefinition::Relation(relation(reader, limits))),
        "" => return None,
        unknown => {
            let meant = nearest(unknown, KIND_NAMES);
            let message = match meant {
                Some(_) => format!("\"{unknown}\" is no kind of field.{}", did_you_mean(meant)),
                None => format!(
                    "\"{unknown}\" is no kind of field; there are {}",
                    KIND_NAMES.join(", ")
                ),
            };
            let mut issue = Issue::new("UNKNOWN_KIND", message).at("kind");
            if let Some(meant) = meant {
                issue = issue.with("suggestion", meant);
            }
            reader.issues.push(issue);
            return None;
        }
    };
    Some(KindDefinition::Plain(kind))
}

fn rollup(reader: &mut MapReader<'_>) -> RollupDefinition {
    if !reader.has("function") {
        reader.missing("function");
    }
    RollupDefinition {
        of: reader.required_text("of"),
        by: reader.required_text("by"),
        function: reader
            .one_of(
                "function",
                &[
                    ("COUNT", RollupFunction::Count),
                    ("SUM", RollupFunction::Sum),
                    ("MIN", RollupFunction::Min),
                    ("MAX", RollupFunction::Max),
                    ("AVG", RollupFunction::Avg),
                ],
            )
            .unwrap_or(RollupFunction::Count),
        expression: expression(reader, "expression"),
        filter: expression(reader, "where"),
    }
}

fn relation(reader: &mut MapReader<'_>, limits: &Limits) -> RelationDefinition {
    let to = reader.required_text("to");
    let mut list = |name: &'static str| {
        let document = reader.take(name)?;
        let (definition, part) = inverse(document, limits);
        reader.issues.extend_at(name, part);
        Some(definition)
    };
    let inverse = list("inverse");
    let ancestors = list("ancestors");
    let descendants = list("descendants");
    let through = reader.take("through").map(|document| {
        let (definition, part) = through(document, limits);
        reader.issues.extend_at("through", part);
        definition
    });
    let on_delete = reader
        .one_of(
            "onDelete",
            &[
                ("RESTRICT", OnDelete::Restrict),
                ("SET_NULL", OnDelete::SetNull),
                ("CASCADE", OnDelete::Cascade),
            ],
        )
        .unwrap_or_default();
    RelationDefinition {
        to,
        inverse,
        through,
        ancestors,
        descendants,
        on_delete,
    }
}

fn through(document: &Json, limits: &Limits) -> (ThroughDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "a mapping with name and to");
    let definition = ThroughDefinition {
        list: InverseDefinition {
            name: reader.required_text("name"),
            labels: reader.labels("labels", limits, limits.label_max),
        },
        to: reader.required_text("to"),
    };
    (definition, reader.finish())
}

/// `{name, labels}`, or the name alone.
fn inverse(document: &Json, limits: &Limits) -> (InverseDefinition, Issues) {
    if let Json::String(name) = document {
        let definition = InverseDefinition {
            name: name.clone(),
            labels: crate::Labels::new(),
        };
        return (definition, Issues::default());
    }
    let mut reader = MapReader::lenient(document, "an inverse: its name, or a mapping with name");
    let definition = InverseDefinition {
        name: reader.required_text("name"),
        labels: reader.labels("labels", limits, limits.label_max),
    };
    (definition, reader.finish())
}

/// Options as mappings with value and labels, or as values alone.
fn options(reader: &mut MapReader<'_>, limits: &Limits) -> Vec<SelectOption> {
    if !reader.has("options") {
        let _ = reader.list("options");
        reader.missing("options");
        return Vec::new();
    }
    each(reader, "options", limits, |document, limits| {
        if let Json::String(value) = document {
            let option = SelectOption {
                value: value.clone(),
                ..SelectOption::default()
            };
            return (option, Issues::default());
        }
        let mut reader = MapReader::lenient(document, "an option: a mapping with value and labels");
        let option = SelectOption {
            value: reader.required_text("value"),
            labels: reader.labels("labels", limits, limits.label_max),
            color: reader.one_of("color", &OptionColor::ALL),
            retired: reader.flag("retired"),
        };
        (option, reader.finish())
    })
}

pub(super) fn decimal(
    reader: &mut MapReader<'_>,
    name: &'static str,
) -> Option<rust_decimal::Decimal> {
    let value = reader.take(name)?;
    match crate::coerce::exact_decimal(value) {
        Ok(number) => Some(number),
        Err(part) => {
            reader.issues.extend_at(name, part);
            None
        }
    }
}

fn pipeline(document: &Json, limits: &Limits) -> (PipelineDefinition, Issues) {
    let mut reader = MapReader::lenient(
        document,
        "a pipeline: a mapping with key, object, field, stages",
    );
    let definition = PipelineDefinition {
        key: reader.required_text("key"),
        name: reader.text("name"),
        labels: reader.labels("labels", limits, limits.label_max),
        object: reader.required_text("object"),
        field: reader.required_text("field"),
        stages: each(&mut reader, "stages", limits, stage),
    };
    (definition, reader.finish())
}

fn stage(document: &Json, limits: &Limits) -> (StageDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "a stage: a mapping with key");
    let definition = StageDefinition {
        key: reader.required_text("key"),
        name: reader.text("name"),
        labels: reader.labels("labels", limits, limits.label_max),
        stage_type: reader
            .one_of(
                "type",
                &[
                    ("OPEN", StageType::Open),
                    ("WON", StageType::Won),
                    ("LOST", StageType::Lost),
                ],
            )
            .unwrap_or_default(),
        probability: decimal(&mut reader, "probability"),
        requires: reader.texts("requires"),
        from: reader.texts("from"),
    };
    (definition, reader.finish())
}

fn records(document: &Json, _: &Limits) -> (RecordsDefinition, Issues) {
    let mut reader = MapReader::lenient(document, "records: a mapping with object, by, rows");
    let object = reader.required_text("object");
    let by = reader.required_text("by");
    let items = reader.list("rows");
    let mut issues = Issues::default();
    let mut rows = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        match item {
            Json::Object(row) => rows.push(row.clone()),
            other => {
                issues.extend_at(position, wrong_type("a mapping of field keys", other));
                rows.push(serde_json::Map::new());
            }
        }
    }
    reader.issues.extend_at("rows", issues);
    (RecordsDefinition { object, by, rows }, reader.finish())
}
