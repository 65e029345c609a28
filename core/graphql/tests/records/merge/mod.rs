//! Merges: several records become one, everything that points at them follows, and all of it can
//! be taken back.

mod refusals;
mod undo;

use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    three_companies_become_one
    what_is_filled_united_and_given
    lists_are_united_within_their_limits
    a_relation_among_the_merged_is_emptied
    what_the_survivor_pointed_at_holds_nothing_back
    the_survivor_answers_for_the_others
    who_loses_a_survivor_for_good_answers_again
    a_record_says_where_it_went_and_what_came_to_it
    rules_see_the_survivor_as_it_will_be
}

/// The survivor takes what a rule on what moves to it asks for: from another, and from the data.
async fn rules_see_the_survivor_as_it_will_be(client: Client) {
    blueprint(
        &client,
        json!([
            {"key": "firm", "plural": "firms", "label": "name", "fields": [
                {"key": "name", "kind": "text", "required": true},
                {"key": "code", "kind": "text", "unique": true},
                {"key": "size", "kind": "integer"},
            ]},
            {"key": "order", "plural": "orders", "label": "name",
             "rules": [{"key": "small", "must": "record.firm.size < 100",
                        "message": {"en": "The firm is too large"}, "fields": ["firm"]},
                       {"key": "coded", "must": "record.firm.code != null",
                        "message": {"en": "The firm has no code"}, "fields": ["firm"]}],
             "fields": [
                {"key": "name", "kind": "text"},
                {"key": "firm", "kind": "relation", "to": "firm", "inverse": "orders"},
            ]},
        ]),
    )
    .await;
    let a = client
        .create("firm", json!({"name": "A", "size": 200}))
        .await;
    let b = client
        .create("firm", json!({"name": "B", "code": "b", "size": 5}))
        .await;
    let order = client
        .create(
            "order",
            json!({"name": "of B", "firm": {"connect": {"id": b}}}),
        )
        .await;
    let variables = json!({"ids": [a, b], "keep": a});
    // It stays as large as it is, and the order may not belong to it.
    let refused = client.errors(FIRM_MERGE, variables).await;
    assert_eq!(refused[0], "VALIDATION_FAILED");
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused[1].ends_with(&format!("{order}.firm RULE")),
        "{refused:?}"
    );
    let variables = json!({"ids": [a, b], "keep": a, "data": {"size": 9}});
    client.data(FIRM_MERGE, variables).await;
    let query = "query Q($id: ID!) { order(id: $id) { firm { id code size } } }";
    let is = client.data(query, json!({"id": order})).await;
    assert_eq!(
        is["order"]["firm"],
        json!({"id": a, "code": "b", "size": 9})
    );
}

async fn a_record_says_where_it_went_and_what_came_to_it(client: Client) {
    let ids = companies(&client, &["A", "B", "C"]).await;
    let (a, b, c) = (&ids[0], &ids[1], &ids[2]);
    delete(&client, "Company", c).await;
    merge(&client, &[a, b], a, "id").await;
    let trash = "{ companies(deleted: ONLY, orderBy: [{name: ASC}]) { nodes { id mergedInto } } }";
    assert_eq!(
        client.data(trash, json!({})).await["companies"]["nodes"],
        json!([{"id": b, "mergedInto": a}, {"id": c, "mergedInto": null}])
    );
    let history = "query H($id: ID!) { company(id: $id) { mergedInto
        history(first: 2) { nodes { change merged fields { name } } } } }";
    assert_eq!(
        client.data(history, json!({"id": a})).await["company"],
        json!({"mergedInto": null, "history": {"nodes": [
            {"change": "MERGE", "merged": [{"id": b, "label": "B"}], "fields": []},
            {"change": "CREATE", "merged": null, "fields": [{"name": "name"}]},
        ]}})
    );
}

const MERGE: &str = "mutation M($ids: [ID!]!, $keep: ID!, $data: CompanyUpdate) { mergeCompanies(ids: $ids, keep: $keep, data: $data) { id } }";

const FIRM_MERGE: &str = "mutation M($ids: [ID!]!, $keep: ID!, $data: FirmUpdate) { mergeFirms(ids: $ids, keep: $keep, data: $data) { id } }";

const UNMERGE: &str = "mutation U($id: ID!) { unmergeCompany(id: $id) { survivor restored left { object id field } } }";

const FIRM_PREVIEW: &str = "query P($ids: [ID!]!, $keep: ID!, $data: FirmUpdate) { firmMergePreview(ids: $ids, keep: $keep, data: $data) {
    fields { name value from } moves { object field count trashed } conflicts { name values { id value } } issues { path code message params } } }";

/// The mutation with what is selected of the survivor.
fn merging(mutation: &str, selected: &str) -> String {
    let (head, _) = mutation.rsplit_once("{ id").unwrap();
    format!("{head}{{ {selected} }} }}")
}

async fn merge(client: &Client, ids: &[&String], keep: &str, selected: &str) -> Json {
    let query = merging(MERGE, selected);
    let mut data = client.data(&query, json!({"ids": ids, "keep": keep})).await;
    data["mergeCompanies"].take()
}

async fn companies(client: &Client, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(client.create("company", json!({"name": name})).await);
    }
    ids
}

async fn delete(client: &Client, object: &str, id: &str) {
    let query = format!("mutation D($id: ID!) {{ delete{object}(id: $id) {{ id }} }}");
    client.data(&query, json!({"id": id})).await;
}

async fn blueprint(client: &Client, objects: Json) {
    let document = json!({"relata": 1, "objects": objects});
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", error.issues()));
}

/// Firms with seats: at most one seat of a firm in a place, and a count of them.
async fn firms(client: &Client) {
    blueprint(client, json!([
        {"key": "firm", "plural": "firms", "label": "name",
         "rules": [{"key": "size", "must": "record.size != 13", "message": {"en": "An unlucky size"},
                    "fields": ["size"]}],
         "lockedWhen": "old.size == 99",
         "fields": [
            {"key": "name", "kind": "text", "required": true},
            {"key": "code", "kind": "text", "unique": true},
            {"key": "size", "kind": "integer"},
            {"key": "tags", "kind": "multiSelect", "options": ["X", "Y", "Z"]},
            {"key": "emails", "kind": "emails"},
            {"key": "boss", "kind": "relation", "to": "firm", "inverse": "branches"},
            {"key": "seatCount", "kind": "rollup", "of": "seat", "by": "firm", "function": "COUNT"},
        ]},
        {"key": "seat", "plural": "seats", "label": "place",
         "unique": [["firm", "place"]],
         "fields": [
            {"key": "place", "kind": "text"},
            {"key": "firm", "kind": "relation", "to": "firm", "inverse": "seats",
             "onDelete": "RESTRICT", "required": true},
        ]},
    ])).await;
}

async fn three_companies_become_one(client: Client) {
    let ids = companies(&client, &["A", "B", "C"]).await;
    let (a, b, c) = (&ids[0], &ids[1], &ids[2]);
    for (object, data) in [
        (
            "person",
            json!({"name": {"full": "P"}, "company": {"connect": {"id": b}}}),
        ),
        (
            "deal",
            json!({"name": "D", "company": {"connect": {"id": c}}}),
        ),
        (
            "task",
            json!({"title": "T", "company": {"connect": {"id": b}}}),
        ),
    ] {
        client.create(object, data).await;
    }
    let note = client
        .create(
            "note",
            json!({"title": "N", "company": {"connect": {"id": c}}}),
        )
        .await;
    delete(&client, "Note", &note).await;
    let subsidiary = client
        .create(
            "company",
            json!({"name": "S", "parent": {"connect": {"id": b}}}),
        )
        .await;
    let merged = merge(
        &client,
        &[a, b, c],
        a,
        "id people { totalCount } deals { totalCount } tasks { totalCount }
         subsidiaries { nodes { id } }
         history { nodes { change version } }",
    )
    .await;
    assert_eq!(
        merged,
        json!({"id": a, "people": {"totalCount": 1}, "deals": {"totalCount": 1},
               "tasks": {"totalCount": 1}, "subsidiaries": {"nodes": [{"id": subsidiary}]},
               "history": {"nodes": [{"change": "MERGE", "version": 2},
                                     {"change": "CREATE", "version": 1}]}})
    );
    assert_eq!(client.count("companies").await, json!(2));
    // Each is a change of its record; also of one in the trash, which stays there.
    let note = pointing(&client, "notes", "title").await;
    assert_eq!(note[0]["company"], json!({"id": a}));
    assert_eq!(note[0]["version"], json!(3));
    assert!(note[0]["deletedAt"].is_string());
    let person = client
        .data(
            "{ people { nodes { version history { nodes { change fields { name old new } } } } } }",
            json!({}),
        )
        .await;
    assert_eq!(person["people"]["nodes"][0]["version"], json!(2));
    assert_eq!(
        person["people"]["nodes"][0]["history"]["nodes"][0],
        json!({"change": "UPDATE", "fields": [{"name": "company", "old": b, "new": a}]})
    );
    // The losers keep their own histories.
    let lost = client
        .data(
            "{ companies(deleted: ONLY, orderBy: [{name: ASC}]) { nodes { id history { nodes { change } } } } }",
            json!({}),
        )
        .await;
    let history = json!({"nodes": [{"change": "DELETE"}, {"change": "CREATE"}]});
    assert_eq!(
        lost["companies"]["nodes"],
        json!([{"id": b, "history": history}, {"id": c, "history": history}])
    );
}

/// Where the records of a list point, in the trash too, by name.
async fn pointing(client: &Client, list: &str, name: &str) -> Json {
    let query = format!(
        "{{ list: {list}(deleted: INCLUDE) {{ nodes {{ {name} company {{ id }} version deletedAt }} }} }}"
    );
    client.data(&query, json!({})).await["list"]["nodes"].take()
}

async fn what_is_filled_united_and_given(client: Client) {
    firms(&client).await;
    let a = client
        .create(
            "firm",
            json!({"name": "A", "tags": ["X"], "emails": {"primary": "a@example.org"}}),
        )
        .await;
    let b = client
        .create(
            "firm",
            json!({"name": "B", "code": "B1", "tags": ["Y", "X"],
            "emails": {"primary": "b@example.org", "additional": ["A@example.org"]}}),
        )
        .await;
    let c = client
        .create("firm", json!({"name": "C", "code": "C1", "size": 7}))
        .await;
    for (firm, place) in [(&a, "Bonn"), (&b, "Kiel"), (&c, "Ulm")] {
        client
            .create(
                "seat",
                json!({"place": place, "firm": {"connect": {"id": firm}}}),
            )
            .await;
    }
    let query = merging(
        FIRM_MERGE,
        "name code size tags emails { primary additional } seatCount seats { totalCount }
         history { nodes { change } }",
    );
    let merged = client
        .data(
            &query,
            json!({"ids": [c, b, a], "keep": a, "data": {"name": "All"}}),
        )
        .await;
    // The code of the first of `ids`, which is free because its record is in the trash.
    assert_eq!(
        merged["mergeFirms"],
        json!({"name": "All", "code": "C1", "size": 7, "tags": ["X", "Y"],
               "emails": {"primary": "a@example.org", "additional": ["b@example.org"]},
               "seatCount": 3, "seats": {"totalCount": 3},
               "history": {"nodes": [{"change": "MERGE"}, {"change": "UPDATE"}, {"change": "CREATE"}]}})
    );
    // What is emptied on purpose is not filled.
    let d = client.create("firm", json!({"name": "D", "size": 3})).await;
    let e = client.create("firm", json!({"name": "E"})).await;
    let merged = client
        .data(
            &merging(FIRM_MERGE, "size"),
            json!({"ids": [d, e], "keep": e, "data": {"size": null}}),
        )
        .await;
    assert_eq!(merged["mergeFirms"], json!({"size": null}));
}

async fn lists_are_united_within_their_limits(client: Client) {
    let many = |domain: &str| {
        let all: Vec<String> = (0..40)
            .map(|number| format!("n{number}@{domain}"))
            .collect();
        json!({"primary": format!("first@{domain}"), "additional": all})
    };
    let a = client
        .create(
            "person",
            json!({"name": {"full": "A"}, "emails": many("a.example")}),
        )
        .await;
    let b = client
        .create(
            "person",
            json!({"name": {"full": "B"}, "emails": many("b.example")}),
        )
        .await;
    let query = "mutation M($ids: [ID!]!, $keep: ID!, $data: PersonUpdate) { mergePeople(ids: $ids, keep: $keep, data: $data) { emails { primary additional } } }";
    let variables = json!({"ids": [a, b], "keep": a});
    assert_eq!(
        client.errors(query, variables).await,
        ["VALIDATION_FAILED", "  data.emails.additional TOO_MANY"]
    );
    let data = json!({"emails": {"primary": "first@b.example"}});
    let merged = client
        .data(query, json!({"ids": [a, b], "keep": a, "data": data}))
        .await;
    // Also one that was the other's: it has gone.
    assert_eq!(
        merged["mergePeople"],
        json!({"emails": {"primary": "first@b.example", "additional": []}})
    );
}

async fn a_relation_among_the_merged_is_emptied(client: Client) {
    let ids = companies(&client, &["A", "B", "C"]).await;
    let (a, b, c) = (&ids[0], &ids[1], &ids[2]);
    let update = "mutation U($id: ID!, $data: CompanyUpdate!) { updateCompany(id: $id, data: $data) { id } }";
    for (id, parent) in [(a, b), (b, c)] {
        let data = json!({"parent": {"connect": {"id": parent}}});
        client.data(update, json!({"id": id, "data": data})).await;
    }
    let merged = merge(
        &client,
        &[a, b, c],
        a,
        "parent { id } subsidiaries { totalCount }",
    )
    .await;
    assert_eq!(
        merged,
        json!({"parent": null, "subsidiaries": {"totalCount": 0}})
    );
    // Where one of them has a parent outside, that is whose child all of them are.
    let ids = companies(&client, &["D", "E", "F"]).await;
    let (d, e, f) = (&ids[0], &ids[1], &ids[2]);
    for (id, parent) in [(d, e), (e, f)] {
        let data = json!({"parent": {"connect": {"id": parent}}});
        client.data(update, json!({"id": id, "data": data})).await;
    }
    let merged = merge(&client, &[d, e], d, "parent { id }").await;
    assert_eq!(merged, json!({"parent": {"id": f}}));
    // Also where the data says so.
    let g = &companies(&client, &["G"]).await[0];
    let merged = client
        .data(
            &merging(MERGE, "parent { id }"),
            json!({"ids": [d, g], "keep": d, "data": {"parent": {"connect": {"id": g}}}}),
        )
        .await;
    assert_eq!(merged["mergeCompanies"], json!({"parent": null}));
}

async fn what_the_survivor_pointed_at_holds_nothing_back(client: Client) {
    blueprint(
        &client,
        json!([{"key": "unit", "plural": "units", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "above", "kind": "relation", "to": "unit", "onDelete": "CASCADE", "inverse": "below"},
            {"key": "heir", "kind": "relation", "to": "unit", "onDelete": "RESTRICT"},
            {"key": "home", "kind": "relation", "to": "unit"},
            {"key": "home2", "kind": "relation", "to": "unit"},
        ]}]),
    )
    .await;
    let other = client.create("unit", json!({"name": "other"})).await;
    let lost = client
        .create(
            "unit",
            json!({"name": "lost", "above": {"connect": {"id": other}}}),
        )
        .await;
    let by = |id: &String| json!({"connect": {"id": id}});
    let below = client
        .create("unit", json!({"name": "below", "above": by(&lost)}))
        .await;
    let keep = client
        .create(
            "unit",
            json!({"name": "keep", "above": by(&lost), "heir": by(&lost), "home": by(&lost)}),
        )
        .await;
    // What has always pointed at itself goes on.
    client
        .data(
            "mutation U($id: ID!, $data: UnitUpdate!) { updateUnit(id: $id, data: $data) { id } }",
            json!({"id": keep, "data": {"home2": by(&keep)}}),
        )
        .await;
    let merged = client
        .data(
            "mutation M($ids: [ID!]!, $keep: ID!) { mergeUnits(ids: $ids, keep: $keep) {
               above { id } heir { id } home { id } home2 { id } below { nodes { id } } deletedAt
               history { nodes { change fields { name } } } } }",
            json!({"ids": [keep, lost], "keep": keep}),
        )
        .await;
    // One change of it, though it pointed at one that has gone by three relations.
    assert_eq!(
        merged["mergeUnits"],
        json!({"above": {"id": other}, "heir": null, "home": null, "home2": {"id": keep},
        "below": {"nodes": [{"id": below}]}, "deletedAt": null,
        "history": {"nodes": [
            {"change": "MERGE", "fields": []},
            {"change": "UPDATE", "fields": [{"name": "above"}, {"name": "heir"}, {"name": "home"}]},
            {"change": "UPDATE", "fields": [{"name": "home2"}]},
            {"change": "CREATE", "fields": [{"name": "name"}, {"name": "above"}, {"name": "heir"}, {"name": "home"}]},
        ]}})
    );
    client
        .data(
            "mutation U($id: ID!) { unmergeUnit(id: $id) { survivor } }",
            json!({"id": lost}),
        )
        .await;
    let found = client
        .data(
            "query Q($id: ID!) { unit(id: $id) { above { id } heir { id } home { id } home2 { id } } }",
            json!({"id": keep}),
        )
        .await;
    let lost = json!({"id": lost});
    assert_eq!(
        found["unit"],
        json!({"above": lost, "heir": lost, "home": lost, "home2": {"id": keep}})
    );
}

async fn the_survivor_answers_for_the_others(client: Client) {
    let ids = companies(&client, &["A", "B", "C", "D"]).await;
    let (a, b, c, d) = (&ids[0], &ids[1], &ids[2], &ids[3]);
    merge(&client, &[a, b], b, "id").await;
    merge(&client, &[b, c], c, "id").await;
    let asked = "query Q($id: ID!) { company(id: $id) { id name } node(id: $id) { id } }";
    for id in [a, b, c] {
        assert_eq!(
            client.data(asked, json!({"id": id})).await,
            json!({"company": {"id": c, "name": "C"}, "node": {"id": c}}),
        );
    }
    // In the document, several at once, beside what is there and what was never there.
    let nobody = "0190163d-8694-739b-aea5-966c26f8ad91";
    let document = format!(
        "{{ a: company(id: \"{a}\") {{ name }} d: company(id: \"{d}\") {{ name }} \
           n: company(id: \"{nobody}\") {{ name }} p: person(id: \"{a}\") {{ id }} b: node(id: \"{b}\") {{ id }} }}"
    );
    assert_eq!(
        client.data(&document, json!({})).await,
        json!({"a": {"name": "C"}, "d": {"name": "D"}, "n": null, "p": null, "b": {"id": c}})
    );
    // What connects to a loser connects to its survivor, to one and to many.
    client
        .create(
            "person",
            json!({"name": {"full": "P"}, "company": {"connect": {"id": a}}}),
        )
        .await;
    let people = pointing(&client, "people", "name { full }").await;
    assert_eq!(people[0]["company"], json!({"id": c}));
    let parent = client
        .create(
            "company",
            json!({"name": "Parent", "subsidiaries": {"connect": [{"id": b}]}}),
        )
        .await;
    let found = client
        .data(
            "query Q($id: ID!) { company(id: $id) { parent { id } } }",
            json!({"id": c}),
        )
        .await;
    assert_eq!(found["company"]["parent"], json!({"id": parent}));
    // One that is gone for good answers no more, and is not missing in the chain.
    let destroy = "mutation D($id: ID!) { destroyCompany(id: $id) }";
    client.data(destroy, json!({"id": b})).await;
    let company = |id: &String| {
        let (client, id) = (client.clone(), id.clone());
        async move {
            let query = "query Q($id: ID!) { company(id: $id) { id deletedAt } }";
            client.data(query, json!({"id": id})).await["company"].take()
        }
    };
    assert_eq!(company(b).await, Json::Null);
    assert_eq!(company(a).await["id"], json!(c));
    // One that is restored alone answers for itself, in the trash too.
    client
        .data(
            "mutation R($id: ID!) { restoreCompany(id: $id) { id } }",
            json!({"id": a}),
        )
        .await;
    assert_eq!(company(a).await, json!({"id": a, "deletedAt": null}));
    delete(&client, "Company", a).await;
    assert_eq!(company(a).await["id"], json!(a));
}

async fn who_loses_a_survivor_for_good_answers_again(client: Client) {
    let ids = companies(&client, &["A", "B", "C"]).await;
    let (a, b, c) = (&ids[0], &ids[1], &ids[2]);
    merge(&client, &[a, b], b, "id").await;
    merge(&client, &[b, c], c, "id").await;
    let company = "query Q($id: ID!) { company(id: $id) { name } }";
    // In the trash it still answers.
    delete(&client, "Company", c).await;
    let found = client.data(company, json!({"id": a})).await;
    assert_eq!(found["company"], json!({"name": "C"}));
    let destroy = "mutation D($id: ID!) { destroyCompany(id: $id) }";
    client.data(destroy, json!({"id": c})).await;
    for id in [a, b] {
        let found = client.data(company, json!({"id": id})).await;
        assert_eq!(found["company"], json!({"name": "B"}));
    }
    assert_eq!(
        client.errors(UNMERGE, json!({"id": b})).await,
        ["NOT_FOUND"]
    );
}
