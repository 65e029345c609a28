//! After hooks, told from the outbox in batches: in order, once, and around entries that fail.

use std::{sync::Arc, time::Duration};

use relata_app::{
    Workspace, WorkspaceOptions,
    plugins::{InstallOptions, plugin_disable, plugin_enable, plugin_install},
};
use relata_catalog::Value;
use relata_store::{Find, filter::Filter, log::Delivery};
use serde_json::json;

use crate::{
    fixture::{Place, administrator, create, create_many, eventually, nobody},
    guest::faulty,
};

macro_rules! on_each_place {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::fixture::Place::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(place) = $crate::fixture::Place::postgres().await {
                    super::$name(&place).await;
                    place.drop().await;
                }
            })*
        }
    };
}

on_each_place! {
    a_batch_is_told_in_order_and_once
    an_entry_that_fails_undoes_only_itself
    what_is_given_up_does_not_stop_the_others
    a_disabled_hook_goes_on_where_it_stood
}

const CONSUMER: &str = "plugin:test.faulty/echo";

async fn installed(place: &Place, change: impl FnOnce(&mut WorkspaceOptions)) -> Workspace {
    let workspace = place.open_with(change).await;
    let administrator = administrator(&workspace).await;
    let options = InstallOptions::default();
    plugin_install(&workspace, &administrator, &faulty(), &options)
        .await
        .unwrap();
    workspace
}

async fn notes(workspace: &Workspace, titles: impl IntoIterator<Item = String>) {
    let rows = titles
        .into_iter()
        .map(|title| json!({"title": title}))
        .collect();
    create_many(workspace, "note", rows).await.unwrap();
}

/// Names of the companies that the hook has made, in the order in which it made them.
async fn echoes(workspace: &Workspace) -> Vec<String> {
    let unit = workspace.snapshot(&nobody()).await.unwrap();
    let catalogue = Arc::clone(unit.catalogue());
    let (index, object) = catalogue.object_named("company").unwrap();
    let (name, _) = object.field_named("name").unwrap();
    let find = Find::new(index, Filter::And(Vec::new()));
    // Ids are made in the order of time.
    let found = unit.transaction().find(&catalogue, &find).await.unwrap();
    found
        .iter()
        .map(|record| match record.value(name) {
            Value::Text(name) => name.clone(),
            other => panic!("{other:?}"),
        })
        .collect()
}

async fn echoed(workspace: &Workspace, expected: &[String]) {
    let found = eventually("all echoes are there", async || {
        let found = echoes(workspace).await;
        (found.len() >= expected.len()).then_some(found)
    })
    .await;
    assert_eq!(found, expected);
}

async fn standing(workspace: &Workspace) -> Option<Delivery> {
    workspace.database().delivery(CONSUMER).await.unwrap()
}

fn titles(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix} {number:04}"))
        .collect()
}

async fn a_batch_is_told_in_order_and_once(place: &Place) {
    let workspace = installed(place, |_| {}).await;
    let mut expected = Vec::new();
    // More than a page, and other entries between them.
    for round in 0..3 {
        let mut rows = Vec::new();
        for title in titles(&format!("echo {round}"), 80) {
            expected.push(title.clone());
            rows.extend([title, "silent".to_owned()]);
        }
        notes(&workspace, rows).await;
        create(&workspace, "task", json!({"title": "of no interest"}))
            .await
            .unwrap();
    }
    echoed(&workspace, &expected).await;
    // What is told once stays so, also by another process that takes over.
    workspace.close().await;
    drop(workspace);
    let workspace = place.open().await;
    notes(&workspace, ["echo last".to_owned()]).await;
    expected.push("echo last".to_owned());
    echoed(&workspace, &expected).await;
    workspace.close().await;
}

async fn an_entry_that_fails_undoes_only_itself(place: &Place) {
    // Long enough that the failed entry is not tried again here.
    let workspace = installed(place, |options| {
        options.delivery.pause_first = Duration::from_secs(600);
        options.delivery.batch_time = Duration::from_secs(60);
    })
    .await;
    let before = titles("echo", 10);
    let mut rows = before.clone();
    rows.push("echo fails".to_owned());
    rows.push("echo waits".to_owned());
    notes(&workspace, rows).await;
    let standing = eventually("the failure is noted", async || {
        standing(&workspace).await.filter(|it| it.attempts > 0)
    })
    .await;
    assert_eq!(standing.attempts, 1);
    assert!(standing.retry_at.is_some());
    assert!(standing.last_error.unwrap().contains("told to"));
    // The neighbours before it are kept, in the same commit; those after it wait.
    assert_eq!(echoes(&workspace).await, before);
    workspace.close().await;
}

async fn what_is_given_up_does_not_stop_the_others(place: &Place) {
    let workspace = installed(place, |options| {
        options.delivery.pause_first = Duration::from_millis(1);
        options.delivery.attempts_max = 3;
    })
    .await;
    let mut rows = titles("echo one", 5);
    rows.push("echo fails".to_owned());
    rows.extend(titles("echo two", 5));
    notes(&workspace, rows.clone()).await;
    rows.retain(|title| title != "echo fails");
    echoed(&workspace, &rows).await;
    let letters = workspace.database().dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attempts, 3);
    assert!(letters[0].error.contains("told to"), "{letters:?}");
    let standing = standing(&workspace).await.unwrap();
    assert_eq!((standing.attempts, standing.last_error), (0, None));
    workspace.close().await;
}

async fn a_disabled_hook_goes_on_where_it_stood(place: &Place) {
    let workspace = installed(place, |_| {}).await;
    let administrator = administrator(&workspace).await;
    let mut expected = titles("echo one", 3);
    notes(&workspace, expected.clone()).await;
    echoed(&workspace, &expected).await;
    plugin_disable(&workspace, &administrator, "test.faulty")
        .await
        .unwrap();
    // Nobody hears of it, and nobody forgets it.
    let further = titles("echo two", 3);
    notes(&workspace, further.clone()).await;
    assert_eq!(echoes(&workspace).await, expected);
    plugin_enable(&workspace, &administrator, "test.faulty")
        .await
        .unwrap();
    expected.extend(further);
    echoed(&workspace, &expected).await;
    workspace.close().await;
}

/// Two processes on one database: each entry is told once, whoever tells it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_share_the_work() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let one = installed(&place, |_| {}).await;
    let two = place.open().await;
    let mut expected = Vec::new();
    for round in 0..6 {
        let rows = titles(&format!("echo {round}"), 20);
        expected.extend(rows.clone());
        let workspace = if round % 2 == 0 { &one } else { &two };
        notes(workspace, rows).await;
    }
    let mut found = eventually("all echoes are there", async || {
        let found = echoes(&one).await;
        (found.len() >= expected.len()).then_some(found)
    })
    .await;
    found.sort();
    assert_eq!(found, expected);
    two.close().await;
    one.close().await;
    place.drop().await;
}
