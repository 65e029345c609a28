//! Somebody sends what is wrong, by mistake or on purpose.

use std::time::{Duration, Instant};

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

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

scenario!(
    bodies_that_no_client_writes_are_refused,
    |server: Server| async move {
        const CREATE: &str = "mutation($d: CompanyCreate!) { a: createCompany(data: {name: \\\"A\\\"}) { id } b: createCompany(data: $d) { id } }";
        let create = |data: &str| {
            format!(r#"{{"query": "{CREATE}", "variables": {{"d": {data}}}}}"#).into_bytes()
        };
        let mut not_utf8 = create(r#"{"name": "?"}"#);
        let position = not_utf8.iter().rposition(|byte| *byte == b'?').unwrap();
        not_utf8[position] = 0xff;
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        for (name, body, status, code) in [
            (
                "10 MB of text",
                create(&json!({"name": "x".repeat(10 << 20)}).to_string()),
                413,
                "LIMIT_EXCEEDED",
            ),
            (
                "half of a surrogate pair",
                create(r#"{"name": "\ud800"}"#),
                400,
                "BAD_INPUT",
            ),
            (
                "the other half",
                create(r#"{"name": "\udc00\ud800"}"#),
                400,
                "BAD_INPUT",
            ),
            (
                "half of a pair in the document",
                br#"{"query": "mutation { createCompany(data: {name: \"\\uD800\"}) { id } }"}"#
                    .to_vec(),
                400,
                "BAD_INPUT",
            ),
            ("no UTF-8", not_utf8, 400, "BAD_INPUT"),
            ("deep", create(&deep), 400, "BAD_INPUT"),
            (
                "400 digits",
                create(&format!(
                    r#"{{"name": "B", "employees": {}}}"#,
                    "9".repeat(400)
                )),
                400,
                "BAD_INPUT",
            ),
            (
                "NaN",
                create(r#"{"name": "B", "employees": NaN}"#),
                400,
                "BAD_INPUT",
            ),
            (
                "the same member twice",
                create(r#"{"name": "B", "employees": "x", "employees": "y"}"#),
                400,
                "BAD_INPUT",
            ),
            ("an end too early", create(r#"{"name": "#), 400, "BAD_INPUT"),
        ] {
            let answer = server.send_bytes("/graphql", body.clone(), &[]).await;
            assert_eq!(
                (answer.status, answer.code()),
                (status, code),
                "{name}: {}",
                answer.body
            );
            // There it is too large, no JSON, or no document of that schema.
            let answer = server.send_bytes("/metadata", body, &[]).await;
            assert!(
                [400, 413].contains(&answer.status),
                "{name}: {}",
                answer.body
            );
        }
        let zone = [("time-zone", "Mars/Olympus")];
        let body = json!({"query": "{ companies { totalCount } }"});
        let answer = server.send("/graphql", &body, &zone).await;
        assert_eq!((answer.status, answer.code()), (400, "BAD_INPUT"));
        assert!(answer.message().contains("Time-Zone"), "{}", answer.body);
        assert_eq!(
            server.data("{ companies { totalCount } }").await["companies"]["totalCount"],
            0
        );
    }
);

scenario!(
    the_control_plane_says_what_is_wrong,
    |server: Server| async move {
        // What is right, but easily taken for wrong: a variable that `__typename` alone uses.
        let query = "query($v: Boolean!) { __typename @include(if: $v) viewer { ...V } } fragment V on Viewer { isAdmin __typename @skip(if: $v) }";
        for (value, expected) in [
            (
                true,
                json!({"__typename": "Query", "viewer": {"isAdmin": true}}),
            ),
            (
                false,
                json!({"viewer": {"isAdmin": true, "__typename": "Viewer"}}),
            ),
        ] {
            let answer = server.metadata(query, json!({"v": value})).await;
            assert_eq!(answer.data(), expected);
        }
        for wrong in [
            "{ __typename @include(if: $nobody) }",
            "{ viewer { __typename @nothing } }",
            "query($v: String!) { viewer @include(if: $v) { isAdmin } }",
            "query($v: Boolean) { viewer { __typename @skip(if: $v) } }",
            "{ viewer { isAdmin @skip(if: \"x\") } }",
            "{ viewer { __typename { isAdmin } } }",
            "{ viewer { __typename(v: 1) } }",
        ] {
            let answer = server.metadata(wrong, json!({"v": "true"})).await;
            assert_eq!(
                (answer.status, answer.code()),
                (400, "BAD_INPUT"),
                "{wrong}"
            );
        }
        // Before anything of the document is carried out.
        let create = "createToken(data: {name: \"t\"}) { secret }";
        for (ty, value, issue) in [
            ("String!", None, "variables.v: REQUIRED"),
            ("String!", Some(Value::Null), "variables.v: WRONG_TYPE"),
            ("String!", Some(json!(5)), "variables.v: WRONG_TYPE"),
            (
                "[String!]",
                Some(json!(["x", 5])),
                "variables.v: WRONG_TYPE",
            ),
            (
                "Int!",
                Some(json!(4_000_000_000_u32)),
                "variables.v: WRONG_TYPE",
            ),
        ] {
            let document =
                format!("mutation($v: {ty}) {{ {create} deleteObject(name: $v) {{ id }} }}");
            let variables = value.map_or_else(|| json!({}), |value| json!({"v": value}));
            let answer = server.metadata(&document, variables).await;
            assert_eq!((answer.status, answer.code()), (400, "BAD_INPUT"), "{ty}");
            assert_eq!(answer.issues(), [issue]);
        }
        let tokens = server.metadata("{ tokens { name } }", json!({})).await;
        assert!(
            !tokens.data().to_string().contains("\"t\""),
            "a token was made"
        );
        // What isn't there was not "changed, and is gone already".
        let update = "mutation { updatePipeline(name: \"nothing\", data: {name: \"x\"}) { name } }";
        let answer = server.metadata(update, json!({})).await;
        assert_eq!(answer.code(), "NOT_FOUND");
        assert!(
            answer.message().starts_with("there is no pipeline nothing"),
            "{}",
            answer.body
        );
        let import =
            "mutation($o: JSON!) { importRecords(object: \"company\", file: \"x\", options: $o) }";
        for options in [
            json!("x"),
            json!([]),
            json!({"map": 7}),
            json!({"nobody": true}),
        ] {
            let answer = server.metadata(import, json!({"o": options})).await;
            assert_eq!(answer.code(), "BAD_INPUT", "{}", answer.body);
            assert_eq!(answer.issues(), ["options: BAD_INPUT"]);
        }
    }
);
