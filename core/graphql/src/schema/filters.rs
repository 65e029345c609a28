//! Input types of conditions that are the same in every workspace.

use super::writer::{InputDefinition as In, InputForm, SchemaWriter};

/// Operators on text whose folded key is stored.
const TEXT_OPERATORS: &[(&str, &str, &str)] = &[
    ("eq", "String", "Equal, to the letter."),
    (
        "ne",
        "String",
        "Not equal, to the letter. Nothing is not equal to something.",
    ),
    ("in", "[String!]", "Equal to one of these, to the letter."),
    (
        "notIn",
        "[String!]",
        "Equal to none of these, to the letter.",
    ),
    ("isNull", "Boolean", "Empty (true) or filled (false)."),
    (
        "lt",
        "String",
        "Before it, by folded text and then code points.",
    ),
    ("lte", "String", "Before it or equal."),
    ("gt", "String", "After it."),
    ("gte", "String", "After it or equal."),
    (
        "between",
        "[String!]",
        "From the first to the second, both included.",
    ),
    ("contains", "String", "Contains it, to the letter."),
    ("startsWith", "String", "Begins with it, to the letter."),
    ("endsWith", "String", "Ends with it, to the letter."),
    (
        "like",
        "String",
        "SQL's LIKE: `%` any text, `_` one character, `\\` escapes.",
    ),
    ("iEq", "String", "Equal, case and accents aside."),
    (
        "iContains",
        "String",
        "Contains it, case and accents aside.",
    ),
    (
        "iStartsWith",
        "String",
        "Begins with it, case and accents aside.",
    ),
    (
        "iEndsWith",
        "String",
        "Ends with it, case and accents aside.",
    ),
    ("iLike", "String", "LIKE, case and accents aside."),
];

/// Operators that ask nothing of a folded key.
const EXACT_OPERATORS: &[&str] = &[
    "eq",
    "ne",
    "in",
    "notIn",
    "isNull",
    "contains",
    "startsWith",
    "endsWith",
    "like",
];

/// Whole numbers that a day, or an instant by the clock of the caller's zone, is made of.
const CALENDAR_PARTS: [(&str, &str); 7] = [
    ("year", "The calendar's year."),
    ("quarter", "1 to 4."),
    ("month", "1 to 12."),
    ("week", "Of the year, by ISO 8601: 1 to 53."),
    ("weekday", "1 is Monday, 7 is Sunday."),
    ("day", "Of the month: 1 to 31."),
    ("hour", "0 to 23."),
];

pub(super) fn write(writer: &mut SchemaWriter) {
    let text = || -> Vec<In> {
        TEXT_OPERATORS
            .iter()
            .map(|(name, ty, about)| In::new(*name, *ty).described(Some((*about).to_owned())))
            .collect()
    };
    let exact = || -> Vec<In> {
        text()
            .into_iter()
            .filter(|operator| EXACT_OPERATORS.contains(&operator.name.as_str()))
            .collect()
    };
    let ordered = |ty: &str| -> Vec<In> {
        let list = format!("[{ty}!]");
        vec![
            In::new("eq", ty),
            In::new("ne", ty),
            In::new("in", &list),
            In::new("notIn", &list),
            In::new("isNull", "Boolean"),
            In::new("lt", ty),
            In::new("lte", ty),
            In::new("gt", ty),
            In::new("gte", ty),
            In::new("between", &list).described(Some(
                "From the first to the second, both included.".to_owned(),
            )),
        ]
    };
    let is_null = || In::new("isNull", "Boolean");
    let filter = |writer: &mut SchemaWriter, name: &str, fields: Vec<In>| {
        writer.input(name, None, InputForm::Structural, fields);
    };
    filter(writer, "TextFilter", text());
    filter(writer, "ExactTextFilter", exact());
    filter(writer, "SafeIntFilter", ordered("SafeInt"));
    filter(writer, "DecimalFilter", ordered("Decimal"));
    filter(writer, "TimeFilter", ordered("Time"));
    filter(writer, "DurationFilter", ordered("Duration"));
    writer.input(
        "Within",
        Some("The last 30 days, today included, or the next: one of the two.".to_owned()),
        InputForm::Structural,
        vec![
            In::new("last", "Int"),
            In::new("next", "Int"),
            In::new("unit", "WithinUnit!"),
        ],
    );
    for ty in ["Date", "DateTime"] {
        let mut fields = ordered(ty);
        fields.push(
            In::new("within", "Within")
                .described(Some("Not longer ago, or not further ahead.".to_owned())),
        );
        fields.extend(
            CALENDAR_PARTS
                .iter()
                .filter(|(part, _)| ty == "DateTime" || *part != "hour")
                .map(|(part, about)| {
                    In::new(*part, "SafeIntFilter").described(Some((*about).to_owned()))
                }),
        );
        filter(writer, &format!("{ty}Filter"), fields);
    }
    filter(
        writer,
        "BooleanFilter",
        vec![
            In::new("eq", "Boolean"),
            In::new("ne", "Boolean"),
            is_null(),
        ],
    );
    filter(
        writer,
        "IdFilter",
        vec![
            In::new("eq", "ID"),
            In::new("ne", "ID"),
            In::new("in", "[ID!]"),
            In::new("notIn", "[ID!]"),
            is_null(),
        ],
    );
    filter(
        writer,
        "Uuid_Filter",
        vec![
            In::new("eq", "String"),
            In::new("ne", "String"),
            In::new("in", "[String!]"),
            In::new("notIn", "[String!]"),
            is_null(),
        ],
    );
    filter(
        writer,
        "Actor_IdFilter",
        vec![
            In::new("eq", "ID"),
            In::new("ne", "ID").described(Some("Anybody else.".to_owned())),
            In::new("in", "[ID!]"),
            In::new("notIn", "[ID!]"),
        ],
    );
    filter(
        writer,
        "Actor_KindFilter",
        vec![
            In::new("eq", "Actor_Kind"),
            In::new("ne", "Actor_Kind"),
            In::new("in", "[Actor_Kind!]"),
            In::new("notIn", "[Actor_Kind!]"),
        ],
    );
    filter(
        writer,
        "Actor_Filter",
        vec![
            In::new("kind", "Actor_KindFilter"),
            In::new("user", "Actor_IdFilter"),
            In::new("token", "Actor_IdFilter"),
            In::new("plugin", "Actor_IdFilter"),
        ],
    );
    filter(writer, "AutonumberFilter", ordered("String"));
    filter(
        writer,
        "ListFilter",
        vec![
            In::new("has", "String"),
            In::new("hasAny", "[String!]"),
            In::new("hasAll", "[String!]"),
            In::new("isEmpty", "Boolean"),
        ],
    );
    filter(writer, "JsonFilter", vec![is_null()]);
    filter(
        writer,
        "MoneyFilter",
        vec![
            In::new("amount", "DecimalFilter"),
            In::new("currency", "ExactTextFilter"),
            is_null(),
        ],
    );
    let with = |mut fields: Vec<In>, more: Vec<In>| {
        fields.extend(more);
        fields
    };
    filter(
        writer,
        "FullNameFilter",
        with(
            text(),
            vec![
                In::new("given", "ExactTextFilter"),
                In::new("family", "ExactTextFilter"),
            ],
        ),
    );
    filter(
        writer,
        "EmailsFilter",
        with(text(), vec![In::new("additional", "ListFilter")]),
    );
    let phone = || {
        let about = "Compared in E.164, in whatever spelling it is given.";
        with(
            ["eq", "ne"]
                .map(|name| In::new(name, "String").described(Some(about.to_owned())))
                .into(),
            vec![
                In::new("in", "[String!]"),
                In::new("notIn", "[String!]"),
                is_null(),
                In::new("startsWith", "String")
                    .described(Some("The number begins with these digits.".to_owned())),
                In::new("contains", "String")
                    .described(Some("These digits stand in the number.".to_owned())),
                In::new("endsWith", "String")
                    .described(Some("The number ends with these digits.".to_owned())),
                In::new("typed", "ExactTextFilter").described(Some("As typed.".to_owned())),
            ],
        )
    };
    filter(writer, "PhoneFilter", phone());
    filter(writer, "PhonesFilter", phone());
    filter(
        writer,
        "AddressFilter",
        vec![
            In::new("street", "ExactTextFilter"),
            In::new("city", "TextFilter"),
            In::new("region", "ExactTextFilter"),
            In::new("postalCode", "ExactTextFilter"),
            In::new("country", "ExactTextFilter"),
        ],
    );
    filter(
        writer,
        "Geo_PointFilter",
        vec![
            In::new("latitude", "DecimalFilter"),
            In::new("longitude", "DecimalFilter"),
            In::new("near", "Geo_Near").described(Some(
                "Within so many kilometers of a point, on a sphere with the mean radius of the earth."
                    .to_owned(),
            )),
            is_null(),
        ],
    );
    filter(
        writer,
        "File_Filter",
        vec![
            In::new("id", "IdFilter"),
            In::new("name", "TextFilter"),
            In::new("contentType", "ExactTextFilter"),
            In::new("size", "SafeIntFilter"),
            is_null(),
        ],
    );
    filter(
        writer,
        "StageTypeFilter",
        vec![In::new("eq", "StageType"), In::new("in", "[StageType!]")],
    );
    filter(
        writer,
        "StageFilter",
        vec![
            In::new("eq", "String").described(Some("Name of a stage.".to_owned())),
            In::new("ne", "String"),
            In::new("in", "[String!]"),
            In::new("notIn", "[String!]"),
            is_null(),
            In::new("pipeline", "String").described(Some("Name of the pipeline.".to_owned())),
            In::new("type", "StageTypeFilter"),
            In::new("enteredAt", "DateTimeFilter"),
        ],
    );
}
