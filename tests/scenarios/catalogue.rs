//! An administrator changes what there is, while others work.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

scenario!(
    an_object_with_a_pipeline_is_there_at_once,
    |server: Server| async move {
        server
        .metadata(
            "mutation($o: JSON!) { applyBlueprint(document: $o) { id steps { name description } } }",
            json!({"o": {
                "relata": 1,
                "objects": [{
                    "key": "matter", "plural": "matters",
                    "labels": {"en": "Matter", "zh-CN": "案件"},
                    "label": "title",
                    "fields": [
                        {"key": "title", "kind": "text", "required": true},
                        {"key": "number", "kind": "autonumber", "prefix": "MAT-", "digits": 4},
                        {"key": "state", "kind": "stage"},
                        {"key": "client", "kind": "relation", "to": "company", "inverse": {"name": "matters"}}
                    ]
                }],
                "pipelines": [{
                    "key": "intake", "object": "matter", "field": "state",
                    "stages": [
                        {"key": "open", "type": "OPEN"},
                        {"key": "closed", "type": "WON", "requires": ["client"]}
                    ]
                }]
            }}),
        )
        .await
        .data();
        let created = server
        .data(r#"mutation { createMatter(data: {title: "Doe v. Roe"}) { id number state { stage { name } } client { name } } }"#)
        .await;
        assert_eq!(created["createMatter"]["number"], "MAT-0001");
        assert_eq!(created["createMatter"]["state"]["stage"]["name"], "open");
        let gate = server
        .graphql(
            "mutation($id: ID!) { updateMatter(id: $id, data: {state: {to: \"closed\"}}) { id } }",
            json!({"id": created["createMatter"]["id"]}),
        )
        .await;
        assert_eq!(gate.code(), "STAGE_GATE");
    }
);

scenario!(
    a_field_is_added_renamed_and_removed_without_loss_or_surprise,
    |server: Server| async move {
        create_object(&server, "visit", "visits").await;
        server
        .metadata(
            "mutation { createField(object: \"visit\", data: {key: \"rating\", kind: \"integer\", min: 1, max: 5}) { name } }",
            json!({}),
        )
        .await
        .data();
        let created = server
            .data(r#"mutation { createVisit(data: {subject: "Fair", rating: 4}) { id rating } }"#)
            .await;
        let id = created["createVisit"]["id"].clone();
        assert_eq!(created["createVisit"]["rating"], 4);

        server
        .metadata(
            "mutation { updateField(object: \"visit\", name: \"rating\", data: {name: \"score\"}) { name } }",
            json!({}),
        )
        .await
        .data();
        let renamed = server
            .graphql(
                "query($id: ID!) { visit(id: $id) { score } }",
                json!({"id": id}),
            )
            .await
            .data();
        assert_eq!(renamed["visit"]["score"], 4);
        let old = server
            .graphql(
                "query($id: ID!) { visit(id: $id) { rating } }",
                json!({"id": id}),
            )
            .await;
        assert_eq!(old.code(), "BAD_INPUT");

        let refused = server
            .metadata(
                "mutation { deleteField(object: \"visit\", name: \"score\") { id } }",
                json!({}),
            )
            .await;
        let text = refused.body.to_string();
        assert!(
            text.contains("visit.score"),
            "the name to confirm by is missing: {text}"
        );
        assert_eq!(
            server
                .graphql(
                    "query($id: ID!) { visit(id: $id) { score } }",
                    json!({"id": id})
                )
                .await
                .data()["visit"]["score"],
            4
        );

        server
        .metadata(
            "mutation { deleteField(object: \"visit\", name: \"score\", confirm: [\"visit.score\"]) { id } }",
            json!({}),
        )
        .await
        .data();
        let gone = server
            .graphql(
                "query($id: ID!) { visit(id: $id) { score } }",
                json!({"id": id}),
            )
            .await;
        assert_eq!(gone.code(), "BAD_INPUT");

        server
            .metadata(
                "mutation { deleteObject(name: \"visit\", confirm: [\"visit\"]) { id } }",
                json!({}),
            )
            .await
            .data();
        let gone = server.graphql("{ visits { totalCount } }", json!({})).await;
        assert_eq!(gone.code(), "BAD_INPUT");
    }
);

scenario!(
    requests_go_on_while_the_catalogue_changes,
    |server: Server| async move {
        let server = Arc::new(server);
        crate::records::create_company(&server, "Steady Ltd").await;
        let is_done = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..4)
        .map(|number| {
            let (server, is_done) = (Arc::clone(&server), Arc::clone(&is_done));
            tokio::spawn(async move {
                let mut count = 0_u32;
                while !is_done.load(Ordering::Relaxed) {
                    if number % 2 == 0 {
                        let read = server.data("{ companies(first: 5) { totalCount nodes { id name people { totalCount } } } }").await;
                        assert!(read["companies"]["totalCount"].as_i64().unwrap() >= 1);
                    } else {
                        crate::records::create_company(&server, &format!("Reader {number} {count}")).await;
                    }
                    count += 1;
                }
                count
            })
        })
        .collect();
        for round in 0..5 {
            let object = format!("thing{round}");
            create_object(&server, &object, &format!("{object}s")).await;
            server
            .metadata(
                "mutation($object: String!) { createField(object: $object, data: {key: \"extra\", kind: \"text\"}) { name } }",
                json!({"object": object}),
            )
            .await
            .data();
            let read = server
                .data(&format!(
                    "{{ {object}s {{ totalCount nodes {{ extra }} }} }}"
                ))
                .await;
            assert_eq!(read[format!("{object}s")]["totalCount"], 0);
        }
        is_done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.await.unwrap() > 0);
        }
    }
);

scenario!(
    a_workspace_exports_itself_and_another_takes_it,
    |server: Server| async move {
        create_object(&server, "visit", "visits").await;
        let exported = server
            .metadata("{ exportBlueprint }", json!({}))
            .await
            .data()["exportBlueprint"]
            .clone();
        let again = server
            .metadata(
                "mutation($d: JSON!) { planBlueprint(document: $d) { steps { name } } }",
                json!({"d": exported}),
            )
            .await;
        // A query by nature; whichever root it stands under, applying what is there changes nothing.
        let again = if again.body.get("errors").is_some() {
            server
                .metadata(
                    "query($d: JSON!) { planBlueprint(document: $d) { steps { name } } }",
                    json!({"d": exported}),
                )
                .await
        } else {
            again
        };
        assert_eq!(again.data()["planBlueprint"]["steps"], json!([]));
    }
);

pub(crate) async fn create_object(server: &Server, singular: &str, plural: &str) -> Value {
    server
        .metadata(
            "mutation($o: JSON!) { createObject(data: $o) { name plural } }",
            json!({"o": {"key": singular, "plural": plural, "label": "subject",
                "fields": [{"key": "subject", "kind": "text", "required": true}]}}),
        )
        .await
        .data()
}
