//! A plugin from installation to removal, and what it does to records meanwhile.

use std::time::Duration;

use relata_app::{
    AppError, Caller, Workspace, operations,
    plugins::{
        InstallOptions, KeepData, plugin_disable, plugin_enable, plugin_get, plugin_install,
        plugin_plan, plugin_uninstall,
    },
};
use relata_catalog::{Catalogue, Value};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    fixture::{
        administrator, all, bytes_of, create, create_as, create_many, delete, issues, nobody,
        update, value,
    },
    guest::{membership, membership_with},
};

on_each_database! {
    a_plugin_comes_and_goes
    hooks_keep_the_ledger
    the_last_points_are_taken_once
    what_is_no_id_is_the_id_of_nothing
    after_hooks_are_delivered
    failures_stay_with_the_plugin
    bad_packages_are_refused_whole
}

async fn install(workspace: &Workspace) -> Caller {
    let administrator = administrator(workspace).await;
    plugin_install(
        workspace,
        &administrator,
        &membership(|text| text),
        &InstallOptions::default(),
    )
    .await
    .unwrap_or_else(|error| panic!("{error}: {:?}", issues(&error)));
    administrator
}

async fn member(workspace: &Workspace) -> Uuid {
    let person = create(workspace, "person", json!({"name": "王小明"}))
        .await
        .unwrap();
    create(workspace, "member", json!({"person": person.to_string()}))
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", issues(&error)))
}

async fn operate(
    workspace: &Workspace,
    name: &'static str,
    arguments: Json,
) -> Result<Json, AppError> {
    workspace
        .transact(&nobody(), move |unit| {
            let arguments = arguments.clone();
            Box::pin(async move { operations::operation_call(&unit, name, arguments).await })
        })
        .await
}

/// Everything but the revision.
fn shape(catalogue: &Catalogue) -> Catalogue {
    Catalogue {
        revision: 0,
        ..catalogue.clone()
    }
}

async fn a_plugin_comes_and_goes(workspace: Workspace) {
    let before = shape(&workspace.state().catalogue);
    let administrator = administrator(&workspace).await;
    let package = membership(|text| text);
    let options = InstallOptions::default();
    let planned = plugin_plan(&workspace, &administrator, &package, &options)
        .await
        .unwrap();
    assert_eq!(planned.replaces, None);
    assert!(planned.plan.steps.iter().any(|step| step.name == "member"));
    assert_eq!(shape(&workspace.state().catalogue), before);

    let error = plugin_install(&workspace, &nobody(), &package, &options)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "FORBIDDEN");
    let (info, plan) = plugin_install(&workspace, &administrator, &package, &options)
        .await
        .unwrap();
    assert_eq!(
        (info.status.as_str(), info.prefix.as_str()),
        ("ENABLED", "membership")
    );
    assert_eq!(plan.id, planned.plan.id);
    assert_eq!(info.settings["rollingDays"], json!(365));
    let state = workspace.state();
    let operations: Vec<String> = state.plugins.operations().map(|(name, ..)| name).collect();
    assert_eq!(
        operations,
        [
            "membership_statement",
            "membership_earn",
            "membership_redeem"
        ]
    );
    let id = member(&workspace).await;

    // Switched off, its hooks are silent and its operations gone; its records stay.
    let revision = state.revision;
    plugin_disable(&workspace, &administrator, &info.id)
        .await
        .unwrap();
    assert!(workspace.state().revision > revision);
    assert_eq!(workspace.state().plugins.operations().count(), 0);
    update(&workspace, "member", id, json!({"points": 7}), None)
        .await
        .unwrap();
    assert_eq!(
        operate(&workspace, "membership_earn", json!({}))
            .await
            .unwrap_err()
            .code(),
        "NOT_FOUND"
    );
    plugin_enable(&workspace, &administrator, &info.id)
        .await
        .unwrap();
    let error = update(&workspace, "member", id, json!({"points": 8}), None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "PLUGIN_REJECTED");

    // The same id with other content is no upgrade; a higher version is.
    let edited =
        membership(|text| text.replace("Members with numbers", "Members with many numbers"));
    let error = plugin_install(&workspace, &administrator, &edited, &options)
        .await
        .unwrap_err();
    assert_eq!(issues(&error), ["plugin.toml.version VERSION_NOT_NEWER"]);
    let newer = membership(|text| {
        text.replace(
            "version = \"0.1.0\"\ncontract",
            "version = \"0.2.0\"\ncontract",
        )
    });
    let (info, plan) = plugin_install(&workspace, &administrator, &newer, &options)
        .await
        .unwrap();
    assert_eq!((info.version.as_str(), plan.steps.len()), ("0.2.0", 0));

    let error = plugin_uninstall(
        &workspace,
        &administrator,
        "relata.memberchip",
        KeepData::Drop,
    )
    .await
    .unwrap_err();
    assert!(
        error.message().contains("did you mean relata.membership?"),
        "{error}"
    );
    let gone = plugin_uninstall(&workspace, &administrator, &info.id, KeepData::Export)
        .await
        .unwrap();
    let file = bytes_of(&workspace, &administrator, gone.export.unwrap()).await;
    assert!(String::from_utf8(file).unwrap().contains(&id.to_string()));
    assert_eq!(shape(&workspace.state().catalogue), before);
    assert!(
        plugin_get(&workspace, &administrator, &info.id)
            .unwrap()
            .is_none()
    );
    assert_eq!(
        workspace.database().verify().await.unwrap(),
        Vec::<String>::new()
    );

    // It can come back.
    plugin_install(&workspace, &administrator, &package, &options)
        .await
        .unwrap();
    member(&workspace).await;
}

async fn hooks_keep_the_ledger(workspace: Workspace) {
    install(&workspace).await;
    let id = member(&workspace).await;
    assert_eq!(
        value(&workspace, "member", id, "number").await,
        json!("M-000001")
    );
    assert_eq!(value(&workspace, "member", id, "points").await, json!(0));

    let entry = json!({"member": id.to_string(), "kind": "EARN", "points": 1_200});
    create(&workspace, "pointsEntry", entry).await.unwrap();
    assert_eq!(
        value(&workspace, "member", id, "points").await,
        json!(1_200)
    );

    // Rejected in the reader's language, with nothing written.
    let chinese = Caller {
        locale: "zh-CN".to_owned(),
        ..nobody()
    };
    let burn = json!({"member": id.to_string(), "kind": "BURN", "points": -5_000});
    let error = create_as(&workspace, &chinese, "pointsEntry", burn)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "PLUGIN_REJECTED");
    assert_eq!(issues(&error), ["points INSUFFICIENT_POINTS"]);
    assert_eq!(error.issues()[0].params["balance"], json!("1200"));
    assert!(error.issues()[0].message.contains("1200") && !error.issues()[0].message.is_ascii());
    assert_eq!(
        value(&workspace, "member", id, "points").await,
        json!(1_200)
    );

    // In a batch the row is named, and each row sees what the one before it has left.
    let row = |points: i64| json!({"member": id.to_string(), "kind": "BURN", "points": points});
    let error = create_many(&workspace, "pointsEntry", vec![row(-1_000), row(-201)])
        .await
        .unwrap_err();
    assert_eq!(issues(&error), ["[1].points INSUFFICIENT_POINTS"]);
    assert_eq!(error.issues()[0].params["balance"], json!("200"));

    let done = operate(
        &workspace,
        "membership_redeem",
        json!({"member": id, "points": 200}),
    )
    .await
    .unwrap();
    assert_eq!(
        (&done["points"], &done["balance"]),
        (&json!(-200), &json!(1_000))
    );
    let entry: Uuid = done["entry"].as_str().unwrap().parse().unwrap();
    let error = delete(&workspace, "pointsEntry", entry).await.unwrap_err();
    assert_eq!(error.code(), "PLUGIN_REJECTED");

    let unit = workspace.snapshot(&nobody()).await.unwrap();
    let arguments = json!({"member": id});
    let statement = operations::operation_query(&unit, "membership_statement", arguments)
        .await
        .unwrap();
    assert_eq!(statement["closingBalance"], json!(1_000));
    assert_eq!(statement["tier"], json!("SILVER"));
    let error = operate(
        &workspace,
        "membership_redeem",
        json!({"member": id, "points": 0, "x": 1}),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "BAD_INPUT");
    assert_eq!(error.issues().len(), 2, "{:?}", issues(&error));
}

/// A client may give a plugin's operation anything as an id: that is no fault of the plugin.
async fn what_is_no_id_is_the_id_of_nothing(workspace: Workspace) {
    install(&workspace).await;
    for id in ["", "x", "0190163d", "' OR 1=1 --"] {
        let unit = workspace.snapshot(&nobody()).await.unwrap();
        let arguments = json!({"member": id});
        let error = operations::operation_query(&unit, "membership_statement", arguments)
            .await
            .unwrap_err();
        assert_eq!(issues(&error), ["member MEMBER_NOT_FOUND"], "{id}");
        let error = operate(
            &workspace,
            "membership_earn",
            json!({"member": id, "points": 1}),
        )
        .await
        .unwrap_err();
        assert_eq!(issues(&error), ["member MEMBER_NOT_FOUND"], "{id}");
    }
}

async fn the_last_points_are_taken_once(workspace: Workspace) {
    install(&workspace).await;
    let id = member(&workspace).await;
    operate(
        &workspace,
        "membership_earn",
        json!({"member": id, "points": 100}),
    )
    .await
    .unwrap();

    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let workspace = workspace.clone();
            tokio::spawn(async move {
                operate(
                    &workspace,
                    "membership_redeem",
                    json!({"member": id, "points": 30}),
                )
                .await
            })
        })
        .collect();
    let mut taken = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(_) => taken += 1,
            Err(error) => assert_eq!(issues(&error), ["points INSUFFICIENT_POINTS"], "{error}"),
        }
    }
    assert_eq!(taken, 3);
    assert_eq!(value(&workspace, "member", id, "points").await, json!(10));
}

async fn after_hooks_are_delivered(workspace: Workspace) {
    install(&workspace).await;
    let id = member(&workspace).await;
    operate(
        &workspace,
        "membership_earn",
        json!({"member": id, "points": 6_000}),
    )
    .await
    .unwrap();
    let passages = eventually(&workspace, 2).await;
    assert!(
        passages
            .iter()
            .all(|values| values.contains(&Value::Reference(id)))
    );
}

/// The passages through tiers, when there are as many as expected.
async fn eventually(workspace: &Workspace, count: usize) -> Vec<Vec<Value>> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let found: Vec<Vec<Value>> = all(workspace, "tierPassage")
            .await
            .into_iter()
            .map(|record| record.values)
            .collect();
        if found.len() >= count {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "only {} of {count}",
            found.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn failures_stay_with_the_plugin(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    // The component knows no hook of this name, and fails.
    let broken = |on_failure: &str| {
        let on_failure = on_failure.to_owned();
        membership(move |text| {
            text.replace(
                "name = \"enrol\"",
                &format!("name = \"enlist\"\non-failure = \"{on_failure}\""),
            )
            .replace(
                "version = \"0.1.0\"\ncontract",
                &format!("version = \"0.1.{}\"\ncontract", on_failure.len()),
            )
        })
    };
    let options = InstallOptions::default();
    plugin_install(&workspace, &administrator, &broken("skip"), &options)
        .await
        .unwrap();
    create(&workspace, "member", json!({})).await.unwrap();

    plugin_install(&workspace, &administrator, &broken("reject"), &options)
        .await
        .unwrap();
    for _ in 0..10 {
        let error = create(&workspace, "member", json!({})).await.unwrap_err();
        assert_eq!(error.code(), "PLUGIN_FAILED");
        assert!(
            error.message().contains("relata.membership 0.1.6"),
            "{error}"
        );
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let info = plugin_get(&workspace, &administrator, "relata.membership")
            .unwrap()
            .unwrap();
        if info.status == "SUSPENDED" {
            assert!(info.reason.unwrap().contains("10 faults in a row"));
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "never suspended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The hook's policy holds for a suspended plugin too; the rest of the workspace goes on.
    let error = create(&workspace, "member", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "PLUGIN_FAILED");
    create(&workspace, "company", json!({"name": "Zeiss"}))
        .await
        .unwrap();
    assert!(workspace.ready().await.is_ready());
    assert_eq!(workspace.ready().await.warnings.len(), 1);
}

async fn bad_packages_are_refused_whole(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    let revision = workspace.state().revision;
    let refused = async |package: Vec<u8>, options: &InstallOptions| {
        let error = plugin_install(&workspace, &administrator, &package, options)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "BAD_INPUT", "{error}");
        let planned = plugin_plan(&workspace, &administrator, &package, options)
            .await
            .unwrap_err();
        assert_eq!(planned.issues(), error.issues(), "the plan says it before");
        issues(&error)
    };
    let options = InstallOptions::default();
    assert_eq!(refused(b"no zip".to_vec(), &options).await.len(), 1);

    // Hooks and capabilities speak of what is there.
    let lost = membership(|text| {
        text.replace(
            "inputs = [\"member\", \"kind\", \"points\", \"at\"]",
            "inputs = [\"membr\"]",
        )
        .replace(
            "[capabilities.records.tierPassage]",
            "[capabilities.records.passage]",
        )
    });
    assert_eq!(
        refused(lost, &options).await,
        [
            "plugin.toml.capabilities.records.passage UNKNOWN_OBJECT",
            "plugin.toml.hooks[0].inputs[0] UNKNOWN_FIELD",
        ]
    );

    // Form and meaning of the blueprint, and what the manifest makes of it, together.
    let mistaken = membership_with(
        |text| text,
        |text| format!("{text}\nsurplus: 1\n").replace("to: person", "to: persom"),
    );
    let found = refused(mistaken, &options).await;
    assert!(
        found.contains(&"blueprint.yaml.surplus UNKNOWN_KEY".to_owned())
            && found
                .iter()
                .any(|issue| issue.starts_with("blueprint.yaml.objects")
                    && issue.ends_with("UNKNOWN_OBJECT")),
        "{found:?}"
    );

    // Asked for, and not granted.
    let options = InstallOptions {
        grants: Some(json!({"records": {}})),
        settings: Some(json!({"rollingDays": 0})),
        prefix: Some("Membership".to_owned()),
        ..InstallOptions::default()
    };
    let found = refused(membership(|text| text), &options).await;
    assert_eq!(
        found,
        [
            "capabilities.records CAPABILITY_UNGRANTED",
            "prefix BAD_NAME",
            "settings.rollingDays SCHEMA",
        ]
    );

    // A name that the workspace has already names both owners.
    relata_app::catalogue::object_create(
        &workspace,
        &administrator,
        &json!({"name": "member", "plural": "members", "fields": [{"key": "a", "kind": "text"}]}),
    )
    .await
    .unwrap();
    let error = plugin_install(
        &workspace,
        &administrator,
        &membership(|text| text),
        &InstallOptions::default(),
    )
    .await
    .unwrap_err();
    let told = format!("{error} {:?}", error.issues());
    assert!(
        told.contains("workspace") && told.contains("relata.membership"),
        "{told}"
    );
    assert!(workspace.state().plugins.get("relata.membership").is_none());
    assert_eq!(workspace.state().revision, revision + 1);
}
