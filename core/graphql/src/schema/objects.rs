//! What one object of the catalogue brings into the schema.

use relata_catalog::{Catalogue, Field, FieldIndex, Kind, Labels, Object, ObjectIndex, Via};

use super::{
    aggregates, bulk, duplicates, groups, merge,
    names::Names,
    platform,
    writer::{EnumValue, InputDefinition as In, InputForm, OutputDefinition as Out, SchemaWriter},
};

/// Language of descriptions: the schema is the same for all readers.
const LANGUAGE: &str = "en";

/// Writes the object's types and its fields of `Query` and `Mutation`.
pub(super) fn write(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
) {
    let object = catalogue.object(index);
    let type_name = names.type_name(index);
    enums(writer, names, index, object);
    record_type(writer, catalogue, names, index, object);
    connection_types(writer, type_name, type_name, None);
    link_types(writer, catalogue, names, index, object);
    aggregates::write(writer, catalogue, names, index, object);
    groups::write(writer, catalogue, names, index, object);
    filter_type(writer, catalogue, names, index, object);
    order_type(writer, catalogue, names, object, type_name);
    input_types(writer, catalogue, names, index, object);
    match_types(writer, type_name);
    root_fields(writer, object, type_name);
    bulk::write(writer, object, type_name);
    merge::write(writer, object, type_name);
    duplicates::write(writer, object, type_name);
}

/// `Label. What it is for.`
pub(super) fn description(labels: &Labels, description: &Labels) -> Option<String> {
    let text = |labels: &Labels| {
        labels
            .get(LANGUAGE)
            .or_else(|| labels.values().next())
            .filter(|text| !text.is_empty())
            .cloned()
    };
    match (text(labels), text(description)) {
        (Some(label), Some(about)) => Some(format!("{label}. {about}")),
        (label, about) => label.or(about),
    }
}

pub(super) fn field_description(field: &Field) -> Option<String> {
    description(&field.labels, &field.description)
}

fn enums(writer: &mut SchemaWriter, names: &Names, index: ObjectIndex, object: &Object) {
    for (position, field) in object.fields.iter().enumerate() {
        let (Kind::Select { options } | Kind::MultiSelect { options }) = field.shown() else {
            continue;
        };
        let Some(name) = names.enum_name(index, FieldIndex(position)) else {
            continue;
        };
        writer.enumeration(
            name,
            field_description(field),
            false,
            options
                .iter()
                .map(|option| EnumValue {
                    name: option.value.clone(),
                    description: description(&option.labels, &Labels::default()),
                    deprecated: option.retired.then_some("retired"),
                })
                .collect(),
        );
        if matches!(field.shown(), Kind::Select { .. }) {
            writer.input(
                &format!("{name}Filter"),
                None,
                InputForm::Structural,
                vec![
                    In::new("eq", name),
                    In::new("ne", name),
                    In::new("in", format!("[{name}!]")),
                    In::new("notIn", format!("[{name}!]")),
                    In::new("isNull", "Boolean"),
                ],
            );
        } else {
            writer.input(
                &format!("{name}ListFilter"),
                None,
                InputForm::Structural,
                vec![
                    In::new("has", name),
                    In::new("hasAny", format!("[{name}!]")),
                    In::new("hasAll", format!("[{name}!]")),
                    In::new("isEmpty", "Boolean"),
                ],
            );
        }
    }
}

/// Arguments of every list of records.
fn connection_arguments(type_name: &str) -> Vec<In> {
    vec![
        In::new("where", format!("{type_name}Filter")),
        In::new("orderBy", format!("[{type_name}Order!]")),
        In::new("first", "Int"),
        In::new("after", "String"),
        In::new("last", "Int"),
        In::new("before", "String"),
        In::new("offset", "Int"),
        In::new("deleted", "Deleted").default_value(async_graphql::Value::Enum(
            async_graphql::Name::new("EXCLUDE"),
        )),
    ]
}

fn record_type(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    object: &Object,
) {
    let mut fields = platform::record_fields();
    for (position, field) in object.fields.iter().enumerate() {
        let ty = match field.shown() {
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url => "String".into(),
            Kind::Integer { .. } | Kind::Rating { .. } => "SafeInt".into(),
            Kind::Decimal { .. } | Kind::Percent { .. } => "Decimal".into(),
            Kind::Money { .. } => "Money".into(),
            Kind::Boolean => "Boolean".into(),
            Kind::Date => "Date".into(),
            Kind::DateTime => "DateTime".into(),
            Kind::Time => "Time".into(),
            Kind::Duration => "Duration".into(),
            Kind::Uuid => "String".into(),
            Kind::Texts | Kind::Tags => "[String!]".into(),
            Kind::User => "User".into(),
            Kind::Select { .. } => names
                .enum_name(index, FieldIndex(position))
                .unwrap_or("String")
                .to_owned(),
            Kind::MultiSelect { .. } => format!(
                "[{}!]",
                names
                    .enum_name(index, FieldIndex(position))
                    .unwrap_or("String")
            ),
            Kind::Phone => "Phone".into(),
            Kind::Json { .. } => "JSON".into(),
            Kind::FullName => "FullName".into(),
            Kind::Emails => "Emails".into(),
            Kind::Phones => "Phones".into(),
            Kind::Address => "Address".into(),
            Kind::GeoPoint => "Geo_Point".into(),
            Kind::File { .. } => "File_Value".into(),
            Kind::Relation(relation) => match catalogue.object_keyed(&relation.target) {
                Some((target, _)) => names.type_name(target).to_owned(),
                None => continue,
            },
            Kind::Autonumber { .. } => "String".into(),
            Kind::Stage => "StageValue".into(),
            // A formula shows what its result does.
            Kind::Formula(_) | Kind::Rollup(_) => continue,
        };
        fields.push(Out::new(&field.name, ty).described(field_description(field)));
    }
    for one_of in &object.one_of {
        fields.push(
            Out::new(&one_of.name, "Record")
                .described(description(&one_of.labels, &Labels::default())),
        );
    }
    for list in catalogue.lists_of(&object.key) {
        let listed = names.type_name(list.object);
        let connection = match list.via {
            Via::Link { object: link, .. } => names.linked(link, list.object),
            Via::Relation(_) | Via::Tree { .. } => listed.to_owned(),
        };
        fields.push(
            Out::new(&list.list.name, format!("{connection}Connection!"))
                .described(description(&list.list.labels, &Labels::default()))
                .arguments(connection_arguments(listed)),
        );
    }
    // A valid catalogue has no two members of one name; a schema is built from any.
    let mut seen = std::collections::HashSet::new();
    fields.retain(|field| seen.insert(field.name.clone()));
    writer.object(
        names.type_name(index),
        description(&object.labels, &object.description),
        &["Node", "Record"],
        fields,
    );
}

/// Of the lists that go by records of this object.
fn link_types(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    object: &Object,
) {
    let mut written = std::collections::HashSet::new();
    for field in &object.fields {
        let Kind::Relation(relation) = &field.kind else {
            continue;
        };
        for list in catalogue.lists_of(&relation.target) {
            let Via::Link { object: link, .. } = list.via else {
                continue;
            };
            if link != index || !written.insert(list.object) {
                continue;
            }
            let prefix = names.linked(index, list.object);
            let listed = names.type_name(list.object);
            connection_types(writer, &prefix, listed, Some(names.type_name(index)));
            writer.input(
                &format!("{prefix}_Links"),
                Some(format!(
                    "Records at the other end of a {}; each is named once.",
                    object.singular
                )),
                InputForm::Opaque,
                vec![
                    In::new("connect", format!("[{listed}Key!]")).described(Some(
                        "They are linked with it, if they are not yet.".to_owned(),
                    )),
                    In::new("create", format!("[{listed}Create!]"))
                        .described(Some("They are made, and linked with it.".to_owned())),
                    In::new("disconnect", format!("[{listed}Key!]"))
                        .described(Some("The link with them goes to the trash.".to_owned())),
                ],
            );
        }
    }
}

/// `link`: the type of what joins the listed records with the record around.
fn connection_types(writer: &mut SchemaWriter, prefix: &str, type_name: &str, link: Option<&str>) {
    writer.object(
        &format!("{prefix}Connection"),
        None,
        &[],
        vec![
            Out::new("edges", format!("[{prefix}Edge!]!")),
            Out::new("nodes", format!("[{type_name}!]!")),
            Out::new("pageInfo", "PageInfo!"),
            Out::new("totalCount", "SafeInt!")
                .about("How many there are, whatever the page. Costs only when it is asked for."),
            Out::new("aggregate", format!("{type_name}Aggregate!")).about(
                "Measures over all of them, whatever the page. Costs only what is asked for.",
            ),
            groups::field(type_name),
        ],
    );
    let mut edge = vec![
        Out::new("node", format!("{type_name}!")),
        Out::new("cursor", "String!"),
    ];
    edge.extend(link.map(|link| {
        Out::new("link", format!("{link}!")).about("What joins it with the record around.")
    }));
    writer.object(&format!("{prefix}Edge"), None, &[], edge);
}

fn filter_type(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    object: &Object,
) {
    let type_name = names.type_name(index);
    let own = format!("{type_name}Filter");
    let mut fields = vec![
        In::new("and", format!("[{own}!]")),
        In::new("or", format!("[{own}!]")),
        In::new("not", &own),
        In::new("id", "IdFilter"),
        In::new("version", "SafeIntFilter"),
        In::new("createdAt", "DateTimeFilter"),
        In::new("updatedAt", "DateTimeFilter"),
        In::new("deletedAt", "DateTimeFilter"),
        In::new("createdBy", "Actor_Filter"),
        In::new("updatedBy", "Actor_Filter"),
        In::new("owner", "IdFilter"),
    ];
    for (position, field) in object.fields.iter().enumerate() {
        let enum_name = || names.enum_name(index, FieldIndex(position));
        let ty = match field.shown() {
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url => "TextFilter".into(),
            Kind::Integer { .. } | Kind::Rating { .. } => "SafeIntFilter".into(),
            Kind::Decimal { .. } | Kind::Percent { .. } => "DecimalFilter".into(),
            Kind::Money { .. } => "MoneyFilter".into(),
            Kind::Boolean => "BooleanFilter".into(),
            Kind::Date => "DateFilter".into(),
            Kind::DateTime => "DateTimeFilter".into(),
            Kind::Time => "TimeFilter".into(),
            Kind::Duration => "DurationFilter".into(),
            Kind::Uuid => "Uuid_Filter".into(),
            Kind::Texts | Kind::Tags => "ListFilter".into(),
            Kind::User => "IdFilter".into(),
            Kind::Select { .. } => match enum_name() {
                Some(name) => format!("{name}Filter"),
                None => continue,
            },
            Kind::MultiSelect { .. } => match enum_name() {
                Some(name) => format!("{name}ListFilter"),
                None => continue,
            },
            Kind::Phone => "PhoneFilter".into(),
            Kind::Json { .. } => "JsonFilter".into(),
            Kind::FullName => "FullNameFilter".into(),
            Kind::Emails => "EmailsFilter".into(),
            Kind::Phones => "PhonesFilter".into(),
            Kind::Address => "AddressFilter".into(),
            Kind::GeoPoint => "Geo_PointFilter".into(),
            Kind::File { .. } => "File_Filter".into(),
            Kind::Relation(relation) => match catalogue.object_keyed(&relation.target) {
                Some((target, _)) => format!("{}Filter", names.type_name(target)),
                None => continue,
            },
            Kind::Autonumber { .. } => "AutonumberFilter".into(),
            Kind::Stage => "StageFilter".into(),
            Kind::Formula(_) | Kind::Rollup(_) => continue,
        };
        fields.push(In::new(&field.name, ty).described(field_description(field)));
    }
    for list in catalogue.lists_of(&object.key) {
        fields.push(In::new(
            &list.list.name,
            format!("{}ListFilter", names.type_name(list.object)),
        ));
    }
    keep_first(&mut fields);
    writer.input(&own, None, InputForm::Structural, fields);
    writer.input(
        &format!("{type_name}ListFilter"),
        Some("Related records outside the trash.".to_owned()),
        InputForm::Structural,
        vec![
            In::new("some", &own).described(Some("At least one.".to_owned())),
            In::new("none", &own).described(Some("Not one.".to_owned())),
            In::new("every", &own).described(Some("All; true when there are none.".to_owned())),
        ],
    );
}

fn keep_first(fields: &mut Vec<In>) {
    let mut seen = std::collections::HashSet::new();
    fields.retain(|field| seen.insert(field.name.clone()));
}

/// Whether lists can be ordered by a field of this kind.
pub(crate) fn is_orderable(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::MultiSelect { .. }
            | Kind::Json { .. }
            | Kind::Address
            | Kind::GeoPoint
            | Kind::Uuid
            | Kind::Texts
            | Kind::Tags
            | Kind::User
            | Kind::Relation(_)
            | Kind::Stage
    )
}

fn order_type(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    object: &Object,
    type_name: &str,
) {
    let mut fields = ["id", "version", "createdAt", "updatedAt", "deletedAt"]
        .map(|name| In::new(name, "OrderDirection"))
        .to_vec();
    for field in &object.fields {
        let ty = match field.shown() {
            Kind::Relation(relation) => match catalogue.object_keyed(&relation.target) {
                Some((target, _)) => format!("{}Order", names.type_name(target)),
                None => continue,
            },
            Kind::File { .. } => "File_Order".to_owned(),
            kind if is_orderable(kind) => "OrderDirection".to_owned(),
            _ => continue,
        };
        fields.push(In::new(&field.name, ty).described(field_description(field)));
    }
    keep_first(&mut fields);
    writer.input(&format!("{type_name}Order"), None, InputForm::OneOf, fields);
}

fn input_types(
    writer: &mut SchemaWriter,
    catalogue: &Catalogue,
    names: &Names,
    index: ObjectIndex,
    object: &Object,
) {
    let type_name = names.type_name(index);
    key_type(writer, object, type_name);
    let mut fields = Vec::new();
    for (position, field) in object.fields.iter().enumerate() {
        let enum_name = || names.enum_name(index, FieldIndex(position));
        let ty = match &field.kind {
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url
            | Kind::Phone => "String".into(),
            Kind::Integer { .. } | Kind::Rating { .. } => "SafeInt".into(),
            Kind::Decimal { .. } | Kind::Percent { .. } => "Decimal".into(),
            Kind::Money { .. } => "MoneyInput".into(),
            Kind::Boolean => "Boolean".into(),
            Kind::Date => "Date".into(),
            Kind::DateTime => "DateTime".into(),
            Kind::Time => "Time".into(),
            Kind::Duration => "Duration".into(),
            Kind::Uuid => "String".into(),
            Kind::Texts | Kind::Tags => "[String!]".into(),
            Kind::User => "ID".into(),
            Kind::Select { .. } => match enum_name() {
                Some(name) => name.to_owned(),
                None => continue,
            },
            Kind::MultiSelect { .. } => match enum_name() {
                Some(name) => format!("[{name}!]"),
                None => continue,
            },
            Kind::Json { .. } => "JSON".into(),
            Kind::FullName => "FullNameInput".into(),
            Kind::Emails => "EmailsInput".into(),
            Kind::Phones => "PhonesInput".into(),
            Kind::Address => "AddressInput".into(),
            Kind::GeoPoint => "Geo_PointInput".into(),
            // What `POST /files` has given.
            Kind::File { .. } => "ID".into(),
            Kind::Relation(relation) => match catalogue.object_keyed(&relation.target) {
                Some((target, _)) => format!("{}_Link", names.type_name(target)),
                None => continue,
            },
            Kind::Autonumber { .. } | Kind::Formula(_) | Kind::Rollup(_) => continue,
            Kind::Stage => "StageInput".into(),
        };
        fields.push(In::new(&field.name, ty).described(field_description(field)));
    }
    for list in catalogue.lists_of(&object.key) {
        let ty = match list.via {
            Via::Relation(_) => names.type_name(list.object).to_owned(),
            Via::Link { object: link, .. } => names.linked(link, list.object),
            // It follows from the relations along it.
            Via::Tree { .. } => continue,
        };
        fields.push(In::new(&list.list.name, format!("{ty}_Links")));
    }
    fields.push(
        In::new("owner", "ID").described(Some("Whose record it is: the id of a user.".to_owned())),
    );
    keep_first(&mut fields);
    for what in ["Create", "Update"] {
        writer.input(
            &format!("{type_name}{what}"),
            None,
            InputForm::Opaque,
            fields.clone(),
        );
    }
}

/// What names one record of this object: its id, or a unique field.
fn key_type(writer: &mut SchemaWriter, object: &Object, type_name: &str) {
    let mut fields = vec![In::new("id", "ID")];
    for unique in &object.uniques {
        let [only] = unique.fields.as_slice() else {
            continue;
        };
        let Some((_, field)) = object.field_keyed(only) else {
            continue;
        };
        let ty = match field.shown() {
            Kind::Integer { .. } | Kind::Rating { .. } => "SafeInt",
            Kind::Decimal { .. } | Kind::Percent { .. } => "Decimal",
            Kind::Boolean => "Boolean",
            Kind::Date => "Date",
            Kind::DateTime => "DateTime",
            Kind::Time => "Time",
            Kind::Duration => "Duration",
            Kind::Relation(_) | Kind::User => "ID",
            Kind::Text { .. }
            | Kind::Email
            | Kind::Url
            | Kind::Phone
            | Kind::Emails
            | Kind::Phones
            | Kind::FullName
            | Kind::Select { .. }
            | Kind::Uuid
            | Kind::Autonumber { .. } => "String",
            _ => continue,
        };
        fields.push(In::new(&field.name, ty));
    }
    keep_first(&mut fields);
    writer.input(
        &format!("{type_name}Key"),
        None,
        InputForm::OpaqueOneOf,
        fields,
    );
    writer.input(
        &format!("{type_name}_Link"),
        Some("Points at a record, or at none.".to_owned()),
        InputForm::OpaqueOneOf,
        vec![
            In::new("connect", format!("{type_name}Key")),
            In::new("create", format!("{type_name}Create"))
                .described(Some("Makes the record that is pointed at.".to_owned())),
            In::new("disconnect", "Boolean"),
        ],
    );
    writer.input(
        &format!("{type_name}_Links"),
        Some("Records that point at the one around them; each is named once.".to_owned()),
        InputForm::Opaque,
        vec![
            In::new("connect", format!("[{type_name}Key!]")).described(Some(
                "They point at it from now on, and no longer at another.".to_owned(),
            )),
            In::new("create", format!("[{type_name}Create!]"))
                .described(Some("They are made, and point at it.".to_owned())),
            In::new("disconnect", format!("[{type_name}Key!]"))
                .described(Some("They point at it no longer.".to_owned())),
        ],
    );
}

fn match_types(writer: &mut SchemaWriter, type_name: &str) {
    writer.input(
        &format!("{type_name}MatchInput"),
        Some(
            "Whose duplicates: a record's, or those of data that is about to become one."
                .to_owned(),
        ),
        InputForm::OpaqueOneOf,
        vec![
            In::new("id", "ID"),
            In::new("data", format!("{type_name}Update")),
        ],
    );
    writer.object(
        &format!("{type_name}Match"),
        Some("A record that may be the same.".to_owned()),
        &[],
        vec![
            Out::new("node", format!("{type_name}!")),
            Out::new("score", "Float!").about("How likely it is the same, 0 to 1."),
            Out::new("reasons", "[Match_Reason!]!").about("The weightiest first."),
        ],
    );
}

fn root_fields(writer: &mut SchemaWriter, object: &Object, type_name: &str) {
    writer.queries.push(
        Out::new(&object.singular, type_name)
            .described(description(&object.labels, &object.description))
            .arguments(vec![In::new("id", "ID!")]),
    );
    writer.queries.push(
        Out::new(&object.plural, format!("{type_name}Connection!"))
            .described(description(&object.plural_labels, &object.description))
            .arguments(connection_arguments(type_name)),
    );
    writer.queries.push(
        Out::new(
            format!("{}Duplicates", object.singular),
            format!("[{type_name}Match!]!"),
        )
        .about("Records that may be the same as one, or as one that is about to be made; the likeliest first.")
        .arguments(vec![
            In::new("of", format!("{type_name}MatchInput!")),
            In::new("first", "Int"),
        ]),
    );
    let mutation = |name: &str, about: &str, arguments: Vec<In>| {
        Out::new(
            format!("{name}{}", object.type_name()),
            if name == "destroy" {
                "ID!".to_owned()
            } else {
                format!("{type_name}!")
            },
        )
        .about(about)
        .arguments(arguments)
    };
    writer.mutations.extend([
        mutation(
            "create",
            "Makes a record.",
            vec![In::new("data", format!("{type_name}Create!"))],
        ),
        mutation(
            "update",
            "Changes what `data` names; with `ifVersion` only if nobody else has changed it.",
            vec![
                In::new("id", "ID!"),
                In::new("data", format!("{type_name}Update!")),
                In::new("ifVersion", "SafeInt"),
            ],
        ),
        mutation(
            "delete",
            "Moves it to the trash.",
            vec![In::new("id", "ID!")],
        ),
        mutation(
            "restore",
            "Takes it out of the trash.",
            vec![In::new("id", "ID!")],
        ),
        mutation(
            "destroy",
            "Deletes it for good.",
            vec![In::new("id", "ID!")],
        ),
    ]);
}
