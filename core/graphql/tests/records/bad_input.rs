//! Whatever is sent that is wrong: an error with a code and a path, never `INTERNAL`, and nothing
//! of the request is written.
//!
//! The schema itself says which operators and members there are, so that a new one is tried
//! without being named here.

use std::collections::HashSet;

use async_graphql::parser::types::{BaseType, Type};
use relata_graphql::Outcome;
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    every_operator_with_every_wrong_value
    every_order_and_group_with_every_wrong_value
    every_member_of_data_with_every_wrong_value
    arguments_of_pages
    long_lists_and_long_texts
    times_beyond_the_calendar
    cursors_that_were_tampered_with
    documents_that_select_too_many_rows
    conditions_inside_each_other
}

/// What a client can mend. `INTERNAL` is none of them.
const CODES: [&str; 3] = ["BAD_INPUT", "LIMIT_EXCEEDED", "VALIDATION_FAILED"];

/// Values of all types, and what looks like one.
fn values() -> Vec<Json> {
    let digits = "9".repeat(400);
    let number = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    vec![
        Json::Null,
        json!(true),
        json!(5),
        json!(-1),
        json!(1.5),
        number("9007199254740992"),
        number(&digits),
        number("1e999999999"),
        json!(""),
        json!("NaN"),
        json!("-Infinity"),
        json!(digits),
        json!("1e999999999"),
        json!("x"),
        json!("a\0b"),
        json!("%_\\"),
        json!("\u{fffd}\u{1f600}\u{202e}"),
        json!("10000-01-01"),
        json!("0000-01-01"),
        json!("2026-02-30"),
        json!("10000-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59-12:00"),
        json!("2026-01-01T00:00:00[Mars/Olympus]"),
        json!("0190163d-8694-739b-aea5-966c26f8ad9"),
        json!([]),
        json!([null]),
        json!([5, "x"]),
        json!([["x"]]),
        json!({}),
        json!({"": 1}),
        json!({"nobody": {"eq": 1}}),
    ]
}

/// An object that has a field of each kind.
async fn with_every_kind(client: &Client) {
    let kinds = [
        "integer", "decimal", "date", "fullName", "money", "dateTime", "boolean", "longText",
        "email", "phone", "url", "json", "emails", "phones", "address", "stage", "percent",
        "rating", "richText", "time", "duration", "uuid", "texts", "tags", "user", "file",
    ];
    let mut fields = vec![
        json!({"key": "name", "kind": "text"}),
        json!({"key": "serial", "kind": "autonumber", "prefix": "N-"}),
        json!({"key": "tier", "kind": "select", "options": [{"value": "GOLD"}, {"value": "TIN"}]}),
        json!({"key": "tags", "kind": "multiSelect", "options": [{"value": "A"}, {"value": "B"}]}),
        json!({"key": "mother", "kind": "relation", "to": "sample", "inverse": {"name": "children"}}),
    ];
    fields.extend(
        kinds
            .iter()
            .map(|kind| json!({"key": format!("{kind}Field"), "kind": kind})),
    );
    let document = json!({
        "relata": 1,
        "objects": [{"key": "sample", "plural": "samples", "label": "name", "fields": fields}],
        "pipelines": [{"key": "road", "object": "sample", "field": "stageField", "stages": [
            {"key": "open", "name": "open"}, {"key": "done", "name": "done", "type": "WON"},
        ]}],
    });
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    client.create("sample", json!({"name": "first"})).await;
}

/// Input types, as introspection tells of them.
struct Inputs<'c>(&'c Client);

enum Input {
    /// Members and their types.
    Object(Vec<(String, Type)>),
    Enum(Vec<String>),
    Scalar,
}

impl Inputs<'_> {
    async fn get(&self, name: &str) -> Input {
        let query = "query T($name: String!) { __type(name: $name) { kind enumValues { name }
            inputFields { name type { ...R ofType { ...R ofType { ...R ofType { ...R } } } } } } }
            fragment R on __Type { kind name }";
        let mut data = self.0.data(query, json!({"name": name})).await;
        let found = data["__type"].take();
        let of = |member: &str| found[member].as_array().cloned().unwrap_or_default();
        let name = |value: &Json| value["name"].as_str().unwrap().to_owned();
        match found["kind"].as_str().unwrap() {
            "INPUT_OBJECT" => Input::Object(
                of("inputFields")
                    .iter()
                    .map(|field| (name(field), Type::new(&written(&field["type"])).unwrap()))
                    .collect(),
            ),
            "ENUM" => Input::Enum(of("enumValues").iter().map(name).collect()),
            _ => Input::Scalar,
        }
    }

    /// All the ways into an input type that end at something that is no object, each type of an
    /// object once.
    async fn leaves(&self, root: &str) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        let mut seen = HashSet::new();
        let mut ways = vec![(Vec::new(), Type::new(root).unwrap())];
        while let Some((path, ty)) = ways.pop() {
            let name = innermost(&ty);
            match self.get(name).await {
                Input::Object(members) => {
                    if !path.is_empty() {
                        leaves.push(Leaf::new(&path, &ty, Vec::new(), true));
                    }
                    if seen.insert(name.to_owned()) {
                        ways.extend(members.into_iter().map(|(member, ty)| {
                            let mut path: Vec<String> = path.clone();
                            path.push(member);
                            (path, ty)
                        }));
                    }
                }
                Input::Enum(values) => leaves.push(Leaf::new(&path, &ty, values, false)),
                Input::Scalar => leaves.push(Leaf::new(&path, &ty, Vec::new(), false)),
            }
        }
        leaves
    }
}

/// A type as a document writes it.
fn written(ty: &Json) -> String {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", written(&ty["ofType"])),
        "LIST" => format!("[{}]", written(&ty["ofType"])),
        _ => ty["name"].as_str().unwrap().to_owned(),
    }
}

fn innermost(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => innermost(inner),
    }
}

/// A place in an input type.
struct Leaf {
    path: Vec<String>,
    ty: Type,
    options: Vec<String>,
    is_object: bool,
}

impl Leaf {
    fn new(path: &[String], ty: &Type, options: Vec<String>, is_object: bool) -> Self {
        Self {
            path: path.to_vec(),
            ty: ty.clone(),
            options,
            is_object,
        }
    }

    /// The value in its place.
    fn around(&self, value: &Json) -> Json {
        let around = |inner: Json, member: &String| json!({member: inner});
        self.path.iter().rev().fold(value.clone(), around)
    }

    /// Whether the schema alone says that this can't be.
    fn is_wrong(&self, value: &Json) -> bool {
        self.is_wrong_for(&self.ty, value)
    }

    fn is_wrong_for(&self, ty: &Type, value: &Json) -> bool {
        if value.is_null() {
            return !ty.nullable;
        }
        let name = match (&ty.base, value) {
            (BaseType::List(inner), Json::Array(items)) => {
                return items.iter().any(|item| self.is_wrong_for(inner, item));
            }
            (BaseType::List(inner), single) => return self.is_wrong_for(inner, single),
            (BaseType::Named(name), _) => name.as_str(),
        };
        match name {
            _ if self.is_object => {
                // None of the members that are tried is one.
                value.as_object().is_none_or(|members| !members.is_empty())
            }
            _ if !self.options.is_empty() => value
                .as_str()
                .is_none_or(|text| self.options.iter().all(|option| option != text)),
            "Boolean" => !value.is_boolean(),
            "SafeInt" | "Int" => value.as_i64().is_none_or(|number| number >= 1 << 53),
            "Decimal" => !(value.is_number() || value.is_string()),
            "ID" => !(value.is_string() || value.is_i64()),
            "JSON" => false,
            _ => !value.is_string(),
        }
    }
}

/// Asks, and looks at the errors if there are any: gives whether there were none.
async fn check(client: &Client, document: &str, variables: &Json, path: &[String]) -> bool {
    let (body, outcome) = client.ask(document, variables.clone()).await;
    let shown: String = variables.to_string().chars().take(300).collect();
    let Some(errors) = body["errors"].as_array() else {
        return true;
    };
    for error in errors {
        let code = error["extensions"]["code"].as_str().unwrap();
        assert!(CODES.contains(&code), "{shown}: {body}");
        let issues = error["extensions"]["issues"].as_array();
        for issue in issues.into_iter().flatten() {
            let told: Vec<&str> = issue["path"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Json::as_str)
                .collect();
            let is_there = path
                .iter()
                .take(path.len().saturating_sub(1))
                .all(|member| told.contains(&member.as_str()));
            assert!(!told.is_empty() && is_there, "{path:?}: {shown}: {body}");
        }
        let root = error["path"][0].as_str();
        assert!(
            root.is_some() || outcome == Outcome::RequestError,
            "{shown}: {body}"
        );
    }
    match outcome {
        Outcome::Executed => assert_eq!(body["data"], Json::Null, "{shown}"),
        _ => assert_eq!(body.get("data"), None, "{shown}"),
    }
    false
}

/// Tries every value at every place of an input type: by one document what may be right, by the
/// other what is wrong.
async fn try_all(client: &Client, ty: &str, document: &str, wrong_document: &str) {
    for leaf in Inputs(client).leaves(ty).await {
        for value in values() {
            let is_wrong = leaf.is_wrong(&value);
            let mut given = leaf.around(&value);
            if ty.starts_with('[') {
                given = json!([given]);
            }
            let variables = json!({"v": given});
            let document = if is_wrong { wrong_document } else { document };
            let is_taken = check(client, document, &variables, &leaf.path).await;
            assert!(!(is_taken && is_wrong), "taken: {variables}");
        }
    }
}

async fn every_operator_with_every_wrong_value(client: Client) {
    with_every_kind(&client).await;
    let query = "query Q($v: SampleFilter!) { list: samples(where: $v) { totalCount } }";
    let mutation = "mutation M($v: SampleFilter!) {
        made: createSample(data: {name: \"no\"}) { id }
        list: updateSamples(where: $v, data: {name: \"no\"}) { count } }";
    try_all(&client, "SampleFilter", query, mutation).await;
    // A null operand, which the types would allow.
    for leaf in Inputs(&client).leaves("SampleFilter").await {
        let variables = json!({"v": leaf.around(&Json::Null)});
        let is_taken = check(&client, mutation, &variables, &leaf.path).await;
        assert!(!is_taken, "taken: {variables}");
    }
    let names = client
        .data("{ samples { nodes { name } } }", json!({}))
        .await;
    assert_eq!(names, json!({"samples": {"nodes": [{"name": "first"}]}}));
}

async fn every_order_and_group_with_every_wrong_value(client: Client) {
    with_every_kind(&client).await;
    let order = "query Q($v: [SampleOrder!]) { list: samples(orderBy: $v) { totalCount } }";
    try_all(&client, "[SampleOrder!]", order, order).await;
    for (ty, argument) in [
        ("[SampleGroupBy!]", "by: $v"),
        ("SampleHaving", "by: [{tier: true}], having: $v"),
        ("[SampleGroupOrder!]", "by: [{tier: true}], orderBy: $v"),
    ] {
        let query = format!(
            "query Q($v: {ty}!) {{ list: samples {{ groups({argument}) {{ nodes {{ aggregate {{ count }} }} }} }} }}"
        );
        try_all(&client, ty, &query, &query).await;
    }
    assert_eq!(client.count("samples").await, 1);
}

async fn every_member_of_data_with_every_wrong_value(client: Client) {
    with_every_kind(&client).await;
    for (ty, change) in [
        ("SampleCreate", "list: createSample(data: $v) { id }"),
        (
            "SampleUpdate",
            "list: updateSamples(where: {serial: {eq: \"N-00001\"}}, data: $v) { count }",
        ),
    ] {
        let alone = format!("mutation M($v: {ty}!) {{ {change} }}");
        let behind = format!(
            "mutation M($v: {ty}!) {{ made: createSample(data: {{name: \"no\"}}) {{ id }} {change} }}"
        );
        try_all(&client, ty, &alone, &behind).await;
    }
    assert_eq!(
        client.count("samples(where: {name: {eq: \"no\"}})").await,
        0
    );
}

async fn arguments_of_pages(client: Client) {
    let huge = || serde_json::from_str::<Json>(&"9".repeat(400)).unwrap();
    for argument in ["first", "last", "offset"] {
        for value in [
            json!(-1),
            json!(1.5),
            json!("5"),
            json!([]),
            json!({}),
            huge(),
        ] {
            let query = format!(
                "query Q($v: Int) {{ list: companies({argument}: $v) {{ nodes {{ id }} }} }}"
            );
            let path = [argument.to_owned()];
            assert!(!check(&client, &query, &json!({"v": value}), &path).await);
            if let Json::Number(number) = value {
                let query =
                    format!("{{ list: companies({argument}: {number}) {{ nodes {{ id }} }} }}");
                assert!(!check(&client, &query, &json!({}), &path).await);
            }
        }
    }
    for arguments in [
        "first: 1, last: 1",
        "first: 501",
        "first: 100000",
        "offset: 1, after: \"x\"",
        "deleted: NOBODY",
        "deleted: null, first: \"x\"",
        "nobody: 1",
    ] {
        let query = format!("{{ companies({arguments}) {{ nodes {{ id }} }} }}");
        let errors = client.errors(&query, json!({})).await;
        assert!(
            CODES[..2].contains(&errors.first().map_or("", String::as_str)),
            "{arguments}: {errors:?}"
        );
    }
}

async fn long_lists_and_long_texts(client: Client) {
    let numbers = (0..10_000).collect::<Vec<_>>();
    let too_many = ["LIMIT_EXCEEDED", "  list.where.employees.in TOO_MANY"];
    let query =
        "query Q($l: [SafeInt!]) { list: companies(where: {employees: {in: $l}}) { totalCount } }";
    assert_eq!(client.errors(query, json!({"l": numbers})).await, too_many);
    let query = format!(
        "{{ list: companies(where: {{employees: {{in: {numbers:?}}}}}) {{ totalCount }} }}"
    );
    assert_eq!(client.errors(&query, json!({})).await, too_many);

    let long = "x".repeat(10 << 20);
    for operator in [
        "eq",
        "ne",
        "lt",
        "contains",
        "startsWith",
        "like",
        "iEq",
        "iLike",
        "in",
    ] {
        let query = "query Q($w: CompanyFilter) { list: companies(where: $w) { totalCount } }";
        let errors = client
            .errors(query, json!({"w": {"name": {operator: long}}}))
            .await;
        assert_eq!(errors[0], "LIMIT_EXCEEDED");
        let told = format!("  list.where.name.{operator}");
        assert!(errors[1].starts_with(&told), "{errors:?}");
        assert!(errors[1].ends_with(" TOO_LONG"), "{errors:?}");
    }
    let create = "mutation M($d: CompanyCreate!) { a: createCompany(data: {name: \"A\"}) { id } b: createCompany(data: $d) { id } }";
    for data in [
        json!({"name": long}),
        json!({"name": "B", "description": long}),
        json!({"name": "B", "website": format!("https://example.org/{long}")}),
        json!({"name": "B", "emails": {"primary": format!("{long}@example.org")}}),
        json!({"name": "B", "phones": {"primary": long}}),
        json!({"name": "B", "address": {"city": long}}),
        json!({"name": "B", "industry": long}),
        json!({"name": "B", "annualRevenue": {"amount": long, "currency": "EUR"}}),
        json!({"name": "B", "annualRevenue": {"amount": "1", "currency": long}}),
        json!({"name": "B", "people": {"connect": [{"id": long}]}}),
        json!({(long.as_str()): 1}),
    ] {
        let errors = client.errors(create, json!({"d": data})).await;
        assert!(!errors.is_empty());
        assert!(
            ["BAD_INPUT", "VALIDATION_FAILED", "NOT_FOUND"].contains(&errors[0].as_str()),
            "{}",
            errors[0]
        );
    }
    assert_eq!(client.count("companies").await, 0);

    let literal = format!("{{ companies(where: {{name: {{eq: \"{long}\"}}}}) {{ totalCount }} }}");
    assert_eq!(
        client.errors(&literal, json!({})).await[0],
        "LIMIT_EXCEEDED"
    );
    let cursor = "query Q($c: String) { companies(after: $c) { nodes { id } } }";
    assert_eq!(
        client.errors(cursor, json!({"c": long})).await[0],
        "BAD_INPUT"
    );
    let by_id = "query Q($id: ID!) { company(id: $id) { id } node(id: $id) { id } }";
    assert_eq!(
        client.data(by_id, json!({"id": long})).await,
        json!({"company": null, "node": null})
    );
}

async fn times_beyond_the_calendar(client: Client) {
    with_every_kind(&client).await;
    let query = "query Q($w: SampleFilter) { list: samples(where: $w) { totalCount } }";
    for (field, value) in [
        ("dateField", "10000-01-01"),
        ("dateField", "+010000-01-01"),
        ("dateField", "-000001-01-01"),
        ("dateTimeField", "10000-01-01T00:00:00Z"),
        ("dateTimeField", "+010000-01-01T00:00:00Z"),
        ("dateTimeField", "9999-12-31T23:59:59-01:00"),
        ("dateTimeField", "0001-01-01T00:00:00+01:00"),
        ("dateTimeField", "2026-01-01T00:00:00+99:00"),
        ("dateTimeField", "2026-01-01T00:00:00[Mars/Olympus]"),
        ("dateTimeField", "2026-01-01T25:00:00Z"),
    ] {
        assert_eq!(
            client
                .errors(query, json!({"w": {field: {"gt": value}}}))
                .await,
            [
                "BAD_INPUT".to_owned(),
                format!("  list.where.{field}.gt WRONG_TYPE")
            ],
            "{value}"
        );
        let create = "mutation M($d: SampleCreate!) { createSample(data: $d) { id } }";
        let errors = client.errors(create, json!({"d": {field: value}})).await;
        assert_eq!(errors[0], "VALIDATION_FAILED", "{value}");
        assert!(
            errors[1].starts_with(&format!("  data.{field} ")),
            "{errors:?}"
        );
    }
    // What a record can hold is found; a time beyond that, where the databases differ, is refused.
    for field in ["dateField", "dateTimeField"] {
        for (unit, count, way, is_beyond) in [
            ("DAY", 100_000, "last", false),
            ("WEEK", 100_000, "last", false),
            ("WEEK", 100_000, "next", false),
            ("MONTH", 24_000, "last", false),
            ("MONTH", 100_000, "last", true),
            ("MONTH", 100_000, "next", true),
            ("QUARTER", 24_000, "last", true),
            ("QUARTER", 24_000, "next", false),
            ("QUARTER", 100_000, "next", true),
            ("YEAR", 24_000, "last", true),
            ("YEAR", 24_000, "next", true),
        ] {
            let within = json!({"w": {field: {"within": {way: count, "unit": unit}}}});
            let errors = client.errors(query, within.clone()).await;
            let beyond = format!("  list.where.{field}.within.{way} OUT_OF_RANGE");
            if is_beyond {
                assert_eq!(errors, ["BAD_INPUT", beyond.as_str()], "{within}");
            } else {
                assert_eq!(errors, [""; 0], "{within}");
            }
        }
        for part in ["year", "quarter", "month", "week", "weekday", "day"] {
            for number in [
                0,
                -1,
                10_000,
                9_007_199_254_740_991_i64,
                -9_007_199_254_740_991,
            ] {
                let data = client
                    .data(query, json!({"w": {field: {part: {"eq": number}}}}))
                    .await;
                assert_eq!(data, json!({"list": {"totalCount": 0}}), "{part} {number}");
            }
        }
    }
    assert_eq!(client.count("samples").await, 1);
}

async fn cursors_that_were_tampered_with(client: Client) {
    for name in ["A", "B", "C"] {
        client.create("company", json!({"name": name})).await;
    }
    let data = client
        .data(
            "{ list: companies(orderBy: [{name: ASC}], first: 1) { pageInfo { endCursor } }
               other: companies(orderBy: [{name: DESC}], first: 1) { pageInfo { endCursor } }
               filled: companies(where: {name: {gt: \"\"}}, orderBy: [{name: ASC}], first: 1) { pageInfo { endCursor } }
               people(first: 1) { pageInfo { endCursor } }
               grouped: companies { groups(by: [{name: true}], first: 1) { pageInfo { endCursor } } } }",
            json!({}),
        )
        .await;
    let cursor = data["list"]["pageInfo"]["endCursor"].as_str().unwrap();
    let query = "query Q($c: String) { list: companies(orderBy: [{name: ASC}], after: $c) { nodes { name } } }";
    assert_eq!(
        client.data(query, json!({"c": cursor})).await,
        json!({"list": {"nodes": [{"name": "B"}, {"name": "C"}]}})
    );
    let mut wrong = vec![
        json!(data["other"]["pageInfo"]["endCursor"]),
        json!(data["grouped"]["groups"]["pageInfo"]["endCursor"]),
        json!(format!("{cursor}{cursor}")),
        json!(format!(" {cursor}")),
        json!(format!("{cursor}=")),
        json!(cursor.to_uppercase()),
        json!("\u{0}"),
        json!(7),
        json!([cursor]),
        json!({"cursor": cursor}),
    ];
    for (position, character) in cursor.char_indices() {
        let other = if character == 'A' { 'B' } else { 'A' };
        let (before, after) = (&cursor[..position], &cursor[position + 1..]);
        wrong.push(json!(format!("{before}{other}{after}")));
        wrong.push(json!(before));
    }
    for cursor in wrong {
        let (body, _) = client.ask(query, json!({"c": cursor})).await;
        let error = &body["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_INPUT", "{cursor}: {body}");
        let has_path = error.get("path").is_some() || error["extensions"].get("issues").is_some();
        assert!(has_path, "{cursor}: {body}");
        assert!(body["data"].is_null(), "{cursor}: {body}");
    }
}

async fn documents_that_select_too_many_rows(client: Client) {
    client.create("company", json!({"name": "A"})).await;
    let roots = (0..50)
        .map(|number| format!("a{number}: companies(first: $n) {{ nodes {{ id }} }} "))
        .collect::<String>();
    let documents = [
        "query Q($n: Int) { companies(first: 200) { nodes { people(first: 500) { nodes { id } } } } people(first: $n) { totalCount } }",
        "query Q($n: Int) { companies(first: $n) { nodes { people(first: $n) { nodes { id } } } } }",
        "query Q($n: Int) { companies(first: 100) { nodes { people(first: 10) { nodes { deals(first: 100) { edges { node { id } } } } } } } people(first: $n) { totalCount } }",
        "query Q($n: Int) { companies { groups(by: [{industry: true}], first: 500) { nodes { key { industry } } } nodes { ...P } } } fragment P on Company { people(first: $n) { nodes { deals(first: $n) { nodes { id } } } } }",
        "mutation M($n: Int) { createCompany(data: {name: \"B\"}) { people(first: $n) { nodes { deals(first: $n) { nodes { id } } } } } }",
        "mutation M($n: Int) { updateCompanies(where: {}, all: true, data: {name: \"B\"}) { nodes(first: $n) { people(first: $n) { nodes { id } } } } }",
    ];
    let roots = format!("query Q($n: Int) {{ {roots} }}");
    for document in documents.map(str::to_owned).into_iter().chain([roots]) {
        let (body, _) = client.ask(&document, json!({"n": 500})).await;
        assert_eq!(
            body["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED",
            "{document}: {body}"
        );
        assert!(body["data"].is_null());
    }
    assert_eq!(
        client
            .data("{ companies { nodes { name } } }", json!({}))
            .await,
        json!({"companies": {"nodes": [{"name": "A"}]}})
    );
}

async fn conditions_inside_each_other(client: Client) {
    let query = "query Q($w: CompanyFilter) { list: companies(where: $w) { totalCount } }";
    let mutation = "mutation M($w: CompanyFilter!) { createCompany(data: {name: \"A\"}) { id } deleteCompanies(where: $w) { count } }";
    let leaf = json!({"name": {"eq": "x"}});
    let mut wrong = Vec::new();
    for wrap in [
        (|inner| json!({"and": [inner]})) as fn(Json) -> Json,
        |inner| json!({"or": [inner, {"name": {"isNull": true}}]}),
        |inner| json!({"not": inner}),
        |inner| json!({"parent": inner}),
        |inner| json!({"people": {"some": {"company": inner}}}),
    ] {
        // As deep as the JSON of a request can be.
        wrong.push((0..40).fold(leaf.clone(), |inner, _| wrap(inner)));
    }
    let many = vec![leaf.clone(); 10_000];
    wrong.extend([
        json!({"and": many}),
        json!({"or": many}),
        json!({"not": {"or": many}}),
        json!({"people": {"none": {"or": vec![json!({"company": leaf}); 5_000]}}}),
    ]);
    for filter in wrong {
        for document in [query, mutation] {
            let errors = client.errors(document, json!({"w": filter})).await;
            assert_eq!(errors.first().map(String::as_str), Some("LIMIT_EXCEEDED"));
            assert!(errors.len() > 1, "no path");
        }
    }
    assert_eq!(client.count("companies").await, 0);
}
