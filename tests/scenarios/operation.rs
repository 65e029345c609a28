//! Who runs a server looks at it from outside.

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

scenario!(
    a_server_says_whether_it_lives_and_serves,
    |server: Server| async move {
        for route in ["/healthz", "/readyz"] {
            let answer = server
                .http()
                .get(format!("{}{route}", server.url))
                .send()
                .await
                .unwrap();
            assert_eq!(
                answer.status().as_u16(),
                200,
                "{route}: {}",
                answer.text().await.unwrap()
            );
        }
    }
);

scenario!(
    without_a_token_nothing_is_answered,
    |server: Server| async move {
        for route in ["/graphql", "/metadata"] {
            for token in [None, Some("rlt_wrong"), Some("")] {
                let mut request = server
                    .http()
                    .post(format!("{}{route}", server.url))
                    .header("accept", "application/graphql-response+json")
                    .json(&json!({"query": "{ __typename }"}));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 401, "{route} with {token:?}");
                let body: Value = answer.json().await.unwrap();
                assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
                assert!(body.get("data").is_none() || body["data"].is_null());
            }
        }
    }
);

scenario!(
    a_request_can_be_followed_by_its_id,
    |server: Server| async move {
        let answer = server
            .graphql("{ viewer { user { email } } }", json!({}))
            .await;
        let id = answer
            .request_id
            .clone()
            .expect("each answer has a request id");
        assert!(id.len() >= 16, "{id}");
        answer.data();
        let log = std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
        assert!(log.contains(&id), "the log does not know {id}:\n{log}");
        // Not a terminal: each line is JSON.
        for line in log.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        }
        assert!(!log.contains(&server.token), "the log holds a secret");
    }
);

scenario!(
    a_server_ends_cleanly_when_asked_to,
    |server: Server| async move {
        let id = crate::records::create_company(&server, "Kept").await;
        let (folder, status) = server.terminate().await.unwrap();
        assert!(status.success(), "{status}");
        let server = Server::start_on(folder).await.unwrap();
        let read = server
            .graphql(
                "query($id: ID!) { company(id: $id) { name } }",
                json!({"id": id}),
            )
            .await
            .data();
        assert_eq!(read["company"]["name"], "Kept");
    }
);
