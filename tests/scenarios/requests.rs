//! What a client does beside asking: send a mutation again, name a document instead of sending it.

use relata_tests::{Folder, Server, scenario};
use serde_json::{Value, json};

const CREATE: &str = "mutation($name: String!) { createCompany(data: {name: $name}) { id name } }";
const COUNT: &str = "{ companies { totalCount } }";

async fn create(server: &Server, name: &str, key: &str) -> relata_tests::Answer {
    let body = json!({"query": CREATE, "variables": {"name": name}});
    server
        .send("/graphql", &body, &[("idempotency-key", key)])
        .await
}

async fn count(server: &Server) -> Value {
    server.data(COUNT).await["companies"]["totalCount"].clone()
}

scenario!(
    a_mutation_with_a_key_is_carried_out_once,
    |server: Server| async move {
        let first = create(&server, "Once", "k-1").await;
        assert!(!first.is_repeated);
        let again = create(&server, "Once", "k-1").await;
        assert!(again.is_repeated);
        assert_eq!(first.body, again.body);
        assert_eq!(count(&server).await, 1);

        // Another request under the same key is a mistake, and nothing is done.
        let other = create(&server, "Other", "k-1").await;
        assert_eq!((other.status, other.code()), (400, "BAD_INPUT"));
        assert_eq!(other.issues(), ["Idempotency-Key: BAD_INPUT"]);
        assert!(other.body.get("data").is_none(), "{}", other.body);
        // Another key, another record.
        create(&server, "Once", "k-2").await.data();
        assert_eq!(count(&server).await, 2);

        // Many at once, as a client does that loses its patience.
        let at_once =
            futures_util::future::join_all((0..8).map(|_| create(&server, "Race", "k-3")));
        let answers: Vec<Value> = at_once
            .await
            .into_iter()
            .map(relata_tests::Answer::data)
            .collect();
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:?}"
        );
        assert_eq!(count(&server).await, 3);

        // What was refused has changed nothing, and is looked at again.
        let wrong = create(&server, &"n".repeat(1_000), "k-4").await;
        assert_eq!(wrong.code(), "VALIDATION_FAILED");
        assert!(!create(&server, &"n".repeat(1_000), "k-4").await.is_repeated);

        let too_long = create(&server, "x", &"k".repeat(256)).await;
        assert_eq!((too_long.status, too_long.code()), (400, "BAD_INPUT"));

        // The answer is as durable as the change.
        let server = Server::start_on(server.kill().await.unwrap())
            .await
            .unwrap();
        let after = create(&server, "Once", "k-2").await;
        // Another token of the same user: another caller.
        assert!(!after.is_repeated);
        let again = create(&server, "Once", "k-2").await;
        assert_eq!((again.is_repeated, &again.body), (true, &after.body));
        // Queries are not kept: there is nothing that could happen twice.
        let body = json!({"query": COUNT});
        for _ in 0..2 {
            let answer = server
                .send("/graphql", &body, &[("idempotency-key", "k-5")])
                .await;
            assert!(!answer.is_repeated);
        }
    }
);

/// SHA-256 of `{ companies { totalCount } }`.
const COUNT_HASH: &str = "b92681433ba24f692a12f3798012df4d4c57916077b7f45d493e947051d104b0";

scenario!(
    a_document_is_named_after_it_was_sent_once,
    |server: Server| async move {
        let persisted = json!({"persistedQuery": {"version": 1, "sha256Hash": COUNT_HASH}});
        let unknown = server
            .send("/graphql", &json!({"extensions": persisted}), &[])
            .await;
        assert_eq!(unknown.code(), "PERSISTED_QUERY_NOT_FOUND");
        // What urql looks for.
        assert_eq!(unknown.message(), "PersistedQueryNotFound");
        let both = json!({"query": COUNT, "extensions": persisted});
        server.send("/graphql", &both, &[]).await.data();
        let named = server
            .send("/graphql", &json!({"extensions": persisted}), &[])
            .await;
        assert_eq!(named.data()["companies"]["totalCount"], 0);
        let id = format!("sha256:{COUNT_HASH}");
        let by_id = server
            .send("/graphql", &json!({"documentId": id}), &[])
            .await;
        assert_eq!(by_id.data()["companies"]["totalCount"], 0);
        let got = server
            .http()
            .get(format!("{}/graphql?documentId={id}", server.url))
            .bearer_auth(&server.token)
            .send()
            .await
            .unwrap();
        assert_eq!(got.status().as_u16(), 200);

        let wrong = json!({"query": "{ people { totalCount } }", "extensions": persisted});
        let wrong = server.send("/graphql", &wrong, &[]).await;
        assert_eq!((wrong.status, wrong.code()), (400, "BAD_INPUT"));
        // What is not valid is not kept.
        let hash = "7b0cc5d8fd2d5a6a8fdd1d3cc5e4ea65d9ae4a0e4a5b5e2b9e1d3a5f0c7b1e22";
        let mismatch = json!({"query": "{ nothing }", "documentId": format!("sha256:{hash}")});
        assert_eq!(
            server.send("/graphql", &mismatch, &[]).await.code(),
            "BAD_INPUT"
        );
    }
);

scenario!(only_registered_documents, |server: Server| async move {
    let (folder, _) = server.terminate().await.unwrap();
    let folder: Folder = folder;
    std::fs::write(
        folder.path().join("relata.toml"),
        "documents = 'registered'\nintrospection = false\n",
    )
    .unwrap();
    let server = Server::start_on(folder).await.unwrap();
    let refused = server.graphql(COUNT, json!({})).await;
    assert_eq!((refused.status, refused.code()), (400, "FORBIDDEN"));

    // A file of each form, and a mistake that is told with its place.
    let folder = server.folder.path();
    std::fs::write(folder.join("count.graphql"), COUNT).unwrap();
    std::fs::write(
        folder.join("manifest.json"),
        json!({"a": "query A { people { totalCount } }", "b": "{ companies { nothing } }"})
            .to_string(),
    )
    .unwrap();
    let wrong = server
        .relata(&["documents", "register", "count.graphql", "manifest.json"])
        .await
        .unwrap_err();
    assert!(format!("{wrong:#}").contains("documents[2]"), "{wrong:#}");
    assert_eq!(
        server.relata(&["documents", "list"]).await.unwrap().trim(),
        "no documents are registered"
    );
    let registered = server
        .relata(&["documents", "register", "count.graphql"])
        .await
        .unwrap();
    assert!(registered.contains(COUNT_HASH), "{registered}");

    assert_eq!(count(&server).await, 0);
    let named = json!({"documentId": format!("sha256:{COUNT_HASH}")});
    assert_eq!(
        server.send("/graphql", &named, &[]).await.data()["companies"]["totalCount"],
        0
    );
    assert_eq!(
        server
            .graphql("{ people { totalCount } }", json!({}))
            .await
            .code(),
        "FORBIDDEN"
    );
    server
        .relata(&["documents", "remove", COUNT_HASH])
        .await
        .unwrap();
    assert_eq!(
        server.send("/graphql", &named, &[]).await.code(),
        "PERSISTED_QUERY_NOT_FOUND"
    );
});

scenario!(
    the_schema_can_be_kept_to_oneself,
    |server: Server| async move {
        let near = "{ companies { nodes { nam } } }";
        let (folder, _) = server.terminate().await.unwrap();
        std::fs::write(folder.path().join("relata.toml"), "introspection = false\n").unwrap();
        let server = Server::start_on(folder).await.unwrap();
        for query in [
            "{ __schema { queryType { name } } }",
            "{ __type(name: \"Query\") { name } }",
            "query { ...F } fragment F on Query { __schema { types { name } } }",
        ] {
            for answer in [
                server.graphql(query, json!({})).await,
                server.metadata(query, json!({})).await,
            ] {
                assert_eq!(
                    (answer.status, answer.code()),
                    (400, "BAD_INPUT"),
                    "{query}"
                );
            }
        }
        assert_eq!(server.data("{ __typename }").await["__typename"], "Query");
        let unknown = server.graphql(near, json!({})).await;
        assert!(!unknown.message().contains("mean"), "{}", unknown.message());
        let unknown = server.metadata("{ objets { name } }", json!({})).await;
        assert!(!unknown.message().contains("mean"), "{}", unknown.message());

        let (folder, _) = server.terminate().await.unwrap();
        std::fs::write(folder.path().join("relata.toml"), "suggestions = true\n").unwrap();
        let server = Server::start_on(folder).await.unwrap();
        let unknown = server.graphql(near, json!({})).await;
        assert!(unknown.message().contains("name"), "{}", unknown.message());
        server
            .graphql("{ __schema { queryType { name } } }", json!({}))
            .await
            .data();
    }
);
