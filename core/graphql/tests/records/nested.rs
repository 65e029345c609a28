//! Records written together with the record that they hang on.

use relata_app::catalogue;
use relata_graphql::RecordsLimits;
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    targets_and_lists_are_made_together
    lists_are_connected_and_disconnected
    nested_mistakes_have_the_whole_path
    nesting_ends_somewhere
    many_records_get_what_hangs_on_the_data
    wrong_forms_are_refused_with_their_path
    bulk_rows_may_have_others_on_them
}

const CREATE: &str = "mutation C($data: CompanyCreate!) { createCompany(data: $data) { id name parent { name } people { nodes { name { full } } } deals { totalCount } } }";

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
    assert_eq!(client.count("companies").await, 3);
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
        assert_eq!(client.count(list).await, 0);
    }
    // What is wrong with the record does not hide what is wrong with those that point at it.
    let mut errors = client
        .errors(
            CREATE,
            json!({"data": {"employees": -1, "name": "Acme",
                "parent": {"create": {"people": {"create": [{"name": {"full": "A"}}, {}]}}},
                "people": {"connect": [{"id": nobody}], "create": [{"deals": {"create": [{}]}}]}}}),
        )
        .await;
    errors.sort();
    assert_eq!(
        errors,
        [
            "  data.employees OUT_OF_RANGE",
            "  data.parent.create.name REQUIRED",
            "  data.parent.create.people.create.1.name REQUIRED",
            "  data.people.connect.0 NOT_FOUND",
            "  data.people.create.0.deals.create.0.name REQUIRED",
            "  data.people.create.0.name REQUIRED",
            "VALIDATION_FAILED",
        ]
    );
    for list in ["companies", "people"] {
        assert_eq!(client.count(list).await, 0);
    }
}

async fn nesting_ends_somewhere(client: Client) {
    let narrow = client.within(RecordsLimits {
        nested_depth_max: 3,
        nested_records_max: 10,
        ..RecordsLimits::default()
    });
    let deep = |depth: usize| {
        (0..depth).fold(
            json!({"name": "x"}),
            |inner, _| json!({"name": "x", "parent": {"create": inner}}),
        )
    };
    narrow.data(CREATE, json!({"data": deep(3)})).await;
    assert_eq!(
        narrow.errors(CREATE, json!({"data": deep(4)})).await,
        [
            "LIMIT_EXCEEDED",
            "  createCompany.data.parent.create.parent.create.parent.create.parent.create TOO_DEEP"
        ]
    );
    let wide = |count: usize| {
        let people: Vec<Json> = (0..count).map(|_| json!({"name": {"full": "x"}})).collect();
        json!({"name": "x", "people": {"create": people}})
    };
    narrow.data(CREATE, json!({"data": wide(10)})).await;
    assert_eq!(
        narrow.errors(CREATE, json!({"data": wide(11)})).await,
        [
            "LIMIT_EXCEEDED",
            "  createCompany.data.people.create.10 TOO_MANY"
        ]
    );
    // All rows of a mutation count, and each record that satisfies a condition.
    assert_eq!(
        narrow
            .errors(
                "mutation C($data: [CompanyCreate!]!) { createCompanies(data: $data, mode: PARTIAL) { count } }",
                json!({"data": [wide(6), wide(6)]}),
            )
            .await,
        [
            "LIMIT_EXCEEDED",
            "  createCompanies.data.1.people.create.4 TOO_MANY"
        ]
    );
    let update = "mutation U($data: CompanyUpdate!) { updateCompanies(where: {name: {eq: \"x\"}}, data: $data) { count } }";
    let three = json!({"data": {"people": {"create": [{"name": {"full": "x"}}, {"name": {"full": "y"}}, {"name": {"full": "z"}}]}}});
    assert_eq!(narrow.errors(update, three).await, ["LIMIT_EXCEEDED"]);
    assert_eq!(client.count("companies").await, 5);
    assert_eq!(client.count("people").await, 10);
    // The widest that the defaults let through.
    client.data(CREATE, json!({"data": wide(1_000)})).await;
    assert_eq!(
        client.errors(CREATE, json!({"data": wide(10_000)})).await[0],
        "LIMIT_EXCEEDED"
    );
}

/// What hangs on the data of many is done to each of them, as far as that makes sense.
async fn many_records_get_what_hangs_on_the_data(client: Client) {
    let parent = client.create("company", json!({"name": "Upper"})).await;
    for name in ["A", "B"] {
        client
            .create("company", json!({"name": name, "employees": 1}))
            .await;
    }
    let update = "mutation U($data: CompanyUpdate!) { updateCompanies(where: {employees: {eq: 1}}, data: $data) { count nodes { name parent { name } people { nodes { name { full } } } } } }";
    let updated = client
        .data(
            update,
            json!({"data": {"parent": {"connect": {"id": parent}}, "people": {"create": [{"name": {"full": "Clerk"}}]}}}),
        )
        .await;
    let node = |name: &str, parent: Json, people: Json| json!({"name": name, "parent": parent, "people": {"nodes": people}});
    let clerk = json!([{"name": {"full": "Clerk"}}]);
    let upper = json!({"name": "Upper"});
    assert_eq!(
        updated["updateCompanies"],
        json!({"count": 2, "nodes": [node("A", upper.clone(), clerk.clone()), node("B", upper, clerk.clone())]})
    );
    assert_eq!(client.count("people").await, 2);
    let updated = client
        .data(
            update,
            json!({"data": {"parent": {"disconnect": true}, "people": {"connect": [], "disconnect": null}}}),
        )
        .await;
    assert_eq!(
        updated["updateCompanies"]["nodes"],
        json!([
            node("A", json!(null), clerk.clone()),
            node("B", json!(null), clerk.clone())
        ])
    );
    // A target of its own for each.
    let updated = client
        .data(
            update,
            json!({"data": {"parent": {"create": {"name": "Own"}}}}),
        )
        .await;
    let own = json!({"name": "Own"});
    assert_eq!(
        updated["updateCompanies"]["nodes"],
        json!([node("A", own.clone(), clerk.clone()), node("B", own, clerk)])
    );
    assert_eq!(
        client
            .count("companies(where: {name: {eq: \"Own\"}})")
            .await,
        2
    );
    // All that is wrong with any of them, with the records; nothing is written.
    let (body, _) = client
        .ask(
            update,
            json!({"data": {"employees": -1, "people": {"create": [{}]}}}),
        )
        .await;
    let issues = body["errors"][0]["extensions"]["issues"]
        .as_array()
        .unwrap();
    let mut told: Vec<(Json, Json)> = issues
        .iter()
        .map(|issue| {
            let indices = issue["params"]["records"].as_array().unwrap();
            let indices = indices
                .iter()
                .map(|record| record["index"].clone())
                .collect();
            (issue["path"].clone(), indices)
        })
        .collect();
    told.sort_by_key(|(path, _)| path.to_string());
    assert_eq!(
        told,
        [
            (json!(["data", "employees"]), json!([0, 1])),
            (
                json!(["data", "people", "create", 0, "name"]),
                json!([0, 1])
            ),
        ]
    );
    assert_eq!(client.count("people").await, 2);
    // One can't belong to many.
    assert_eq!(
        client
            .errors(
                update,
                json!({"data": {"people": {"connect": [{"id": parent}], "disconnect": [{"id": parent}]}}}),
            )
            .await,
        [
            "BAD_INPUT",
            "  data.people.connect BAD_INPUT",
            "  data.people.disconnect BAD_INPUT"
        ]
    );
}

/// Whatever the form, it is an error with a code and a path, and nothing is written.
async fn wrong_forms_are_refused_with_their_path(client: Client) {
    badges(&client).await;
    let holder = client
        .create("person", json!({"name": {"full": "Holder"}}))
        .await;
    let badge = client
        .create(
            "badge",
            json!({"code": "1", "size": 1, "holder": {"connect": {"id": holder}}}),
        )
        .await;
    let company = client.create("company", json!({"name": "Acme"})).await;
    let trashed = client.create("badge", json!({"code": "gone"})).await;
    client
        .data(
            "mutation D($id: ID!) { deleteBadge(id: $id) { id } }",
            json!({"id": trashed}),
        )
        .await;
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    let many: Vec<Json> = (0..10_000)
        .map(|code| json!({"code": code.to_string()}))
        .collect();
    let cases = [
        // A target.
        (
            json!({"company": "nonsense"}),
            "BAD_INPUT variables.data.company WRONG_TYPE",
        ),
        (
            json!({"company": 7}),
            "BAD_INPUT variables.data.company WRONG_TYPE",
        ),
        (
            json!({"company": []}),
            "BAD_INPUT variables.data.company WRONG_TYPE",
        ),
        (
            json!({"company": {}}),
            "BAD_INPUT variables.data.company ONE_OF",
        ),
        (
            json!({"company": {"create": null}}),
            "BAD_INPUT variables.data.company ONE_OF",
        ),
        (
            json!({"company": {"create": "Acme"}}),
            "BAD_INPUT variables.data.company.create WRONG_TYPE",
        ),
        (
            json!({"company": {"create": [{"name": "A"}]}}),
            "BAD_INPUT variables.data.company.create WRONG_TYPE",
        ),
        (
            json!({"company": {"create": {}}}),
            "VALIDATION_FAILED data.company.create.name REQUIRED",
        ),
        (
            json!({"company": {"create": {"name": "A", "colour": 1}}}),
            "BAD_INPUT variables.data.company.create.colour UNKNOWN_FIELD",
        ),
        (
            json!({"company": {"create": {"name": "A"}, "connect": {"id": company}}}),
            "BAD_INPUT variables.data.company ONE_OF",
        ),
        (
            json!({"company": {"create": {"name": "A"}, "connect": null}}),
            "BAD_INPUT variables.data.company ONE_OF",
        ),
        (
            json!({"company": {"connect": null}}),
            "BAD_INPUT variables.data.company ONE_OF",
        ),
        (
            json!({"company": {"connect": {}}}),
            "BAD_INPUT variables.data.company.connect ONE_OF",
        ),
        (
            json!({"company": {"connect": {"id": unknown}}}),
            "VALIDATION_FAILED data.company NOT_FOUND",
        ),
        (
            json!({"company": {"connect": {"id": holder}}}),
            "VALIDATION_FAILED data.company NOT_FOUND",
        ),
        (
            json!({"company": {"connect": {"id": 7}}}),
            "VALIDATION_FAILED data.company.connect.id BAD_INPUT",
        ),
        (
            json!({"company": {"connect": {"name": "Acme"}}}),
            "BAD_INPUT variables.data.company.connect.name UNKNOWN_FIELD",
        ),
        (
            json!({"company": {"connect": {"colour": "red"}}}),
            "BAD_INPUT variables.data.company.connect.colour UNKNOWN_FIELD",
        ),
        (
            json!({"company": {"disconnect": false}}),
            "VALIDATION_FAILED data.company BAD_INPUT",
        ),
        (
            json!({"company": {"replace": {}}}),
            "BAD_INPUT variables.data.company.replace UNKNOWN_FIELD",
        ),
        // A list.
        (
            json!({"badges": "1"}),
            "BAD_INPUT variables.data.badges WRONG_TYPE",
        ),
        (
            json!({"badges": [{"code": "1"}]}),
            "BAD_INPUT variables.data.badges WRONG_TYPE",
        ),
        (
            json!({"badges": {"replace": []}}),
            "BAD_INPUT variables.data.badges.replace UNKNOWN_FIELD",
        ),
        (
            json!({"badges": {"create": [null]}}),
            "BAD_INPUT variables.data.badges.create.0 REQUIRED",
        ),
        (
            json!({"badges": {"create": ["2"]}}),
            "BAD_INPUT variables.data.badges.create.0 WRONG_TYPE",
        ),
        (
            json!({"badges": {"create": [[{"code": "2"}]]}}),
            "BAD_INPUT variables.data.badges.create.0 WRONG_TYPE",
        ),
        (
            json!({"badges": {"create": [{"code": "2"}, {"code": "2"}]}}),
            "UNIQUE_VIOLATION data.badges.create.1.code NOT_UNIQUE",
        ),
        (
            json!({"badges": {"create": [{"code": "1"}]}}),
            "UNIQUE_VIOLATION data.badges.create.0.code NOT_UNIQUE",
        ),
        (
            json!({"badges": {"create": [{"code": "2", "holder": {"connect": {"id": holder}}}]}}),
            "VALIDATION_FAILED data.badges.create.0.holder CONFLICT",
        ),
        (
            json!({"badges": {"create": [{"code": {"set": "2"}}]}}),
            "BAD_INPUT variables.data.badges.create.0.code WRONG_TYPE",
        ),
        (
            json!({"badges": {"connect": [null]}}),
            "BAD_INPUT variables.data.badges.connect.0 REQUIRED",
        ),
        (
            json!({"badges": {"connect": true}}),
            "BAD_INPUT variables.data.badges.connect WRONG_TYPE",
        ),
        (
            json!({"badges": {"connect": [{}]}}),
            "BAD_INPUT variables.data.badges.connect.0 ONE_OF",
        ),
        (
            json!({"badges": {"connect": [{"id": badge, "code": "1"}]}}),
            "BAD_INPUT variables.data.badges.connect.0 ONE_OF",
        ),
        (
            json!({"badges": {"connect": [{"id": unknown}]}}),
            "VALIDATION_FAILED data.badges.connect.0 NOT_FOUND",
        ),
        (
            json!({"badges": {"connect": [{"id": "1"}]}}),
            "VALIDATION_FAILED data.badges.connect.0.id BAD_INPUT",
        ),
        (
            json!({"badges": {"connect": [{"id": trashed}]}}),
            "VALIDATION_FAILED data.badges.connect.0 NOT_FOUND",
        ),
        (
            json!({"badges": {"connect": [{"code": "gone"}]}}),
            "VALIDATION_FAILED data.badges.connect.0.code NOT_FOUND",
        ),
        (
            json!({"badges": {"connect": [{"code": null}]}}),
            "BAD_INPUT variables.data.badges.connect.0 ONE_OF",
        ),
        (
            json!({"badges": {"connect": [{"size": 1}]}}),
            "BAD_INPUT variables.data.badges.connect.0.size UNKNOWN_FIELD",
        ),
        (
            json!({"badges": {"connect": [{"code": "1"}, {"code": "1"}]}}),
            "BAD_INPUT data.badges.connect.1 BAD_INPUT",
        ),
        (
            json!({"badges": {"connect": [{"id": badge}, {"code": "1"}]}}),
            "BAD_INPUT data.badges.connect.1 BAD_INPUT",
        ),
        (
            json!({"badges": {"connect": [{"id": badge}], "disconnect": [{"id": badge}]}}),
            "VALIDATION_FAILED data.badges.disconnect.0 NOT_FOUND data.badges.connect.0 BAD_INPUT",
        ),
        (
            json!({"badges": {"disconnect": [{"id": badge}]}}),
            "VALIDATION_FAILED data.badges.disconnect.0 NOT_FOUND",
        ),
        (
            json!({"badges": {"disconnect": true}}),
            "BAD_INPUT variables.data.badges.disconnect WRONG_TYPE",
        ),
        (
            json!({"badges": {"create": many}}),
            "LIMIT_EXCEEDED createPerson.data.badges.create.1000 TOO_MANY",
        ),
        (
            json!({"badges": {"connect": many}}),
            "LIMIT_EXCEEDED createPerson.data.badges.connect.1000 TOO_MANY",
        ),
    ];
    let create = "mutation C($data: PersonCreate!) { createPerson(data: $data) { id } }";
    let mut wrong = Vec::new();
    for (data, expected) in cases {
        let mut person = json!({"name": {"full": "Person"}});
        person
            .as_object_mut()
            .unwrap()
            .extend(data.as_object().unwrap().clone());
        let errors = client.errors(create, json!({"data": person})).await;
        let told = errors.join("").replace("  ", " ");
        if told != expected {
            let shown: String = data.to_string().chars().take(100).collect();
            wrong.push(format!("{shown}: {told}, not {expected}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    for (list, left) in [("people", 1), ("badges", 1), ("companies", 1)] {
        assert_eq!(client.count(list).await, left, "{list}");
    }
    // What is empty says nothing.
    for data in [
        json!({"badges": null}),
        json!({"badges": {}}),
        json!({"badges": {"create": [], "connect": null, "disconnect": []}}),
        json!({"company": null}),
    ] {
        let mut person = json!({"name": {"full": "Person"}});
        person
            .as_object_mut()
            .unwrap()
            .extend(data.as_object().unwrap().clone());
        client.data(create, json!({"data": person})).await;
    }
    assert_eq!(client.count("people").await, 5);
}

/// Badges with a code of their own, that hang on people.
async fn badges(client: &Client) {
    let document = json!({"relata": 1, "objects": [
        {"key": "badge", "plural": "badges", "label": "code", "fields": [
            {"key": "code", "kind": "text", "required": true, "unique": true},
            {"key": "size", "kind": "integer"},
            {"key": "holder", "kind": "relation", "to": "person", "onDelete": "SET_NULL", "inverse": {"name": "badges"}},
        ]},
    ]});
    catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
}

async fn bulk_rows_may_have_others_on_them(client: Client) {
    badges(&client).await;
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
