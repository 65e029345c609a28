//! Types of `groups`: by what, which, in which order, and what a group is.

use relata_catalog::{Catalogue, FieldIndex, Kind, Object, ObjectIndex};

use super::{
    aggregates::aggregate_type,
    names::Names,
    objects::field_description,
    writer::{InputDefinition as In, InputForm, OutputDefinition as Out, SchemaWriter},
};

/// What of each aggregate is compared and ordered by: its name, and the type of what it is
/// compared with.
const MEASURES: &[(&str, &[(&str, &str)])] = &[
    (
        "Int",
        &[
            ("count", "SafeInt"),
            ("countDistinct", "SafeInt"),
            ("sum", "SafeInt"),
            ("min", "SafeInt"),
            ("max", "SafeInt"),
        ],
    ),
    (
        "Decimal",
        &[
            ("count", "SafeInt"),
            ("countDistinct", "SafeInt"),
            ("sum", "Decimal"),
            ("min", "Decimal"),
            ("max", "Decimal"),
        ],
    ),
    ("Money", &[("count", "SafeInt")]),
    (
        "Date",
        &[
            ("count", "SafeInt"),
            ("countDistinct", "SafeInt"),
            ("min", "Date"),
            ("max", "Date"),
        ],
    ),
    (
        "DateTime",
        &[
            ("count", "SafeInt"),
            ("countDistinct", "SafeInt"),
            ("min", "DateTime"),
            ("max", "DateTime"),
        ],
    ),
    (
        "Text",
        &[("count", "SafeInt"), ("countDistinct", "SafeInt")],
    ),
    (
        "Boolean",
        &[
            ("count", "SafeInt"),
            ("countTrue", "SafeInt"),
            ("countFalse", "SafeInt"),
        ],
    ),
    (
        "Value",
        &[("count", "SafeInt"), ("countDistinct", "SafeInt")],
    ),
    ("Filled", &[("count", "SafeInt")]),
];

/// The first part of the name of what is measured of a kind: `Int` of `IntAggregate`.
fn measured(kind: &Kind) -> Option<&'static str> {
    Some(
        aggregate_type(kind)?
            .trim_end_matches("Aggregate")
            .trim_end_matches('_'),
    )
}

/// Types that are the same in every workspace.
pub(super) fn platform(writer: &mut SchemaWriter) {
    writer.enumeration(
        "Group_Span",
        Some(
            "A length of time by which records are grouped, by the calendar of the caller's zone."
                .to_owned(),
        ),
        true,
        [
            ("DAY", None),
            ("WEEK", Some("From Monday.")),
            ("MONTH", None),
            ("QUARTER", Some("From January.")),
            ("YEAR", None),
        ]
        .into_iter()
        .map(|(name, about)| (name.to_owned(), about.map(str::to_owned)))
        .collect(),
    );
    writer.object(
        "Group_Stage",
        Some("The stage that the records of a group stand in.".to_owned()),
        &[],
        vec![
            Out::new("pipeline", "String").about("Name of the pipeline."),
            Out::new("stage", "Stage"),
        ],
    );
    for ty in ["SafeInt", "Decimal", "Date", "DateTime"] {
        let mut fields = ["eq", "ne", "lt", "lte", "gt", "gte"]
            .map(|name| In::new(name, ty))
            .to_vec();
        fields.push(In::new("between", format!("[{ty}!]")).described(Some(
            "From the first to the second, both included.".to_owned(),
        )));
        fields.push(In::new("isNull", "Boolean"));
        writer.input(
            &format!("{ty}Having"),
            Some("A condition on a measure.".to_owned()),
            InputForm::Structural,
            fields,
        );
    }
    for (name, measures) in MEASURES {
        writer.input(
            &format!("{name}_Having"),
            None,
            InputForm::Structural,
            measures
                .iter()
                .map(|(measure, ty)| In::new(*measure, format!("{ty}Having")))
                .collect(),
        );
        writer.input(
            &format!("{name}_Order"),
            None,
            InputForm::OneOf,
            measures
                .iter()
                .map(|(measure, _)| In::new(*measure, "OrderDirection"))
                .collect(),
        );
    }
}

/// Type of a key in `CompanyGroupBy`, and in `CompanyGroupKey`.
fn key_types(
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    field: FieldIndex,
    kind: &Kind,
) -> Option<(String, String)> {
    let value = |ty: &str| Some(("Boolean".to_owned(), ty.to_owned()));
    match kind {
        Kind::Text { .. } | Kind::Email | Kind::Url => value("String"),
        Kind::Integer { .. } => value("SafeInt"),
        Kind::Decimal { .. } => value("Decimal"),
        Kind::Boolean => value("Boolean"),
        Kind::Select { .. } => value(names.enum_name(index, field)?),
        Kind::Stage => value("Group_Stage"),
        Kind::Date | Kind::DateTime => Some(("Group_Span".to_owned(), "Date".to_owned())),
        Kind::Relation(relation) => {
            let (target, _) = catalogue.object_keyed(&relation.target)?;
            let target = names.type_name(target);
            Some((format!("{target}GroupBy"), format!("{target}GroupKey")))
        }
        _ => None,
    }
}

/// `CompanyGroup` and all around it.
pub(super) fn write(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    object: &Object,
) {
    let type_name = names.type_name(index);
    let spans = ["createdAt", "updatedAt"];
    let mut by = vec![
        In::new("id", "Boolean").described(Some("The record itself: of a relation.".to_owned())),
    ];
    by.extend(spans.map(|name| In::new(name, "Group_Span")));
    let mut key = vec![Out::new("id", "ID")];
    key.extend(spans.map(|name| Out::new(name, "Date").about("The first day.")));
    let mut order = vec![
        In::new("key", format!("{type_name}Order")).described(Some(
            "A field of the record that the groups are made by.".to_owned(),
        )),
        In::new("count", "OrderDirection"),
    ];
    let own_having = format!("{type_name}Having");
    let mut having = vec![
        In::new("and", format!("[{own_having}!]")),
        In::new("or", format!("[{own_having}!]")),
        In::new("not", &own_having),
        In::new("count", "SafeIntHaving"),
    ];
    for (name, measured) in [
        ("createdAt", "DateTime"),
        ("updatedAt", "DateTime"),
        ("owner", "Value"),
    ] {
        order.push(In::new(name, format!("{measured}_Order")));
        having.push(In::new(name, format!("{measured}_Having")));
    }
    for (position, field) in object.fields.iter().enumerate() {
        let about = field_description(field);
        let field_index = FieldIndex(position);
        if let Some((given, written)) = key_types(catalogue, names, index, field_index, &field.kind)
        {
            by.push(In::new(&field.name, given).described(about.clone()));
            key.push(Out::new(&field.name, written).described(about.clone()));
        }
        if let Some(measured) = measured(&field.kind) {
            order.push(In::new(&field.name, format!("{measured}_Order")).described(about.clone()));
            having.push(In::new(&field.name, format!("{measured}_Having")).described(about));
        }
    }
    for inputs in [&mut by, &mut order, &mut having] {
        let mut seen = std::collections::HashSet::new();
        inputs.retain(|input| seen.insert(input.name.clone()));
    }
    let mut seen = std::collections::HashSet::new();
    key.retain(|output| seen.insert(output.name.clone()));
    writer.input(
        &format!("{type_name}GroupBy"),
        Some("What the records of a group have in common: `true`, or a length of time.".to_owned()),
        InputForm::OneOf,
        by,
    );
    writer.input(
        &format!("{type_name}GroupOrder"),
        None,
        InputForm::OneOf,
        order,
    );
    writer.input(&own_having, None, InputForm::Structural, having);
    writer.object(
        &format!("{type_name}GroupKey"),
        Some("What is grouped by; all else is null.".to_owned()),
        &[],
        key,
    );
    writer.object(
        &format!("{type_name}Group"),
        Some("Records that have something in common.".to_owned()),
        &[],
        vec![
            Out::new("key", format!("{type_name}GroupKey!")),
            Out::new("aggregate", format!("{type_name}Aggregate!")),
            Out::new("where", "JSON!").about(
                "Finds these records again: as the variable that is the `where` of the same list.",
            ),
        ],
    );
    writer.object(
        &format!("{type_name}GroupConnection"),
        None,
        &[],
        vec![
            Out::new("nodes", format!("[{type_name}Group!]!")),
            Out::new("pageInfo", "PageInfo!"),
            Out::new("totalCount", "SafeInt!")
                .about("How many groups. Costs only when it is asked for."),
        ],
    );
}

/// `groups` of a connection.
pub(super) fn field(type_name: &str) -> Out {
    Out::new("groups", format!("{type_name}GroupConnection!"))
        .about("All of them, whatever the page, parted by what they have in common. Of lists at the root.")
        .arguments(vec![
            In::new("by", format!("[{type_name}GroupBy!]!")),
            In::new("having", format!("{type_name}Having")),
            In::new("orderBy", format!("[{type_name}GroupOrder!]"))
                .described(Some("Without: by the keys.".to_owned())),
            In::new("first", "Int"),
            In::new("after", "String"),
        ])
}
