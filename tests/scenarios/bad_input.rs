//! Somebody sends what is wrong, by mistake or on purpose.

use std::time::{Duration, Instant};

use relata_tests::{Server, scenario};
use serde_json::json;

/// Far above what a refusal takes in a debug build, far below what an attack would cost.
const REFUSAL_MAX: Duration = Duration::from_secs(2);

scenario!(
    a_blueprint_with_five_mistakes_gets_five_errors,
    |server: Server| async move {
        let before = server
            .metadata("{ exportBlueprint }", json!({}))
            .await
            .data();
        let answer = server
            .metadata(
                "mutation($d: JSON!) { applyBlueprint(document: $d) { id } }",
                json!({"d": {
                    "relata": 1,
                    "objects": [{
                        "key": "visit", "plural": "visits", "label": "topic",
                        "fields": [
                            {"key": "subject", "kind": "txt"},
                            {"key": "history", "kind": "text"},
                            {"key": "host", "kind": "relation", "to": "persom"},
                            {"key": "rating", "kind": "integer", "default": "high"}
                        ]
                    }]
                }}),
            )
            .await;
        let issues = answer.body["errors"][0]["extensions"]["issues"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(issues.len(), 5, "{:#}", answer.body);
        assert!(
            answer.body.to_string().contains("person"),
            "what would be right is missing: {:#}",
            answer.body
        );
        assert_eq!(
            server
                .metadata("{ exportBlueprint }", json!({}))
                .await
                .data(),
            before
        );
    }
);

scenario!(
    a_name_of_another_owner_is_refused_with_both_names,
    |server: Server| async move {
        let answer = server
        .metadata(
            "mutation($o: JSON!) { createObject(data: $o) { name } }",
            json!({"o": {"key": "company", "plural": "companies", "fields": [{"key": "name", "kind": "text"}]}}),
        )
        .await;
        let text = answer.body.to_string();
        assert!(
            text.contains("relata") && text.contains("workspace"),
            "{text}"
        );
    }
);

scenario!(
    hostile_documents_are_refused_at_once,
    |server: Server| async move {
        let deep_fields = format!(
            "{{ companies {{ nodes {} }} }}",
            "{ company ".repeat(500) + &"}".repeat(500)
        );
        let deep_literal = format!(
            "{{ companies(where: {}1{}) {{ totalCount }} }}",
            "[".repeat(2_000),
            "]".repeat(2_000)
        );
        let deep_object = format!(
            "{{ companies(where: {}{{}}{}) {{ totalCount }} }}",
            "{and:".repeat(2_000),
            "}".repeat(2_000)
        );
        let mut fragments = String::from("{ companies { ...f0 } }");
        for number in 0..30 {
            fragments.push_str(&format!(
                " fragment f{number} on CompanyConnection {{ ...f{0} ...f{0} }}",
                number + 1
            ));
        }
        fragments.push_str(" fragment f30 on CompanyConnection { totalCount }");
        let cyclic = "{ companies { ...a } } fragment a on CompanyConnection { ...b } fragment b on CompanyConnection { ...a }".to_owned();
        let aliases = format!(
            "{{ {} }}",
            (0..5_000)
                .map(|number| format!("a{number}: __typename "))
                .collect::<String>()
        );
        let long = format!(
            "{{ companies {{ totalCount }} }} # {}",
            "x".repeat(512 << 10)
        );
        let wide = "{ companies(first: 500) { nodes { people(first: 500) { nodes { id } } } } }"
            .to_owned();
        let too_many = "{ companies(first: 100000) { nodes { id } } }".to_owned();
        for (name, document) in [
            ("deep fields", deep_fields),
            ("deep literal", deep_literal),
            ("deep object", deep_object),
            ("doubling fragments", fragments),
            ("cyclic fragments", cyclic),
            ("aliases", aliases),
            ("long", long),
            ("wide", wide),
            ("too many", too_many),
            ("malformed", "{ companies( }".to_owned()),
            ("empty", String::new()),
            ("unknown field", "{ compnies { totalCount } }".to_owned()),
        ] {
            let start = Instant::now();
            let answer = server.graphql(&document, json!({})).await;
            let took = start.elapsed();
            assert!(
                ["LIMIT_EXCEEDED", "BAD_INPUT"].contains(&answer.code()),
                "{name}: {:#}",
                answer.body
            );
            assert!(took < REFUSAL_MAX, "{name} took {took:?}");
            assert!(answer.status < 500, "{name}: {}", answer.status);
        }
        let control = server
            .metadata(
                &format!(
                    "{{ objects(x: {}1{}) {{ name }} }}",
                    "[".repeat(2_000),
                    "]".repeat(2_000)
                ),
                json!({}),
            )
            .await;
        assert_eq!(control.code(), "LIMIT_EXCEEDED");
        // Still there.
        server.data("{ companies { totalCount } }").await;
    }
);

scenario!(
    wrong_values_are_named_by_path,
    |server: Server| async move {
        for (query, variables) in [
            (
                "query($w: CompanyFilter) { companies(where: $w) { totalCount } }",
                json!({"w": {"name": {"eq": null}}}),
            ),
            (
                "query($w: CompanyFilter) { companies(where: $w) { totalCount } }",
                json!({"w": {"name": {"eq": 5}}}),
            ),
            (
                "query($w: CompanyFilter) { companies(where: $w) { totalCount } }",
                json!({"w": {"nam": {"eq": "x"}}}),
            ),
            (
                "query($w: CompanyFilter) { companies(where: $w) { totalCount } }",
                json!({"w": {"createdAt": {"gt": "yesterday"}}}),
            ),
            (
                "query($w: CompanyFilter) { companies(where: $w) { totalCount } }",
                json!({"w": {"employees": {"gt": "NaN"}}}),
            ),
            (
                "query($w: CompanyFilter) { companies(where: $w) { totalCount } }",
                json!({"w": {"annualRevenue": {"amount": {"gt": "9".repeat(400)}}}}),
            ),
            (
                "query($f: Int) { companies(first: $f) { totalCount nodes { id } } }",
                json!({"f": -1}),
            ),
            ("query($id: ID!) { company(id: $id) { id } }", json!({})),
        ] {
            let answer = server.graphql(query, variables.clone()).await;
            assert_eq!(answer.code(), "BAD_INPUT", "{variables}: {:#}", answer.body);
        }
        // An id that can't be one is not there.
        let answer = server
            .graphql(
                "query($id: ID!) { company(id: $id) { id } }",
                json!({"id": "x'; DROP TABLE rec_company; --"}),
            )
            .await;
        assert!(answer.body["data"]["company"].is_null());
        server.data("{ companies { totalCount } }").await;
    }
);
