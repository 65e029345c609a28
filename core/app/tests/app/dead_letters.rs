//! Deliveries that were given up: seen, tried again, discarded.

use std::time::Duration;

use relata_app::{
    Caller, Workspace,
    dead_letters::{
        DeadLetterInfo, Retried, dead_letter_discard, dead_letter_get, dead_letter_retry,
        dead_letters_count, dead_letters_list,
    },
    plugins::{InstallOptions, plugin_disable, plugin_enable, plugin_install, plugin_plan},
};
use relata_host::Grants;
use relata_store::log::Change;
use serde_json::json;
use uuid::Uuid;

use crate::{
    fixture::{administrator, all, create, issues, nobody},
    guest::membership,
};

on_each_database! {
    a_dead_letter_is_delivered_once_more
    a_dead_letter_of_a_plugin_that_does_not_run_stays
    dead_letters_are_for_administrators
}

/// Installs membership; without `may_note` its after hook may not write what it has to.
async fn install(workspace: &Workspace, administrator: &Caller, may_note: bool) {
    let package = membership(|text| text);
    let mut options = InstallOptions::default();
    if !may_note {
        let planned = plugin_plan(workspace, administrator, &package, &options)
            .await
            .unwrap();
        let mut grants = Grants::all(&planned.manifest);
        grants.records.shift_remove("tierPassage").unwrap();
        options.grants = Some(serde_json::to_value(grants).unwrap());
    }
    plugin_install(workspace, administrator, &package, &options)
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", issues(&error)));
}

async fn member(workspace: &Workspace) -> Uuid {
    let person = create(workspace, "person", json!({"name": "Ngozi Okafor"}))
        .await
        .unwrap();
    create(workspace, "member", json!({"person": person.to_string()}))
        .await
        .unwrap()
}

/// The letters, when there are as many as expected.
async fn letters(workspace: &Workspace, caller: &Caller, count: usize) -> Vec<DeadLetterInfo> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let letters = dead_letters_list(workspace, caller, 50, None)
            .await
            .unwrap();
        if letters.len() >= count {
            return letters;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "only {} of {count}",
            letters.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn passages(workspace: &Workspace) -> usize {
    all(workspace, "tierPassage").await.len()
}

async fn a_dead_letter_is_delivered_once_more(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    install(&workspace, &administrator, false).await;
    let id = member(&workspace).await;
    let letter = letters(&workspace, &administrator, 1).await.remove(0);
    assert_eq!(letter.consumer, "plugin:relata.membership/passage");
    assert_eq!(
        (letter.plugin.as_str(), letter.hook.as_str()),
        ("relata.membership", "passage")
    );
    assert_eq!(
        (letter.object.as_str(), letter.record, letter.version),
        ("member", id, 1)
    );
    assert_eq!((letter.change, letter.attempts), (Change::Create, 10));
    assert!(letter.at >= letter.changed_at);
    assert!(letter.error.contains("relata.membership"), "{letter:?}");
    assert_eq!(passages(&workspace).await, 0);

    // It still may not: the failure is noted, nothing else has happened.
    let retried = dead_letter_retry(&workspace, &administrator, letter.id)
        .await
        .unwrap();
    let Retried::Failed(again) = retried else {
        panic!("{retried:?}");
    };
    assert_eq!(again.attempts, 11);
    assert!(again.at > letter.at);
    let kept = dead_letter_get(&workspace, &administrator, letter.id)
        .await
        .unwrap();
    assert_eq!(kept, Some(again));
    assert_eq!(passages(&workspace).await, 0);

    install(&workspace, &administrator, true).await;
    // Later changes were delivered meanwhile: the consumer does not stand still for a letter.
    member(&workspace).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while passages(&workspace).await < 1 {
        assert!(tokio::time::Instant::now() < deadline, "never delivered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Two at once: one delivers, the other finds it gone.
    let (one, other) = tokio::join!(
        dead_letter_retry(&workspace, &administrator, letter.id),
        dead_letter_retry(&workspace, &administrator, letter.id),
    );
    let delivered = [&one, &other]
        .iter()
        .filter(|retried| matches!(retried, Ok(Retried::Delivered)))
        .count();
    assert_eq!(delivered, 1, "{one:?} {other:?}");
    let late = one.err().or(other.err()).unwrap();
    assert_eq!(late.code(), "NOT_FOUND", "{late}");
    assert_eq!(passages(&workspace).await, 2);
    assert_eq!(
        dead_letters_count(&workspace, &administrator)
            .await
            .unwrap(),
        0
    );
}

async fn a_dead_letter_of_a_plugin_that_does_not_run_stays(workspace: Workspace) {
    let administrator = administrator(&workspace).await;
    install(&workspace, &administrator, false).await;
    member(&workspace).await;
    member(&workspace).await;
    let found = letters(&workspace, &administrator, 2).await;
    assert!(found[0].id > found[1].id, "newest first");
    let older = dead_letters_list(&workspace, &administrator, 1, Some(found[0].id))
        .await
        .unwrap();
    assert_eq!(older, found[1..]);

    plugin_disable(&workspace, &administrator, "relata.membership")
        .await
        .unwrap();
    let error = dead_letter_retry(&workspace, &administrator, found[0].id)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BAD_INPUT");
    assert!(error.message().contains("enable it first"), "{error}");
    assert_eq!(letters(&workspace, &administrator, 2).await, found);
    plugin_enable(&workspace, &administrator, "relata.membership")
        .await
        .unwrap();

    dead_letter_discard(&workspace, &administrator, found[0].id)
        .await
        .unwrap();
    let error = dead_letter_discard(&workspace, &administrator, found[0].id)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "NOT_FOUND");
    assert_eq!(
        dead_letters_list(&workspace, &administrator, 50, None)
            .await
            .unwrap(),
        found[1..]
    );
}

async fn dead_letters_are_for_administrators(workspace: Workspace) {
    let nobody = nobody();
    let codes = [
        dead_letters_list(&workspace, &nobody, 50, None)
            .await
            .unwrap_err()
            .code(),
        dead_letters_count(&workspace, &nobody)
            .await
            .unwrap_err()
            .code(),
        dead_letter_get(&workspace, &nobody, 1)
            .await
            .unwrap_err()
            .code(),
        dead_letter_retry(&workspace, &nobody, 1)
            .await
            .unwrap_err()
            .code(),
        dead_letter_discard(&workspace, &nobody, 1)
            .await
            .unwrap_err()
            .code(),
    ];
    assert_eq!(codes, ["FORBIDDEN"; 5]);
    let administrator = administrator(&workspace).await;
    for first in [0, 501] {
        let error = dead_letters_list(&workspace, &administrator, first, None)
            .await
            .unwrap_err();
        assert_eq!(issues(&error), ["first BAD_INPUT"]);
    }
    let error = dead_letter_retry(&workspace, &administrator, 1)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "NOT_FOUND");
}
