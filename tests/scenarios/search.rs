//! Somebody looks for what they half remember.

use std::time::{Duration, Instant};

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

const SEARCH: &str = "query($query: String!, $objects: [String!], $first: Int, $after: String) {
    search(query: $query, objects: $objects, first: $first, after: $after) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage endCursor }
        edges { cursor score
            node { __typename id label ... on Company { industry } ... on Person { company { name } } }
            highlights { field text ranges { start end } } }
        nodes { label }
    } }";

async fn asked(server: &Server, variables: Value) -> Value {
    let mut answer = server.graphql(SEARCH, variables).await.data();
    answer["search"].take()
}

fn labels(found: &Value) -> Vec<&str> {
    let nodes = found["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["label"].as_str().unwrap())
        .collect()
}

async fn until_found(server: &Server, query: &str, expected: &[&str]) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = asked(server, json!({"query": query})).await;
        if labels(&found) == expected {
            return found;
        }
        assert!(Instant::now() < deadline, "{query}: {found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

scenario!(
    records_of_several_objects_are_found_by_their_words,
    |server: Server| async move {
        server
            .data(
                r#"mutation {
                a: createCompany(data: {name: "华为技术有限公司", industry: TECHNOLOGY}) { id }
                b: createCompany(data: {name: "Crème & Co", website: "https://www.creme.example"}) { id }
                c: createPerson(data: {name: {full: "Amélie Crémieux"}, company: {create: {name: "Horizon"}}}) { id }
                d: createTask(data: {title: "Call 华为"}) { id } }"#,
            )
            .await;
        until_found(&server, "华", &["Call 华为", "华为技术有限公司"]).await;
        until_found(&server, "有限", &["华为技术有限公司"]).await;
        let found = until_found(&server, "creme", &["Crème & Co"]).await;
        let edge = &found["edges"][0];
        assert_eq!(edge["node"]["__typename"], "Company");
        assert_eq!(
            edge["highlights"],
            json!([
                {"field": "name", "text": "Crème & Co", "ranges": [{"start": 0, "end": 5}]},
                {"field": "website", "text": "creme.example", "ranges": [{"start": 0, "end": 5}]},
            ])
        );
        let found = until_found(&server, "cremieu", &["Amélie Crémieux"]).await;
        assert_eq!(found["edges"][0]["node"]["company"]["name"], "Horizon");
        // A typo, where nothing has the word as it stands.
        until_found(&server, "horizno", &["Horizon"]).await;

        let companies = asked(&server, json!({"query": "华为", "objects": ["company"]})).await;
        assert_eq!(labels(&companies), ["华为技术有限公司"]);
        assert_eq!(companies["totalCount"], 1);
    }
);

scenario!(
    pages_of_hits_follow_each_other,
    |server: Server| async move {
        let data: Vec<Value> = (0..30)
            .map(|number| json!({"name": format!("Series {number:02}")}))
            .collect();
        server
            .graphql(
                "mutation($data: [CompanyCreate!]!) { createCompanies(data: $data) { count } }",
                json!({"data": data}),
            )
            .await
            .data();
        let deadline = Instant::now() + Duration::from_secs(30);
        while asked(&server, json!({"query": "series"})).await["totalCount"] != 30 {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut after = Value::Null;
        let mut seen = Vec::new();
        loop {
            let page = asked(
                &server,
                json!({"query": "series", "first": 8, "after": after}),
            )
            .await;
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
            seen.extend(labels(&page).into_iter().map(str::to_owned));
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        // Equals are ordered by their age, the newest first.
        let expected: Vec<String> = (0..30)
            .rev()
            .map(|number| format!("Series {number:02}"))
            .collect();
        assert_eq!(seen, expected);
    }
);

scenario!(
    a_search_that_can_not_be_is_refused_with_what_is_wrong,
    |server: Server| async move {
        for (variables, path) in [
            (json!({"query": " .,; "}), "search.query"),
            (json!({"query": "x".repeat(10_000)}), "search.query"),
            (
                json!({"query": "x", "objects": ["nothing"]}),
                "search.objects.0",
            ),
            (json!({"query": "x", "first": -1}), "search.first"),
            (json!({"query": "x", "after": "nowhere"}), "search.after"),
        ] {
            let answer = server.graphql(SEARCH, variables.clone()).await;
            assert_eq!(answer.code(), "BAD_INPUT", "{variables}");
            let issues = answer.issues();
            assert!(issues[0].starts_with(path), "{variables}: {issues:?}");
        }
        for query in [
            "NEAR(a b)",
            "a* OR \"b",
            "label:x",
            "x' OR 1=1 --",
            "\u{7}x\u{0}",
        ] {
            let answer = server.graphql(SEARCH, json!({"query": query})).await;
            assert_eq!(answer.data()["search"]["totalCount"], 0, "{query}");
        }
    }
);
