//! Records written together with the record that they hang on.

use relata_app::catalogue;
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    targets_and_lists_are_made_together
    lists_are_connected_and_disconnected
    nested_mistakes_have_the_whole_path
    nesting_ends_somewhere
    bulk_rows_may_have_others_on_them
}

const CREATE: &str = "mutation C($data: CompanyCreate!) { createCompany(data: $data) { id name parent { name } people { nodes { name { full } } } deals { totalCount } } }";

async fn count(client: &Client, list: &str) -> Json {
    let mut data = client
        .data(&format!("{{ {list} {{ totalCount }} }}"), json!({}))
        .await;
    data[list]["totalCount"].take()
}

async fn targets_and_lists_are_made_together(client: Client) {
    let created = client
        .data(
            CREATE,
            json!({"data": {
                "name": "Lower",
                "parent": {"create": {"name": "Upper", "people": {"create": {"name": {"full": "Boss"}}}}},
                "people": {"create": [{"name": {"full": "A"}}, {"name": {"full": "B"}, "deals": {"create": [{"name": "D"}]}}]},
            }}),
        )
        .await;
    let company = &created["createCompany"];
    assert_eq!(
        (&company["name"], &company["parent"]),
        (&json!("Lower"), &json!({"name": "Upper"}))
    );
    assert_eq!(
        company["people"]["nodes"],
        json!([{"name": {"full": "A"}}, {"name": {"full": "B"}}])
    );
    let people = client
        .data(
            "{ people(orderBy: [{name: ASC}]) { nodes { name { full } company { name } version deals { nodes { name } } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        people["people"]["nodes"],
        json!([
            {"name": {"full": "A"}, "company": {"name": "Lower"}, "version": 1, "deals": {"nodes": []}},
            {"name": {"full": "B"}, "company": {"name": "Lower"}, "version": 1, "deals": {"nodes": [{"name": "D"}]}},
            {"name": {"full": "Boss"}, "company": {"name": "Upper"}, "version": 1, "deals": {"nodes": []}},
        ])
    );
    // In the document, and on update: the new target takes the place of the old one.
    let updated = client
        .data(
            "mutation U($id: ID!) { updateCompany(id: $id, data: {employees: 7, parent: {create: {name: \"Other\"}}}) { version employees parent { name } } }",
            json!({"id": company["id"]}),
        )
        .await;
    assert_eq!(
        updated["updateCompany"],
        json!({"version": 2, "employees": 7, "parent": {"name": "Other"}})
    );
    assert_eq!(count(&client, "companies").await, 3);
}

async fn lists_are_connected_and_disconnected(client: Client) {
    let company = client.create("company", json!({"name": "Acme"})).await;
    let mut people = Vec::new();
    for name in ["A", "B"] {
        people.push(
            client
                .create("person", json!({"name": {"full": name}}))
                .await,
        );
    }
    let update = "mutation U($id: ID!, $data: CompanyUpdate!) { updateCompany(id: $id, data: $data) { version people { nodes { name { full } } } } }";
    let connected = client
        .data(
            update,
            json!({"id": company, "data": {"people": {
                "connect": [{"id": people[0]}, {"id": people[1]}], "create": [{"name": {"full": "C"}}]}}}),
        )
        .await;
    // The record itself is as it was.
    assert_eq!(
        connected["updateCompany"],
        json!({"version": 1, "people": {"nodes": [{"name": {"full": "A"}}, {"name": {"full": "B"}}, {"name": {"full": "C"}}]}})
    );
    let disconnect = json!({"id": company, "data": {"employees": 3, "people": {"disconnect": [{"id": people[0]}]}}});
    let disconnected = client.data(update, disconnect.clone()).await;
    assert_eq!(disconnected["updateCompany"]["version"], 2);
    assert_eq!(
        disconnected["updateCompany"]["people"]["nodes"],
        json!([{"name": {"full": "B"}}, {"name": {"full": "C"}}])
    );
    assert_eq!(
        client.errors(update, disconnect).await,
        ["VALIDATION_FAILED", "  data.people.disconnect.0 NOT_FOUND"]
    );
}

async fn nested_mistakes_have_the_whole_path(client: Client) {
    let nobody = "0190163d-8694-739b-aea5-966c26f8ad91";
    let mut errors = client
        .errors(
            CREATE,
            json!({"data": {"employees": -1, "parent": {"create": {"employees": -2, "parent": {"create": {"website": "no address", "name": "x"}}}}}}),
        )
        .await;
    errors.sort();
    assert_eq!(
        errors,
        [
            "  data.employees OUT_OF_RANGE",
            "  data.name REQUIRED",
            "  data.parent.create.employees OUT_OF_RANGE",
            "  data.parent.create.name REQUIRED",
            "  data.parent.create.parent.create.website BAD_URL",
            "VALIDATION_FAILED",
        ]
    );
    assert_eq!(
        client
            .errors(
                CREATE,
                json!({"data": {"name": "Acme", "people": {
                    "connect": [{"id": nobody}],
                    "create": [{"name": {"full": "A"}}, {"birthday": "2000-01-01"}, {"name": {"full": "B"}, "company": {"disconnect": true}}]}}}),
            )
            .await,
        [
            "VALIDATION_FAILED",
            "  data.people.connect.0 NOT_FOUND",
            "  data.people.create.1.name REQUIRED",
            "  data.people.create.2.company CONFLICT",
        ]
    );
    for list in ["companies", "people"] {
        assert_eq!(count(&client, list).await, 0);
    }
    // Many records have no place for others.
    client.create("company", json!({"name": "Acme"})).await;
    assert_eq!(
        client
            .errors(
                "mutation { updateCompanies(where: {}, all: true, data: {parent: {create: {name: \"x\"}}}) { count } }",
                json!({}),
            )
            .await[0],
        "BAD_INPUT"
    );
}

async fn nesting_ends_somewhere(client: Client) {
    let deep = |depth: usize| {
        (0..depth).fold(
            json!({"name": "x"}),
            |inner, _| json!({"name": "x", "parent": {"create": inner}}),
        )
    };
    client.data(CREATE, json!({"data": deep(5)})).await;
    assert_eq!(
        client.errors(CREATE, json!({"data": deep(6)})).await,
        ["LIMIT_EXCEEDED"]
    );
    let wide = |count: usize| {
        let people: Vec<Json> = (0..count).map(|_| json!({"name": {"full": "x"}})).collect();
        json!({"data": {"name": "x", "people": {"create": people}}})
    };
    assert_eq!(client.errors(CREATE, wide(1_001)).await, ["LIMIT_EXCEEDED"]);
    assert_eq!(count(&client, "people").await, 0);
}

async fn bulk_rows_may_have_others_on_them(client: Client) {
    let administrator = &client.caller;
    let document = json!({"relata": 1, "objects": [
        {"key": "badge", "plural": "badges", "label": "code", "fields": [
            {"key": "code", "kind": "text", "required": true, "unique": true},
            {"key": "holder", "kind": "relation", "to": "person", "onDelete": "SET_NULL", "inverse": {"name": "badges"}},
        ]},
    ]});
    catalogue::blueprint_apply(&client.workspace, administrator, &document, None, &[])
        .await
        .unwrap();
    let data = client
        .data(
            "mutation C($data: [PersonCreate!]!) { createPeople(data: $data, mode: PARTIAL) { count nodes { badges { nodes { code } } } errors { index issues { path code } } } }",
            json!({"data": [
                {"name": {"full": "A"}, "badges": {"create": [{"code": "1"}]}},
                {"name": {"full": "B"}, "badges": {"create": [{"code": "2"}, {"code": "1"}]}},
                {"name": {"full": "C"}, "badges": {"create": [{"code": "2"}], "connect": [{"code": "1"}]}},
            ]}),
        )
        .await;
    // The second leaves nothing behind, so the third may have its badge; the first one's moves.
    assert_eq!(
        data["createPeople"],
        json!({
            "count": 2,
            "nodes": [{"badges": {"nodes": []}}, {"badges": {"nodes": [{"code": "1"}, {"code": "2"}]}}],
            "errors": [{"index": 1, "issues": [{"path": ["data", 1, "badges", "create", 1, "code"], "code": "NOT_UNIQUE"}]}],
        })
    );
}
