//! Records: their life, what is wrong with them, and who holds on to whom.

use relata_app::{Workspace, catalogue};
use relata_catalog::Value;
use serde_json::json;

use crate::fixture::{
    administrator, create, create_as, create_many, delete, destroy, get, issues, restore, update,
    update_as, value,
};

on_each_database! {
    a_record_lives_and_dies
    all_issues_come_at_once
    unique_keys_hold
    relations_are_found_by_id_and_by_key
    a_batch_is_all_or_nothing
    versions_protect_from_overwriting
    what_changes_nothing_writes_nothing
    gates_keep_stages
    deletion_respects_relations
    cascades_come_back_together
    numbers_count_up
    history_and_outbox_tell_what_was_done
}

async fn a_record_lives_and_dies(workspace: Workspace) {
    let id = create(&workspace, "company", json!({"name": "Zeiss"}))
        .await
        .unwrap();
    let record = get(&workspace, "company", id).await.unwrap();
    assert_eq!((record.version, record.deleted_at), (1, None));
    assert_eq!(record.created_by, "system");

    update(
        &workspace,
        "company",
        id,
        json!({"name": "Carl Zeiss"}),
        None,
    )
    .await
    .unwrap();
    assert_eq!(
        value(&workspace, "company", id, "name").await,
        json!("Carl Zeiss")
    );

    delete(&workspace, "company", id).await.unwrap();
    let trashed = get(&workspace, "company", id).await.unwrap();
    assert!(trashed.deleted_at.is_some());
    assert_eq!(trashed.version, 3);
    let error = update(&workspace, "company", id, json!({"name": "x"}), None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "NOT_FOUND");

    restore(&workspace, "company", id).await.unwrap();
    assert_eq!(
        get(&workspace, "company", id).await.unwrap().deleted_at,
        None
    );

    destroy(&workspace, "company", id).await.unwrap();
    assert!(get(&workspace, "company", id).await.is_none());
    let error = delete(&workspace, "company", id).await.unwrap_err();
    assert_eq!(error.code(), "NOT_FOUND");
}

async fn sightings(workspace: &Workspace) {
    let administrator = administrator(workspace).await;
    let document = json!({
        "relata": 1,
        "objects": [
            {"key": "area", "plural": "areas", "label": "code", "fields": [
                {"key": "code", "kind": "text", "max": 8, "required": true, "unique": true},
                {"key": "mail", "kind": "email", "unique": true},
                {"key": "size", "kind": "integer", "min": 1},
                {"key": "parent", "kind": "relation", "to": "area", "onDelete": "CASCADE"},
            ]},
            {"key": "sighting", "plural": "sightings", "fields": [
                {"key": "number", "kind": "autonumber", "prefix": "S-", "digits": 4, "gapless": true},
                {"key": "area", "kind": "relation", "to": "area", "required": true, "onDelete": "RESTRICT",
                 "inverse": {"name": "sightings"}},
                {"key": "best", "kind": "relation", "to": "area", "onDelete": "SET_NULL"},
                {"key": "year", "kind": "integer"},
                {"key": "species", "kind": "text"},
                {"key": "rarity", "kind": "select", "default": "COMMON",
                 "options": [{"value": "COMMON"}, {"value": "RARE"}]},
                {"key": "details", "kind": "json", "schema": {"type": "object", "required": ["weather"]}},
                {"key": "state", "kind": "stage"},
            ], "unique": [["year", "species"]]},
        ],
        "pipelines": [
            {"key": "review", "object": "sighting", "field": "state", "stages": [
                {"key": "reported"},
                {"key": "checked", "requires": ["species"]},
                {"key": "published", "type": "WON", "requires": ["species", "year"], "from": ["checked"]},
            ]},
        ],
    });
    catalogue::blueprint_apply(workspace, &administrator, &document, None, &[])
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", issues(&error)));
}

async fn all_issues_come_at_once(workspace: Workspace) {
    sightings(&workspace).await;
    create(
        &workspace,
        "area",
        json!({"code": "A", "mail": "a@example.org"}),
    )
    .await
    .unwrap();
    let error = create(
        &workspace,
        "area",
        json!({"code": "much too long", "mail": "A@EXAMPLE.org", "size": 0, "colour": "red",
               "parent": {"connect": {"code": "nowhere"}}}),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "VALIDATION_FAILED");
    assert_eq!(
        error
            .issues()
            .iter()
            .map(|issue| issue.path_text())
            .collect::<std::collections::BTreeSet<_>>(),
        ["code", "mail", "size", "colour", "parent.connect.code"]
            .map(str::to_owned)
            .into()
    );

    let error = create(
        &workspace,
        "sighting",
        json!({"rarity": "LEGENDARY", "details": {"wind": 3}, "number": 7, "state": {"to": "lost"}}),
    )
    .await
    .unwrap_err();
    let mut paths: Vec<String> = error
        .issues()
        .iter()
        .map(|issue| issue.path_text())
        .collect();
    paths.sort();
    assert_eq!(paths, ["area", "details", "number", "rarity", "state.to"]);
}

async fn unique_keys_hold(workspace: Workspace) {
    sightings(&workspace).await;
    let area = create(
        &workspace,
        "area",
        json!({"code": "A", "mail": "ada@example.org"}),
    )
    .await
    .unwrap();
    let error = create(
        &workspace,
        "area",
        json!({"code": "A", "mail": "ADA@Example.org"}),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "UNIQUE_VIOLATION");
    assert_eq!(issues(&error), ["code NOT_UNIQUE", "mail NOT_UNIQUE"]);

    // Over several fields, and not where one of them is empty.
    let row = json!({"area": area.to_string(), "year": 2026, "species": "Lynx"});
    create(&workspace, "sighting", row.clone()).await.unwrap();
    let error = create(&workspace, "sighting", row).await.unwrap_err();
    assert_eq!(error.code(), "UNIQUE_VIOLATION");
    assert_eq!(
        error.issues()[0].params["fields"],
        json!(["year", "species"])
    );
    for _ in 0..2 {
        create(
            &workspace,
            "sighting",
            json!({"area": area.to_string(), "year": 2026}),
        )
        .await
        .unwrap();
    }

    // The trash is outside; who comes back must fit.
    let first = create(&workspace, "area", json!({"code": "B"}))
        .await
        .unwrap();
    delete(&workspace, "area", first).await.unwrap();
    create(&workspace, "area", json!({"code": "B"}))
        .await
        .unwrap();
    let error = restore(&workspace, "area", first).await.unwrap_err();
    assert_eq!(
        (error.code(), issues(&error)),
        ("UNIQUE_VIOLATION", vec!["code NOT_UNIQUE".to_owned()])
    );

    // A record does not collide with itself.
    update(
        &workspace,
        "area",
        area,
        json!({"code": "A", "size": 3}),
        None,
    )
    .await
    .unwrap();
}

async fn relations_are_found_by_id_and_by_key(workspace: Workspace) {
    sightings(&workspace).await;
    let a = create(
        &workspace,
        "area",
        json!({"code": "A", "mail": "a@example.org"}),
    )
    .await
    .unwrap();
    for connect in [
        json!({"connect": {"id": a}}),
        json!({"connect": {"code": "A"}}),
        json!({"connect": {"mail": "A@example.ORG"}}),
        json!(a.to_string()),
    ] {
        let id = create(&workspace, "sighting", json!({"area": connect}))
            .await
            .unwrap();
        assert_eq!(
            value(&workspace, "sighting", id, "area").await,
            json!(a.to_string())
        );
    }
    delete(&workspace, "area", a).await.unwrap_err();

    let gone = create(&workspace, "area", json!({"code": "GONE"}))
        .await
        .unwrap();
    delete(&workspace, "area", gone).await.unwrap();
    for (connect, path) in [
        (json!({"connect": {"id": gone}}), "area"),
        (json!({"connect": {"code": "GONE"}}), "area.connect.code"),
        (json!({"connect": {"size": 3}}), "area.connect.size"),
        (json!({"connect": {}}), "area.connect"),
        (json!({"connect": {"id": "7"}}), "area.connect.id"),
        (json!({"create": {}}), "area.create.code"),
        (json!({"create": null}), "area"),
        (json!({"create": [{"code": "N"}]}), "area"),
        (
            json!({"create": {"code": "N"}, "connect": {"id": a}}),
            "area",
        ),
        (json!({"connect": [{"id": a}]}), "area"),
        (json!({"disconnect": false}), "area"),
        (json!([{"create": {"code": "N"}}]), "area"),
    ] {
        let error = create(&workspace, "sighting", json!({"area": connect}))
            .await
            .unwrap_err();
        assert_eq!(error.issues()[0].path_text(), path, "{connect}");
    }
    let id = create(
        &workspace,
        "sighting",
        json!({"area": a.to_string(), "best": a.to_string()}),
    )
    .await
    .unwrap();
    update(
        &workspace,
        "sighting",
        id,
        json!({"best": {"disconnect": true}}),
        None,
    )
    .await
    .unwrap();
    assert_eq!(value(&workspace, "sighting", id, "best").await, json!(null));
    let error = update(
        &workspace,
        "sighting",
        id,
        json!({"area": {"disconnect": true}}),
        None,
    )
    .await
    .unwrap_err();
    assert_eq!(issues(&error), ["area REQUIRED"]);
}

async fn a_batch_is_all_or_nothing(workspace: Workspace) {
    sightings(&workspace).await;
    let error = create_many(
        &workspace,
        "area",
        vec![
            json!({"code": "A"}),
            json!({"code": "A"}),
            json!({}),
            json!({"code": "B"}),
        ],
    )
    .await
    .unwrap_err();
    assert_eq!(issues(&error), ["[1].code NOT_UNIQUE", "[2].code REQUIRED"]);
    let ids = create_many(
        &workspace,
        "area",
        (0..1_200)
            .map(|n| json!({"code": format!("N{n}")}))
            .collect(),
    )
    .await
    .unwrap();
    assert_eq!(ids.len(), 1_200);
    create(&workspace, "area", json!({"code": "A"}))
        .await
        .unwrap();
}

async fn versions_protect_from_overwriting(workspace: Workspace) {
    let id = create(&workspace, "company", json!({"name": "A"}))
        .await
        .unwrap();
    update(&workspace, "company", id, json!({"name": "B"}), Some(1))
        .await
        .unwrap();
    let error = update(&workspace, "company", id, json!({"name": "C"}), Some(1))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "VERSION_CONFLICT");
    assert_eq!(error.issues()[0].params["version"], json!(2));
}

async fn what_changes_nothing_writes_nothing(workspace: Workspace) {
    let id = create(&workspace, "company", json!({"name": "A"}))
        .await
        .unwrap();
    update(&workspace, "company", id, json!({"name": "A"}), None)
        .await
        .unwrap();
    update(&workspace, "company", id, json!({}), None)
        .await
        .unwrap();
    assert_eq!(get(&workspace, "company", id).await.unwrap().version, 1);
}

async fn gates_keep_stages(workspace: Workspace) {
    sightings(&workspace).await;
    let administrator = administrator(&workspace).await;
    let area = create(&workspace, "area", json!({"code": "A"}))
        .await
        .unwrap()
        .to_string();
    let id = create(&workspace, "sighting", json!({"area": area}))
        .await
        .unwrap();
    assert_eq!(
        value(&workspace, "sighting", id, "state").await,
        json!("reported")
    );

    let error = update(
        &workspace,
        "sighting",
        id,
        json!({"state": {"to": "published"}}),
        None,
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "STAGE_GATE");
    assert_eq!(
        issues(&error),
        [
            "species STAGE_REQUIRES",
            "state.to STAGE_FROM",
            "year STAGE_REQUIRES"
        ]
    );
    update(
        &workspace,
        "sighting",
        id,
        json!({"state": "checked", "species": "Lynx"}),
        None,
    )
    .await
    .unwrap();
    let error = update(
        &workspace,
        "sighting",
        id,
        json!({"state": {"to": "published", "override": true}}),
        None,
    )
    .await
    .unwrap_err();
    assert_eq!(
        issues(&error),
        ["state.override OVERRIDE_FORBIDDEN", "year STAGE_REQUIRES"]
    );
    update_as(
        &workspace,
        &administrator,
        "sighting",
        id,
        json!({"state": {"to": "published", "override": true, "reason": "seen by many"}}),
        None,
    )
    .await
    .unwrap();
    assert_eq!(
        value(&workspace, "sighting", id, "state").await,
        json!("published")
    );
    let error = update(
        &workspace,
        "sighting",
        id,
        json!({"state": {"to": "publishd"}}),
        None,
    )
    .await
    .unwrap_err();
    assert!(
        error.issues()[0]
            .message
            .contains("did you mean published?"),
        "{error}"
    );

    create_as(
        &workspace,
        &administrator,
        "sighting",
        json!({"area": area, "state": {"to": "published", "override": true}}),
    )
    .await
    .unwrap();
}

async fn deletion_respects_relations(workspace: Workspace) {
    sightings(&workspace).await;
    let a = create(&workspace, "area", json!({"code": "A"}))
        .await
        .unwrap();
    let b = create(&workspace, "area", json!({"code": "B"}))
        .await
        .unwrap();
    let id = create(
        &workspace,
        "sighting",
        json!({"area": a.to_string(), "best": b.to_string()}),
    )
    .await
    .unwrap();

    let error = delete(&workspace, "area", a).await.unwrap_err();
    assert_eq!(error.code(), "REFERENCED");
    assert_eq!(error.issues()[0].params["field"], json!("area"));
    assert_eq!(error.issues()[0].params["ids"], json!([id.to_string()]));

    delete(&workspace, "area", b).await.unwrap();
    assert_eq!(value(&workspace, "sighting", id, "best").await, json!(null));
    assert_eq!(get(&workspace, "sighting", id).await.unwrap().version, 2);

    delete(&workspace, "sighting", id).await.unwrap();
    delete(&workspace, "area", a).await.unwrap();
    let error = restore(&workspace, "sighting", id).await.unwrap_err();
    assert_eq!(error.code(), "REFERENCED");
    restore(&workspace, "area", a).await.unwrap();
    restore(&workspace, "sighting", id).await.unwrap();
}

async fn cascades_come_back_together(workspace: Workspace) {
    sightings(&workspace).await;
    let top = create(&workspace, "area", json!({"code": "TOP"}))
        .await
        .unwrap();
    let middle = create(
        &workspace,
        "area",
        json!({"code": "MID", "parent": top.to_string()}),
    )
    .await
    .unwrap();
    let low = create(
        &workspace,
        "area",
        json!({"code": "LOW", "parent": middle.to_string()}),
    )
    .await
    .unwrap();
    let early = create(
        &workspace,
        "area",
        json!({"code": "EARLY", "parent": top.to_string()}),
    )
    .await
    .unwrap();
    let deleted = |record: Option<relata_store::Record>| record.unwrap().deleted_at.is_some();

    delete(&workspace, "area", early).await.unwrap();
    delete(&workspace, "area", top).await.unwrap();
    for id in [top, middle, low] {
        assert!(deleted(get(&workspace, "area", id).await));
    }
    restore(&workspace, "area", top).await.unwrap();
    for id in [top, middle, low] {
        assert!(!deleted(get(&workspace, "area", id).await));
    }
    assert!(
        deleted(get(&workspace, "area", early).await),
        "it went alone"
    );

    // A cascade that would carry away what somebody else must point at is refused as a whole.
    create(&workspace, "sighting", json!({"area": low.to_string()}))
        .await
        .unwrap();
    assert_eq!(
        delete(&workspace, "area", top).await.unwrap_err().code(),
        "REFERENCED"
    );
    assert!(!deleted(get(&workspace, "area", top).await));

    delete(&workspace, "area", middle).await.unwrap_err();
    destroy(&workspace, "area", early).await.unwrap();
    assert!(get(&workspace, "area", early).await.is_none());
}

async fn numbers_count_up(workspace: Workspace) {
    sightings(&workspace).await;
    let area = create(&workspace, "area", json!({"code": "A"}))
        .await
        .unwrap()
        .to_string();
    let rows = (0..3).map(|_| json!({"area": area})).collect();
    let ids = create_many(&workspace, "sighting", rows).await.unwrap();
    let mut numbers = Vec::new();
    for id in ids {
        numbers.push(value(&workspace, "sighting", id, "number").await);
    }
    assert_eq!(numbers, [json!("S-0001"), json!("S-0002"), json!("S-0003")]);
}

async fn history_and_outbox_tell_what_was_done(workspace: Workspace) {
    sightings(&workspace).await;
    let position = workspace.database().outbox_end().await.unwrap();
    let area = create(&workspace, "area", json!({"code": "A"}))
        .await
        .unwrap();
    let id = create(&workspace, "sighting", json!({"area": area.to_string()}))
        .await
        .unwrap();
    update(
        &workspace,
        "sighting",
        id,
        json!({"species": "Lynx", "state": "checked"}),
        None,
    )
    .await
    .unwrap();
    delete(&workspace, "sighting", id).await.unwrap();

    let history = workspace
        .database()
        .history_of(id, i64::MAX, 10)
        .await
        .unwrap();
    let told: Vec<(i64, &str)> = history
        .iter()
        .map(|entry| (entry.version, entry.change.as_str()))
        .collect();
    assert_eq!(told, [(3, "DELETE"), (2, "UPDATE"), (1, "CREATE")]);
    let species = history[1]
        .fields
        .iter()
        .find(|change| change.field.local() == "species")
        .unwrap();
    assert_eq!((&species.old, &species.new), (&json!(null), &json!("Lynx")));
    assert_eq!(history[1].fields.len(), 2);

    // On PostgreSQL entries show when no older transaction of the whole server is open.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let told = loop {
        let outbox = workspace
            .database()
            .outbox_after(position, 100)
            .await
            .unwrap();
        let told: Vec<(i64, &str)> = outbox
            .iter()
            .filter(|row| row.entry.record == id)
            .map(|row| (row.entry.version, row.entry.change.as_str()))
            .collect();
        if told.len() >= 3 || tokio::time::Instant::now() > deadline {
            break told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(told, [(1, "CREATE"), (2, "UPDATE"), (3, "DELETE")]);

    let record = get(&workspace, "sighting", id).await.unwrap();
    assert!(
        record
            .values
            .iter()
            .any(|value| matches!(value, Value::Stage(_)))
    );
}
