//! An integrator writes a plugin, an administrator installs it, and it holds.

use std::{path::PathBuf, sync::Arc};

use relata_tests::{Server, program, run_relata, scenario};
use serde_json::{Value, json};

/// The bundled plugin, as `cargo xtask guests` left it.
fn membership() -> String {
    guest("guests/membership.relata")
}

fn guest(file: &str) -> String {
    let mut folder: PathBuf = program();
    folder.pop();
    folder.pop();
    folder.join(file).to_string_lossy().into_owned()
}

async fn install_membership(server: &Server) {
    server
        .relata(&["plugin", "install", &membership(), "--grant-all"])
        .await
        .unwrap();
}

/// The plugin that breaks when it is told to.
async fn install_faulty(server: &Server) {
    let file = guest("test-guests/faulty.relata");
    server
        .relata(&["plugin", "install", &file, "--grant-all"])
        .await
        .unwrap();
}

async fn note(server: &Server, title: &str) {
    server
        .graphql(
            "mutation($t: String!) { createNote(data: {title: $t}) { id } }",
            json!({"t": title}),
        )
        .await
        .data();
}

async fn member(server: &Server, name: &str) -> String {
    let created = server
        .graphql(
            "mutation($n: String!) { createPerson(data: {name: {full: $n}}) { id } }",
            json!({"n": name}),
        )
        .await
        .data();
    let created = server
        .graphql(
            "mutation($p: ID!) { createMember(data: {person: {connect: {id: $p}}}) { id number tier { code } points } }",
            json!({"p": created["createPerson"]["id"]}),
        )
        .await
        .data();
    assert!(
        created["createMember"]["number"]
            .as_str()
            .unwrap()
            .starts_with("M-"),
        "{created:#}"
    );
    assert_eq!(created["createMember"]["points"], 0);
    created["createMember"]["id"].as_str().unwrap().to_owned()
}

async fn earn(server: &Server, member: &str, points: i64) {
    server
        .graphql(
            "mutation($m: ID!, $p: SafeInt!) { createPointsEntry(data: {member: {connect: {id: $m}}, kind: EARN, points: $p, reason: \"Purchase\"}) { id } }",
            json!({"m": member, "p": points}),
        )
        .await
        .data();
}

async fn balance(server: &Server, member: &str) -> (i64, i64) {
    let read = server
        .graphql(
            "query($m: ID!) { member(id: $m) { points entries(first: 500) { nodes { points } } } }",
            json!({"m": member}),
        )
        .await
        .data();
    let entries = read["member"]["entries"]["nodes"].as_array().unwrap();
    (
        read["member"]["points"].as_i64().unwrap(),
        entries
            .iter()
            .map(|entry| entry["points"].as_i64().unwrap())
            .sum(),
    )
}

scenario!(
    members_earn_and_burn_and_rise,
    |server: Server| async move {
        install_membership(&server).await;
        let member = member(&server, "林雨桐").await;
        let read = server
            .graphql(
                "query($m: ID!) { member(id: $m) { tier { code rank } } }",
                json!({"m": member}),
            )
            .await
            .data();
        let first = read["member"]["tier"]["code"].clone();
        let tiers = server
            .data("{ membershipTiers(orderBy: [{minPoints: ASC}]) { nodes { code minPoints } } }")
            .await;
        let tiers = tiers["membershipTiers"]["nodes"]
            .as_array()
            .unwrap()
            .clone();
        assert!(tiers.len() >= 3, "tiers are configuration: {tiers:#?}");
        assert_eq!(first, tiers[0]["code"]);

        let needed = tiers[1]["minPoints"].as_i64().unwrap();
        earn(&server, &member, needed).await;
        let read = server
            .graphql(
                "query($m: ID!) { member(id: $m) { points tier { code } } }",
                json!({"m": member}),
            )
            .await
            .data();
        assert_eq!(
            read["member"],
            json!({"points": needed, "tier": {"code": tiers[1]["code"]}})
        );

        let redeemed = server
        .graphql(
            "mutation($m: ID!) { membership_redeem(member: $m, points: 40, reason: \"Tote bag\") { balance } }",
            json!({"m": member}),
        )
        .await
        .data();
        assert_eq!(redeemed["membership_redeem"]["balance"], needed - 40);

        let refused = server
        .graphql(
            "mutation($m: ID!, $p: SafeInt!) { membership_redeem(member: $m, points: $p, reason: \"A car\") { balance } }",
            json!({"m": member, "p": needed}),
        )
        .await;
        assert_eq!(refused.code(), "PLUGIN_REJECTED");
        assert!(
            refused.message().contains("membership"),
            "{}",
            refused.message()
        );
        assert_eq!(balance(&server, &member).await, (needed - 40, needed - 40));

        let written = server
            .graphql(
                "mutation($m: ID!) { updateMember(id: $m, data: {points: 1000000}) { points } }",
                json!({"m": member}),
            )
            .await;
        assert_eq!(
            written.code(),
            "PLUGIN_REJECTED",
            "the balance is the plugin's: {:#}",
            written.body
        );

        let statement = server
        .graphql("query($m: ID!) { membership_statement(member: $m) { closingBalance entries { points } } }", json!({"m": member}))
        .await
        .data();
        assert_eq!(
            statement["membership_statement"]["closingBalance"],
            needed - 40
        );
        assert_eq!(
            statement["membership_statement"]["entries"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
);

scenario!(
    the_last_points_go_to_one_of_many,
    |server: Server| async move {
        install_membership(&server).await;
        let member = member(&server, "Zsófia Kőszegi").await;
        earn(&server, &member, 100).await;
        let server = Arc::new(server);
        let redemptions: Vec<_> = (0..16)
        .map(|_| {
            let (server, member) = (Arc::clone(&server), member.clone());
            tokio::spawn(async move {
                server
                    .graphql(
                        "mutation($m: ID!) { membership_redeem(member: $m, points: 30, reason: \"Voucher\") { balance } }",
                        json!({"m": member}),
                    )
                    .await
            })
        })
        .collect();
        let mut done = 0;
        for redemption in redemptions {
            let answer = redemption.await.unwrap();
            if answer.body.get("errors").is_none() {
                done += 1;
            } else {
                assert_eq!(answer.code(), "PLUGIN_REJECTED", "{:#}", answer.body);
            }
        }
        assert_eq!(done, 3, "100 points are three redemptions of 30");
        assert_eq!(balance(&server, &member).await, (10, 10));
    }
);

scenario!(
    an_after_hook_is_delivered_also_after_a_kill,
    |server: Server| async move {
        install_membership(&server).await;
        let member = member(&server, "Ngozi Okafor").await;
        let tiers = server
            .data("{ membershipTiers(orderBy: [{minPoints: ASC}]) { nodes { minPoints } } }")
            .await;
        let needed = tiers["membershipTiers"]["nodes"][1]["minPoints"]
            .as_i64()
            .unwrap();
        earn(&server, &member, needed).await;
        // At once: the event is committed with the write, the hook comes when it comes.
        let folder = server.kill().await.unwrap();
        let server = Server::start_on(folder).await.unwrap();
        let risen = "{ tierPassages(orderBy: [{createdAt: ASC}]) { nodes { member { id } to { rank } createdBy { __typename ... on Plugin { id } } } } }";
        let data = server
            .wait_until(risen, |data| {
                data["tierPassages"]["nodes"].as_array().unwrap().len() >= 2
            })
            .await;
        let by = json!({"__typename": "Plugin", "id": "relata.membership"});
        let expected = json!([
            {"member": {"id": member}, "to": {"rank": 1}, "createdBy": by},
            {"member": {"id": member}, "to": {"rank": 2}, "createdBy": by},
        ]);
        assert_eq!(data["tierPassages"]["nodes"], expected);
        // Delivered at least once, acted on once: another write, another event, no third passage.
        earn(&server, &member, 1).await;
        let folder = server.kill().await.unwrap();
        let server = Server::start_on(folder).await.unwrap();
        assert_eq!(server.data(risen).await["tierPassages"]["nodes"], expected);
    }
);

scenario!(
    what_a_hook_fails_to_take_waits_for_an_administrator,
    |server: Server| async move {
        let (folder, _) = server.terminate().await.unwrap();
        std::fs::write(
            folder.path().join("relata.toml"),
            "[delivery]\nattempts_max = 1\n",
        )
        .unwrap();
        let settings = run_relata(folder.relata(&["settings"])).await.unwrap();
        assert!(settings.contains("\nattempts_max = 1\n"), "{settings}");
        let server = Server::start_on(folder).await.unwrap();
        // All that it asks for, but to write down when a member came into a tier.
        let grants = json!({"records": {
            "member": {"read": ["points", "tier", "status"], "write": ["points", "tier"]},
            "membershipTier": {"read": ["code", "name", "minPoints", "rank", "multiplier"]},
            "pointsEntry": {"create": true,
                "read": ["member", "kind", "points", "at", "reason", "reference", "balanceAfter"],
                "write": ["member", "kind", "points", "reason", "reference"]},
        }});
        let grants = grants.to_string();
        server
            .relata(&["plugin", "install", &membership(), "--grants", &grants])
            .await
            .unwrap();
        let member = member(&server, "Ada Lovelace").await;

        let list = "{ deadLetterCount deadLetters { id consumer plugin hook object record version change attempts error at changedAt } }";
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        let letters = loop {
            let data = server.metadata(list, json!({})).await.data();
            if data["deadLetterCount"] == 1 {
                break data["deadLetters"].clone();
            }
            assert!(tokio::time::Instant::now() < deadline, "{data:#}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        let letter = &letters[0];
        for (member_name, value) in [
            ("consumer", json!("plugin:relata.membership/passage")),
            ("plugin", json!("relata.membership")),
            ("hook", json!("passage")),
            ("object", json!("member")),
            ("record", json!(member)),
            ("version", json!(1)),
            ("change", json!("CREATE")),
            ("attempts", json!(1)),
        ] {
            assert_eq!(letter[member_name], value, "{letter:#}");
        }

        let retry = "mutation($id: ID!) { retryDeadLetter(id: $id) { isDelivered deadLetter { attempts error } } }";
        let id = json!({"id": letter["id"]});
        let retried = server.metadata(retry, id.clone()).await.data();
        let retried = &retried["retryDeadLetter"];
        assert_eq!(retried["isDelivered"], false);
        assert_eq!(retried["deadLetter"]["attempts"], 2, "{retried:#}");

        install_membership(&server).await;
        let retried = server.metadata(retry, id.clone()).await.data();
        assert_eq!(retried["retryDeadLetter"]["isDelivered"], true);
        let passages = "{ tierPassages { nodes { member { id } } } }";
        assert_eq!(
            server.data(passages).await["tierPassages"]["nodes"],
            json!([{"member": {"id": member}}])
        );
        let gone = server.metadata(list, json!({})).await.data();
        assert_eq!(gone, json!({"deadLetterCount": 0, "deadLetters": []}));
        assert_eq!(server.metadata(retry, id).await.code(), "NOT_FOUND");
    }
);

scenario!(
    batches_are_told_once_and_in_order_through_kills,
    |server: Server| async move {
        install_faulty(&server).await;
        let mut expected = Vec::new();
        let mut server = server;
        for round in 0..3 {
            for number in 0..15 {
                let title = format!("echo {round} {number:02}");
                note(&server, &title).await;
                expected.push(json!({"name": title}));
            }
            // At once: some are told, a batch may be on its way, the rest comes later.
            let folder = server.kill().await.unwrap();
            server = Server::start_on(folder).await.unwrap();
        }
        let told = "{ companies(first: 100, orderBy: [{createdAt: ASC}]) { nodes { name } } }";
        let data = server
            .wait_until(told, |data| {
                data["companies"]["nodes"].as_array().unwrap().len() >= expected.len()
            })
            .await;
        assert_eq!(data["companies"]["nodes"], json!(expected));
    }
);

scenario!(
    an_after_hook_that_fails_keeps_what_came_before_it,
    |server: Server| async move {
        install_faulty(&server).await;
        server
            .data(
                r#"mutation {
                    a: createNote(data: {title: "echo one"}) { id }
                    b: createNote(data: {title: "echo fails"}) { id }
                    c: createNote(data: {title: "echo two"}) { id }
                }"#,
            )
            .await;
        let told = "{ companies(orderBy: [{createdAt: ASC}]) { nodes { name } } }";
        let data = server
            .wait_until(told, |data| {
                !data["companies"]["nodes"].as_array().unwrap().is_empty()
            })
            .await;
        // The failed one has left nothing, and the one behind it waits for it.
        assert_eq!(data["companies"]["nodes"], json!([{"name": "echo one"}]));
    }
);

scenario!(
    plugin_queries_of_a_request_fail_one_by_one_and_write_nothing,
    |server: Server| async move {
        install_faulty(&server).await;
        crate::records::create_company(&server, "Zeiss").await;
        let answer = server
            .graphql(
                r#"{
                    before: faulty_count(what: "count") { companies }
                    trap: faulty_count(what: "trap") { companies }
                    write: faulty_count(what: "write") { companies }
                    after: faulty_count(what: "count") { companies }
                    companies { totalCount }
                }"#,
                json!({}),
            )
            .await;
        assert_eq!(
            answer.body["data"],
            json!({
                "before": {"companies": 1},
                "trap": null,
                "write": null,
                "after": {"companies": 1},
                "companies": {"totalCount": 1},
            }),
            "{:#}",
            answer.body
        );
        let errors = answer.body["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2, "{errors:#?}");
        assert!(
            errors[1]["message"]
                .as_str()
                .unwrap()
                .contains("a query does not write"),
            "{errors:#?}"
        );
    }
);

scenario!(
    a_stranger_writes_a_plugin_and_it_leaves_nothing_behind,
    |server: Server| async move {
        let folder = server.folder.path().to_owned();
        run_relata(server.folder.relata(&["plugin", "new", "spending-limit"]))
            .await
            .unwrap();
        let plugin = folder.join("spending-limit");
        let mut build = server.folder.relata(&["plugin", "build", "spending-limit"]);
        // What a stranger has is cargo; the dependencies come from where this build has them.
        build.env(
            "CARGO_TARGET_DIR",
            program()
                .parent()
                .unwrap()
                .parent()
                .unwrap()
                .join("stranger"),
        );
        run_relata(build).await.unwrap();
        let file = std::fs::read_dir(&plugin)
            .unwrap()
            .chain(std::fs::read_dir(&folder).unwrap())
            .flatten()
            .map(|entry| entry.path())
            .find(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "relata")
            })
            .expect("build leaves a file NAME.relata");

        let before = schema(&server).await;
        server
            .relata(&["plugin", "install", &file.to_string_lossy(), "--grant-all"])
            .await
            .unwrap();
        let listed: Value =
            serde_json::from_str(&server.relata(&["plugin", "list", "--json"]).await.unwrap())
                .unwrap();
        let id = listed[0]["id"].as_str().unwrap().to_owned();

        let rejected = server
        .graphql(
            "mutation { createDeal(data: {name: \"Too much\", amount: {amount: \"99999999.00\", currency: \"EUR\"}}) { id } }",
            json!({}),
        )
        .await;
        assert_eq!(rejected.code(), "PLUGIN_REJECTED", "{:#}", rejected.body);
        assert!(
            rejected.issues()[0].contains("amount"),
            "{:?}",
            rejected.issues()
        );
        server.data(r#"mutation { createDeal(data: {name: "Fine", amount: {amount: "10.00", currency: "EUR"}}) { id } }"#).await;

        server.relata(&["plugin", "disable", &id]).await.unwrap();
        server
        .data(r#"mutation { createDeal(data: {name: "Nobody looks", amount: {amount: "99999999.00", currency: "EUR"}}) { id } }"#)
        .await;
        server
            .relata(&["plugin", "uninstall", &id, "--data", "drop"])
            .await
            .unwrap();
        assert_eq!(schema(&server).await, before);
    }
);

scenario!(
    uninstalled_with_drop_the_schema_is_as_before,
    |server: Server| async move {
        let before = schema(&server).await;
        install_membership(&server).await;
        assert_ne!(schema(&server).await, before);
        member(&server, "Leonie Köhler").await;
        server
            .relata(&["plugin", "uninstall", "relata.membership", "--data", "drop"])
            .await
            .unwrap();
        assert_eq!(schema(&server).await, before);
        install_membership(&server).await;
        assert_eq!(
            server.data("{ members { totalCount } }").await["members"]["totalCount"],
            0
        );
    }
);

scenario!(a_fault_stays_in_its_call, |server: Server| async move {
    install_faulty(&server).await;
    let note = "mutation($t: String!) { createNote(data: {title: $t}) { body } }";
    for fault in ["trap", "loop", "memory", "stack"] {
        let failed = server.graphql(note, json!({"t": fault})).await;
        assert_eq!(failed.code(), "PLUGIN_FAILED", "{fault}: {:#}", failed.body);
        for part in ["test.faulty", "0.1.0"] {
            assert!(
                failed.message().contains(part),
                "{fault}: {}",
                failed.message()
            );
        }
        // The server goes on, the plugin too.
        let fine = server.graphql(note, json!({"t": "harmless"})).await.data();
        assert_eq!(fine["createNote"]["body"], "seen", "after {fault}");
    }
    let kept = server
        .data("{ notes(where: {title: {ne: \"harmless\"}}) { totalCount } }")
        .await;
    assert_eq!(
        kept["notes"]["totalCount"], 0,
        "a failed write left something"
    );
});

scenario!(
    what_is_no_plugin_is_not_installed,
    |server: Server| async move {
        let folder = server.folder.path().to_owned();
        for (name, bytes) in [
            ("empty", Vec::new()),
            ("garbage", b"not a zip at all".to_vec()),
            (
                "truncated",
                std::fs::read(membership()).unwrap()[..2000].to_vec(),
            ),
        ] {
            let file = folder.join(format!("{name}.relata"));
            std::fs::write(&file, bytes).unwrap();
            let failure = server
                .relata(&["plugin", "install", &file.to_string_lossy(), "--grant-all"])
                .await;
            assert!(failure.is_err(), "{name} was installed");
        }
        // Nothing granted: what the component imports is refused by name.
        let ungranted = server
            .relata(&["plugin", "install", &membership()])
            .await
            .unwrap_err()
            .to_string();
        assert!(ungranted.contains("records"), "{ungranted}");
        let listed: Value =
            serde_json::from_str(&server.relata(&["plugin", "list", "--json"]).await.unwrap())
                .unwrap();
        assert_eq!(listed, json!([]));
    }
);

async fn schema(server: &Server) -> String {
    server.relata(&["schema"]).await.unwrap()
}
