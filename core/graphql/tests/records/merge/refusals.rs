//! What refuses a merge, and that its preview says the same.

use serde_json::{Value as Json, json};

use super::{FIRM_MERGE, FIRM_PREVIEW, MERGE, blueprint, companies, delete, firms, merging};
use crate::fixture::{Client, on_each_database};

on_each_database! {
    wrong_sets_are_refused
    what_refuses_a_merge_is_what_its_preview_says
    what_can_not_move_refuses_the_merge
    a_preview_says_what_the_merge_does
}

async fn wrong_sets_are_refused(client: Client) {
    let ids = companies(&client, &["A", "B"]).await;
    let (a, b) = (&ids[0], &ids[1]);
    let person = client
        .create("person", json!({"name": {"full": "P"}}))
        .await;
    let nobody = "0190163d-8694-739b-aea5-966c26f8ad91";
    let many: Vec<String> = (0..51)
        .map(|number| format!("0190163d-8694-739b-aea5-0000000000{number:02x}"))
        .collect();
    for (ids, keep, expected) in [
        (json!([a, nobody]), json!(a), vec!["NOT_FOUND"]),
        (json!([a, person]), json!(a), vec!["NOT_FOUND"]),
        (json!([a, "no id"]), json!(a), vec!["NOT_FOUND"]),
        (
            json!([a, b, a]),
            json!(a),
            vec!["BAD_INPUT", "  ids.2 BAD_INPUT"],
        ),
        (
            json!([a, b]),
            json!(person),
            vec!["BAD_INPUT", "  keep BAD_INPUT"],
        ),
        (json!([a]), json!(a), vec!["BAD_INPUT", "  ids BAD_INPUT"]),
        (json!(many), json!(many[0]), vec!["LIMIT_EXCEEDED"]),
    ] {
        let variables = json!({"ids": ids, "keep": keep});
        let told = client
            .errors(&merging(MERGE, "id"), variables.clone())
            .await;
        assert_eq!(told, expected, "{variables}");
        let preview = "query P($ids: [ID!]!, $keep: ID!) { companyMergePreview(ids: $ids, keep: $keep) { issues { code } } }";
        assert_eq!(client.errors(preview, variables).await, expected);
    }
    // What is in the trash is restored first.
    delete(&client, "Company", b).await;
    let variables = json!({"ids": [a, b], "keep": a});
    let told = client.errors(&merging(MERGE, "id"), variables).await;
    assert_eq!(told, ["NOT_FOUND"]);
    assert_eq!(client.count("companies").await, json!(1));
}

/// What a preview tells is what the merge says. (Errors leave out parameters where there are none.)
fn assert_same_issues(previewed: &Json, refused: &Json) {
    let mut issues = refused["errors"][0]["extensions"]["issues"].clone();
    for issue in issues.as_array_mut().unwrap() {
        let issue = issue.as_object_mut().unwrap();
        issue.entry("params").or_insert_with(|| json!({}));
    }
    assert_eq!(*previewed, issues);
}

async fn what_refuses_a_merge_is_what_its_preview_says(client: Client) {
    firms(&client).await;
    let mut ids = Vec::new();
    let mut seats = Vec::new();
    for (name, size) in [("A", 1), ("B", 99), ("C", 3)] {
        let id = client
            .create("firm", json!({"name": name, "size": size}))
            .await;
        seats.push(
            client
                .create(
                    "seat",
                    json!({"place": "Bonn", "firm": {"connect": {"id": id}}}),
                )
                .await,
        );
        ids.push(id);
    }
    let (a, b, c) = (&ids[0], &ids[1], &ids[2]);
    let versions =
        "{ firms { nodes { id version seatCount } } seats { nodes { id version firm { id } } } }";
    let before = client.data(versions, json!({})).await;
    let query = merging(FIRM_MERGE, "id");
    let check = |ids: Json, data: Json, expected: Vec<String>| {
        let (client, query, a) = (client.clone(), query.clone(), a.clone());
        async move {
            let variables = json!({"ids": ids, "keep": a, "data": data});
            let (body, _) = client.ask(&query, variables.clone()).await;
            let mut told = client.errors(&query, variables.clone()).await;
            told.sort();
            let mut expected = expected;
            expected.sort();
            assert_eq!(told, expected);
            let preview = client.data(FIRM_PREVIEW, variables).await;
            assert_same_issues(&preview["firmMergePreview"]["issues"], &body);
        }
    };
    // Two seats of one firm in one place, and a rule about the survivor: both are told.
    check(
        json!([a, c]),
        json!({"size": 13}),
        vec![
            "VALIDATION_FAILED".to_owned(),
            format!("  ids.1.seats.{}.firm NOT_UNIQUE", seats[2]),
            "  data.size RULE".to_owned(),
        ],
    )
    .await;
    check(
        json!([a, c]),
        json!({}),
        vec![
            "UNIQUE_VIOLATION".to_owned(),
            format!("  ids.1.seats.{}.firm NOT_UNIQUE", seats[2]),
        ],
    )
    .await;
    // A locked record can't go.
    client
        .data(
            "mutation D($id: ID!) { destroySeat(id: $id) }",
            json!({"id": seats[1]}),
        )
        .await;
    check(
        json!([a, b]),
        json!({}),
        vec!["VALIDATION_FAILED".to_owned(), "  ids.1 LOCKED".to_owned()],
    )
    .await;
    let mut after = client.data(versions, json!({})).await;
    // The seat that was destroyed in between, and its count.
    let mut expected = before;
    expected["seats"]["nodes"].as_array_mut().unwrap().remove(1);
    expected["firms"]["nodes"][1]["seatCount"] = json!(0);
    assert_eq!(after["firms"].take(), expected["firms"].take());
    assert_eq!(after["seats"].take(), expected["seats"].take());
}

async fn what_can_not_move_refuses_the_merge(client: Client) {
    blueprint(
        &client,
        json!([
            {"key": "firm", "plural": "firms", "label": "name", "fields": [
                {"key": "name", "kind": "text", "required": true},
                {"key": "registered", "kind": "text", "immutable": true},
                {"key": "tags", "kind": "multiSelect", "options": ["X", "Y"]},
                {"key": "size", "kind": "integer"},
                {"key": "emails", "kind": "emails"},
                {"key": "code", "kind": "text"},
            ]},
            {"key": "bill", "plural": "bills", "label": "name", "lockedWhen": "old.paid", "fields": [
                {"key": "name", "kind": "text"},
                {"key": "paid", "kind": "boolean"},
                {"key": "payer", "kind": "relation", "to": "firm", "immutable": true},
                {"key": "payee", "kind": "relation", "to": "firm"},
            ]},
        ]),
    )
    .await;
    let a = client
        .create("firm", json!({"name": "A", "registered": "R1"}))
        .await;
    let b = client
        .create("firm", json!({"name": "B", "registered": "R2"}))
        .await;
    let by_b = json!({"connect": {"id": b}});
    let first = client
        .create("bill", json!({"name": "1", "payer": by_b, "payee": by_b}))
        .await;
    let second = client
        .create("bill", json!({"name": "2", "paid": true, "payee": by_b}))
        .await;
    client
        .create("bill", json!({"name": "3", "payee": by_b}))
        .await;
    let state = "{ firms(deleted: INCLUDE) { nodes { id version deletedAt } } bills { nodes { id version payee { id } } } }";
    let before = client.data(state, json!({})).await;
    let variables = json!({"ids": [a, b], "keep": a, "data": {"registered": "R3"}});
    let query = merging(FIRM_MERGE, "id");
    let mut told = client.errors(&query, variables.clone()).await;
    told[1..].sort();
    let mut expected = vec![
        format!("  ids.1.bills.{first}.payer IMMUTABLE"),
        format!("  ids.1.bills.{second} LOCKED"),
        "  data.registered IMMUTABLE".to_owned(),
    ];
    expected.sort();
    assert_eq!(told[0], "VALIDATION_FAILED");
    assert_eq!(told[1..], expected);
    let (body, _) = client.ask(&query, variables.clone()).await;
    let preview = client.data(FIRM_PREVIEW, variables).await;
    assert_same_issues(&preview["firmMergePreview"]["issues"], &body);
    assert_eq!(client.data(state, json!({})).await, before);
    // The other way round nothing has to move.
    client
        .data(
            "mutation M($ids: [ID!]!, $keep: ID!) { mergeFirms(ids: $ids, keep: $keep) { id } }",
            json!({"ids": [a, b], "keep": b}),
        )
        .await;
    let bills = client
        .data("{ bills { nodes { payee { id } } } }", json!({}))
        .await;
    let payee = json!({"payee": {"id": b}});
    assert_eq!(bills["bills"]["nodes"], json!([payee, payee, payee]));
}

async fn a_preview_says_what_the_merge_does(client: Client) {
    firms(&client).await;
    let a = client
        .create("firm", json!({"name": "A", "tags": ["X"]}))
        .await;
    let b = client
        .create("firm", json!({"name": "B", "size": 4, "tags": ["Y"]}))
        .await;
    let live = client
        .create(
            "seat",
            json!({"place": "Kiel", "firm": {"connect": {"id": b}}}),
        )
        .await;
    let gone = client
        .create(
            "seat",
            json!({"place": "Ulm", "firm": {"connect": {"id": b}}}),
        )
        .await;
    delete(&client, "Seat", &gone).await;
    let variables = json!({"ids": [a, b], "keep": a, "data": {"code": "N"}});
    let preview = client.data(FIRM_PREVIEW, variables.clone()).await;
    assert_eq!(
        preview["firmMergePreview"],
        json!({
            "fields": [
                {"name": "name", "value": "A", "from": [a]},
                {"name": "code", "value": "N", "from": []},
                {"name": "size", "value": 4, "from": [b]},
                {"name": "tags", "value": ["X", "Y"], "from": [a, b]},
                {"name": "seatCount", "value": 1, "from": []},
                {"name": "owner", "value": client.caller.user.as_ref().unwrap().id, "from": [a]},
            ],
            "moves": [{"object": "seat", "field": "firm", "count": 1, "trashed": 1}],
            "conflicts": [{"name": "name", "values": [{"id": a, "value": "A"}, {"id": b, "value": "B"}]}],
            "issues": [],
        })
    );
    // Nothing of it stays.
    let seat = "query S($id: ID!) { seat(id: $id) { version firm { id } } }";
    let found = client.data(seat, json!({"id": live})).await;
    assert_eq!(found["seat"], json!({"version": 1, "firm": {"id": b}}));
    assert_eq!(client.count("firms").await, json!(2));
    let merged = client
        .data(
            &merging(FIRM_MERGE, "name code size tags seatCount"),
            variables,
        )
        .await;
    assert_eq!(
        merged["mergeFirms"],
        json!({"name": "A", "code": "N", "size": 4, "tags": ["X", "Y"], "seatCount": 1})
    );
}
