//! Mutations of many records.

use relata_app::catalogue;
use relata_graphql::{Outcome, RecordsLimits};
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    many_are_created_at_once
    rows_may_name_earlier_ones
    rows_see_what_earlier_ones_have_changed
    all_or_none_tells_all_that_is_wrong
    partial_writes_the_good_ones
    many_are_changed_by_a_condition
    an_empty_condition_needs_a_word
    the_trash_is_filled_and_emptied
    limits_have_numbers
    bulk_mutations_share_the_transaction
    upserts_find_records_again
}

/// Articles with a number that is theirs alone, in a shelf each.
async fn articles(client: &Client) {
    let document = json!({
        "relata": 1,
        "objects": [
            {"key": "shelf", "plural": "shelves", "label": "code", "fields": [
                {"key": "code", "kind": "text", "required": true, "unique": true},
                {"key": "tag", "kind": "text", "unique": true},
                {"key": "above", "kind": "relation", "to": "shelf", "onDelete": "RESTRICT"},
            ]},
            {"key": "article", "plural": "articles", "label": "code", "fields": [
                {"key": "code", "kind": "text", "max": 8, "required": true, "unique": true},
                {"key": "mail", "kind": "email", "unique": true},
                {"key": "size", "kind": "integer", "min": 1},
                {"key": "shelf", "kind": "relation", "to": "shelf", "onDelete": "CASCADE",
                 "inverse": {"name": "articles"}},
            ]},
        ],
    });
    catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
}

const CREATE: &str = "mutation C($data: [ArticleCreate!]!, $mode: BulkMode) { createArticles(data: $data, mode: $mode) {
    count nodes(first: 500) { code size } errors { index issues { path code message params } } } }";

async fn many_are_created_at_once(client: Client) {
    let rows: Vec<Json> = (0..1_000)
        .map(|number| json!({"name": format!("C{number}"), "employees": number}))
        .collect();
    let created = client
        .data(
            "mutation C($data: [CompanyCreate!]!) { createCompanies(data: $data) { __typename n: count nodes(first: 3) { name version createdBy { __typename } history { totalCount } } none: nodes(first: 0) { id } errors { index } } }",
            json!({"data": rows}),
        )
        .await;
    let node = |name: &str| json!({"name": name, "version": 1, "createdBy": {"__typename": "User"}, "history": {"totalCount": 1}});
    assert_eq!(
        created["createCompanies"],
        json!({"__typename": "CompanyBulk", "n": 1_000, "nodes": [node("C0"), node("C1"), node("C2")], "none": [], "errors": []})
    );
    assert_eq!(client.count("companies").await, 1_000);
    // Fifty, where nobody says how many; a single record stands for a list.
    let data = client
        .data(
            "mutation { many: createCompanies(data: {name: \"One\"}) { count nodes { name } } none: createCompanies(data: []) { count nodes { id } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data,
        json!({"many": {"count": 1, "nodes": [{"name": "One"}]}, "none": {"count": 0, "nodes": []}})
    );
}

/// Whether hooks watch or not: a row may name what an earlier one has made.
async fn rows_may_name_earlier_ones(client: Client) {
    articles(&client).await;
    let shelf =
        |code: &str, above: &str| json!({"code": code, "above": {"connect": {"code": above}}});
    for mutation in [
        "createShelves(data: $data)",
        "upsertShelves(data: $data, on: code)",
    ] {
        let mutation = format!(
            "mutation C($data: [ShelfCreate!]!) {{ bulk: {mutation} {{ nodes {{ code above {{ code }} }} }} }}"
        );
        let first = mutation.contains("upsert").to_string();
        let (top, low) = (format!("top {first}"), format!("low {first}"));
        let rows = json!({"data": [{"code": top}, shelf(&low, &top)]});
        let data = client.data(&mutation, rows).await;
        assert_eq!(
            data["bulk"]["nodes"],
            json!([{"code": top, "above": null}, {"code": low, "above": {"code": top}}])
        );
        let rows = json!({"data": [shelf("x", "y"), {"code": "y"}]});
        assert_eq!(
            client.errors(&mutation, rows).await,
            ["VALIDATION_FAILED", "  data.0.above.connect.code NOT_FOUND"]
        );
    }
}

/// An earlier row takes away the key by which a later one names a record: as one after the other.
async fn rows_see_what_earlier_ones_have_changed(client: Client) {
    articles(&client).await;
    client
        .create("shelf", json!({"code": "S", "tag": "red"}))
        .await;
    let upsert = "mutation U($data: [ShelfCreate!]!) { upsertShelves(data: $data, on: code) { count nodes { above { code } } } }";
    let rows = |tag: &str| json!({"data": [{"code": "S", "tag": "blue"}, {"code": "T", "above": {"connect": {"tag": tag}}}]});
    assert_eq!(
        client.errors(upsert, rows("red")).await,
        ["VALIDATION_FAILED", "  data.1.above.connect.tag NOT_FOUND"]
    );
    assert_eq!(client.count("shelves").await, 1);
    assert_eq!(
        client.data(upsert, rows("blue")).await["upsertShelves"],
        json!({"count": 2, "nodes": [{"above": null}, {"above": {"code": "S"}}]})
    );
}

/// Rows of which the second, the fourth and the last are wrong.
fn rows() -> Json {
    json!([
        {"code": "A", "mail": "a@example.org"},
        {"code": "much too long", "mail": "nobody", "size": 0},
        {"code": "B", "mail": "b@example.org"},
        {"code": "A", "shelf": {"connect": {"code": "nowhere"}}},
        {"code": "C"},
        {"mail": "B@example.org"},
    ])
}

async fn all_or_none_tells_all_that_is_wrong(client: Client) {
    articles(&client).await;
    let mut errors = client.errors(CREATE, json!({"data": rows()})).await;
    errors.sort();
    assert_eq!(
        errors,
        [
            "  data.1.code TOO_LONG",
            "  data.1.mail BAD_EMAIL",
            "  data.1.size OUT_OF_RANGE",
            "  data.3.code NOT_UNIQUE",
            "  data.3.shelf.connect.code NOT_FOUND",
            "  data.5.code REQUIRED",
            "  data.5.mail NOT_UNIQUE",
            "VALIDATION_FAILED",
        ]
    );
    assert_eq!(client.count("articles").await, 0);
    // Only collisions have a code of their own.
    let errors = client
        .errors(
            CREATE,
            json!({"data": [{"code": "A"}, {"code": "B"}, {"code": "A"}]}),
        )
        .await;
    assert_eq!(errors, ["UNIQUE_VIOLATION", "  data.2.code NOT_UNIQUE"]);
}

async fn partial_writes_the_good_ones(client: Client) {
    articles(&client).await;
    let partial = |data: Json| json!({"data": data, "mode": "PARTIAL"});
    let created = client.data(CREATE, partial(rows())).await;
    let bulk = &created["createArticles"];
    assert_eq!(bulk["count"], 3);
    assert_eq!(
        bulk["nodes"],
        json!([{"code": "A", "size": null}, {"code": "B", "size": null}, {"code": "C", "size": null}])
    );
    let errors = bulk["errors"].as_array().unwrap();
    let indices: Vec<&Json> = errors.iter().map(|error| &error["index"]).collect();
    assert_eq!(indices, [1, 3, 5]);
    let repeated = errors[1]["issues"]
        .as_array()
        .unwrap()
        .iter()
        .find(|issue| issue["code"] == "NOT_UNIQUE")
        .unwrap();
    assert_eq!(repeated["path"], json!(["data", 3, "code"]));
    assert_eq!(repeated["params"], json!({"fields": ["code"]}));

    // A row that is not written leaves its key to the next one.
    let data = json!([{"code": "D", "size": 0}, {"code": "D"}, {"code": "D"}, {"code": "A"}]);
    let created = client.data(CREATE, partial(data)).await;
    let bulk = &created["createArticles"];
    assert_eq!(
        (&bulk["count"], &bulk["nodes"][0]["code"]),
        (&json!(1), &json!("D"))
    );
    let indices: Vec<&Json> = bulk["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["index"])
        .collect();
    assert_eq!(indices, [0, 2, 3]);
    // All of them wrong is no error either.
    let created = client.data(CREATE, partial(json!([{"code": "A"}]))).await;
    assert_eq!(created["createArticles"]["count"], 0);
    assert_eq!(client.count("articles").await, 4);
}

async fn many_are_changed_by_a_condition(client: Client) {
    articles(&client).await;
    let shelf = client.create("shelf", json!({"code": "S"})).await;
    client
        .data(
            CREATE,
            json!({"data": [{"code": "A", "size": 1}, {"code": "B", "size": 2}, {"code": "C", "size": 3}, {"code": "D"}]}),
        )
        .await;
    let update = "mutation U($where: ArticleFilter!, $data: ArticleUpdate!) { updateArticles(where: $where, data: $data) { count nodes { code size version shelf { id } } errors { index } } }";
    let updated = client
        .data(
            update,
            json!({"where": {"size": {"gte": 2}}, "data": {"size": 3, "shelf": {"connect": {"code": "S"}}}}),
        )
        .await;
    let node = |code: &str| json!({"code": code, "size": 3, "version": 2, "shelf": {"id": shelf}});
    assert_eq!(
        updated["updateArticles"],
        json!({"count": 2, "nodes": [node("B"), node("C")], "errors": []})
    );
    // Across relations, in the document; what changes nothing counts and stays as it is.
    let updated = client
        .data(
            "mutation { updateArticles(where: {shelf: {code: {in: [\"S\", \"T\"]}}, or: [{code: {eq: \"B\"}}, {code: {eq: \"C\"}}]}, data: {size: 3}) { count nodes(first: 1) { version } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        updated["updateArticles"],
        json!({"count": 2, "nodes": [{"version": 2}]})
    );
    // One mistake is told once, with its records.
    let (body, _) = client
        .ask(
            update,
            json!({"where": {"size": {"eq": 3}}, "data": {"size": 0}}),
        )
        .await;
    let issues = body["errors"][0]["extensions"]["issues"]
        .as_array()
        .unwrap();
    assert_eq!(issues.len(), 1, "{issues:?}");
    assert_eq!(issues[0]["path"], json!(["data", "size"]));
    assert_eq!(issues[0]["params"]["records"].as_array().unwrap().len(), 2);
    assert_eq!(
        client
            .errors(
                update,
                json!({"where": {"size": {"eq": 3}}, "data": {"code": "X"}})
            )
            .await,
        ["UNIQUE_VIOLATION", "  data.code NOT_UNIQUE"]
    );
    // Nothing found is nothing done.
    let updated = client
        .data(
            update,
            json!({"where": {"code": {"eq": "Z"}}, "data": {"size": 7}}),
        )
        .await;
    assert_eq!(updated["updateArticles"]["count"], 0);
}

async fn an_empty_condition_needs_a_word(client: Client) {
    articles(&client).await;
    client
        .data(CREATE, json!({"data": [{"code": "A"}, {"code": "B"}]}))
        .await;
    for filter in [
        json!({}),
        json!({"and": []}),
        json!({"and": [{}, {"and": [{}]}]}),
        json!({"not": {"or": []}}),
        json!({"or": [{}]}),
    ] {
        for mutation in [
            "deleteArticles(where: $where)",
            "restoreArticles(where: $where)",
            "destroyArticles(where: $where, all: false)",
            "updateArticles(where: $where, data: {size: 1})",
        ] {
            let query = format!("mutation M($where: ArticleFilter!) {{ {mutation} {{ count }} }}");
            let errors = client.errors(&query, json!({"where": filter})).await;
            let name = mutation.split('(').next().unwrap();
            assert_eq!(
                errors,
                [
                    "BAD_INPUT".to_owned(),
                    format!("  {name}.where EMPTY_WHERE")
                ],
                "{filter}"
            );
        }
    }
    let errors = client
        .errors(
            "mutation { deleteArticles(where: {code: {eq: null}}, all: true) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(errors[0], "BAD_INPUT");
    assert_eq!(client.count("articles").await, 2);
    let deleted = client
        .data(
            "mutation D($all: Boolean) { deleteArticles(where: {}, all: $all) { count } }",
            json!({"all": true}),
        )
        .await;
    assert_eq!(deleted["deleteArticles"]["count"], 2);
    assert_eq!(client.count("articles").await, 0);
}

async fn the_trash_is_filled_and_emptied(client: Client) {
    articles(&client).await;
    let lower = client.create("shelf", json!({"code": "S1"})).await;
    let upper = client
        .create(
            "shelf",
            json!({"code": "S2", "above": {"connect": {"id": lower}}}),
        )
        .await;
    let rows: Vec<Json> = (0..3)
        .map(|number| json!({"code": format!("A{number}"), "shelf": {"connect": {"id": upper}}}))
        .collect();
    client.data(CREATE, json!({"data": rows})).await;
    // The upper shelf forbids it, unless it goes as well.
    let errors = client
        .errors(
            "mutation { deleteShelves(where: {code: {eq: \"S1\"}}) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(errors, ["REFERENCED", "   REFERENCED"]);
    let deleted = client
        .data(
            "mutation { deleteShelves(where: {code: {startsWith: \"S\"}}) { count nodes { code deletedAt } } }",
            json!({}),
        )
        .await;
    assert_eq!(deleted["deleteShelves"]["count"], 2);
    assert!(deleted["deleteShelves"]["nodes"][0]["deletedAt"].is_string());
    assert_eq!(client.count("articles").await, 0);

    // What is not in the trash is not restored, and not destroyed.
    client.create("shelf", json!({"code": "S3"})).await;
    let restored = client
        .data(
            "mutation { restoreShelves(where: {code: {in: [\"S1\", \"S2\", \"S3\"]}}) { count nodes { code version deletedAt } } }",
            json!({}),
        )
        .await;
    let node = |code: &str| json!({"code": code, "version": 3, "deletedAt": null});
    assert_eq!(
        restored["restoreShelves"],
        json!({"count": 2, "nodes": [node("S1"), node("S2")]})
    );
    assert_eq!(client.count("articles").await, 3);

    let destroy =
        "mutation { destroyShelves(where: {code: {startsWith: \"S\"}}) { count nodes { id } } }";
    assert_eq!(
        client.data(destroy, json!({})).await["destroyShelves"]["count"],
        0
    );
    client
        .data(
            "mutation { deleteShelves(where: {code: {ne: \"S3\"}}) { count } }",
            json!({}),
        )
        .await;
    let destroyed = client.data(destroy, json!({})).await;
    assert_eq!(
        destroyed["destroyShelves"],
        json!({"count": 2, "nodes": []})
    );
    assert_eq!(client.count("shelves(deleted: INCLUDE)").await, 1);
    assert_eq!(client.count("articles(deleted: INCLUDE)").await, 0);
}

async fn limits_have_numbers(client: Client) {
    let narrow = client.within(RecordsLimits {
        bulk_rows_max: 3,
        bulk_records_max: 2,
        ..RecordsLimits::default()
    });
    let create = "mutation C($data: [CompanyCreate!]!) { createCompanies(data: $data) { count } }";
    let rows = |count: usize| {
        let rows: Vec<Json> = (0..count).map(|_| json!({"name": "C"})).collect();
        json!({"data": rows})
    };
    assert_eq!(
        narrow.errors(create, rows(4)).await,
        ["LIMIT_EXCEEDED", "  createCompanies.data TOO_MANY"]
    );
    narrow.data(create, rows(3)).await;
    for mutation in [
        "deleteCompanies(where: {name: {eq: \"C\"}})",
        "updateCompanies(where: {}, data: {name: \"D\"}, all: true)",
    ] {
        let (body, outcome) = narrow
            .ask(&format!("mutation {{ {mutation} {{ count }} }}"), json!({}))
            .await;
        let error = &body["errors"][0];
        assert_eq!(error["extensions"]["code"], "LIMIT_EXCEEDED");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("3 companies") && message.contains("at most 2"),
            "{message}"
        );
        assert_eq!(outcome, Outcome::Executed);
    }
    assert_eq!(
        narrow.count("companies(where: {name: {eq: \"C\"}})").await,
        3
    );
    let (body, _) = narrow
        .ask(
            "mutation { createCompanies(data: []) { nodes(first: 501) { id } } }",
            json!({}),
        )
        .await;
    assert_eq!(body["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
}

async fn bulk_mutations_share_the_transaction(client: Client) {
    articles(&client).await;
    // A later field sees what an earlier one has written.
    let data = client
        .data(
            "mutation { a: createArticles(data: [{code: \"A\"}, {code: \"B\"}]) { count }
                        b: updateArticles(where: {code: {eq: \"A\"}}, data: {size: 5}) { nodes { code size } }
                        c: deleteArticles(where: {size: {isNull: true}}) { nodes { code } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data,
        json!({"a": {"count": 2}, "b": {"nodes": [{"code": "A", "size": 5}]}, "c": {"nodes": [{"code": "B"}]}})
    );
    // And falls with it.
    let (body, _) = client
        .ask(
            "mutation { a: createArticles(data: [{code: \"C\"}], mode: PARTIAL) { count } b: createArticles(data: [{code: \"A\"}]) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(body["errors"][0]["path"], json!(["b"]));
    assert_eq!(
        body["errors"][0]["extensions"]["issues"][0]["path"],
        json!(["data", 0, "code"])
    );
    assert_eq!(client.count("articles").await, 1);
}

async fn upserts_find_records_again(client: Client) {
    articles(&client).await;
    client
        .data(
            CREATE,
            json!({"data": [{"code": "A", "mail": "a@example.org", "size": 1}, {"code": "B"}]}),
        )
        .await;
    let upsert = "mutation U($data: [ArticleCreate!]!, $on: ArticleUnique!, $mode: BulkMode) { upsertArticles(data: $data, on: $on, mode: $mode) { count nodes { code mail size version } errors { index issues { path code } } } }";
    let node = |code: &str, mail: Json, size: Json, version: i64| json!({"code": code, "mail": mail, "size": size, "version": version});
    let upserted = client
        .data(
            upsert,
            json!({"on": "code", "data": [{"code": "A", "size": 2}, {"code": "C", "size": 3}, {"code": "C", "size": 4}]}),
        )
        .await;
    assert_eq!(
        upserted["upsertArticles"],
        json!({"count": 2, "nodes": [node("A", json!("a@example.org"), json!(2), 2), node("C", json!(null), json!(4), 2)], "errors": []})
    );
    // As the unique index compares, in the order of the data.
    let upserted = client
        .data(
            upsert,
            json!({"on": "mail", "data": [{"code": "E", "mail": "e@example.org", "size": 5}, {"code": "D", "mail": "A@EXAMPLE.org"}, {"code": "F", "mail": "f@example.org"}]}),
        )
        .await;
    assert_eq!(
        upserted["upsertArticles"],
        json!({"count": 3, "nodes": [node("E", json!("e@example.org"), json!(5), 1), node("D", json!("A@EXAMPLE.org"), json!(2), 3), node("F", json!("f@example.org"), json!(null), 1)], "errors": []})
    );
    // Without a key it would be another record each time.
    for row in [
        json!({"code": "G"}),
        json!({"code": "G", "mail": null}),
        json!({"code": "G", "mail": ""}),
    ] {
        assert_eq!(
            client
                .errors(
                    upsert,
                    json!({"on": "mail", "data": [{"code": "D", "mail": "a@example.org"}, row]})
                )
                .await,
            ["BAD_INPUT", "  data.1.mail REQUIRED"]
        );
    }
    assert_eq!(
        client
            .errors(upsert, json!({"on": "mail", "data": [{"code": "G", "mail": "nobody", "size": 0}, {"size": 0}]}))
            .await,
        [
            "VALIDATION_FAILED",
            "  data.0.mail BAD_EMAIL",
            "  data.0.size OUT_OF_RANGE",
            "  data.1.size OUT_OF_RANGE",
            "  data.1.mail REQUIRED",
        ]
    );
    // What is in the trash is not found.
    client
        .data(
            "mutation { deleteArticles(where: {code: {eq: \"D\"}}) { count } }",
            json!({}),
        )
        .await;
    let upserted = client
        .data(
            upsert,
            json!({"on": "code", "mode": "PARTIAL", "data": [{"code": "D", "size": 7}, {"size": 8}, {"code": "E", "size": 0}]}),
        )
        .await;
    assert_eq!(
        upserted["upsertArticles"],
        json!({"count": 1, "nodes": [node("D", json!(null), json!(7), 1)], "errors": [
            {"index": 1, "issues": [{"path": ["data", 1, "code"], "code": "REQUIRED"}]},
            {"index": 2, "issues": [{"path": ["data", 2, "size"], "code": "OUT_OF_RANGE"}]},
        ]})
    );
    let errors = client
        .errors(
            upsert,
            json!({"on": "code", "data": [{"code": "D", "size": 9}, {"code": "E", "size": 0}]}),
        )
        .await;
    assert_eq!(errors, ["VALIDATION_FAILED", "  data.1.size OUT_OF_RANGE"]);
    let errors = client
        .errors(
            "mutation { upsertArticles(data: [], on: size) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(errors[0], "BAD_INPUT");
}
