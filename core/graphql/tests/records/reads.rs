//! Queries: filter, order, cursors, nesting both ways, fragments, introspection.

use relata_graphql::Outcome;
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    lists_filter_and_order
    cursors_walk_both_ways
    nested_both_ways
    filters_across_relations
    offsets_count_records
    phones_in_any_spelling
    a_cursor_of_another_list
    fragments_and_directives
    directives_of_typename
    introspection_beside_records
    what_tools_ask_of_the_schema
    the_same_document_with_other_values
    a_new_field_is_there_at_once
    numbers_and_relations_in_the_trash
    gates_of_stages_that_have_other_names
}

async fn companies(client: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let data = json!({
            "name": format!("Firma {number:02}"),
            "employees": number % 3,
            "industry": if number % 2 == 0 { "ENERGY" } else { "LEGAL" },
        });
        ids.push(client.create("company", data).await);
    }
    ids
}

fn names(list: &Json) -> Vec<&str> {
    list["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect()
}

async fn lists_filter_and_order(client: Client) {
    companies(&client, 6).await;
    client
        .create("company", json!({"name": "Électricité"}))
        .await;
    let data = client
        .data(
            "query Q($in: [CompanyIndustry!]) {
               a: companies(where: {employees: {between: [1, 2]}}, orderBy: [{employees: DESC}, {name: DESC}]) { nodes { name } }
               b: companies(where: {name: {iContains: \"ELECTR\"}}) { nodes { name } }
               c: companies(where: {or: [{name: {endsWith: \"00\"}}, {name: {eq: \"Firma 03\"}}], not: {industry: {in: $in}}}) { nodes { name } }
               d: companies(where: {industry: {isNull: true}}) { nodes { name } }
               e: companies(orderBy: [{industry: ASC_NULLS_FIRST}, {name: ASC}], first: 2) { nodes { name } totalCount }
               f: companies(where: {name: {like: \"Firma _1\"}}) { nodes { name } }
               g: companies(where: {or: []}) { totalCount }
               h: companies(where: {}) { totalCount }
               i: companies(where: {createdAt: {within: {last: 1, unit: HOUR}}}) { totalCount }
               j: companies(where: {createdAt: {within: {next: 1, unit: DAY}}}) { totalCount }
             }",
            json!({"in": ["LEGAL"]}),
        )
        .await;
    assert_eq!(
        names(&data["a"]),
        ["Firma 05", "Firma 02", "Firma 04", "Firma 01"]
    );
    assert_eq!(names(&data["b"]), ["Électricité"]);
    assert_eq!(names(&data["c"]), ["Firma 00"]);
    assert_eq!(names(&data["d"]), ["Électricité"]);
    assert_eq!(names(&data["e"]), ["Électricité", "Firma 00"]);
    assert_eq!(data["e"]["totalCount"], 7);
    assert_eq!(names(&data["f"]), ["Firma 01"]);
    assert_eq!(data["g"]["totalCount"], 0);
    assert_eq!(data["h"]["totalCount"], 7);
    assert_eq!(data["i"]["totalCount"], 7);
    assert_eq!(data["j"]["totalCount"], 0);
}

async fn cursors_walk_both_ways(client: Client) {
    companies(&client, 7).await;
    let forward = "query Q($after: String) { companies(orderBy: [{employees: DESC}], first: 3, after: $after) { edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let mut seen = Vec::new();
    let mut after = json!(null);
    let last_page = loop {
        let page = client.data(forward, json!({"after": after})).await["companies"].take();
        for edge in page["edges"].as_array().unwrap() {
            seen.push(edge["node"]["name"].as_str().unwrap().to_owned());
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break page;
        }
    };
    assert_eq!(seen.len(), 7);
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 7);
    let backward = client
        .data(
            "query Q($before: String) { companies(orderBy: [{employees: DESC}], last: 2, before: $before) { nodes { name } } }",
            json!({"before": last_page["pageInfo"]["startCursor"]}),
        )
        .await;
    assert_eq!(names(&backward["companies"]), [&seen[4], &seen[5]]);
    let offset = client
        .data(
            "{ companies(orderBy: [{employees: DESC}], offset: 5) { nodes { name } } }",
            json!({}),
        )
        .await;
    assert_eq!(names(&offset["companies"]), [&seen[5], &seen[6]]);
}

async fn nested_both_ways(client: Client) {
    let parent = client.create("company", json!({"name": "Mutter"})).await;
    for number in 0..2 {
        let child = client
            .create(
                "company",
                json!({"name": format!("Tochter {number}"), "parent": {"connect": {"id": parent}}}),
            )
            .await;
        for person in 0..3 {
            let name = format!("Person {number}{person}");
            client
                .create(
                    "person",
                    json!({"name": {"full": name}, "company": {"connect": {"id": child}}}),
                )
                .await;
        }
    }
    let data = client
        .data(
            "{ companies(where: {parent: {name: {eq: \"Mutter\"}}}, orderBy: [{name: ASC}]) {
                 nodes {
                   name
                   parent { name subsidiaries { totalCount } }
                   people(first: 2, orderBy: [{name: DESC}], where: {name: {ne: \"Person 12\"}}) { totalCount nodes { label company { parent { label } } } pageInfo { hasNextPage } }
                 }
             } }",
            json!({}),
        )
        .await;
    let person = |label: &str| json!({"label": label, "company": {"parent": {"label": "Mutter"}}});
    let mother = json!({"name": "Mutter", "subsidiaries": {"totalCount": 2}});
    assert_eq!(
        data["companies"]["nodes"],
        json!([
            {"name": "Tochter 0", "parent": mother, "people": {"totalCount": 3, "nodes": [person("Person 02"), person("Person 01")], "pageInfo": {"hasNextPage": true}}},
            {"name": "Tochter 1", "parent": mother, "people": {"totalCount": 2, "nodes": [person("Person 11"), person("Person 10")], "pageInfo": {"hasNextPage": false}}},
        ])
    );
}

async fn filters_across_relations(client: Client) {
    let ids = companies(&client, 3).await;
    for (number, id) in ids.iter().enumerate().take(2) {
        client
            .create(
                "person",
                json!({"name": {"full": format!("P{number}")}, "company": {"connect": {"id": id}}}),
            )
            .await;
    }
    client
        .create("person", json!({"name": {"full": "Free"}}))
        .await;
    let count = |value: &Json| value["totalCount"].as_i64().unwrap();
    let data = client
        .data(
            "{ some: companies(where: {people: {some: {}}}) { totalCount }
               none: companies(where: {people: {none: {}}}) { totalCount }
               every: companies(where: {people: {every: {name: {eq: \"P0\"}}}}) { totalCount }
               one: people(where: {company: {name: {eq: \"Firma 01\"}}}) { totalCount }
               free: people(where: {company: {id: {isNull: true}}}) { totalCount }
               taken: people(where: {company: {id: {isNull: false}}}) { totalCount }
               ordered: people(where: {company: {}}, orderBy: [{company: {name: DESC}}]) { nodes { name: label } } }",
            json!({}),
        )
        .await;
    assert_eq!(count(&data["some"]), 2);
    assert_eq!(count(&data["none"]), 1);
    assert_eq!(count(&data["every"]), 2);
    assert_eq!(count(&data["one"]), 1);
    assert_eq!(count(&data["free"]), 1);
    assert_eq!(count(&data["taken"]), 2);
    assert_eq!(names(&data["ordered"]), ["P1", "P0"]);
}

/// Not what they are found by: each company has two people, each person several addresses.
async fn offsets_count_records(client: Client) {
    for (number, id) in companies(&client, 3).await.iter().enumerate() {
        for letter in ["a", "b"] {
            let address = |place: &str| format!("{letter}{number}@{place}.example");
            let data = json!({
                "name": {"full": format!("{letter}{number}")},
                "emails": {"primary": address("x"), "additional": [address("y"), address("z")]},
                "company": {"connect": {"id": id}},
            });
            client.create("person", data).await;
        }
    }
    let additional = (0..3)
        .flat_map(|number| ["y", "z"].map(|place| format!("a{number}@{place}.example")))
        .collect::<Vec<_>>();
    let data = client
        .data(
            "query Q($additional: [String!]) {
               by: companies(where: {people: {some: {company: {people: {some: {}}}}}}, orderBy: {name: ASC}, offset: 1) { nodes { name } }
               in: people(where: {emails: {additional: {hasAny: $additional}}}, orderBy: {name: ASC}, offset: 1) { nodes { name: label } }
             }",
            json!({"additional": additional}),
        )
        .await;
    assert_eq!(names(&data["by"]), ["Firma 01", "Firma 02"]);
    assert_eq!(names(&data["in"]), ["a1", "a2"]);
}

async fn phones_in_any_spelling(client: Client) {
    client
        .create(
            "company",
            json!({"name": "Acme", "phones": {"primary": "+49 (0)30 12 34 56"}}),
        )
        .await;
    for spelling in ["030 123456", "+4930123456", "0049 30/123456"] {
        let data = client
            .data(
                "query Q($p: String) { companies(where: {phones: {eq: $p}}) { totalCount } }",
                json!({"p": spelling}),
            )
            .await;
        assert_eq!(data["companies"]["totalCount"], 1, "{spelling}");
    }
    let data = client
        .data(
            "{ companies(where: {phones: {endsWith: \"34-56\"}}) { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(data["companies"]["totalCount"], 1);
}

async fn a_cursor_of_another_list(client: Client) {
    companies(&client, 2).await;
    let data = client
        .data(
            "{ companies(orderBy: [{name: ASC}], first: 1) { pageInfo { endCursor } } }",
            json!({}),
        )
        .await;
    let cursor = &data["companies"]["pageInfo"]["endCursor"];
    for wrong in [cursor, &json!("garbage"), &json!("")] {
        let (body, outcome) = client
            .ask(
                "query Q($after: String) { list: companies(orderBy: [{employees: ASC}], after: $after) { nodes { id } } }",
                json!({"after": wrong}),
            )
            .await;
        assert_eq!(
            body["errors"][0]["extensions"]["code"], "BAD_INPUT",
            "{body}"
        );
        assert_eq!(body["errors"][0]["path"], json!(["list"]));
        assert_eq!(body["data"], json!(null));
        assert_eq!(outcome, Outcome::Executed);
    }
}

async fn fragments_and_directives(client: Client) {
    let id = client.create("company", json!({"name": "Acme"})).await;
    let query = "query Q($id: ID!, $more: Boolean = false) {
        node(id: $id) { __typename id ... on Record { label } ... on Company { name ...More @include(if: $more) } ... on Person { birthday } }
        company(id: $id) { ...More version @skip(if: $more) }
      }
      fragment More on Company { name employees parent { ...Name } }
      fragment Name on Record { label }";
    assert_eq!(
        client.data(query, json!({"id": id})).await,
        json!({
            "node": {"__typename": "Company", "id": id, "label": "Acme", "name": "Acme"},
            "company": {"name": "Acme", "employees": null, "parent": null, "version": 1},
        })
    );
    assert_eq!(
        client.data(query, json!({"id": id, "more": true})).await,
        json!({
            "node": {"__typename": "Company", "id": id, "label": "Acme", "name": "Acme", "employees": null, "parent": null},
            "company": {"name": "Acme", "employees": null, "parent": null},
        })
    );
}

async fn directives_of_typename(client: Client) {
    let query =
        "query Q($more: Boolean!) { companies { totalCount __typename @include(if: $more) } }";
    assert_eq!(
        client.data(query, json!({"more": true})).await,
        json!({"companies": {"totalCount": 0, "__typename": "CompanyConnection"}})
    );
    assert_eq!(
        client.data(query, json!({"more": false})).await,
        json!({"companies": {"totalCount": 0}})
    );
    for wrong in [
        "@include(if: $nobody)",
        "@nothing",
        "@skip(if: \"x\")",
        "@skip(if: null)",
        "@include(if: [true])",
        "(x: 1)",
        "{ name }",
    ] {
        let query = format!("{{ companies {{ ... {{ __typename {wrong} }} }} }}");
        assert_eq!(client.errors(&query, json!({})).await, ["BAD_INPUT"]);
    }
}

async fn introspection_beside_records(client: Client) {
    companies(&client, 1).await;
    let query = "query Q($name: String!) { companies { totalCount } __schema { queryType { name } } type: __type(name: $name) { ...T } viewer { isAdmin locale user { name } actor { ... on User { email } } } __typename }
                 fragment T on __Type { name fields { name } }";
    let data = client.data(query, json!({"name": "Money"})).await;
    assert_eq!(
        data,
        json!({
            "companies": {"totalCount": 1},
            "__schema": {"queryType": {"name": "Query"}},
            "type": {"name": "Money", "fields": [{"name": "amount"}, {"name": "currency"}]},
            "viewer": {"isAdmin": true, "locale": "en", "user": {"name": "Ada"}, "actor": {"email": "ada@example.org"}},
            "__typename": "Query",
        })
    );
    let other = client.data(query, json!({"name": "Nothing"})).await;
    assert_eq!(other["type"], json!(null));
}

/// The query that GraphiQL and code generators send.
async fn what_tools_ask_of_the_schema(client: Client) {
    let query = "query IntrospectionQuery {
      __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
        types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
      fragment FullType on __Type { kind name description specifiedByURL isOneOf
        fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
        inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
        enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
      fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
      fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
    let data = client.data(query, json!({})).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    let named = |name: &str| types.iter().find(|found| found["name"] == name).unwrap();
    assert_eq!(named("CompanyOrder")["isOneOf"], true);
    assert!(named("Date")["specifiedByURL"].is_string());
    assert_eq!(named("Record")["kind"], "INTERFACE");
    assert_eq!(client.data(query, json!({})).await, data);
}

async fn the_same_document_with_other_values(client: Client) {
    companies(&client, 4).await;
    let query = "query Q($where: CompanyFilter, $n: Int) { companies(where: $where, first: $n, orderBy: {name: ASC}) { nodes { name } } }";
    for _ in 0..2 {
        for (variables, expected) in [
            (
                json!({"where": {"employees": {"eq": 0}}}),
                vec!["Firma 00", "Firma 03"],
            ),
            (json!({"where": {"employees": {"eq": 1}}}), vec!["Firma 01"]),
            (
                json!({"where": {"employees": {"eq": 0}}, "n": 1}),
                vec!["Firma 00"],
            ),
            (
                json!({"where": {"employees": {"in": [1, 2]}}}),
                vec!["Firma 01", "Firma 02"],
            ),
            (json!({"n": 1}), vec!["Firma 00"]),
            (
                json!({"n": null}),
                vec!["Firma 00", "Firma 01", "Firma 02", "Firma 03"],
            ),
        ] {
            let data = client.data(query, variables.clone()).await;
            assert_eq!(names(&data["companies"]), expected, "{variables}");
        }
        assert_eq!(
            client
                .errors(query, json!({"where": {"employees": {"eq": null}}}))
                .await,
            ["BAD_INPUT", "  companies.where.employees.eq NULL_OPERAND"]
        );
        assert_eq!(
            client.errors(query, json!({"where": null})).await,
            ["BAD_INPUT", "  companies.where NULL_OPERAND"]
        );
    }
}

async fn a_new_field_is_there_at_once(client: Client) {
    let query = "{ companies { nodes { workspaceOnly } } }";
    assert_eq!(client.errors(query, json!({})).await, ["BAD_INPUT"]);
    let document = json!({
        "relata": 1,
        "objects": [
            {"extends": "company", "fields": [{"key": "workspaceOnly", "kind": "integer"}]},
            {"key": "visit", "plural": "visits", "fields": [{"key": "at", "kind": "dateTime"}, {"key": "company", "kind": "relation", "to": "company", "inverse": {"name": "visits"}}]},
        ],
    });
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    assert_eq!(
        client.data(query, json!({})).await,
        json!({"companies": {"nodes": []}})
    );
    let id = client
        .create("visit", json!({"at": "2026-11-22T09:00:00+01:00"}))
        .await;
    assert_eq!(
        client
            .data("query Q($id: ID!) { visit(id: $id) { at label company { visits { totalCount } } } }", json!({"id": id}))
            .await,
        json!({"visit": {"at": "2026-11-22T08:00:00Z", "label": id, "company": null}})
    );
}

async fn numbers_and_relations_in_the_trash(client: Client) {
    let document = json!({
        "relata": 1,
        "objects": [{"key": "visit", "plural": "visits", "label": "number", "fields": [
            {"key": "number", "kind": "integer"},
            {"key": "previous", "kind": "relation", "to": "visit", "onDelete": "CASCADE"},
        ]}],
    });
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    let first = client.create("visit", json!({"number": -1})).await;
    let second = json!({"number": 2, "previous": {"connect": {"id": first}}});
    client.create("visit", second).await;
    let delete = "mutation D($id: ID!) { deleteVisit(id: $id) { label } }";
    let deleted = client.data(delete, json!({"id": first})).await;
    assert_eq!(deleted, json!({"deleteVisit": {"label": "-1"}}));
    // Both are in the trash: a relation that reads as empty is found as empty.
    let query = "query Q($is: Boolean) { visits(deleted: ONLY, orderBy: {number: ASC}, where: {previous: {id: {isNull: $is}}}) { nodes { label previous { label } } } }";
    let empty = |label: &str| json!({"label": label, "previous": null});
    for (is_null, expected) in [(true, vec![empty("-1"), empty("2")]), (false, vec![])] {
        assert_eq!(
            client.data(query, json!({"is": is_null})).await,
            json!({"visits": {"nodes": expected}})
        );
    }
}

async fn gates_of_stages_that_have_other_names(client: Client) {
    let document = json!({
        "relata": 1,
        "objects": [{"key": "visit", "plural": "visits", "fields": [{"key": "state", "kind": "stage"}]}],
        "pipelines": [{"key": "visits", "object": "visit", "field": "state", "stages": [
            {"key": "a", "name": "planned"},
            {"key": "b", "name": "made", "from": ["a"]},
            {"key": "c", "name": "paid", "from": ["b"]},
        ]}],
    });
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    let id = client.create("visit", json!({})).await;
    let query = "query Q($id: ID!) { visit(id: $id) { state { options { allowed stage { name } again: stage { position } unmet { code } why: unmet { message } } } } }";
    let option = |name: &str, position: usize, unmet: Option<&str>| {
        json!({
            "allowed": unmet.is_none(),
            "stage": {"name": name},
            "again": {"position": position},
            "unmet": unmet.iter().map(|_| json!({"code": "NOT_FROM_HERE"})).collect::<Vec<_>>(),
            "why": unmet.iter().map(|why| json!({"message": why})).collect::<Vec<_>>(),
        })
    };
    assert_eq!(
        client.data(query, json!({"id": id})).await["visit"]["state"]["options"],
        json!([
            option("planned", 0, None),
            option("made", 1, None),
            option("paid", 2, Some("paid is entered from made")),
        ])
    );
    let update = "mutation U($id: ID!, $to: String!) { updateVisit(id: $id, data: {state: {to: $to}}) { state { stage { name } } } }";
    assert_eq!(
        client.errors(update, json!({"id": id, "to": "paid"})).await,
        ["STAGE_GATE", "  data.state.to STAGE_FROM"]
    );
    for to in ["made", "paid"] {
        let updated = client.data(update, json!({"id": id, "to": to})).await;
        assert_eq!(updated["updateVisit"]["state"]["stage"]["name"], to);
    }
}
