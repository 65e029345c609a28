//! Merges: several records become one, everything that points at them follows, and all of it can
//! be taken back.

use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    three_companies_become_one
    what_is_filled_united_and_given
    a_relation_among_the_merged_is_emptied
    the_survivor_answers_for_the_others
    one_that_is_restored_points_at_who_is_there
    who_loses_a_survivor_for_good_answers_again
    an_undone_merge_leaves_no_trace
    figures_follow_a_merge_and_its_undoing
    what_was_changed_since_is_left
    wrong_sets_are_refused
    what_refuses_a_merge_is_what_its_preview_says
    a_preview_says_what_the_merge_does
    what_the_survivor_pointed_at_holds_nothing_back
    what_can_not_move_refuses_the_merge
    lists_are_united_within_their_limits
}

const MERGE: &str = "mutation M($ids: [ID!]!, $keep: ID!, $data: CompanyUpdate) { mergeCompanies(ids: $ids, keep: $keep, data: $data) { id } }";
const FIRM_MERGE: &str = "mutation M($ids: [ID!]!, $keep: ID!, $data: FirmUpdate) { mergeFirms(ids: $ids, keep: $keep, data: $data) { id } }";

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

/// Where the records of a list point, in the trash too, by name.
async fn pointing(client: &Client, list: &str, name: &str) -> Json {
    let query = format!(
        "{{ list: {list}(deleted: INCLUDE) {{ nodes {{ {name} company {{ id }} version deletedAt }} }} }}"
    );
    client.data(&query, json!({})).await["list"]["nodes"].take()
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

/// Firms with seats: at most one seat of a firm in a place, and a count of them.
async fn firms(client: &Client) {
    let document = json!({"relata": 1, "objects": [
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
    ]});
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", error.issues()));
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

const UNMERGE: &str = "mutation U($id: ID!) { unmergeCompany(id: $id) { survivor restored left { object id field } } }";

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

const FIRM_PREVIEW: &str = "query P($ids: [ID!]!, $keep: ID!, $data: FirmUpdate) { firmMergePreview(ids: $ids, keep: $keep, data: $data) {
    fields { name value from } moves { object field count trashed } conflicts { name values { id value } } issues { path code message params } } }";

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

async fn blueprint(client: &Client, objects: Json) {
    let document = json!({"relata": 1, "objects": objects});
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", error.issues()));
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
