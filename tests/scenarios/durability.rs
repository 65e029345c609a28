//! Nothing that was acknowledged is lost, whatever happens to the process.

use relata_tests::{Server, scenario};
use serde_json::json;

scenario!(
    an_acknowledged_write_survives_a_kill,
    |server: Server| async move {
        let mut folder = None;
        let mut server = Some(server);
        let mut acknowledged = 0;
        for round in 0..3 {
            let running = match server.take() {
                Some(running) => running,
                None => Server::start_on(folder.take().unwrap()).await.unwrap(),
            };
            let count =
                running.data("{ companies { totalCount } }").await["companies"]["totalCount"]
                    .as_i64()
                    .unwrap();
            assert_eq!(count, acknowledged, "round {round}");
            for number in 0..10 {
                crate::records::create_company(&running, &format!("Round {round} number {number}"))
                    .await;
                acknowledged += 1;
            }
            folder = Some(running.kill().await.unwrap());
        }
        let running = Server::start_on(folder.unwrap()).await.unwrap();
        assert_eq!(
            running.data("{ companies { totalCount } }").await["companies"]["totalCount"],
            acknowledged
        );
    }
);

scenario!(
    a_catalogue_change_survives_a_kill,
    |server: Server| async move {
        crate::catalogue::create_object(&server, "visit", "visits").await;
        server
            .data(r#"mutation { createVisit(data: {subject: "Before"}) { id } }"#)
            .await;
        let folder = server.kill().await.unwrap();
        let server = Server::start_on(folder).await.unwrap();
        let read = server.data("{ visits { nodes { subject } } }").await;
        assert_eq!(read["visits"]["nodes"], json!([{"subject": "Before"}]));
    }
);
