//! What a plugin's query sees, and whom it keeps waiting: nobody.

use std::time::Duration;

use relata_app::{
    AppError, Unit, Workspace,
    operations::{operation_call, operation_query},
    plugins::{InstallOptions, plugin_get, plugin_install},
    users,
};
use relata_store::Turn;
use serde_json::json;

use crate::{
    fixture::{Place, administrator, create, eventually, nobody},
    guest::faulty,
};

on_each_database! {
    a_query_takes_no_turn
    queries_on_one_snapshot_see_the_same
    nothing_is_written_on_a_snapshot
}

async fn install(workspace: &Workspace) {
    let administrator = administrator(workspace).await;
    let options = InstallOptions::default();
    plugin_install(workspace, &administrator, &faulty(), &options)
        .await
        .unwrap();
}

async fn asked(unit: &Unit, what: &str) -> Result<i64, AppError> {
    let answer = operation_query(unit, "faulty_count", json!({"what": what})).await?;
    Ok(answer["companies"].as_i64().unwrap())
}

async fn company(workspace: &Workspace, name: &str) {
    create(workspace, "company", json!({"name": name}))
        .await
        .unwrap();
}

async fn a_query_takes_no_turn(workspace: Workspace) {
    install(&workspace).await;
    company(&workspace, "Zeiss").await;
    // Somebody writes all the while: on SQLite nobody else could.
    let writing = workspace.database().begin(Turn::Alone).await.unwrap();
    let unit = workspace.snapshot(&nobody()).await.unwrap();
    assert_eq!(asked(&unit, "count").await.unwrap(), 1);
    writing.commit().await.unwrap();
}

async fn queries_on_one_snapshot_see_the_same(workspace: Workspace) {
    install(&workspace).await;
    let unit = workspace.snapshot(&nobody()).await.unwrap();
    assert_eq!(asked(&unit, "count").await.unwrap(), 0);
    // Whoever writes does not wait for it, and it does not see what they write.
    company(&workspace, "Zeiss").await;
    assert_eq!(asked(&unit, "count").await.unwrap(), 0);
    let later = workspace.snapshot(&nobody()).await.unwrap();
    assert_eq!(asked(&later, "count").await.unwrap(), 1);
}

async fn nothing_is_written_on_a_snapshot(workspace: Workspace) {
    install(&workspace).await;
    let unit = workspace.snapshot(&nobody()).await.unwrap();
    // The plugin is told no by the host, before the database is asked.
    let error = asked(&unit, "write").await.unwrap_err();
    assert_eq!(error.code(), "PLUGIN_FAILED");
    assert!(
        error.message().contains("a query does not write"),
        "{error}"
    );
    assert_eq!(asked(&unit, "count").await.unwrap(), 0);
    // And if it were not, the store says no.
    let (index, _) = unit.catalogue().object_named("company").unwrap();
    let data = crate::fixture::map(json!({"name": "Zeiss"}));
    let error = relata_app::records::record_create(&unit, index, &data)
        .await
        .unwrap_err();
    assert!(
        error.message().contains("opened for reading only"),
        "{error}"
    );
    drop(unit);
    let unit = workspace.snapshot(&nobody()).await.unwrap();
    assert_eq!(asked(&unit, "count").await.unwrap(), 0);
    // A mutation is no query.
    let error = operation_query(&unit, "faulty_nothing", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BAD_INPUT");
    let error = operation_call(&unit, "faulty_nothing", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "NOT_FOUND");
}

/// The database is busy when a plugin has failed too often: its next fault suspends it.
async fn a_suspension_is_tried_again(place: &Place) {
    let workspace = place
        .open_with(|options| {
            options.plugin_faults_max = 3;
            options.database.turn_wait_max = Duration::from_millis(300);
            options.database.lock_wait_max = Duration::from_millis(300);
        })
        .await;
    install(&workspace).await;
    let plugin = || {
        workspace
            .state()
            .plugins
            .get("test.faulty")
            .unwrap()
            .clone()
    };
    let fault = async || {
        let unit = workspace.snapshot(&nobody()).await.unwrap();
        assert_eq!(
            asked(&unit, "trap").await.unwrap_err().code(),
            "PLUGIN_FAILED"
        );
    };
    let writing = workspace.database().begin(Turn::Alone).await.unwrap();
    for _ in 0..3 {
        fault().await;
    }
    // Each try to note it waits for its turn, and gives up.
    for _ in 0..2 {
        let is_waiting = || workspace.database().turns().waiting > 0;
        eventually("it waits for its turn", async || is_waiting().then_some(())).await;
        eventually("it has given up", async || (!is_waiting()).then_some(())).await;
        eventually("the next fault tries again", async || {
            fault().await;
            is_waiting().then_some(())
        })
        .await;
    }
    assert_eq!(plugin().status.name(), "ENABLED");
    writing.rollback().await;
    eventually("the plugin is suspended", async || {
        if plugin().status.name() == "ENABLED" {
            let unit = workspace.snapshot(&nobody()).await.unwrap();
            asked(&unit, "trap").await.unwrap_err();
        }
        (plugin().status.name() == "SUSPENDED").then_some(())
    })
    .await;
    let administrator = administrator(&workspace).await;
    let info = plugin_get(&workspace, &administrator, "test.faulty").unwrap();
    assert!(info.unwrap().reason.unwrap().contains("faults in a row"));
    workspace.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_is_tried_again_on_sqlite() {
    a_suspension_is_tried_again(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_is_tried_again_on_postgres() {
    if let Some(place) = Place::postgres().await {
        a_suspension_is_tried_again(&place).await;
        place.drop().await;
    }
}

/// Users and tokens of another process are known without a change of the catalogue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_of_another_process_are_known_soon() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let soon = |options: &mut relata_app::WorkspaceOptions| {
        options.poll = Duration::from_millis(20);
    };
    let one = place.open_with(soon).await;
    let two = place.open_with(soon).await;
    let administrator = administrator(&one).await;
    let input = users::UserInput {
        email: "grace@example.org".to_owned(),
        name: Some("Grace".to_owned()),
        ..users::UserInput::default()
    };
    let user = users::user_create(&one, &administrator, &input)
        .await
        .unwrap();
    let name_there = |id| {
        let state = two.state();
        state.directory.user(id).map(|user| user.name.clone())
    };
    eventually("the user is known", async || name_there(user.id)).await;
    let changes = users::UserChanges {
        name: Some("Grace Hopper".to_owned()),
        ..users::UserChanges::default()
    };
    users::user_update(&one, &administrator, user.id, &changes)
        .await
        .unwrap();
    eventually("the new name is known", async || {
        name_there(user.id).filter(|name| name == "Grace Hopper")
    })
    .await;
    users::user_delete(&one, &administrator, user.id)
        .await
        .unwrap();
    eventually("the user is gone", async || {
        name_there(user.id).is_none().then_some(())
    })
    .await;
    assert_eq!(one.state().revision, two.state().revision);
    two.close().await;
    one.close().await;
    place.drop().await;
}
