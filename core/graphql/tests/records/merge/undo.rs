//! A merge that is taken back, and what comes out of the trash without it.

use serde_json::{Value as Json, json};

use super::{FIRM_MERGE, UNMERGE, blueprint, companies, delete, merge, merging};
use crate::fixture::{Client, on_each_database};

on_each_database! {
    an_undone_merge_leaves_no_trace
    figures_follow_a_merge_and_its_undoing
    what_was_changed_since_is_left
    one_that_is_restored_points_at_who_is_there
    what_refuses_an_undoing_is_told_at_once
    lists_go_back_to_what_they_were
    what_is_not_there_can_not_be_undone
    what_is_gone_stays_and_the_others_come_back
}

/// Companies and what points at them, without versions and times.
async fn all(client: &Client) -> Json {
    client
        .data(
            "{ companies(orderBy: [{name: ASC}]) { nodes { id name employees parent { id } owner { ... on User { id } } } }
               people(deleted: INCLUDE, orderBy: [{name: ASC}]) { nodes { id company { id } } }
               notes(deleted: INCLUDE) { nodes { id company { id } } } }",
            json!({}),
        )
        .await
}

async fn an_undone_merge_leaves_no_trace(client: Client) {
    let a = client.create("company", json!({"name": "A"})).await;
    let b = client
        .create(
            "company",
            json!({"name": "B", "employees": 5, "parent": {"connect": {"id": a}}}),
        )
        .await;
    let c = client
        .create(
            "company",
            json!({"name": "C", "parent": {"connect": {"id": b}}}),
        )
        .await;
    for (name, company) in [("P", &b), ("Q", &c), ("R", &a)] {
        client
            .create(
                "person",
                json!({"name": {"full": name}, "company": {"connect": {"id": company}}}),
            )
            .await;
    }
    let note = client
        .create(
            "note",
            json!({"title": "N", "company": {"connect": {"id": c}}}),
        )
        .await;
    delete(&client, "Note", &note).await;
    let before = all(&client).await;
    merge(&client, &[&a, &b, &c], &a, "id").await;
    assert_ne!(all(&client).await, before);
    let undone = client.data(UNMERGE, json!({"id": c})).await;
    assert_eq!(
        undone["unmergeCompany"],
        json!({"survivor": a, "restored": [b, c], "left": []})
    );
    assert_eq!(all(&client).await, before);
    let asked = client
        .data(
            "query Q($id: ID!) { company(id: $id) { name } }",
            json!({"id": b}),
        )
        .await;
    assert_eq!(asked["company"]["name"], "B");
    assert_eq!(
        client.errors(UNMERGE, json!({"id": c})).await,
        ["NOT_FOUND"]
    );
    // A merge of what was merged is undone from the outside in.
    merge(&client, &[&a, &b], &b, "id").await;
    merge(&client, &[&b, &c], &c, "id").await;
    assert_eq!(
        client.errors(UNMERGE, json!({"id": a})).await,
        ["NOT_FOUND"]
    );
    client.data(UNMERGE, json!({"id": b})).await;
    client.data(UNMERGE, json!({"id": a})).await;
    assert_eq!(all(&client).await, before);
}

async fn figures_follow_a_merge_and_its_undoing(client: Client) {
    blueprint(
        &client,
        json!([
            {"key": "holding", "plural": "holdings", "label": "name", "fields": [
                {"key": "name", "kind": "text"},
                {"key": "seats", "kind": "rollup", "of": "firm", "by": "holding", "function": "SUM",
                 "expression": "record.seatCount"},
                {"key": "largest", "kind": "rollup", "of": "firm", "by": "holding", "function": "MAX",
                 "expression": "record.seatCount"},
            ]},
            {"key": "firm", "plural": "firms", "label": "name", "fields": [
                {"key": "name", "kind": "text"},
                {"key": "holding", "kind": "relation", "to": "holding", "inverse": "firms"},
                {"key": "boss", "kind": "relation", "to": "firm", "inverse": "branches"},
                {"key": "seatCount", "kind": "rollup", "of": "seat", "by": "firm", "function": "COUNT"},
                {"key": "rent", "kind": "rollup", "of": "seat", "by": "firm", "function": "SUM",
                 "expression": "record.price"},
                {"key": "branchCount", "kind": "rollup", "of": "firm", "by": "boss", "function": "COUNT"},
                {"key": "yearly", "kind": "formula", "expression": "record.rent * 12"},
            ]},
            {"key": "seat", "plural": "seats", "label": "place", "fields": [
                {"key": "place", "kind": "text"},
                {"key": "price", "kind": "integer"},
                {"key": "firm", "kind": "relation", "to": "firm", "inverse": "chairs"},
            ]},
        ]),
    )
    .await;
    let by = |id: &String| json!({"connect": {"id": id}});
    let g = client.create("holding", json!({"name": "G"})).await;
    let h = client.create("holding", json!({"name": "H"})).await;
    let a = client
        .create("firm", json!({"name": "A", "holding": by(&g)}))
        .await;
    let b = client
        .create("firm", json!({"name": "B", "holding": by(&h)}))
        .await;
    let c = client
        .create(
            "firm",
            json!({"name": "C", "holding": by(&h), "boss": by(&b)}),
        )
        .await;
    let d = client
        .create("firm", json!({"name": "D", "boss": by(&b)}))
        .await;
    let mut gone = String::new();
    for (firm, price) in [(&a, 1), (&b, 20), (&b, 300), (&c, 4000), (&d, 50000)] {
        gone = client
            .create(
                "seat",
                json!({"place": price.to_string(), "price": price, "firm": by(firm)}),
            )
            .await;
    }
    // One in the trash counts nowhere, and comes back to who is there.
    client
        .data(
            "mutation U($id: ID!, $data: SeatUpdate!) { updateSeat(id: $id, data: $data) { id } deleteSeat(id: $id) { id } }",
            json!({"id": gone, "data": {"firm": by(&b)}}),
        )
        .await;
    let figures =
        "{ firms(orderBy: [{name: ASC}]) { nodes { name seatCount rent yearly branchCount } }
        holdings(orderBy: [{name: ASC}]) { nodes { seats largest } } }";
    let before = client.data(figures, json!({})).await;
    assert_eq!(
        before["holdings"]["nodes"],
        json!([{"seats": 1, "largest": 1}, {"seats": 3, "largest": 2}])
    );
    let merged = client
        .data(
            &merging(
                FIRM_MERGE,
                "seatCount rent yearly branchCount holding { seats largest }",
            ),
            json!({"ids": [a, b, c], "keep": a}),
        )
        .await;
    assert_eq!(
        merged["mergeFirms"],
        json!({"seatCount": 4, "rent": 4321, "yearly": 51852, "branchCount": 1,
               "holding": {"seats": 4, "largest": 4}})
    );
    let after = client.data(figures, json!({})).await;
    assert_eq!(
        after["holdings"]["nodes"][1],
        json!({"seats": 0, "largest": null})
    );
    // Also what comes out of the trash meanwhile, and what is new.
    client
        .data(
            "mutation R($id: ID!) { restoreSeat(id: $id) { id } }",
            json!({"id": gone}),
        )
        .await;
    let new = client
        .create("seat", json!({"price": 600_000, "firm": by(&c)}))
        .await;
    let firm = "query Q($id: ID!) { firm(id: $id) { seatCount rent } }";
    let found = client.data(firm, json!({"id": c})).await;
    assert_eq!(found["firm"], json!({"seatCount": 6, "rent": 654_321}));
    client
        .data(
            "mutation D($a: ID!, $b: ID!) { deleteSeat(id: $a) { id } destroySeat(id: $b) }",
            json!({"a": gone, "b": new}),
        )
        .await;
    client
        .data(
            "mutation U($id: ID!) { unmergeFirm(id: $id) { restored } }",
            json!({"id": b}),
        )
        .await;
    assert_eq!(client.data(figures, json!({})).await, before);
}

async fn what_was_changed_since_is_left(client: Client) {
    let ids = companies(&client, &["A", "X"]).await;
    let (a, x) = (&ids[0], &ids[1]);
    let b = client
        .create("company", json!({"name": "B", "employees": 5}))
        .await;
    let person = client
        .create(
            "person",
            json!({"name": {"full": "P"}, "company": {"connect": {"id": b}}}),
        )
        .await;
    merge(&client, &[a, &b], a, "id").await;
    client
        .data(
            "mutation U($p: ID!, $x: ID!, $a: ID!) {
               updatePerson(id: $p, data: {company: {connect: {id: $x}}}) { id }
               updateCompany(id: $a, data: {employees: 6}) { id } }",
            json!({"p": person, "x": x, "a": a}),
        )
        .await;
    let undone = client.data(UNMERGE, json!({"id": b})).await;
    assert_eq!(
        undone["unmergeCompany"]["left"],
        json!([{"object": "company", "id": a, "field": "employees"},
               {"object": "person", "id": person, "field": "company"}])
    );
    let all = all(&client).await;
    assert_eq!(all["companies"]["nodes"][0]["employees"], json!(6));
    assert_eq!(all["companies"]["nodes"][1]["employees"], json!(5));
    assert_eq!(all["people"]["nodes"][0]["company"], json!({"id": x}));
}

async fn one_that_is_restored_points_at_who_is_there(client: Client) {
    let ids = companies(&client, &["A", "B"]).await;
    let (a, b) = (&ids[0], &ids[1]);
    let c = client
        .create(
            "company",
            json!({"name": "C", "parent": {"connect": {"id": b}}}),
        )
        .await;
    merge(&client, &[a, b, &c], a, "id").await;
    let restored = client
        .data(
            "mutation R($id: ID!) { restoreCompany(id: $id) { name parent { id } } }",
            json!({"id": c}),
        )
        .await;
    assert_eq!(
        restored["restoreCompany"],
        json!({"name": "C", "parent": {"id": a}})
    );
    // Of a merge of which one was restored, the others still come back.
    let undone = client.data(UNMERGE, json!({"id": b})).await;
    assert_eq!(undone["unmergeCompany"]["survivor"], json!(a));
    assert_eq!(client.count("companies").await, json!(3));
}

async fn what_refuses_an_undoing_is_told_at_once(client: Client) {
    blueprint(
        &client,
        json!([
            {"key": "firm", "plural": "firms", "label": "name", "fields": [
                {"key": "name", "kind": "text", "required": true},
                {"key": "code", "kind": "text", "unique": true},
            ]},
            {"key": "bill", "plural": "bills", "label": "name", "lockedWhen": "old.paid", "fields": [
                {"key": "name", "kind": "text"},
                {"key": "paid", "kind": "boolean"},
                {"key": "payer", "kind": "relation", "to": "firm"},
            ]},
        ]),
    )
    .await;
    let a = client.create("firm", json!({"name": "A"})).await;
    let b = client
        .create("firm", json!({"name": "B", "code": "X"}))
        .await;
    let bill = client
        .create(
            "bill",
            json!({"name": "1", "payer": {"connect": {"id": b}}}),
        )
        .await;
    client
        .data(
            &merging(FIRM_MERGE, "code"),
            json!({"ids": [a, b], "keep": a, "data": {"code": null}}),
        )
        .await;
    // Somebody takes the key, and locks what has moved.
    let other = client
        .create("firm", json!({"name": "C", "code": "X"}))
        .await;
    client
        .data(
            "mutation U($id: ID!) { updateBill(id: $id, data: {paid: true}) { id } }",
            json!({"id": bill}),
        )
        .await;
    let state = "{ firms(deleted: INCLUDE) { nodes { id version } } bills { nodes { version payer { id } } } }";
    let before = client.data(state, json!({})).await;
    let undo = "mutation U($id: ID!) { unmergeFirm(id: $id) { survivor } }";
    assert_eq!(
        client.errors(undo, json!({"id": b})).await,
        [
            "VALIDATION_FAILED".to_owned(),
            format!("  firms.{b}.code NOT_UNIQUE"),
            format!("  bills.{bill} LOCKED"),
        ]
    );
    assert_eq!(client.data(state, json!({})).await, before);
    // One of the two has gone.
    client
        .data(
            "mutation D($id: ID!) { destroyFirm(id: $id) }",
            json!({"id": other}),
        )
        .await;
    assert_eq!(
        client.errors(undo, json!({"id": b})).await,
        [
            "VALIDATION_FAILED".to_owned(),
            format!("  bills.{bill} LOCKED")
        ]
    );
}

async fn lists_go_back_to_what_they_were(client: Client) {
    let mut ids = Vec::new();
    for (name, number) in [
        ("A", "030 901820"),
        ("B", "+33 1 42 92 81 00"),
        ("C", "030/901820"),
    ] {
        let phones = json!({"primary": number});
        let person = json!({"name": {"full": name}, "phones": phones});
        ids.push(client.create("person", person).await);
    }
    let people = "{ people(orderBy: [{name: ASC}]) { nodes { phones { primary { typed e164 } additional { typed e164 } } } } }";
    let before = client.data(people, json!({})).await;
    let merged = client
        .data(
            "mutation M($ids: [ID!]!, $keep: ID!) { mergePeople(ids: $ids, keep: $keep) { phones { additional { typed } } } }",
            json!({"ids": ids, "keep": ids[0]}),
        )
        .await;
    // The same number, typed in another way, is no other number.
    assert_eq!(
        merged["mergePeople"]["phones"]["additional"],
        json!([{"typed": "+33 1 42 92 81 00"}])
    );
    let undone = client
        .data(
            "mutation U($id: ID!) { unmergePerson(id: $id) { left { field } } }",
            json!({"id": ids[2]}),
        )
        .await;
    assert_eq!(undone["unmergePerson"]["left"], json!([]));
    assert_eq!(client.data(people, json!({})).await, before);
}

async fn what_is_not_there_can_not_be_undone(client: Client) {
    let ids = companies(&client, &["A", "B", "C"]).await;
    let (a, b, c) = (&ids[0], &ids[1], &ids[2]);
    merge(&client, &[a, b, c], a, "id").await;
    // While the survivor is in the trash.
    delete(&client, "Company", a).await;
    let undo = async || client.errors(UNMERGE, json!({"id": b})).await;
    assert_eq!(undo().await, ["NOT_FOUND"]);
    let restore = "mutation R($id: ID!) { restoreCompany(id: $id) { id } }";
    client.data(restore, json!({"id": a})).await;
    // When the others have gone for good.
    let destroy = "mutation D($id: ID!) { destroyCompany(id: $id) }";
    client.data(destroy, json!({"id": b})).await;
    assert_eq!(undo().await, ["NOT_FOUND"]);
    assert_eq!(
        client.errors(UNMERGE, json!({"id": a})).await,
        ["NOT_FOUND"]
    );
    client.data(restore, json!({"id": c})).await;
    assert_eq!(client.count("companies").await, json!(2));
}

async fn what_is_gone_stays_and_the_others_come_back(client: Client) {
    let ids = companies(&client, &["A", "B", "C"]).await;
    let (a, b, c) = (&ids[0], &ids[1], &ids[2]);
    let update = "mutation U($id: ID!, $data: CompanyUpdate!) { updateCompany(id: $id, data: $data) { id } }";
    for (id, data) in [
        (b, json!({"employees": 7})),
        (c, json!({"website": "https://c.example"})),
    ] {
        client.data(update, json!({"id": id, "data": data})).await;
    }
    let of_b = client
        .create(
            "note",
            json!({"title": "of B", "company": {"connect": {"id": b}}}),
        )
        .await;
    let of_c = client
        .create(
            "note",
            json!({"title": "of C", "company": {"connect": {"id": c}}}),
        )
        .await;
    merge(&client, &[a, b, c], a, "id").await;
    let destroy = "mutation D($id: ID!) { destroyCompany(id: $id) }";
    client.data(destroy, json!({"id": c})).await;

    let undo = UNMERGE.replace("restored", "restored gone");
    let mut undone = client.data(&undo, json!({"id": b})).await["unmergeCompany"].take();
    let left = undone["left"].as_array_mut().unwrap();
    left.sort_by_key(Json::to_string);
    assert_eq!(
        undone,
        json!({"survivor": a, "restored": [b], "gone": [c], "left": [
            {"object": "company", "id": a, "field": "website"},
            {"object": "note", "id": of_c, "field": "company"},
        ]})
    );
    let query = "query Q($a: ID!, $b: ID!, $n: ID!, $m: ID!) {
        a: company(id: $a) { employees website } b: company(id: $b) { employees mergedInto }
        n: note(id: $n) { company { id } } m: note(id: $m) { company { id } } }";
    let is = client
        .data(query, json!({"a": a, "b": b, "n": of_b, "m": of_c}))
        .await;
    assert_eq!(
        is,
        json!({"a": {"employees": null, "website": "https://c.example"},
               "b": {"employees": 7, "mergedInto": null},
               "n": {"company": {"id": b}}, "m": {"company": {"id": a}}})
    );
}
