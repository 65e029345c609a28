//! Types of what is measured over many records: `aggregate`.

use relata_catalog::{Catalogue, Kind, Labels, Object, ObjectIndex};

use super::{
    names::Names,
    objects::{description, field_description},
    writer::{OutputDefinition as Out, SchemaWriter},
};

const COUNT: (&str, &str, &str) = ("count", "SafeInt!", "How many are filled.");
const COUNT_DISTINCT: (&str, &str, &str) =
    ("countDistinct", "SafeInt!", "How many different values.");

/// Types that are the same in every workspace.
pub(super) fn platform(writer: &mut SchemaWriter) {
    let rounded = "rounded half away from zero: to six digits behind the point, or to as many as \
                   the field has, if these are more";
    let mean = format!("The mean, {rounded}.");
    let median = format!("The value in the middle, or the mean of the two there, {rounded}.");
    let mut write = |name: &str, about: &str, fields: &[(&str, &str, &str)]| {
        let fields = fields
            .iter()
            .map(|(name, ty, about)| Out::new(*name, *ty).about(about))
            .collect();
        writer.object(name, Some(about.to_owned()), &[], fields);
    };
    write(
        "IntAggregate",
        "Measures of whole numbers. What nothing is filled for is null.",
        &[
            COUNT,
            COUNT_DISTINCT,
            (
                "sum",
                "SafeInt",
                "Exact. LIMIT_EXCEEDED where it is beyond ±(2^53 − 1).",
            ),
            ("avg", "Decimal", &mean),
            ("min", "SafeInt", "The least."),
            ("max", "SafeInt", "The greatest."),
            ("median", "Decimal", &median),
        ],
    );
    write(
        "DecimalAggregate",
        "Measures of decimal numbers. What nothing is filled for is null.",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("sum", "Decimal", "Exact, with the field's digits."),
            ("avg", "Decimal", &mean),
            ("min", "Decimal", "The least."),
            ("max", "Decimal", "The greatest."),
            ("median", "Decimal", &median),
        ],
    );
    let of_money = "one for each currency, in the order of their codes";
    write(
        "MoneyAggregate",
        "Measures of money. Several currencies are never added up.",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("sum", "[Money!]!", &format!("Exact sums, {of_money}.")),
            (
                "avg",
                "[Money!]!",
                &format!("Means, {of_money}, rounded half away from zero to the field's digits."),
            ),
            ("min", "[Money!]!", &format!("The least, {of_money}.")),
            ("max", "[Money!]!", &format!("The greatest, {of_money}.")),
            (
                "median",
                "[Money!]!",
                &format!(
                    "The value in the middle, or the mean of the two there, rounded as `avg` is; {of_money}."
                ),
            ),
        ],
    );
    for ty in ["Date", "DateTime"] {
        write(
            &format!("{ty}Aggregate"),
            "Measures of times. What nothing is filled for is null.",
            &[
                COUNT,
                COUNT_DISTINCT,
                ("min", ty, "The earliest."),
                ("max", ty, "The latest."),
            ],
        );
    }
    write(
        "TimeAggregate",
        "Measures of times of day. What nothing is filled for is null.",
        &[
            COUNT,
            COUNT_DISTINCT,
            ("min", "Time", "The earliest."),
            ("max", "Time", "The latest."),
        ],
    );
    write(
        "DurationAggregate",
        "Measures of lengths of time. What nothing is filled for is null.",
        &[
            COUNT,
            COUNT_DISTINCT,
            (
                "sum",
                "Duration",
                "Exact. LIMIT_EXCEEDED where it is beyond ±(2^53 − 1) microseconds.",
            ),
            (
                "avg",
                "Duration",
                "The mean, rounded half away from zero to whole microseconds.",
            ),
            ("min", "Duration", "The shortest."),
            ("max", "Duration", "The longest."),
            (
                "median",
                "Duration",
                "The value in the middle, or the mean of the two there, rounded as `avg` is.",
            ),
        ],
    );
    write(
        "TextAggregate",
        "Measures of text. What nothing is filled for is null.",
        &[
            COUNT,
            COUNT_DISTINCT,
            (
                "min",
                "String",
                "The first, in the order of lists: case and accents aside.",
            ),
            ("max", "String", "The last."),
        ],
    );
    write(
        "BooleanAggregate",
        "Measures of yes and no.",
        &[
            COUNT,
            ("countTrue", "SafeInt!", "How many are true."),
            ("countFalse", "SafeInt!", "How many are false."),
        ],
    );
    write(
        "Value_Aggregate",
        "Measures of values that have no order.",
        &[COUNT, COUNT_DISTINCT],
    );
    write(
        "Filled_Aggregate",
        "Measures of values that are not compared.",
        &[COUNT],
    );
}

/// The type of what is measured of a kind. An address has no part that is always there.
pub(crate) fn aggregate_type(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Address | Kind::Formula(_) | Kind::Rollup(_) => return None,
        Kind::Integer { .. } | Kind::Rating { .. } => "IntAggregate",
        Kind::Decimal { .. } | Kind::Percent { .. } => "DecimalAggregate",
        Kind::Money { .. } => "MoneyAggregate",
        Kind::Date => "DateAggregate",
        Kind::DateTime => "DateTimeAggregate",
        Kind::Time => "TimeAggregate",
        Kind::Duration => "DurationAggregate",
        Kind::Text { .. }
        | Kind::LongText { .. }
        | Kind::RichText { .. }
        | Kind::Email
        | Kind::Url => "TextAggregate",
        Kind::Boolean => "BooleanAggregate",
        Kind::Select { .. }
        | Kind::Relation(_)
        | Kind::Autonumber { .. }
        | Kind::Uuid
        | Kind::User => "Value_Aggregate",
        Kind::MultiSelect { .. }
        | Kind::Texts
        | Kind::Tags
        | Kind::Json { .. }
        | Kind::GeoPoint
        | Kind::Phone
        | Kind::FullName
        | Kind::Emails
        | Kind::Phones
        | Kind::File { .. }
        | Kind::Stage => "Filled_Aggregate",
    })
}

/// `CompanyAggregate`
pub(super) fn write(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    object: &Object,
) {
    let mut fields = vec![
        Out::new("count", "SafeInt!").about("How many records, whatever the page."),
        Out::new("createdAt", "DateTimeAggregate"),
        Out::new("updatedAt", "DateTimeAggregate"),
        Out::new("owner", "Value_Aggregate"),
    ];
    for field in &object.fields {
        let is_dangling = matches!(field.shown(), Kind::Relation(relation)
            if catalogue.object_keyed(&relation.target).is_none());
        if let (Some(ty), false) = (aggregate_type(field.shown()), is_dangling) {
            fields.push(Out::new(&field.name, ty).described(field_description(field)));
        }
    }
    // A field may be called `count`; the number of records comes first.
    let mut seen = std::collections::HashSet::new();
    fields.retain(|field| seen.insert(field.name.clone()));
    writer.object(
        &format!("{}Aggregate", names.type_name(index)),
        description(&object.plural_labels, &Labels::default()),
        &[],
        fields,
    );
}
