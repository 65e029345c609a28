//! The catalogue changes while it is used.

use relata_app::{
    AppError, Workspace,
    catalogue::{
        blueprint_apply, blueprint_export, blueprint_plan, field_create, field_delete,
        field_update, object_create, object_delete, object_update, pipeline_create,
        pipeline_update, stage_create, stage_delete,
    },
};
use serde_json::json;

use crate::fixture::{administrator, create, issues, map, nobody, update, value};

on_each_database! {
    objects_and_fields_come_and_go
    nothing_is_lost_unconfirmed
    mistakes_come_all_at_once
    paths_begin_at_the_element
    what_belongs_to_others_stays
    stages_are_edited
    configuration_records_are_upserted
}

async fn objects_and_fields_come_and_go(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    let mut revisions = workspace.subscribe_revision();
    let view = object_create(
        &workspace,
        &administrator,
        &json!({"name": "visit", "plural": "visits",
        "fields": [{"key": "topic", "kind": "text", "required": true}]}),
    )
    .await
    .unwrap();
    assert_eq!(view.steps[0].action, "CREATE_OBJECT");
    assert!(revisions.has_changed().unwrap());
    revisions.borrow_and_update();
    let id = create(&workspace, "visit", json!({"topic": "Harvest"}))
        .await
        .unwrap();

    field_create(
        &workspace,
        &administrator,
        "visit",
        &json!({"name": "company", "kind": "relation", "to": "company"}),
    )
    .await
    .unwrap();
    field_create(
        &workspace,
        &administrator,
        "company",
        &json!({"name": "vat", "kind": "text", "unique": true}),
    )
    .await
    .unwrap();
    let company = create(
        &workspace,
        "company",
        json!({"name": "Zeiss", "vat": "DE1"}),
    )
    .await
    .unwrap();
    update(
        &workspace,
        "visit",
        id,
        json!({"company": {"connect": {"vat": "DE1"}}}),
        None,
    )
    .await
    .unwrap();
    assert_eq!(
        value(&workspace, "visit", id, "company").await,
        json!(company.to_string())
    );

    // A rename keeps the values.
    field_update(
        &workspace,
        &administrator,
        "visit",
        "topic",
        &map(json!({"name": "subject", "labels": {"de": "Thema"}})),
        &[],
    )
    .await
    .unwrap();
    assert_eq!(
        value(&workspace, "visit", id, "subject").await,
        json!("Harvest")
    );
    object_update(
        &workspace,
        &administrator,
        "visit",
        &map(json!({"name": "call", "plural": "calls"})),
    )
    .await
    .unwrap();
    assert_eq!(
        value(&workspace, "call", id, "subject").await,
        json!("Harvest")
    );

    let gone = object_delete(&workspace, &administrator, "call", &["call".to_owned()])
        .await
        .unwrap();
    assert_eq!(gone.steps.iter().map(|step| step.loses).sum::<i64>(), 1);
    assert!(workspace.state().catalogue.object_named("call").is_none());
    let error = object_create(&workspace, &nobody(), &json!({"name": "x", "plural": "xs"}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "FORBIDDEN");
}

async fn nothing_is_lost_unconfirmed(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    field_create(
        &workspace,
        &administrator,
        "company",
        &json!({"name": "vat", "kind": "text"}),
    )
    .await
    .unwrap();
    create(&workspace, "company", json!({"name": "A", "vat": "DE1"}))
        .await
        .unwrap();
    let error = field_delete(&workspace, &administrator, "company", "vat", &[])
        .await
        .unwrap_err();
    assert_eq!(issues(&error), ["confirm CONFIRM"]);
    assert_eq!(error.issues()[0].params["name"], json!("company.vat"));
    assert_eq!(error.issues()[0].params["loses"], json!(1));
    assert!(
        workspace
            .state()
            .catalogue
            .object_named("company")
            .unwrap()
            .1
            .field_named("vat")
            .is_some()
    );

    let view = blueprint_plan(&workspace, &administrator, &json!({"relata": 1}))
        .await
        .unwrap();
    assert_eq!((view.steps.len(), view.steps[0].loses), (1, 1));
    let confirm = ["company.vat".to_owned()];
    // The plan of another moment is no plan.
    field_create(
        &workspace,
        &administrator,
        "company",
        &json!({"name": "fax", "kind": "text"}),
    )
    .await
    .unwrap();
    let error = blueprint_apply(
        &workspace,
        &administrator,
        &json!({"relata": 1}),
        Some(&view.id),
        &confirm,
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "VERSION_CONFLICT");
    field_delete(&workspace, &administrator, "company", "vat", &confirm)
        .await
        .unwrap();

    // A rule that records break is refused with their number.
    let error = field_create(
        &workspace,
        &administrator,
        "company",
        &json!({"name": "code", "kind": "text", "required": true}),
    )
    .await
    .unwrap_err();
    assert_eq!(
        (error.code(), error.issues()[0].params["violations"].clone()),
        ("BAD_INPUT", json!(1))
    );
}

async fn mistakes_come_all_at_once(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    let revision = workspace.state().revision;
    let error = blueprint_apply(
        &workspace,
        &administrator,
        &json!({"relata": 1, "objects": [
            {"key": "a", "plural": "a", "fields": [
                {"key": "and", "kind": "text"},
                {"key": "kind", "kind": "txt"},
                {"key": "to", "kind": "relation", "to": "nowhere"},
                {"key": "pick", "kind": "select", "options": []},
            ]},
        ]}),
        None,
        &[],
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "BAD_INPUT");
    assert!(error.issues().len() >= 2, "{:?}", issues(&error));
    assert_eq!(workspace.state().revision, revision);

    let error = field_create(
        &workspace,
        &administrator,
        "company",
        &json!({"name": "deal", "kind": "txt"}),
    )
    .await
    .unwrap_err();
    assert_eq!(error.issues()[0].path_text(), "kind");
    let error = field_create(
        &workspace,
        &administrator,
        "company",
        &json!({"name": "to", "kind": "relation", "to": "nowhere"}),
    )
    .await
    .unwrap_err();
    assert_eq!(error.issues()[0].path_text(), "to", "{:?}", issues(&error));
}

async fn paths_begin_at_the_element(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    // What is within the element keeps its place: here the second of two fields.
    let error = object_create(
        &workspace,
        &administrator,
        &json!({"name": "visit", "plural": "visits", "fields": [
            {"key": "topic", "kind": "text"},
            {"key": "host", "kind": "relation", "to": "persom"},
        ]}),
    )
    .await
    .unwrap_err();
    assert_eq!(issues(&error), ["fields[1].to UNKNOWN_OBJECT"]);
    let error = field_create(
        &workspace,
        &administrator,
        "company",
        &json!({"key": "host", "kind": "relation", "to": "persom"}),
    )
    .await
    .unwrap_err();
    assert_eq!(issues(&error), ["to UNKNOWN_OBJECT"]);

    object_create(
        &workspace,
        &administrator,
        &json!({"name": "visit", "plural": "visits", "fields": [{"key": "state", "kind": "stage"}]}),
    )
    .await
    .unwrap();
    let mut pipeline = json!({"key": "visiting", "object": "visit", "field": "state", "stages": [
        {"key": "planned"},
        {"key": "done", "requires": ["hosst"]},
    ]});
    let error = pipeline_create(&workspace, &administrator, &pipeline)
        .await
        .unwrap_err();
    assert_eq!(issues(&error), ["stages[1].requires[0] UNKNOWN_FIELD"]);
    pipeline["stages"][1] = json!({"key": "done"});
    pipeline_create(&workspace, &administrator, &pipeline)
        .await
        .unwrap();
    let error = stage_create(
        &workspace,
        &administrator,
        "visiting",
        &json!({"key": "late", "requires": ["hosst"]}),
        None,
    )
    .await
    .unwrap_err();
    assert_eq!(issues(&error), ["requires[0] UNKNOWN_FIELD"]);
    // A definition that can't be read is at its own root already.
    let error = pipeline_update(
        &workspace,
        &administrator,
        "visiting",
        &map(json!({"stages": [{"key": "planned"}, {"key": "done", "type": "LAST"}]})),
        &[],
    )
    .await
    .unwrap_err();
    assert_eq!(error.issues()[0].path_text(), "stages[1].type", "{error}");
}

async fn what_belongs_to_others_stays(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    let refused = |error: AppError| {
        assert_eq!(error.code(), "BAD_INPUT");
        assert!(error.message().contains("the standard objects"), "{error}");
    };
    refused(
        object_delete(&workspace, &administrator, "company", &[])
            .await
            .unwrap_err(),
    );
    refused(
        field_delete(&workspace, &administrator, "company", "name", &[])
            .await
            .unwrap_err(),
    );
    refused(
        object_update(
            &workspace,
            &administrator,
            "company",
            &map(json!({"name": "firm"})),
        )
        .await
        .unwrap_err(),
    );
    refused(
        stage_create(
            &workspace,
            &administrator,
            "sales",
            &json!({"name": "limbo"}),
            None,
        )
        .await
        .unwrap_err(),
    );
    let error = field_create(
        &workspace,
        &administrator,
        "compny",
        &json!({"name": "x", "kind": "text"}),
    )
    .await
    .unwrap_err();
    assert!(error.message().contains("did you mean company?"), "{error}");
}

async fn stages_are_edited(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    object_create(
        &workspace,
        &administrator,
        &json!({"name": "visit", "plural": "visits",
        "fields": [{"key": "topic", "kind": "text"}, {"key": "state", "kind": "stage"}]}),
    )
    .await
    .unwrap();
    pipeline_create(
        &workspace,
        &administrator,
        &json!({"name": "visits", "object": "visit", "field": "state",
        "stages": [{"key": "planned"}, {"key": "done", "type": "WON"}]}),
    )
    .await
    .unwrap();
    stage_create(
        &workspace,
        &administrator,
        "visits",
        &json!({"name": "confirmed"}),
        Some(1),
    )
    .await
    .unwrap();
    let id = create(&workspace, "visit", json!({"state": {"to": "confirmed"}}))
        .await
        .unwrap();
    let error = stage_delete(&workspace, &administrator, "visits", "confirmed", &[])
        .await
        .unwrap_err();
    let name = error.issues()[0].params["name"]
        .as_str()
        .unwrap()
        .to_owned();
    stage_delete(&workspace, &administrator, "visits", "confirmed", &[name])
        .await
        .unwrap();
    assert_eq!(value(&workspace, "visit", id, "state").await, json!(null));
}

async fn configuration_records_are_upserted(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    let document = |name: &str| {
        json!({"relata": 1,
            "objects": [{"key": "tier", "plural": "tiers", "fields": [
                {"key": "code", "kind": "text", "unique": true, "required": true},
                {"key": "label", "name": "title", "kind": "text"},
            ]}],
            "records": [{"object": "tier", "by": "code", "rows": [{"code": "GOLD", "label": name}]}],
        })
    };
    blueprint_apply(&workspace, &administrator, &document("Gold"), None, &[])
        .await
        .unwrap();
    blueprint_apply(
        &workspace,
        &administrator,
        &document("Pure gold"),
        None,
        &[],
    )
    .await
    .unwrap();
    let error = create(&workspace, "tier", json!({"code": "GOLD"}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "UNIQUE_VIOLATION");
    let exported = blueprint_export(&workspace, &administrator).unwrap();
    assert_eq!(exported.objects.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reopened_workspace_is_the_same() {
    let place = crate::fixture::Place::sqlite();
    let workspace = place.open().await;
    let before = workspace.state().catalogue.clone();
    let id = create(&workspace, "company", json!({"name": "Zeiss"}))
        .await
        .unwrap();
    assert!(workspace.ready().await.is_ready());
    assert_eq!(
        workspace.database().verify().await.unwrap(),
        Vec::<String>::new()
    );
    workspace.close().await;
    drop(workspace);

    let workspace = place.open().await;
    assert_eq!(workspace.state().catalogue, before);
    assert_eq!(
        value(&workspace, "company", id, "name").await,
        json!("Zeiss")
    );
}
