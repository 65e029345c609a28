//! Unique keys that ask for no other case and no other accents.

use relata_app::{AppError, catalogue};
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    case_and_accents_make_no_difference
    a_record_is_named_in_any_case
    what_comes_back_collides
    of_those_who_come_together_one_is_written
    a_key_over_several_fields_folds_some
    a_stricter_key_counts_what_stands_against_it
}

const CREATE: &str =
    "mutation C($data: [ItemCreate!]!) { createItems(data: $data) { nodes { code } } }";

/// Items with this mark at their code, and this key over several fields.
fn document(mark: &Json, unique: &Json) -> Json {
    let mut code = json!({"key": "code", "kind": "text", "max": 80});
    for (name, value) in mark.as_object().unwrap() {
        code[name.as_str()] = value.clone();
    }
    json!({"relata": 1, "objects": [
        {"key": "item", "plural": "items", "label": "code", "unique": unique, "fields": [
            code,
            {"key": "shelf", "kind": "text", "max": 80},
            {"key": "size", "kind": "integer"},
            {"key": "above", "kind": "relation", "to": "item", "inverse": "below"},
        ]},
    ]})
}

fn folded() -> Json {
    document(&json!({"unique": true, "uniqueBy": "FOLDED"}), &json!([]))
}

async fn apply(client: &Client, document: &Json) -> Result<(), AppError> {
    catalogue::blueprint_apply(&client.workspace, &client.caller, document, None, &[])
        .await
        .map(|_| ())
}

fn rows(codes: &[&str]) -> Json {
    let rows: Vec<Json> = codes.iter().map(|code| json!({"code": code})).collect();
    json!({"data": rows})
}

async fn case_and_accents_make_no_difference(client: Client) {
    apply(&client, &folded()).await.unwrap();
    client.data(CREATE, rows(&["Straße", "b"])).await;
    // Against what is stored, and among themselves; what is empty equals nothing.
    assert_eq!(
        client.errors(CREATE, rows(&["STRASSE", "c", "Ć"])).await,
        [
            "UNIQUE_VIOLATION",
            "  data.0.code NOT_UNIQUE",
            "  data.2.code NOT_UNIQUE"
        ]
    );
    client
        .data(CREATE, json!({"data": [{"size": 1}, {"size": 2}]}))
        .await;
    let update = "mutation($code: String!, $to: String!) {
        updateItems(where: {code: {eq: $code}}, data: {code: $to}) { nodes { code } } }";
    assert_eq!(
        client
            .errors(update, json!({"code": "b", "to": "strasse"}))
            .await,
        ["UNIQUE_VIOLATION", "  data.code NOT_UNIQUE"]
    );
    // One's own other spelling is nobody else's.
    let own = client
        .data(update, json!({"code": "Straße", "to": "STRASSE"}))
        .await;
    assert_eq!(own["updateItems"]["nodes"], json!([{"code": "STRASSE"}]));

    // Exact where nothing else is asked for.
    apply(&client, &document(&json!({"unique": true}), &json!([])))
        .await
        .unwrap();
    client
        .data(CREATE, rows(&["strasse", "Strasse", "straße"]))
        .await;
}

async fn a_record_is_named_in_any_case(client: Client) {
    apply(&client, &folded()).await.unwrap();
    client.data(CREATE, rows(&["Ábc", "d"])).await;
    let connected = client
        .data(
            "mutation($data: [ItemCreate!]!) { createItems(data: $data) { nodes { above { code } } } }",
            json!({"data": [
                {"code": "e", "above": {"connect": {"code": "ABC"}}},
                {"code": "f", "above": {"connect": {"code": "abc"}}},
                {"code": "g", "above": {"connect": {"code": "D"}}},
            ]}),
        )
        .await;
    assert_eq!(
        connected["createItems"]["nodes"],
        json!([{"above": {"code": "Ábc"}}, {"above": {"code": "Ábc"}}, {"above": {"code": "d"}}])
    );
    let upsert = "mutation($data: [ItemCreate!]!) {
        upsertItems(data: $data, on: code) { nodes { code size version } } }";
    let upserted = client
        .data(
            upsert,
            json!({"data": [{"code": "ábc", "size": 1}, {"code": "new", "size": 2}, {"code": "NEW", "size": 3}]}),
        )
        .await;
    assert_eq!(
        upserted["upsertItems"]["nodes"],
        json!([
            {"code": "ábc", "size": 1, "version": 2},
            {"code": "NEW", "size": 3, "version": 2},
        ])
    );
    assert_eq!(client.count("items").await, 6);
}

async fn what_comes_back_collides(client: Client) {
    apply(&client, &folded()).await.unwrap();
    client.data(CREATE, rows(&["abc"])).await;
    client
        .data(
            "mutation { deleteItems(where: {}, all: true) { count } }",
            json!({}),
        )
        .await;
    client.data(CREATE, rows(&["ABC"])).await;
    let restore = "mutation { restoreItems(where: {code: {eq: \"abc\"}}) { count } }";
    let errors = client.errors(restore, json!({})).await;
    assert_eq!(errors[0], "UNIQUE_VIOLATION", "{errors:?}");
    assert_eq!(client.count("items").await, 1);
}

/// What two see at once is free for both: the index says whose it is.
async fn of_those_who_come_together_one_is_written(client: Client) {
    apply(&client, &folded()).await.unwrap();
    for round in 0..20 {
        let (lower, upper) = (format!("né{round}"), format!("NE{round}"));
        let (lower, upper) = ([lower.as_str()], [upper.as_str()]);
        let (one, other) = tokio::join!(
            client.errors(CREATE, rows(&lower)),
            client.errors(CREATE, rows(&upper)),
        );
        let refused = match (one.is_empty(), other.is_empty()) {
            (true, false) => other,
            (false, true) => one,
            _ => panic!("round {round}: {one:?}, {other:?}"),
        };
        assert_eq!(refused[0], "UNIQUE_VIOLATION", "{refused:?}");
    }
    assert_eq!(client.count("items").await, 20);
}

async fn a_key_over_several_fields_folds_some(client: Client) {
    let unique = json!([["shelf", {"field": "code", "folded": true}, "size"]]);
    apply(&client, &document(&json!({}), &unique))
        .await
        .unwrap();
    client
        .data(
            CREATE,
            json!({"data": [
                {"shelf": "a", "code": "x", "size": 1},
                {"shelf": "A", "code": "x", "size": 1},
                {"shelf": "a", "code": "X", "size": 2},
                {"shelf": "a", "code": "X"},
                {"shelf": "a", "code": "x"},
            ]}),
        )
        .await;
    assert_eq!(
        client
            .errors(
                CREATE,
                json!({"data": [{"shelf": "a", "code": "X", "size": 1}]})
            )
            .await,
        ["UNIQUE_VIOLATION", "  data.0.shelf NOT_UNIQUE"]
    );
    let exported = catalogue::blueprint_export(&client.workspace, &client.caller);
    let exported = exported.unwrap().to_json();
    assert_eq!(exported["objects"][0]["unique"], unique);
}

async fn a_stricter_key_counts_what_stands_against_it(client: Client) {
    apply(&client, &document(&json!({"unique": true}), &json!([])))
        .await
        .unwrap();
    client
        .data(CREATE, rows(&["abc", "ABC", "ábc", "d", "D", "e"]))
        .await;
    // What is in the trash stands against nothing.
    client
        .data(
            "mutation { deleteItems(where: {code: {eq: \"D\"}}) { count } }",
            json!({}),
        )
        .await;
    let plan = catalogue::blueprint_plan(&client.workspace, &client.caller, &folded())
        .await
        .unwrap();
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            (
                step.action.as_str(),
                step.description.as_str(),
                step.violations,
            )
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("REMOVE_UNIQUE", "drop the unique key item(code)", 0),
            (
                "ADD_UNIQUE",
                "add the unique key item(code), case and accents aside",
                3
            )
        ]
    );
    let Err(AppError::BadInput { issues, .. }) = apply(&client, &folded()).await else {
        panic!("it was applied");
    };
    assert_eq!(issues.0[0].code, "VIOLATED");
    // The old key is still there.
    assert_eq!(
        client.errors(CREATE, rows(&["e"])).await,
        ["UNIQUE_VIOLATION", "  data.0.code NOT_UNIQUE"]
    );
    client
        .data(
            "mutation { deleteItems(where: {code: {in: [\"ABC\", \"ábc\"]}}) { count } }",
            json!({}),
        )
        .await;
    apply(&client, &folded()).await.unwrap();
    assert_eq!(
        client.errors(CREATE, rows(&["ABC"])).await,
        ["UNIQUE_VIOLATION", "  data.0.code NOT_UNIQUE"]
    );
}
