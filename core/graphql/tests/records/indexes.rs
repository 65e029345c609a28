//! Indexes that somebody asks for: they change no answer, and keep no writer waiting.

use std::time::{Duration, Instant};

use relata_app::indexes::{IndexState, index_states};
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    answers_stay_the_same
    a_large_table_keeps_its_writers
    wrong_indexes_are_told
}

fn document(marks: &Json) -> Json {
    let mut object = json!({"key": "item", "plural": "items", "label": "name", "fields": [
        {"key": "name", "kind": "text"}, {"key": "code", "kind": "text"},
        {"key": "size", "kind": "integer"}, {"key": "price", "kind": "money"},
        {"key": "tone", "kind": "select", "options": ["HIGH", "LOW"]},
        {"key": "parts", "kind": "multiSelect", "options": ["A", "B"]},
        {"key": "who", "kind": "fullName"}, {"key": "mails", "kind": "emails"},
        {"key": "step", "kind": "stage"}, {"key": "twice", "kind": "formula", "expression": "record.size + record.size"}]});
    for (name, value) in marks.as_object().unwrap() {
        object[name] = value.clone();
    }
    json!({"relata": 1, "objects": [object],
        "pipelines": [{"key": "way", "object": "item", "field": "step", "stages": [{"key": "a"}, {"key": "b"}]}]})
}

async fn apply(client: &Client, document: &Json) -> Result<(), relata_app::AppError> {
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, document, None, &[])
        .await
        .map(|_| ())
}

async fn states(client: &Client) -> Vec<IndexState> {
    let state = client.workspace.state();
    let (_, object) = state.catalogue.object_named("item").unwrap();
    index_states(&client.workspace, object).await.unwrap()
}

/// Waits until all are there.
async fn settled(client: &Client) -> usize {
    let since = Instant::now();
    loop {
        let states = states(client).await;
        if states.iter().all(|state| *state == IndexState::Active) {
            return states.len();
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{states:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn answers_stay_the_same(client: Client) {
    apply(&client, &document(&json!({}))).await.unwrap();
    let rows: Vec<Json> = (0..200)
        .map(|number| {
            json!({"name": format!("N{}", number % 7), "code": format!("c{}", number % 11),
                "size": (number % 3 != 0).then_some(number % 13),
                "price": (number % 4 != 0).then(|| json!({"amount": (number % 5).to_string(), "currency": "EUR"})),
                "tone": if number % 2 == 0 { "HIGH" } else { "LOW" },
                "who": {"full": format!("Per Son{}", number % 17)}})
        })
        .collect();
    client
        .data(
            "mutation($d: [ItemCreate!]!) { createItems(data: $d) { count } }",
            json!({"d": rows}),
        )
        .await;
    client
        .data(
            "mutation { deleteItems(where: {size: {eq: 4}}) { count } }",
            json!({}),
        )
        .await;
    let queries = [
        "items(where: {code: {eq: \"c3\"}}, orderBy: [{size: ASC}]) { totalCount nodes { id } }",
        "items(where: {code: {eq: \"C3\"}}) { totalCount }",
        "items(where: {code: {iEq: \"C3\"}, size: {gt: 2}}, orderBy: [{size: DESC}, {code: ASC}]) { nodes { id } }",
        "items(where: {tone: {eq: HIGH}}, orderBy: [{price: ASC}], first: 20) { nodes { id } pageInfo { endCursor } }",
        "items(where: {who: {iStartsWith: \"per son1\"}}, orderBy: [{who: DESC}]) { nodes { id } }",
        "items(deleted: ONLY, orderBy: [{size: ASC}, {code: DESC}]) { nodes { id } }",
        "items(where: {step: {eq: \"a\"}}) { aggregate { count size { sum } } }",
    ];
    let ask = || async {
        let mut answers = Vec::new();
        for query in queries {
            answers.push(client.data(&format!("{{ {query} }}"), json!({})).await);
        }
        answers
    };
    let before = ask().await;
    apply(
        &client,
        &document(&json!({"indexes": [
            {"fields": ["code"]},
            {"fields": ["size", "code"], "include": ["price", "tone"]},
            {"fields": ["price"], "filled": true, "live": true},
            {"fields": ["tone", "size"], "live": true},
            {"fields": ["who"]}, {"fields": ["mails"]}, {"fields": ["step"]}]})),
    )
    .await
    .unwrap();
    assert_eq!(settled(&client).await, 7);
    assert_eq!(ask().await, before);
    // A field that goes takes its index along only where nobody else needs it there.
    apply(
        &client,
        &document(&json!({"indexes": [{"fields": ["code"]}]})),
    )
    .await
    .unwrap();
    assert_eq!(settled(&client).await, 1);
    assert_eq!(ask().await, before);
    // The document says it again as a mark of the field.
    let exported = relata_app::catalogue::blueprint_export(&client.workspace, &client.caller)
        .unwrap()
        .to_json();
    assert_eq!(exported["objects"][0]["fields"][1]["indexed"], json!(true));
    assert_eq!(exported["objects"][0].get("indexes"), None);
    let plan = relata_app::catalogue::blueprint_plan(&client.workspace, &client.caller, &exported)
        .await
        .unwrap();
    assert_eq!(plan.steps, []);
    // One that is converted keeps its index on its new columns.
    let mut converted = exported.clone();
    converted["objects"][0]["fields"][1]["kind"] = json!("longText");
    let refused = apply(&client, &converted).await.unwrap_err();
    assert_eq!(refused.issues()[0].code, "INDEX_UNFIT");
    converted["objects"][0]["fields"][1] = json!({"key": "code", "kind": "email", "indexed": true});
    converted["objects"][0]["fields"][2]["indexed"] = json!(true);
    let plan = relata_app::catalogue::blueprint_plan(&client.workspace, &client.caller, &converted)
        .await
        .unwrap();
    assert_eq!(plan.steps.len(), 2, "{:?}", plan.steps);
    relata_app::catalogue::blueprint_apply(
        &client.workspace,
        &client.caller,
        &converted,
        None,
        &["item.code".to_owned()],
    )
    .await
    .unwrap();
    assert_eq!(settled(&client).await, 2);
}

async fn a_large_table_keeps_its_writers(client: Client) {
    apply(&client, &document(&json!({}))).await.unwrap();
    for part in 0..25 {
        let rows: Vec<Json> = (0..1_000)
            .map(|number| json!({"code": format!("{part}-{number}"), "size": number % 1_000}))
            .collect();
        client
            .data(
                "mutation($d: [ItemCreate!]!) { createItems(data: $d) { count } }",
                json!({"d": rows}),
            )
            .await;
    }
    // A transaction that is open keeps such an index waiting, and not the other way.
    let writer = client.clone();
    let writing = tokio::spawn(async move {
        for number in 0..50 {
            let name = format!("w{number}");
            writer
                .data(
                    "mutation($n: String) { createItem(data: {name: $n}) { id } }",
                    json!({"n": name}),
                )
                .await;
        }
    });
    apply(
        &client,
        &document(&json!({"indexes": [{"fields": ["size", "code"]}, {"fields": ["name"]}]})),
    )
    .await
    .unwrap();
    writing.await.unwrap();
    assert_eq!(settled(&client).await, 2);
    let data = client
        .data("{ items(where: {size: {eq: 999}}, orderBy: [{size: ASC}, {code: ASC}], first: 2) { totalCount nodes { code } } }", json!({}))
        .await;
    assert_eq!(data["items"]["totalCount"], 25);
    assert_eq!(data["items"]["nodes"][0]["code"], "0-999");
    // A relation that comes later has its index as well.
    let mut more = document(&json!({}));
    more["objects"][0]["fields"]
        .as_array_mut()
        .unwrap()
        .push(json!({"key": "maker", "kind": "relation", "to": "company", "inverse": "items"}));
    apply(&client, &more).await.unwrap();
    let since = Instant::now();
    while !client
        .workspace
        .database()
        .missing_indexes(&client.workspace.state().catalogue)
        .await
        .unwrap()
        .is_empty()
    {
        assert!(since.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client
        .data("mutation { createCompany(data: {name: \"M\", items: {create: [{code: \"new\"}, {code: \"newer\"}]}}) { id } }", json!({}))
        .await;
    let data = client
        .data(
            "{ companies(where: {name: {eq: \"M\"}}) { nodes { items { totalCount } } } }",
            json!({}),
        )
        .await;
    assert_eq!(data["companies"]["nodes"][0]["items"]["totalCount"], 2);
}

async fn wrong_indexes_are_told(client: Client) {
    let refused = apply(
        &client,
        &document(&json!({"indexes": [
            {"fields": []}, {"fields": ["gone"]}, {"fields": ["parts"]}, {"fields": ["twice"]},
            {"fields": ["size"], "include": ["nothing"]}, {"fields": ["size"], "wheer": 1},
            {"fields": ["name", "code", "name", "code"]}]})),
    )
    .await
    .unwrap_err();
    insta::assert_snapshot!(
        "wrong_indexes",
        relata_catalog::Issues(refused.issues().to_vec()).to_string()
    );
}
