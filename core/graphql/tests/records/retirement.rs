//! Options that are retired: they stay where they are, and are given to nobody.

use relata_app::{AppError, catalogue};
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    what_is_there_stays
    nobody_gets_one
    the_schema_deprecates_it
    one_that_is_held_goes_only_when_that_is_agreed_to
}

const NODES: &str = "nodes { code state marks }";

fn document(states: &Json, marks: &Json) -> Json {
    json!({"relata": 1, "objects": [{"key": "ticket", "plural": "tickets", "label": "code", "fields": [
        {"key": "code", "kind": "text", "unique": true},
        {"key": "state", "kind": "select", "options": states},
        {"key": "marks", "kind": "multiSelect", "options": marks},
        {"key": "next", "kind": "select", "options": states,
         "defaultFrom": "record.code == 'worked out' ? 'LOST' : 'OPEN'"},
    ]}]})
}

async fn apply(client: &Client, document: &Json, confirm: &[&str]) -> Result<(), AppError> {
    let confirm: Vec<String> = confirm.iter().map(|name| (*name).to_owned()).collect();
    catalogue::blueprint_apply(&client.workspace, &client.caller, document, None, &confirm)
        .await
        .map(|_| ())
}

fn retired() -> Json {
    document(
        &json!([{"value": "LOST", "color": "gray", "retired": true}, "OPEN", {"value": "WON", "color": "green"}]),
        &json!(["HOT", {"value": "OLD", "retired": true}]),
    )
}

/// Two tickets that have what is then retired.
async fn tickets(client: &Client) {
    let before = document(&json!(["LOST", "OPEN", "WON"]), &json!(["HOT", "OLD"]));
    apply(client, &before, &[]).await.unwrap();
    for data in [
        json!({"code": "a", "state": "LOST", "marks": ["OLD", "HOT"], "next": "OPEN"}),
        json!({"code": "b", "state": "OPEN", "marks": ["HOT"], "next": "OPEN"}),
    ] {
        client.create("ticket", data).await;
    }
    apply(client, &retired(), &[]).await.unwrap();
}

async fn update(client: &Client, code: &str, data: Json) -> Vec<String> {
    client
        .errors(
            "mutation($code: String!, $data: TicketUpdate!) {
               updateTickets(where: {code: {eq: $code}}, data: $data) { count } }",
            json!({"code": code, "data": data}),
        )
        .await
}

async fn what_is_there_stays(client: Client) {
    tickets(&client).await;
    let data = client
        .data(
            &format!(
                "{{ all: tickets(orderBy: [{{state: ASC}}]) {{ {NODES} }}
                    lost: tickets(where: {{state: {{eq: LOST}}, marks: {{has: OLD}}}}) {{ nodes {{ code }} }}
                    groups: tickets {{ groups(by: [{{state: true}}], orderBy: [{{key: {{state: ASC}}}}]) {{ nodes {{ key {{ state }} aggregate {{ count }} }} }} }} }}"
            ),
            json!({}),
        )
        .await;
    assert_eq!(
        data["all"]["nodes"],
        json!([{"code": "a", "state": "LOST", "marks": ["OLD", "HOT"]},
               {"code": "b", "state": "OPEN", "marks": ["HOT"]}])
    );
    assert_eq!(data["lost"]["nodes"], json!([{"code": "a"}]));
    assert_eq!(
        data["groups"]["groups"]["nodes"],
        json!([{"key": {"state": "LOST"}, "aggregate": {"count": 1}},
               {"key": {"state": "OPEN"}, "aggregate": {"count": 1}}])
    );

    // As it was, in another order, beside another change, and without it.
    let nothing: [&str; 0] = [];
    for data in [
        json!({"state": "LOST", "code": "a"}),
        json!({"marks": ["HOT", "OLD"]}),
        json!({"next": "WON"}),
        json!({"state": "WON", "marks": ["HOT"]}),
    ] {
        assert_eq!(update(&client, "a", data.clone()).await, nothing, "{data}");
    }
    // It has gone, so it does not come back.
    assert_eq!(
        update(&client, "a", json!({"state": "LOST"})).await,
        ["VALIDATION_FAILED", "  data.state RETIRED"]
    );
}

async fn nobody_gets_one(client: Client) {
    tickets(&client).await;
    assert_eq!(
        update(&client, "b", json!({"state": "LOST", "marks": ["OLD"]})).await,
        [
            "VALIDATION_FAILED",
            "  data.state RETIRED",
            "  data.marks RETIRED"
        ]
    );
    let created = client
        .errors(
            "mutation($data: TicketCreate!) { createTicket(data: $data) { id } }",
            json!({"data": {"code": "c", "state": "LOST", "marks": ["HOT", "OLD"]}}),
        )
        .await;
    assert_eq!(
        created,
        [
            "VALIDATION_FAILED",
            "  data.state RETIRED",
            "  data.marks RETIRED"
        ]
    );
    let worked_out = client
        .errors(
            "mutation($data: TicketCreate!) { createTicket(data: $data) { id } }",
            json!({"data": {"code": "worked out"}}),
        )
        .await;
    assert_eq!(worked_out, ["VALIDATION_FAILED", "  data.next RETIRED"]);
    let upserted = client
        .errors(
            "mutation($data: [TicketCreate!]!) { upsertTickets(on: code, data: $data) { count } }",
            json!({"data": [{"code": "a", "state": "LOST"}, {"code": "b", "state": "LOST"}]}),
        )
        .await;
    assert_eq!(upserted, ["VALIDATION_FAILED", "  data.1.state RETIRED"]);

    let (body, _) = client
        .ask(
            "mutation { createTicket(data: {state: LOST}) { id } }",
            json!({}),
        )
        .await;
    assert_eq!(
        body["errors"][0]["extensions"]["issues"][0]["message"],
        "\"LOST\" is retired; expected \"OPEN\" or \"WON\""
    );

    // Nor by the default of a blueprint.
    let mut defaulted = retired();
    defaulted["objects"][0]["fields"][1]["default"] = json!("LOST");
    defaulted["objects"][0]["fields"][2]["default"] = json!(["HOT", "OLD"]);
    let Err(AppError::BadInput { issues, .. }) = apply(&client, &defaulted, &[]).await else {
        panic!("it was applied");
    };
    let told: Vec<_> = issues
        .0
        .iter()
        .map(|issue| (issue.path_text(), issue.params["cause"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("objects[0].fields[1].default".to_owned(), "RETIRED"),
            ("objects[0].fields[2].default".to_owned(), "RETIRED")
        ]
    );
}

async fn the_schema_deprecates_it(client: Client) {
    tickets(&client).await;
    let data = client
        .data(
            "{ __type(name: \"TicketState\") { enumValues(includeDeprecated: true) { name isDeprecated deprecationReason } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data["__type"]["enumValues"],
        json!([
            {"name": "LOST", "isDeprecated": true, "deprecationReason": "retired"},
            {"name": "OPEN", "isDeprecated": false, "deprecationReason": null},
            {"name": "WON", "isDeprecated": false, "deprecationReason": null},
        ])
    );
}

async fn one_that_is_held_goes_only_when_that_is_agreed_to(client: Client) {
    tickets(&client).await;
    let without = document(&json!(["OPEN", "WON"]), &json!(["HOT"]));
    let Err(AppError::BadInput { issues, .. }) = apply(&client, &without, &[]).await else {
        panic!("it was applied");
    };
    let told: Vec<_> = issues.0.iter().map(|issue| issue.code.as_str()).collect();
    assert!(told.iter().all(|code| *code == "CONFIRM"), "{issues}");
    assert!(issues.to_string().contains("ticket.state.LOST"), "{issues}");
    let names = ["ticket.state.LOST", "ticket.marks.OLD", "ticket.next.LOST"];
    apply(&client, &without, &names).await.unwrap();
    let data = client
        .data(
            &format!("{{ tickets(orderBy: [{{code: ASC}}]) {{ {NODES} }} }}"),
            json!({}),
        )
        .await;
    assert_eq!(
        data["tickets"]["nodes"],
        json!([{"code": "a", "state": null, "marks": ["HOT"]},
               {"code": "b", "state": "OPEN", "marks": ["HOT"]}])
    );
}
