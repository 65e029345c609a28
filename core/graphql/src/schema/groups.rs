//! Types of `groups`: by what, which, in which order, and what a group is.

use relata_catalog::{Catalogue, FieldIndex, Kind, Object, ObjectIndex};

use super::{
    aggregates::aggregate_type,
    names::Names,
    objects::field_description,
    writer::{InputDefinition as In, InputForm, OutputDefinition as Out, SchemaWriter},
};

/// A measure's name, and the type of what it is compared with; none where it is ordered by alone.
type MeasureOf = (&'static str, Option<&'static str>);

/// What of each aggregate is compared and ordered by.
const MEASURES: &[(&str, &[MeasureOf])] = &[
    (
        "Int",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("sum", Some("SafeInt")),
            ("avg", Some("Decimal")),
            ("min", Some("SafeInt")),
            ("max", Some("SafeInt")),
            ("median", Some("Decimal")),
        ],
    ),
    (
        "Decimal",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("sum", Some("Decimal")),
            ("avg", Some("Decimal")),
            ("min", Some("Decimal")),
            ("max", Some("Decimal")),
            ("median", Some("Decimal")),
        ],
    ),
    (
        "Money",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("sum", AMOUNT),
            ("avg", AMOUNT),
            ("min", AMOUNT),
            ("max", AMOUNT),
            ("median", AMOUNT),
        ],
    ),
    (
        "Date",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("min", Some("Date")),
            ("max", Some("Date")),
        ],
    ),
    (
        "DateTime",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("min", Some("DateTime")),
            ("max", Some("DateTime")),
        ],
    ),
    (
        "Time",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("min", Some("Time")),
            ("max", Some("Time")),
        ],
    ),
    (
        "Duration",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("sum", Some("Duration")),
            ("avg", Some("Duration")),
            ("min", Some("Duration")),
            ("max", Some("Duration")),
            ("median", Some("Duration")),
        ],
    ),
    (
        "Text",
        &[COUNT, COUNT_DISTINCT, ("min", None), ("max", None)],
    ),
    (
        "Boolean",
        &[
            COUNT,
            ("countTrue", Some("SafeInt")),
            ("countFalse", Some("SafeInt")),
        ],
    ),
    ("Value", &[COUNT, COUNT_DISTINCT]),
    ("Filled", &[COUNT]),
];

const COUNT: MeasureOf = ("count", Some("SafeInt"));
const COUNT_DISTINCT: MeasureOf = ("countDistinct", Some("SafeInt"));
/// Of one currency, which is said beside it.
const AMOUNT: Option<&str> = Some("Money_Amount");

/// Parts of composite values.
type Parts = &'static [(&'static str, usize)];

/// Parts of a composite value that are grouped by, with their columns; and the name of its type.
pub(crate) fn parts_of(kind: &Kind) -> Option<(&'static str, Parts)> {
    COMPOSITES
        .iter()
        .find(|(name, _)| match kind {
            Kind::Money { .. } => *name == "Money",
            Kind::FullName => *name == "FullName",
            Kind::Address => *name == "Address",
            _ => false,
        })
        .copied()
}

const COMPOSITES: [(&str, Parts); 3] = [
    ("Money", &[("currency", 1)]),
    ("FullName", &[("given", 2), ("family", 3)]),
    (
        "Address",
        &[
            ("city", 1),
            ("region", 3),
            ("postalCode", 4),
            ("country", 5),
        ],
    ),
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
    let days = [
        ("DAY", None),
        ("WEEK", Some("From Monday.")),
        ("MONTH", None),
        ("QUARTER", Some("From January.")),
        ("YEAR", None),
    ];
    let hour = [("HOUR", Some("One that is set back is there twice."))];
    for (name, about, spans) in [
        (
            "Group_Span",
            "A length of time by which instants are grouped, by the clock of the caller's zone.",
            [&hour[..], &days].concat(),
        ),
        (
            "Group_DaySpan",
            "A length of time by which days are grouped.",
            days.to_vec(),
        ),
    ] {
        writer.enumeration(
            name,
            Some(about.to_owned()),
            true,
            spans
                .into_iter()
                .map(|(name, about)| (name.to_owned(), about.map(str::to_owned)))
                .collect(),
        );
    }
    for (name, parts) in COMPOSITES {
        let inputs = |ty: &str| parts.iter().map(|(part, _)| In::new(*part, ty)).collect();
        let keys = parts.iter().map(|(part, _)| Out::new(*part, "String"));
        writer.input(
            &format!("{name}_GroupBy"),
            None,
            InputForm::OneOf,
            inputs("Boolean"),
        );
        writer.input(
            &format!("{name}_GroupKeyOrder"),
            None,
            InputForm::OneOf,
            inputs("OrderDirection"),
        );
        writer.object(&format!("{name}_GroupKey"), None, &[], keys.collect());
    }
    writer.object(
        "Group_Stage",
        Some("The stage that the records of a group stand in.".to_owned()),
        &[],
        vec![
            Out::new("pipeline", "String").about("Name of the pipeline."),
            Out::new("stage", "Stage"),
        ],
    );
    for ty in ["SafeInt", "Decimal", "Date", "DateTime", "Time", "Duration"] {
        writer.input(
            &format!("{ty}Having"),
            Some("A condition on a measure.".to_owned()),
            InputForm::Structural,
            operators(ty),
        );
    }
    let currency = || {
        In::new("currency", "String!").described(Some(
            "Amounts in other currencies are left aside.".to_owned(),
        ))
    };
    let mut amounts = vec![currency()];
    amounts.extend(operators("Decimal"));
    writer.input(
        "Money_AmountHaving",
        Some("A condition on the amounts in one currency.".to_owned()),
        InputForm::Structural,
        amounts,
    );
    writer.input(
        "Money_AmountOrder",
        Some("By the amounts in one currency.".to_owned()),
        InputForm::Structural,
        vec![currency(), In::new("direction", "OrderDirection!")],
    );
    for (name, measures) in MEASURES {
        writer.input(
            &format!("{name}_Having"),
            None,
            InputForm::Structural,
            measures
                .iter()
                .filter_map(|(measure, ty)| Some(In::new(*measure, format!("{}Having", (*ty)?))))
                .collect(),
        );
        writer.input(
            &format!("{name}_Order"),
            None,
            InputForm::OneOf,
            measures
                .iter()
                .map(|(measure, ty)| {
                    let is_amount = *ty == AMOUNT;
                    let direction = if is_amount {
                        "Money_AmountOrder"
                    } else {
                        "OrderDirection"
                    };
                    In::new(*measure, direction)
                })
                .collect(),
        );
    }
}

/// What a measure is compared by.
fn operators(ty: &str) -> Vec<In> {
    let mut fields = ["eq", "ne", "lt", "lte", "gt", "gte"]
        .map(|name| In::new(name, ty))
        .to_vec();
    fields.push(In::new("between", format!("[{ty}!]")).described(Some(
        "From the first to the second, both included.".to_owned(),
    )));
    fields.push(In::new("isNull", "Boolean"));
    fields
}

/// Types of a key: in `CompanyGroupBy`, `CompanyGroupKeyOrder` and `CompanyGroupKey`.
struct KeyTypes {
    by: String,
    order: String,
    key: String,
}

fn key_types(
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    field: FieldIndex,
    kind: &Kind,
) -> Option<KeyTypes> {
    let leaf = |by: &str, key: &str| {
        Some(KeyTypes {
            by: by.to_owned(),
            order: "OrderDirection".to_owned(),
            key: key.to_owned(),
        })
    };
    let value = |key: &str| leaf("Boolean", key);
    let inner = |by: &str, name: &str| {
        Some(KeyTypes {
            by: format!("{name}{by}GroupBy"),
            order: format!("{name}{by}GroupKeyOrder"),
            key: format!("{name}{by}GroupKey"),
        })
    };
    match kind {
        Kind::Text { .. } | Kind::Email | Kind::Url | Kind::Uuid | Kind::Tags => value("String"),
        Kind::User => value("ID"),
        Kind::Time => value("Time"),
        Kind::Duration => value("Duration"),
        Kind::Integer { .. } | Kind::Rating { .. } => value("SafeInt"),
        Kind::Decimal { .. } | Kind::Percent { .. } => value("Decimal"),
        Kind::Boolean => value("Boolean"),
        Kind::Select { .. } | Kind::MultiSelect { .. } => value(names.enum_name(index, field)?),
        Kind::Stage => value("Group_Stage"),
        Kind::Date => leaf("Group_DaySpan", "Date"),
        Kind::DateTime => leaf("Group_Span", "DateTime"),
        Kind::Relation(relation) => {
            let (target, _) = catalogue.object_keyed(&relation.target)?;
            inner("", names.type_name(target))
        }
        kind => inner("_", parts_of(kind)?.0),
    }
}

/// What a length of time is known by.
const BEGINNING: &str = "When the length of time begins, by the clock of the caller's zone: \
                         \"2026-10-01T00:00:00+02:00\".";

/// `CompanyGroup` and all around it.
pub(super) fn write(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    object: &Object,
) {
    let type_name = names.type_name(index);
    let mut by = vec![
        In::new("id", "Boolean").described(Some("The record itself: of a relation.".to_owned())),
        In::new("owner", "Boolean"),
    ];
    let mut key_order = vec![
        In::new("id", "OrderDirection"),
        In::new("owner", "OrderDirection"),
    ];
    let mut key = vec![
        Out::new("id", "ID"),
        Out::new("node", type_name).about("The record, where its id is grouped by."),
        Out::new("owner", "Owner"),
    ];
    for name in ["createdAt", "updatedAt"] {
        by.push(In::new(name, "Group_Span"));
        key_order.push(In::new(name, "OrderDirection"));
        key.push(Out::new(name, "DateTime").about(BEGINNING));
    }
    let mut order = vec![
        In::new("key", format!("{type_name}GroupKeyOrder"))
            .described(Some("Something that is grouped by.".to_owned())),
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
        if let Some(types) = key_types(catalogue, names, index, field_index, field.shown()) {
            by.push(In::new(&field.name, types.by).described(about.clone()));
            key_order.push(In::new(&field.name, types.order));
            let about = match field.shown() {
                Kind::DateTime => Some(BEGINNING.to_owned()),
                _ => about.clone(),
            };
            key.push(Out::new(&field.name, types.key).described(about));
        }
        if let Some(measured) = measured(field.shown()) {
            order.push(In::new(&field.name, format!("{measured}_Order")).described(about.clone()));
            having.push(In::new(&field.name, format!("{measured}_Having")).described(about));
        }
    }
    for inputs in [&mut by, &mut key_order, &mut order, &mut having] {
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
        &format!("{type_name}GroupKeyOrder"),
        None,
        InputForm::OneOf,
        key_order,
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
                "Finds these records again: as the variable that is the `where` of the same list, \
                 or of the list at the root.",
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
        .about("All of them, whatever the page, parted by what they have in common.")
        .arguments(vec![
            In::new("by", format!("[{type_name}GroupBy!]!")),
            In::new("having", format!("{type_name}Having")),
            In::new("orderBy", format!("[{type_name}GroupOrder!]"))
                .described(Some("Without: by the keys.".to_owned())),
            In::new("first", "Int"),
            In::new("after", "String"),
        ])
}
