//! An integrator writes many records with one request.

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

scenario!(
    many_records_are_created_changed_and_destroyed,
    |server: Server| async move {
        let rows: Vec<Value> = (0..500)
            .map(|number| json!({"name": format!("Company {number}"), "employees": number}))
            .collect();
        let created = server
            .graphql(
                "mutation($data: [CompanyCreate!]!) { createCompanies(data: $data) { count nodes(first: 2) { name } errors { index } } }",
                json!({"data": rows}),
            )
            .await
            .data();
        assert_eq!(
            created["createCompanies"],
            json!({"count": 500, "nodes": [{"name": "Company 0"}, {"name": "Company 1"}], "errors": []})
        );

        let refused = server
            .graphql(
                "mutation { createCompanies(data: [{name: \"A\"}, {employees: -1}]) { count } }",
                json!({}),
            )
            .await;
        assert_eq!(refused.code(), "VALIDATION_FAILED");
        let partial = server
            .data("mutation { createCompanies(data: [{name: \"A\"}, {employees: -1}], mode: PARTIAL) { count errors { index issues { path code } } } }")
            .await;
        let bulk = &partial["createCompanies"];
        assert_eq!(
            (&bulk["count"], &bulk["errors"][0]["index"]),
            (&json!(1), &json!(1))
        );
        assert!(
            bulk["errors"][0]["issues"]
                .as_array()
                .unwrap()
                .contains(&json!({"path": ["data", 1, "name"], "code": "REQUIRED"}))
        );

        let updated = server
            .data("mutation { updateCompanies(where: {employees: {lt: 100}}, data: {industry: ENERGY}) { count nodes(first: 1) { version industry } } }")
            .await;
        assert_eq!(
            updated["updateCompanies"],
            json!({"count": 100, "nodes": [{"version": 2, "industry": "ENERGY"}]})
        );
        let everything = server
            .graphql(
                "mutation { deleteCompanies(where: {}) { count } }",
                json!({}),
            )
            .await;
        assert_eq!(everything.code(), "BAD_INPUT");
        let deleted = server
            .data("mutation { deleteCompanies(where: {industry: {eq: ENERGY}}) { count } }")
            .await;
        assert_eq!(deleted["deleteCompanies"]["count"], 100);
        let restored = server
            .data("mutation { restoreCompanies(where: {employees: {gte: 50}}) { count } }")
            .await;
        assert_eq!(restored["restoreCompanies"]["count"], 50);
        let destroyed = server
            .data("mutation { destroyCompanies(where: {}, all: true) { count } }")
            .await;
        assert_eq!(destroyed["destroyCompanies"]["count"], 50);
        let left = server
            .data("{ companies(deleted: INCLUDE) { totalCount } }")
            .await;
        assert_eq!(left["companies"]["totalCount"], 451);
    }
);

const ARTICLES: &str = r#"mutation { applyBlueprint(document: { relata: 1 objects: [
    { key: "article" plural: "articles" label: "code" fields: [
        { key: "code" kind: "text" required: true unique: true }
        { key: "stock" kind: "integer" min: 0 }
        { key: "supplier" kind: "relation" to: "company" inverse: { name: "articles" } } ] } ] }) { id } }"#;

scenario!(
    a_company_is_written_with_its_people,
    |server: Server| async move {
        let create = "mutation($data: CompanyCreate!) { createCompany(data: $data) {
            id parent { name } people { nodes { id name { full } } } } }";
        let created = server
            .graphql(
                create,
                json!({"data": {
                    "name": "Lower Ltd",
                    "parent": {"create": {"name": "Upper Ltd"}},
                    "people": {"create": [{"name": {"full": "Ada"}}, {"name": {"full": "Grace"}}]},
                }}),
            )
            .await
            .data();
        let company = &created["createCompany"];
        assert_eq!(company["parent"], json!({"name": "Upper Ltd"}));
        let people = company["people"]["nodes"].as_array().unwrap();
        assert_eq!(people.len(), 2);

        let moved = server
            .graphql(
                "mutation($id: ID!, $data: CompanyUpdate!) { updateCompany(id: $id, data: $data) { people { nodes { name { full } } } } }",
                json!({"id": company["id"], "data": {"people": {
                    "disconnect": [{"id": people[0]["id"]}], "create": [{"name": {"full": "Edsger"}}]}}}),
            )
            .await
            .data();
        assert_eq!(
            moved["updateCompany"]["people"]["nodes"],
            json!([{"name": {"full": "Grace"}}, {"name": {"full": "Edsger"}}])
        );

        // All mistakes at once, each with its path, and nothing is written.
        let refused = server
            .graphql(
                create,
                json!({"data": {"employees": -1, "name": "Wrong Ltd",
                    "parent": {"create": {"name": "Never Ltd"}},
                    "people": {"create": [{"name": {"full": "A"}}, {}], "connect": [{"id": company["id"]}]}}}),
            )
            .await;
        assert_eq!(refused.code(), "VALIDATION_FAILED");
        let mut issues = refused.issues();
        issues.sort();
        assert_eq!(
            issues,
            [
                "data.employees: OUT_OF_RANGE",
                "data.people.connect.0: NOT_FOUND",
                "data.people.create.1.name: REQUIRED",
            ]
        );
        let crowd: Vec<Value> = (0..1_001).map(|_| json!({"name": {"full": "x"}})).collect();
        let refused = server
            .graphql(
                create,
                json!({"data": {"name": "Crowd Ltd", "people": {"create": crowd}}}),
            )
            .await;
        assert_eq!(refused.code(), "LIMIT_EXCEEDED");
        assert_eq!(
            refused.issues(),
            ["createCompany.data.people.create.1000: TOO_MANY"]
        );
        let left = server
            .data("{ companies { totalCount } people { totalCount } }")
            .await;
        assert_eq!(
            (
                &left["companies"]["totalCount"],
                &left["people"]["totalCount"]
            ),
            (&json!(2), &json!(3))
        );
    }
);

scenario!(
    the_same_rows_may_come_again_and_at_once,
    |server: Server| async move {
        server.metadata(ARTICLES, json!({})).await.data();
        let upsert = "mutation($data: [ArticleCreate!]!, $mode: BulkMode) { upsertArticles(data: $data, on: code, mode: $mode) {
            count nodes { code stock } errors { index issues { path code } } } }";
        let rows = |stock: i64| -> Value {
            (0..20)
                .map(|number| json!({"code": format!("A{number}"), "stock": stock}))
                .collect()
        };
        // Several deliver the same new articles at the same time: nobody is refused.
        let (one, two, three, four) = tokio::join!(
            server.graphql(upsert, json!({"data": rows(1)})),
            server.graphql(upsert, json!({"data": rows(2)})),
            server.graphql(upsert, json!({"data": rows(3)})),
            server.graphql(upsert, json!({"data": rows(4)})),
        );
        for answer in [one, two, three, four] {
            assert_eq!(answer.data()["upsertArticles"]["count"], 20);
        }
        let articles = server
            .data("{ articles { totalCount } first: articles(first: 1) { nodes { version } } }")
            .await;
        assert_eq!(articles["articles"]["totalCount"], 20);
        assert_eq!(articles["first"]["nodes"][0]["version"], 4);

        // The answer is in the order of the data, and says which rows were left out.
        let partial = server
            .graphql(
                upsert,
                json!({"mode": "PARTIAL", "data": [
                    {"code": "New", "supplier": {"create": {"name": "Supplier Ltd"}}},
                    {"code": "A1", "stock": -1},
                    {"stock": 7},
                    {"code": "A0", "stock": 7},
                ]}),
            )
            .await
            .data();
        assert_eq!(
            partial["upsertArticles"],
            json!({
                "count": 2,
                "nodes": [{"code": "New", "stock": null}, {"code": "A0", "stock": 7}],
                "errors": [
                    {"index": 1, "issues": [{"path": ["data", 1, "stock"], "code": "OUT_OF_RANGE"}]},
                    {"index": 2, "issues": [{"path": ["data", 2, "code"], "code": "REQUIRED"}]},
                ],
            })
        );
        let refused = server
            .graphql(
                upsert,
                json!({"data": [{"code": "A0", "stock": 8}, {"stock": 9}]}),
            )
            .await;
        assert_eq!(refused.code(), "BAD_INPUT");
        let kept = server
            .data("{ articles(where: {code: {eq: \"A0\"}}) { nodes { stock } } }")
            .await;
        assert_eq!(kept["articles"]["nodes"], json!([{"stock": 7}]));
    }
);
