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
