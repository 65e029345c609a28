//! Times of day, lengths of time, percents, ratings, UUIDs, tags, users and points, where they are measured,
//! grouped and named: what is generated elsewhere has only conditions and orders of them.

use relata_app::users::{UserInput, user_create};
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    what_is_measured
    groups_find_their_records
    groups_have_measures_to_compare_and_order_by
    a_sum_that_is_too_long_is_told
    one_record_has_each_uuid
    formulas_count_from_midnight
    tags_are_kept_once_and_grouped_by
    users_are_those_of_the_workspace
    points_are_found_by_their_distance
    points_that_are_none_are_told
}

async fn calls(client: &Client) {
    let document = json!({"relata": 1, "objects": [
        {"key": "call", "plural": "calls", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "at", "kind": "time"},
            {"key": "took", "kind": "duration"},
            {"key": "share", "kind": "percent", "scale": 1},
            {"key": "stars", "kind": "rating"},
            {"key": "device", "kind": "uuid", "unique": true},
            {"key": "minutes", "kind": "formula", "expression": "record.took.getMinutes()"},
            {"key": "isEarly", "kind": "formula", "expression": "record.at < duration('12h')"},
            {"key": "until", "kind": "formula", "expression": "(record.at + record.took).getHours()"},
        ]},
    ]});
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    for (name, at, took, share, stars) in [
        ("a", json!("08:30:00"), json!("PT1H30M"), "12.5", 5),
        ("b", json!("08:30:00"), json!("PT0.000002S"), "7.5", 4),
        ("c", json!("17:00:00.5"), json!("-PT0.000001S"), "0", 4),
        ("d", json!(null), json!("PT1H30M"), "100", 1),
        ("e", json!(null), json!(null), "0.1", 2),
    ] {
        let data = json!({"name": name, "at": at, "took": took, "share": share, "stars": stars});
        client.create("call", data).await;
    }
}

async fn what_is_measured(client: Client) {
    calls(&client).await;
    let query = "query($where: CallFilter) { calls(where: $where) { aggregate {
        at { count countDistinct min max }
        took { count countDistinct sum avg min max median }
        share { sum avg max } stars { sum avg min } device { count countDistinct } } } }";
    let data = client.data(query, json!({})).await;
    assert_eq!(
        data["calls"]["aggregate"],
        json!({
            "at": {"count": 3, "countDistinct": 2, "min": "08:30:00", "max": "17:00:00.5"},
            // (5,400,000,000 + 2 - 1 + 5,400,000,000) / 4 = 2,700,000,000.25
            "took": {"count": 4, "countDistinct": 3, "sum": "PT3H0.000001S", "avg": "PT45M",
                     "min": "-PT0.000001S", "max": "PT1H30M", "median": "PT45M0.000001S"},
            "share": {"sum": "120.1", "avg": "24.020000", "max": "100.0"},
            "stars": {"sum": 16, "avg": "3.200000", "min": 1},
            "device": {"count": 0, "countDistinct": 0},
        })
    );
    let none = client
        .data(query, json!({"where": {"name": {"eq": "e"}}}))
        .await;
    assert_eq!(
        none["calls"]["aggregate"]["took"],
        json!({"count": 0, "countDistinct": 0, "sum": null, "avg": null, "min": null, "max": null,
               "median": null})
    );
}

async fn groups_find_their_records(client: Client) {
    calls(&client).await;
    for (key, groups) in [
        ("at", 3),
        ("took", 4),
        ("share", 5),
        ("stars", 4),
        ("device", 1),
    ] {
        let query = format!(
            "query($by: [CallGroupBy!]!) {{ calls {{ groups(by: $by, first: 50) {{ nodes {{
                key {{ {key} }} aggregate {{ count }} where }} }} }} }}"
        );
        let data = client.data(&query, json!({"by": [{key: true}]})).await;
        let nodes = data["calls"]["groups"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), groups, "{data}");
        for node in nodes {
            let query = format!(
                "query($where: CallFilter) {{ calls(where: $where) {{ nodes {{ {key} }} }} }}"
            );
            let found = client.data(&query, json!({"where": node["where"]})).await;
            let found = found["calls"]["nodes"].as_array().unwrap();
            assert_eq!(node["aggregate"]["count"], found.len(), "{node}");
            assert!(
                found.iter().all(|call| call[key] == node["key"][key]),
                "{node}"
            );
        }
    }
}

async fn groups_have_measures_to_compare_and_order_by(client: Client) {
    calls(&client).await;
    let query = "query($having: CallHaving, $orderBy: [CallGroupOrder!]) {
        calls { groups(by: [{at: true}], having: $having, orderBy: $orderBy) {
            nodes { key { at } } } } }";
    let ask = async |having: Json, order: Json| {
        let variables = json!({"having": having, "orderBy": order});
        let data = client.data(query, variables).await;
        let nodes = data["calls"]["groups"]["nodes"].as_array().unwrap();
        Json::from_iter(nodes.iter().map(|node| node["key"]["at"].clone()))
    };
    let all = || json!({"count": {"gte": 1}});
    let by_key = || json!([{"key": {"at": "ASC"}}]);
    // 08:30:00 took 45 min and a microsecond in the mean, 17:00:00.5 less than nothing, null 1.5 h.
    let early = json!("08:30:00");
    let late = json!("17:00:00.5");
    assert_eq!(
        ask(all(), json!([{"took": {"avg": "ASC"}}])).await,
        json!([late, early, null])
    );
    assert_eq!(
        ask(
            all(),
            json!([{"took": {"sum": "DESC"}}, {"key": {"at": "ASC"}}])
        )
        .await,
        json!([early, null, late])
    );
    for (measure, least) in [
        ("avg", "PT45M0.000001S"),
        ("median", "PT45M0.000001S"),
        ("sum", "PT1H30M0.000002S"),
    ] {
        let having = json!({"took": {measure: {"eq": least}}});
        assert_eq!(ask(having, by_key()).await, json!([early]), "{measure}");
    }
    let having = json!({"took": {"max": {"lt": "PT0S"}}});
    assert_eq!(ask(having, by_key()).await, json!([late]));
    let having = json!({"at": {"min": {"gte": "12:00:00"}}});
    assert_eq!(ask(having, by_key()).await, json!([late]));
}

async fn a_sum_that_is_too_long_is_told(client: Client) {
    calls(&client).await;
    for name in ["y", "z"] {
        let data = json!({"name": name, "took": "PT2501999H47M34.740991S"});
        client.create("call", data).await;
    }
    let query = "{ calls { aggregate { took { sum } } } }";
    assert_eq!(client.errors(query, json!({})).await[0], "LIMIT_EXCEEDED");
    let data = client
        .data("{ calls { aggregate { took { max } } } }", json!({}))
        .await;
    assert_eq!(
        data["calls"]["aggregate"]["took"]["max"],
        "PT2501999H47M34.740991S"
    );
}

async fn one_record_has_each_uuid(client: Client) {
    calls(&client).await;
    let device = "0190b5a1-7c3e-7000-8000-0000000000ff";
    let id = client
        .create(
            "call",
            json!({"name": "own", "device": device.to_uppercase()}),
        )
        .await;
    let found = client
        .data(
            "query($d: [String!]) { calls(where: {device: {in: $d}}) { nodes { id device } } }",
            json!({"d": [device]}),
        )
        .await;
    assert_eq!(
        found["calls"]["nodes"],
        json!([{"id": id, "device": device}])
    );
    let again = "mutation($d: CallCreate!) { createCall(data: $d) { id } }";
    let errors = client.errors(again, json!({"d": {"device": device}})).await;
    assert_eq!(errors[0], "UNIQUE_VIOLATION");
    let errors = client
        .errors(
            "{ calls(where: {device: {eq: \"no uuid\"}}) { nodes { id } } }",
            json!({}),
        )
        .await;
    assert_eq!(errors[0], "BAD_INPUT");
}

async fn formulas_count_from_midnight(client: Client) {
    calls(&client).await;
    let data = client
        .data(
            "{ calls(orderBy: [{name: ASC}]) { nodes { minutes isEarly until } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data["calls"]["nodes"],
        json!([
            {"minutes": 90, "isEarly": true, "until": 10},
            {"minutes": 0, "isEarly": true, "until": 8},
            {"minutes": 0, "isEarly": false, "until": 17},
            {"minutes": 90, "isEarly": null, "until": null},
            {"minutes": null, "isEarly": null, "until": null},
        ])
    );
}

async fn apply(client: &Client, fields: Json) {
    let document = json!({"relata": 1, "objects": [
        {"key": "memo", "plural": "memos", "label": "name", "fields": fields},
    ]});
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
}

async fn tags_are_kept_once_and_grouped_by(client: Client) {
    let fields = json!([
        {"key": "name", "kind": "text"},
        {"key": "words", "kind": "tags"},
        {"key": "aliases", "kind": "texts"},
        {"key": "isHot", "kind": "formula", "expression": "'hot' in record.words"},
    ]);
    apply(&client, fields).await;
    for (name, words, aliases) in [
        ("a", json!(["hot", "HOT", "Ärger"]), json!(["b", "a", "b"])),
        ("b", json!(["hot"]), json!([])),
        ("c", json!(null), json!(null)),
    ] {
        let data = json!({"name": name, "words": words, "aliases": aliases});
        client.create("memo", data).await;
    }
    let data = client
        .data(
            "{ memos(orderBy: [{name: ASC}]) { nodes { words aliases isHot }
                groups(by: [{words: true}]) { nodes { key { words } aggregate { count } where } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data["memos"]["nodes"],
        json!([
            {"words": ["hot", "Ärger"], "aliases": ["b", "a", "b"], "isHot": true},
            {"words": ["hot"], "aliases": null, "isHot": true},
            {"words": null, "aliases": null, "isHot": false},
        ])
    );
    let groups = data["memos"]["groups"]["nodes"].as_array().unwrap();
    assert_eq!(groups.len(), 3, "{groups:?}");
    for group in groups {
        let found = client
            .data(
                "query($where: MemoFilter) { memos(where: $where) { totalCount } }",
                json!({"where": group["where"]}),
            )
            .await;
        assert_eq!(
            found["memos"]["totalCount"], group["aggregate"]["count"],
            "{group}"
        );
    }
    for (condition, count) in [
        (json!({"aliases": {"has": "a"}}), 1),
        (json!({"aliases": {"isEmpty": true}}), 2),
        (json!({"words": {"hasAll": ["hot", "Ärger"]}}), 1),
        (json!({"words": {"hasAny": ["hot", "Ärger"]}}), 2),
    ] {
        let found = client
            .data(
                "query($where: MemoFilter) { memos(where: $where) { totalCount } }",
                json!({"where": condition}),
            )
            .await;
        assert_eq!(found["memos"]["totalCount"], count, "{condition}");
    }
}

async fn users_are_those_of_the_workspace(client: Client) {
    let fields = json!([
        {"key": "name", "kind": "text"},
        {"key": "reviewer", "kind": "user"},
        {"key": "isSame", "kind": "formula", "expression": "record.reviewer == record.owner"},
    ]);
    apply(&client, fields).await;
    let mut ids = Vec::new();
    for name in ["Ada", "Bo"] {
        let input = UserInput {
            email: format!("{name}@example.org"),
            name: Some(name.to_owned()),
            ..UserInput::default()
        };
        let user = user_create(&client.workspace, &client.caller, &input)
            .await
            .unwrap();
        ids.push(user.id.to_string());
    }
    let data = json!({"name": "own", "reviewer": ids[0], "owner": ids[0]});
    let memo = client.create("memo", data).await;
    client.create("memo", json!({"name": "none"})).await;
    // Neither nobody nor a record is a user.
    for stranger in ["0190b5a1-7c3e-7000-8000-0000000000ff", memo.as_str()] {
        let errors = client
            .errors(
                "mutation($d: MemoCreate!) { createMemo(data: $d) { id } }",
                json!({"d": {"reviewer": stranger}}),
            )
            .await;
        assert_eq!(
            errors,
            ["VALIDATION_FAILED", "  data.reviewer NOT_FOUND"],
            "{stranger}"
        );
    }
    let selected = "{ name reviewer { id name email } isSame }";
    let data = client
        .data(
            &format!("{{ memos(orderBy: [{{name: ASC}}]) {{ nodes {selected} }} }}"),
            json!({}),
        )
        .await;
    let ada = json!({"id": ids[0], "name": "Ada", "email": "Ada@example.org"});
    assert_eq!(
        data["memos"]["nodes"],
        json!([
            {"name": "none", "reviewer": null, "isSame": false},
            {"name": "own", "reviewer": ada, "isSame": true},
        ])
    );
    // What a write selects back comes from memory.
    let changed = client
        .data(
            "mutation($id: ID!, $d: MemoUpdate!) { updateMemo(id: $id, data: $d) {
                reviewer { __typename name } } }",
            json!({"id": memo, "d": {"reviewer": ids[1]}}),
        )
        .await;
    assert_eq!(
        changed["updateMemo"]["reviewer"],
        json!({"__typename": "User", "name": "Bo"})
    );
    let count = "query($where: MemoFilter) { memos(where: $where) { totalCount
        aggregate { reviewer { countDistinct } } groups(by: [{reviewer: true}]) { nodes { where key { reviewer } } } } }";
    for (condition, expected) in [
        (json!({"eq": ids[1]}), 1),
        (json!({"in": ids}), 1),
        (json!({"isNull": true}), 1),
        (json!({"ne": ids[1]}), 1),
    ] {
        let variables = json!({"where": {"reviewer": condition}});
        let data = client.data(count, variables).await;
        assert_eq!(data["memos"]["totalCount"], expected, "{condition}");
    }
    let data = client.data(count, json!({})).await;
    assert_eq!(data["memos"]["aggregate"]["reviewer"]["countDistinct"], 1);
    for group in data["memos"]["groups"]["nodes"].as_array().unwrap() {
        let found = client.data(count, json!({"where": group["where"]})).await;
        assert_eq!(found["memos"]["totalCount"], 1, "{group}");
    }
}

async fn places(client: &Client) {
    let document = json!({"relata": 1, "objects": [
        {"key": "place", "plural": "places", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "at", "kind": "geoPoint", "indexed": true},
            {"key": "half", "kind": "formula",
             "expression": "record.at.latitude < 0.0 ? 'SOUTH' : 'NORTH'"},
        ]},
    ]});
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    for (name, at) in [
        (
            "Berlin",
            json!({"latitude": "52.52", "longitude": "13.405"}),
        ),
        // A float, with more digits than mean anything.
        (
            "Potsdam",
            json!({"latitude": 52.399_999_999_999_99_f64, "longitude": 13.066_666_666_666_67_f64}),
        ),
        (
            "Suva",
            json!({"latitude": "-18.1416", "longitude": "178.4419"}),
        ),
        (
            "Apia",
            json!({"latitude": "-13.8333", "longitude": "-171.7667"}),
        ),
        ("Nowhere", json!(null)),
    ] {
        client
            .create("place", json!({"name": name, "at": at}))
            .await;
    }
}

async fn points_are_found_by_their_distance(client: Client) {
    places(&client).await;
    let query = "query($where: PlaceFilter) { places(where: $where, orderBy: [{name: ASC}]) { nodes { name } } }";
    let berlin = |kilometers: &str| json!({"latitude": "52.52", "longitude": "13.405", "kilometers": kilometers});
    for (filter, found) in [
        (json!({"at": {"near": berlin("0.01")}}), vec!["Berlin"]),
        // 26.5 km by the haversine formula.
        (json!({"at": {"near": berlin("26.4")}}), vec!["Berlin"]),
        (
            json!({"at": {"near": berlin("26.6")}}),
            vec!["Berlin", "Potsdam"],
        ),
        (
            json!({"not": {"at": {"near": berlin("100")}}}),
            vec!["Apia", "Nowhere", "Suva"],
        ),
        // Over the line where days begin: 1,150.7 km.
        (
            json!({"at": {"near": {"latitude": "-18.1416", "longitude": "178.4419", "kilometers": "1151"}}}),
            vec!["Apia", "Suva"],
        ),
        (
            json!({"at": {"latitude": {"lt": "0"}}}),
            vec!["Apia", "Suva"],
        ),
        (
            json!({"at": {"longitude": {"between": ["13", "13.1"]}}}),
            vec!["Potsdam"],
        ),
        (json!({"at": {"isNull": true}}), vec!["Nowhere"]),
        (json!({"half": {"eq": "SOUTH"}}), vec!["Apia", "Suva"]),
    ] {
        let data = client.data(query, json!({"where": filter})).await;
        let names: Vec<&str> = data["places"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|place| place["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, found, "{filter}");
    }
    let data = client
        .data(
            "{ places(where: {name: {in: [\"Potsdam\", \"Nowhere\"]}}, orderBy: [{name: ASC}]) {
                nodes { at { latitude longitude } } aggregate { at { count } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data["places"],
        json!({
            "nodes": [{"at": null}, {"at": {"latitude": "52.400000", "longitude": "13.066667"}}],
            "aggregate": {"at": {"count": 1}},
        })
    );
}

async fn points_that_are_none_are_told(client: Client) {
    places(&client).await;
    let create = "mutation($data: PlaceCreate!) { createPlace(data: $data) { id } }";
    let far = json!({"latitude": "90.1", "longitude": "-180.000001"});
    let (body, _) = client.ask(create, json!({"data": {"at": far}})).await;
    assert_eq!(
        issues(&body),
        [
            ("OUT_OF_RANGE", json!(["data", "at", "latitude"])),
            ("OUT_OF_RANGE", json!(["data", "at", "longitude"])),
        ]
    );
    let query = "query($near: Geo_Near!) { places(where: {at: {near: $near}}) { totalCount } }";
    let near = json!({"latitude": "1", "longitude": "1", "kilometers": "0"});
    let (body, _) = client.ask(query, json!({"near": near})).await;
    // Which part of the filter asks for it is of no interest to whoever sends it: once is enough.
    assert_eq!(
        issues(&body),
        [(
            "OUT_OF_RANGE",
            json!(["places", "where", "at", "near", "kilometers"])
        )]
    );
}

/// Codes and paths of what is wrong.
fn issues(body: &Json) -> Vec<(&str, Json)> {
    body["errors"][0]["extensions"]["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| (issue["code"].as_str().unwrap(), issue["path"].clone()))
        .collect()
}
