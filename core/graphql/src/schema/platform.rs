//! Types that are the same in every workspace.

use super::{
    aggregates, filters, groups,
    writer::{InputDefinition as In, InputForm, OutputDefinition as Out, SchemaWriter},
};

pub(super) fn write(writer: &mut SchemaWriter) {
    scalars(writer);
    enums(writer);
    interfaces(writer);
    composites(writer);
    stages(writer);
    history(writer);
    search(writer);
    filters::write(writer);
    aggregates::platform(writer);
    groups::platform(writer);
    writer.queries.push(
        Out::new("node", "Node")
            .about("Any record by its id.")
            .arguments(vec![In::new("id", "ID!")]),
    );
    writer
        .queries
        .push(Out::new("viewer", "Viewer!").about("On whose behalf this request runs."));
}

fn scalars(writer: &mut SchemaWriter) {
    writer.scalar(
        "SafeInt",
        "Whole number within ±(2^53 − 1), so that no JavaScript client loses digits.",
        Some("https://www.rfc-editor.org/rfc/rfc8259#section-6"),
    );
    writer.scalar(
        "Decimal",
        "Decimal number as text, never a float: \"12.50\".",
        Some("https://www.w3.org/TR/xmlschema-2/#decimal"),
    );
    writer.scalar(
        "Date",
        "Calendar day: \"2026-11-22\".",
        Some("https://www.rfc-editor.org/rfc/rfc3339#section-5.6"),
    );
    writer.scalar(
        "DateTime",
        "Instant, in UTC: \"2026-11-22T08:00:00Z\".",
        Some("https://www.rfc-editor.org/rfc/rfc3339#section-5.6"),
    );
    writer.scalar(
        "Time",
        "Time of day by no clock in particular, to the microsecond: \"08:30:00\".",
        Some("https://www.rfc-editor.org/rfc/rfc3339#section-5.6"),
    );
    writer.scalar(
        "Duration",
        "Length of time in hours, minutes and seconds, as ISO 8601 has it, to the microsecond: \
         \"PT1H30M\". It may be negative.",
        Some("https://www.rfc-editor.org/rfc/rfc3339#appendix-A"),
    );
    writer.scalar(
        "JSON",
        "Anything that JSON can say.",
        Some("https://www.rfc-editor.org/rfc/rfc8259"),
    );
}

fn values(values: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    values
        .iter()
        .map(|(value, description)| {
            (
                (*value).to_owned(),
                (!description.is_empty()).then(|| (*description).to_owned()),
            )
        })
        .collect()
}

fn enums(writer: &mut SchemaWriter) {
    writer.enumeration(
        "Deleted",
        Some("Which records count as there.".to_owned()),
        true,
        values(&[
            ("EXCLUDE", "Those outside the trash."),
            ("INCLUDE", "All."),
            ("ONLY", "Those in the trash."),
        ]),
    );
    writer.enumeration(
        "OrderDirection",
        Some("Which way to order, and where records without a value go.".to_owned()),
        true,
        values(&[
            ("ASC", "Smallest first, without a value last."),
            ("DESC", "Greatest first, without a value first."),
            ("ASC_NULLS_FIRST", ""),
            ("ASC_NULLS_LAST", ""),
            ("DESC_NULLS_FIRST", ""),
            ("DESC_NULLS_LAST", ""),
        ]),
    );
    writer.enumeration(
        "NameOrder",
        Some("Which part of a name comes first.".to_owned()),
        false,
        values(&[("GIVEN_FIRST", "Ada Lovelace"), ("FAMILY_FIRST", "王小明")]),
    );
    writer.enumeration(
        "StageType",
        Some("Whether a stage is an end, and which.".to_owned()),
        true,
        values(&[
            ("OPEN", "Work goes on."),
            ("WON", "A good end."),
            ("LOST", "A bad end."),
        ]),
    );
    writer.enumeration(
        "Actor_Kind",
        Some("Who acts.".to_owned()),
        true,
        values(&[("USER", ""), ("TOKEN", ""), ("PLUGIN", ""), ("SYSTEM", "")]),
    );
    writer.enumeration(
        "WithinUnit",
        Some("A length of time, by the calendar of the caller's zone.".to_owned()),
        true,
        values(&[
            ("MINUTE", ""),
            ("HOUR", ""),
            ("DAY", ""),
            ("WEEK", ""),
            ("MONTH", ""),
            ("QUARTER", ""),
            ("YEAR", ""),
        ]),
    );
    writer.enumeration(
        "HistoryChange",
        None,
        false,
        values(&[
            ("CREATE", ""),
            ("UPDATE", ""),
            ("DELETE", "Into the trash."),
            ("RESTORE", "Out of the trash."),
            ("MERGE", "Others were merged into it."),
        ]),
    );
}

/// The fields of every record.
pub(super) fn record_fields() -> Vec<Out> {
    vec![
        Out::new("id", "ID!"),
        Out::new("label", "String!").about("What people call it."),
        Out::new("version", "SafeInt!").about("Counts its changes, from 1."),
        Out::new("createdAt", "DateTime!"),
        Out::new("updatedAt", "DateTime!"),
        Out::new("createdBy", "Actor!"),
        Out::new("updatedBy", "Actor!"),
        Out::new("owner", "Owner"),
        Out::new("deletedAt", "DateTime").about("When it went to the trash."),
        Out::new("mergedInto", "ID")
            .about("Of a record that is in the trash because of a merge: the one that stayed."),
        Out::new("history", "HistoryConnection!")
            .about("Its changes, newest first.")
            .arguments(vec![In::new("first", "Int"), In::new("after", "String")]),
    ]
}

fn interfaces(writer: &mut SchemaWriter) {
    writer.interface("Node", "What has an id.", &[], vec![Out::new("id", "ID!")]);
    writer.interface(
        "Record",
        "A record of any object.",
        &["Node"],
        record_fields(),
    );
    writer.object(
        "User",
        None,
        &[],
        vec![
            Out::new("id", "ID!"),
            Out::new("name", "String"),
            Out::new("email", "String"),
        ],
    );
    writer.object(
        "Token",
        Some("A program that acts for a user.".to_owned()),
        &[],
        vec![Out::new("id", "ID!"), Out::new("name", "String")],
    );
    writer.object(
        "Plugin",
        None,
        &[],
        vec![Out::new("id", "ID!"), Out::new("name", "String")],
    );
    writer.object(
        "System",
        Some("The product itself.".to_owned()),
        &[],
        vec![Out::new("name", "String!")],
    );
    writer.object(
        "Team",
        None,
        &[],
        vec![Out::new("id", "ID!"), Out::new("name", "String")],
    );
    writer.union(
        "Actor",
        "Who does something.",
        &["User", "Token", "Plugin", "System"],
    );
    writer.union("Owner", "Whose record it is.", &["User", "Team"]);
    writer.object(
        "Viewer",
        None,
        &[],
        vec![
            Out::new("user", "User").about("The user, also behind a token."),
            Out::new("actor", "Actor!").about("What is written into history."),
            Out::new("isAdmin", "Boolean!"),
            Out::new("locale", "String!"),
            Out::new("zone", "String!"),
        ],
    );
    writer.object(
        "PageInfo",
        None,
        &[],
        vec![
            Out::new("hasNextPage", "Boolean!"),
            Out::new("hasPreviousPage", "Boolean!"),
            Out::new("startCursor", "String"),
            Out::new("endCursor", "String"),
        ],
    );
}

fn composites(writer: &mut SchemaWriter) {
    let object = |writer: &mut SchemaWriter, name: &str, about: &str, fields: &[(&str, &str)]| {
        let fields = fields
            .iter()
            .map(|(name, ty)| Out::new(*name, *ty))
            .collect();
        writer.object(name, Some(about.to_owned()), &[], fields);
    };
    object(
        writer,
        "Money",
        "An amount in a currency.",
        &[("amount", "Decimal!"), ("currency", "String!")],
    );
    object(
        writer,
        "FullName",
        "A person's name as given.",
        &[
            ("full", "String!"),
            ("given", "String"),
            ("family", "String"),
            ("order", "NameOrder!"),
        ],
    );
    object(
        writer,
        "Emails",
        "E-mail addresses of one party.",
        &[("primary", "String!"), ("additional", "[String!]!")],
    );
    object(
        writer,
        "Phone",
        "A phone number in E.164, where it can be read as one, and as typed.",
        &[("e164", "String"), ("typed", "String!")],
    );
    object(
        writer,
        "Phones",
        "Phone numbers of one party.",
        &[("primary", "Phone!"), ("additional", "[Phone!]!")],
    );
    let address = [
        ("street", "String"),
        ("city", "String"),
        ("region", "String"),
        ("postalCode", "String"),
        ("country", "String"),
    ];
    object(writer, "Address", "A postal address.", &address);
    let point = [("latitude", "Decimal!"), ("longitude", "Decimal!")];
    object(
        writer,
        "Geo_Point",
        "A point on the earth (WGS 84), in degrees to the north and to the east, with 6 digits behind the point (11 cm).",
        &point,
    );
    object(
        writer,
        "File_Value",
        "A file. What is said of it never changes.",
        &[
            ("id", "ID!"),
            ("name", "String!"),
            ("contentType", "String!"),
            ("size", "SafeInt!"),
            ("sha256", "String!"),
            ("url", "String!"),
        ],
    );
    writer.input(
        "File_Order",
        None,
        InputForm::OneOf,
        vec![
            In::new("name", "OrderDirection"),
            In::new("size", "OrderDirection"),
        ],
    );

    let input = |writer: &mut SchemaWriter, name: &str, fields: &[(&str, &str)]| {
        let fields = fields
            .iter()
            .map(|(name, ty)| In::new(*name, *ty))
            .collect();
        writer.input(name, None, InputForm::Opaque, fields);
    };
    input(
        writer,
        "MoneyInput",
        &[("amount", "Decimal!"), ("currency", "String")],
    );
    input(
        writer,
        "FullNameInput",
        &[
            ("full", "String"),
            ("given", "String"),
            ("family", "String"),
            ("order", "NameOrder"),
        ],
    );
    input(
        writer,
        "EmailsInput",
        &[("primary", "String!"), ("additional", "[String!]")],
    );
    input(
        writer,
        "PhonesInput",
        &[("primary", "String!"), ("additional", "[String!]")],
    );
    input(writer, "AddressInput", &address);
    input(writer, "Geo_PointInput", &point);
    let near = [&point[..], &[("kilometers", "Decimal!")]].concat();
    input(writer, "Geo_Near", &near);
    input(
        writer,
        "StageInput",
        &[
            ("to", "String!"),
            ("pipeline", "String"),
            ("reason", "String"),
            ("override", "Boolean"),
        ],
    );
}

fn stages(writer: &mut SchemaWriter) {
    writer.object(
        "Stage",
        None,
        &[],
        vec![
            Out::new("name", "String!"),
            Out::new("label", "String!"),
            Out::new("type", "StageType!"),
            Out::new("probability", "Decimal").about("Of winning, 0 to 1."),
            Out::new("position", "Int!").about("In its pipeline, from 0."),
        ],
    );
    writer.object(
        "StageValue",
        Some("Where a record stands in a pipeline.".to_owned()),
        &[],
        vec![
            Out::new("pipeline", "String").about("Name of the pipeline."),
            Out::new("stage", "Stage"),
            Out::new("enteredAt", "DateTime!"),
            Out::new("passages", "[StagePassage!]!")
                .about("From stage to stage, newest first.")
                .arguments(vec![In::new("first", "Int")]),
            Out::new("options", "[StageOption!]!")
                .about("The stages of its pipeline, and whether it may enter them now."),
        ],
    );
    writer.object(
        "StagePassage",
        None,
        &[],
        vec![
            Out::new("from", "Stage"),
            Out::new("to", "Stage"),
            Out::new("at", "DateTime!"),
            Out::new("seconds", "SafeInt")
                .about("How long it had stood in the stage that it left."),
            Out::new("by", "Actor!"),
            Out::new("reason", "String"),
        ],
    );
    writer.object(
        "StageOption",
        None,
        &[],
        vec![
            Out::new("stage", "Stage!"),
            Out::new("allowed", "Boolean!"),
            Out::new("unmet", "[StageUnmet!]!"),
        ],
    );
    writer.object(
        "StageUnmet",
        Some("What is missing before a stage may be entered.".to_owned()),
        &[],
        vec![
            Out::new("code", "String!"),
            Out::new("message", "String!"),
            Out::new("path", "[String!]!"),
        ],
    );
}

fn history(writer: &mut SchemaWriter) {
    writer.object(
        "HistoryConnection",
        None,
        &[],
        vec![
            Out::new("nodes", "[HistoryEntry!]!"),
            Out::new("pageInfo", "PageInfo!"),
            Out::new("totalCount", "SafeInt!"),
        ],
    );
    writer.object(
        "HistoryEntry",
        None,
        &[],
        vec![
            Out::new("version", "SafeInt!").about("Of the record, that this change made."),
            Out::new("at", "DateTime!"),
            Out::new("change", "HistoryChange!"),
            Out::new("by", "Actor!"),
            Out::new("fields", "[HistoryField!]!"),
            Out::new("merged", "JSON").about(
                "Of a MERGE: the records that went into this one, [{id, label}], as they were called then.",
            ),
        ],
    );
    writer.object(
        "HistoryField",
        None,
        &[],
        vec![
            Out::new("name", "String!").about("The field's name today, or its last one."),
            Out::new("old", "JSON"),
            Out::new("new", "JSON"),
        ],
    );
}

fn search(writer: &mut SchemaWriter) {
    writer.object(
        "SearchConnection",
        Some("Records that have all words of a query, best first.".to_owned()),
        &[],
        vec![
            Out::new("edges", "[SearchEdge!]!"),
            Out::new("nodes", "[Record!]!"),
            Out::new("pageInfo", "PageInfo!"),
            Out::new("totalCount", "SafeInt!").about("On all pages."),
        ],
    );
    writer.object(
        "SearchEdge",
        None,
        &[],
        vec![
            Out::new("node", "Record!"),
            Out::new("cursor", "String!"),
            Out::new("score", "Int!")
                .about("Greater is better. It compares hits of one search with each other."),
            Out::new("highlights", "[Search_Highlight!]!")
                .about("Texts of the record that have the words."),
        ],
    );
    writer.object(
        "Search_Highlight",
        Some("A text with words of the query in it.".to_owned()),
        &[],
        vec![
            Out::new("field", "String!"),
            Out::new("text", "String!").about("A part of it, where it is long."),
            Out::new("ranges", "[Search_Range!]!").about("The words in it, in order."),
        ],
    );
    writer.object(
        "Search_Range",
        Some("A part of a text, in UTF-16 units as JavaScript counts them.".to_owned()),
        &[],
        vec![
            Out::new("start", "Int!"),
            Out::new("end", "Int!").about("Behind its last unit."),
        ],
    );
    writer.object(
        "Match_Reason",
        Some("Why two records may be the same, or may not.".to_owned()),
        &[],
        vec![
            Out::new("rule", "String!").about("EMAIL, PHONE, DOMAIN, NAME, ADDRESS or EQUAL."),
            Out::new("score", "Float!")
                .about("Logarithm of the odds that it adds; below 0 it speaks against."),
            Out::new("mine", "String!").about("Of what was asked about."),
            Out::new("theirs", "String!"),
        ],
    );
    let about = "Records of several objects by their words: beginnings of words, accents folded, \
                 typos where little is found, and substrings in Chinese, Japanese and Korean. A \
                 change is found within a second.";
    writer.queries.push(
        Out::new("search", "SearchConnection!")
            .about(about)
            .arguments(vec![
                In::new("query", "String!"),
                In::new("objects", "[String!]"),
                In::new("first", "Int"),
                In::new("after", "String"),
            ]),
    );
}
