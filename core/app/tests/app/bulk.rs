//! Many records by one mutation, beside hooks that look at each.

use std::sync::Arc;

use relata_app::{
    AppError, Workspace,
    catalogue::blueprint_apply,
    plugins::{InstallOptions, plugin_install},
    records::{
        Bulk, BulkMode, Matching, record_create_bulk, record_update_where, record_upsert_bulk,
    },
};
use relata_catalog::ObjectIndex;
use relata_store::filter::Filter;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{
    fixture::{administrator, all, create, create_as, get, issues, map, nobody, update_as, value},
    guest::membership,
};

on_each_database! {
    hooks_see_what_earlier_rows_have_written
    hooks_look_at_each_of_many_updates
    upserts_of_one_key_end_in_one_record
    what_hangs_on_a_record_needs_rights_of_its_own
}

async fn member(workspace: &Workspace) -> Uuid {
    let administrator = administrator(workspace).await;
    plugin_install(
        workspace,
        &administrator,
        &membership(|text| text),
        &InstallOptions::default(),
    )
    .await
    .unwrap();
    let person = create(workspace, "person", json!({"name": "王小明"}))
        .await
        .unwrap();
    create(workspace, "member", json!({"person": person.to_string()}))
        .await
        .unwrap()
}

async fn create_bulk(
    workspace: &Workspace,
    object: &'static str,
    rows: Vec<Json>,
    mode: BulkMode,
) -> Result<Bulk, AppError> {
    let rows: Arc<Vec<Map<String, Json>>> = Arc::new(rows.into_iter().map(map).collect());
    workspace
        .transact(&nobody(), move |unit| {
            let rows = Arc::clone(&rows);
            Box::pin(async move {
                let (index, _) = unit.catalogue().object_named(object).unwrap();
                record_create_bulk(&unit, index, &rows, mode).await
            })
        })
        .await
}

async fn hooks_see_what_earlier_rows_have_written(workspace: Workspace) {
    let id = member(&workspace).await;
    let row =
        |kind: &str, points: i64| json!({"member": id.to_string(), "kind": kind, "points": points});
    let rows = || {
        vec![
            row("EARN", 100),
            row("BURN", -150),
            row("BURN", -60),
            json!({"member": id.to_string(), "kind": "NONE", "points": 1}),
            row("BURN", -60),
        ]
    };
    let error = create_bulk(&workspace, "pointsEntry", rows(), BulkMode::AllOrNone)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "VALIDATION_FAILED");
    let told = issues(&error);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].starts_with("[1].points INSUFFICIENT_POINTS"),
        "{told:?}"
    );
    assert!(told[1].starts_with("[3].kind"), "{told:?}");
    assert!(
        told[2].starts_with("[4].points INSUFFICIENT_POINTS"),
        "{told:?}"
    );
    assert_eq!(value(&workspace, "member", id, "points").await, json!(0));

    // What a failed row has caused is undone with it.
    let bulk = create_bulk(&workspace, "pointsEntry", rows(), BulkMode::Partial)
        .await
        .unwrap();
    assert_eq!(bulk.ids.len(), 2);
    let failed: Vec<(usize, &str)> = bulk
        .errors
        .iter()
        .map(|row| (row.index, row.error.code()))
        .collect();
    assert_eq!(
        failed,
        [
            (1, "PLUGIN_REJECTED"),
            (3, "VALIDATION_FAILED"),
            (4, "PLUGIN_REJECTED")
        ]
    );
    assert_eq!(value(&workspace, "member", id, "points").await, json!(40));
}

async fn hooks_look_at_each_of_many_updates(workspace: Workspace) {
    let first = member(&workspace).await;
    let person = create(&workspace, "person", json!({"name": "Ada"}))
        .await
        .unwrap();
    let second = create(&workspace, "member", json!({"person": person.to_string()}))
        .await
        .unwrap();
    let error = workspace
        .transact(&nobody(), move |unit| {
            Box::pin(async move {
                let matching = Matching {
                    filter: Filter::And(Vec::new()),
                    records_max: 10,
                    nested_max: 0,
                };
                let (index, _): (ObjectIndex, _) = unit.catalogue().object_named("member").unwrap();
                record_update_where(&unit, index, &matching, &map(json!({"points": 7}))).await
            })
        })
        .await
        .unwrap_err();
    // The hook refuses each for the same reason: it is told once, and says of whom.
    assert_eq!(error.code(), "PLUGIN_REJECTED");
    assert_eq!(error.issues().len(), 1, "{error:?}");
    assert_eq!(
        error.issues()[0].params["records"],
        json!([{"index": 0, "id": first.to_string()}, {"index": 1, "id": second.to_string()}])
    );
    for id in [first, second] {
        assert_eq!(value(&workspace, "member", id, "points").await, json!(0));
    }
}

async fn upserts_of_one_key_end_in_one_record(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    let document = json!({"relata": 1, "objects": [
        {"key": "badge", "plural": "badges", "label": "code", "fields": [
            {"key": "code", "kind": "text", "required": true, "unique": true},
            {"key": "size", "kind": "integer"},
        ]},
    ]});
    blueprint_apply(&workspace, &administrator, &document, None, &[])
        .await
        .unwrap();
    let attempts: Vec<_> = (0..8_i64)
        .map(|size| {
            let workspace = workspace.clone();
            tokio::spawn(async move {
                workspace
                    .transact(&nobody(), move |unit| {
                        Box::pin(async move {
                            let (index, described) =
                                unit.catalogue().object_named("badge").unwrap();
                            let rows = [
                                map(json!({"code": "one", "size": size})),
                                map(json!({"code": format!("own {size}")})),
                            ];
                            let on = &described.uniques[0];
                            record_upsert_bulk(&unit, index, &rows, on, BulkMode::AllOrNone).await
                        })
                    })
                    .await
            })
        })
        .collect();
    let mut touched = std::collections::HashSet::new();
    for attempt in attempts {
        let bulk = attempt.await.unwrap().unwrap();
        assert_eq!(bulk.ids.len(), 2);
        touched.insert(bulk.ids[0]);
    }
    assert_eq!(touched.len(), 1);
    let id = touched.into_iter().next().unwrap();
    // Each of the eight has written it once, one after the other.
    assert_eq!(get(&workspace, "badge", id).await.unwrap().version, 8);
}

/// The plugin may write entries of its ledger, and move members between tiers, but not make any.
async fn what_hangs_on_a_record_needs_rights_of_its_own(workspace: Workspace) {
    let id = member(&workspace).await;
    let plugin = nobody().plugin("relata.membership");
    let tier = create(
        &workspace,
        "membershipTier",
        json!({"code": "IRIDIUM", "name": "Iridium", "rank": 77}),
    )
    .await
    .unwrap();
    let refused = [
        create_as(
            &workspace,
            &plugin,
            "pointsEntry",
            json!({"kind": "EARN", "points": 5, "member": {"create": {}}}),
        )
        .await
        .map(|_| ()),
        update_as(
            &workspace,
            &plugin,
            "membershipTier",
            tier,
            json!({"members": {"create": [{}]}}),
            None,
        )
        .await,
    ];
    for error in refused.map(Result::unwrap_err) {
        assert_eq!(error.code(), "FORBIDDEN");
        assert!(error.message().contains("records.member.create"), "{error}");
    }
    assert_eq!(all(&workspace, "member").await.len(), 1);
    update_as(
        &workspace,
        &plugin,
        "membershipTier",
        tier,
        json!({"members": {"connect": [{"id": id.to_string()}]}}),
        None,
    )
    .await
    .unwrap();
    assert_eq!(
        value(&workspace, "member", id, "tier").await,
        json!(tier.to_string())
    );
}
