//! Rules hold for every writer, say everything that is wrong at once, and leave nothing behind.

use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    every_broken_rule_is_told_at_once
    defaults_are_worked_out
    what_is_set_or_locked_stays
    rules_look_at_what_a_record_points_at
    a_rule_is_asked_when_what_it_reads_changes
    many_records_are_held_to_the_same_rules
}

async fn world(client: &Client) {
    let document = json!({"relata": 1, "objects": [
        {
            "key": "lease", "plural": "leases", "label": "name",
            "lockedWhen": "old.status == \"CLOSED\" && record.status == \"CLOSED\"",
            "fields": [
                {"key": "name", "kind": "text", "minLength": 2},
                {"key": "code", "kind": "text", "pattern": "[A-Z]{2}-[0-9]+", "immutable": true},
                {"key": "starts", "kind": "date", "defaultFrom": "today"},
                {"key": "months", "kind": "integer", "default": 12},
                {"key": "ends", "kind": "date", "defaultFrom": "record.starts + record.months * 30",
                 "lockedWhen": "old.status == \"OPEN\""},
                {"key": "rent", "kind": "money", "requiredWhen": "record.status == \"OPEN\""},
                {"key": "status", "kind": "select", "options": ["DRAFT", "OPEN", "CLOSED"]},
                {"key": "firm", "kind": "relation", "to": "company"},
                {"key": "note", "kind": "text"},
            ],
            "rules": [
                {"key": "order", "must": "record.ends > record.starts",
                 "message": {"en": "A lease ends after it starts", "zh-CN": "租约的结束日期必须晚于开始日期"},
                 "fields": ["ends", "starts"]},
                {"key": "size", "when": "record.status == \"OPEN\"", "must": "record.firm.employees >= 10",
                 "message": {"en": "Too small a company"}, "fields": ["firm"]},
                {"key": "grows", "must": "old.months == null || record.months >= old.months",
                 "message": {"en": "A lease is never shortened"}},
            ],
        },
    ]});
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
}

async fn refused(client: &Client, data: Json) -> Vec<String> {
    let query = "mutation C($data: LeaseCreate!) { createLease(data: $data) { id } }";
    client.errors(query, json!({"data": data})).await
}

async fn refused_change(client: &Client, id: &str, data: Json) -> Vec<String> {
    let query =
        "mutation U($id: ID!, $data: LeaseUpdate!) { updateLease(id: $id, data: $data) { id } }";
    client.errors(query, json!({"id": id, "data": data})).await
}

async fn every_broken_rule_is_told_at_once(client: Client) {
    world(&client).await;
    let told = refused(
        &client,
        json!({"name": "x", "code": "ab", "status": "OPEN", "starts": "2026-05-01",
               "ends": "2026-04-30"}),
    )
    .await;
    assert_eq!(
        told,
        [
            "VALIDATION_FAILED",
            "  data.name TOO_SHORT",
            "  data.code PATTERN",
            "  data.rent REQUIRED",
            "  data.ends RULE",
        ]
    );
    assert_eq!(client.count("leases").await, json!(0));
    let mut chinese = client.clone();
    chinese.caller.locale = "zh".to_owned();
    let (answer, _) = chinese
        .ask(
            "mutation { createLease(data: {starts: \"2026-05-01\", ends: \"2026-05-01\"}) { id } }",
            json!({}),
        )
        .await;
    let issue = &answer["errors"][0]["extensions"]["issues"][0];
    assert_eq!(issue["message"], json!("租约的结束日期必须晚于开始日期"));
    assert_eq!(issue["params"]["fields"], json!(["ends", "starts"]));
}

async fn defaults_are_worked_out(client: Client) {
    world(&client).await;
    let data = client
        .data(
            "mutation { a: createLease(data: {starts: \"2026-01-01\"}) { ends }
               b: createLease(data: {starts: \"2026-01-01\", months: 1}) { ends }
               c: createLease(data: {starts: \"2026-01-01\", ends: null}) { ends }
               d: createLease(data: {}) { starts ends } }",
            json!({}),
        )
        .await;
    assert_eq!(data["a"]["ends"], json!("2026-12-27"));
    assert_eq!(data["b"]["ends"], json!("2026-01-31"));
    assert_eq!(data["c"]["ends"], json!(null));
    assert_ne!(data["d"]["starts"], json!(null));
    assert_ne!(data["d"]["ends"], json!(null));
}

async fn what_is_set_or_locked_stays(client: Client) {
    world(&client).await;
    let firm = client
        .create("company", json!({"name": "Big", "employees": 10}))
        .await;
    let rent = json!({"amount": "1", "currency": "EUR"});
    let id = client
        .create(
            "lease",
            json!({"code": "AB-1", "status": "OPEN", "rent": rent, "firm": {"connect": {"id": firm}}}),
        )
        .await;
    assert_eq!(
        refused_change(&client, &id, json!({"code": "AB-2", "ends": "2099-01-01"})).await,
        [
            "VALIDATION_FAILED",
            "  data.code IMMUTABLE",
            "  data.ends LOCKED"
        ]
    );
    assert!(
        refused_change(&client, &id, json!({"status": "CLOSED"}))
            .await
            .is_empty()
    );
    assert_eq!(
        refused_change(&client, &id, json!({"note": "more"})).await,
        ["VALIDATION_FAILED", "  data LOCKED"]
    );
    let delete = "mutation D($id: ID!) { deleteLease(id: $id) { id } }";
    assert_eq!(
        client.errors(delete, json!({"id": id})).await,
        ["VALIDATION_FAILED", "   LOCKED"]
    );
    // Its own condition lets it be opened again.
    assert!(
        refused_change(&client, &id, json!({"status": "DRAFT"}))
            .await
            .is_empty()
    );
    assert!(client.errors(delete, json!({"id": id})).await.is_empty());
}

async fn rules_look_at_what_a_record_points_at(client: Client) {
    world(&client).await;
    let small = client
        .create("company", json!({"name": "Small", "employees": 9}))
        .await;
    let unknown = client.create("company", json!({"name": "Unknown"})).await;
    let rent = json!({"amount": "1", "currency": "EUR"});
    let lease =
        |firm: &str| json!({"status": "OPEN", "rent": rent, "firm": {"connect": {"id": firm}}});
    assert_eq!(
        refused(&client, lease(&small)).await,
        ["VALIDATION_FAILED", "  data.firm RULE"]
    );
    // What is empty breaks no rule.
    assert!(refused(&client, lease(&unknown)).await.is_empty());
    let nested = json!({"status": "OPEN", "rent": rent,
        "firm": {"create": {"name": "Made", "employees": 3}}});
    assert_eq!(
        refused(&client, nested).await,
        ["VALIDATION_FAILED", "  data.firm RULE"]
    );
    assert_eq!(client.count("companies").await, json!(2));
}

async fn a_rule_is_asked_when_what_it_reads_changes(client: Client) {
    world(&client).await;
    let firm = client
        .create("company", json!({"name": "Big", "employees": 10}))
        .await;
    let rent = json!({"amount": "1", "currency": "EUR"});
    let id = client
        .create(
            "lease",
            json!({"status": "OPEN", "rent": rent, "firm": {"connect": {"id": firm}}}),
        )
        .await;
    client
        .data(
            "mutation { updateCompanies(where: {name: {eq: \"Big\"}}, data: {employees: 1}) { count } }",
            json!({}),
        )
        .await;
    // The record broke the rule when its company shrank: it may be changed elsewhere.
    assert!(
        refused_change(&client, &id, json!({"note": "still there"}))
            .await
            .is_empty()
    );
    assert_eq!(
        refused_change(&client, &id, json!({"months": 11})).await,
        ["VALIDATION_FAILED", "  data RULE"]
    );
}

async fn many_records_are_held_to_the_same_rules(client: Client) {
    world(&client).await;
    let rows: Vec<Json> = (0..20)
        .map(|number| {
            let ends = if number % 4 == 3 {
                "2025-01-01"
            } else {
                "2026-06-01"
            };
            json!({"note": number.to_string(), "starts": "2026-01-01", "ends": ends})
        })
        .collect();
    let data = client
        .data(
            "mutation C($data: [LeaseCreate!]!) { createLeases(data: $data, mode: PARTIAL) {
                count errors { index issues { code path } } } }",
            json!({"data": rows}),
        )
        .await;
    assert_eq!(data["createLeases"]["count"], json!(15));
    let errors = data["createLeases"]["errors"].as_array().unwrap();
    let indices: Vec<&Json> = errors.iter().map(|error| &error["index"]).collect();
    assert_eq!(
        indices,
        [&json!(3), &json!(7), &json!(11), &json!(15), &json!(19)]
    );
    assert_eq!(errors[0]["issues"][0]["code"], json!("RULE"));
    let refused = client
        .errors(
            "mutation { updateLeases(where: {}, all: true, data: {ends: \"2025-12-31\"}) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(refused[0], "VALIDATION_FAILED");
}
