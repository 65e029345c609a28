//! Merges, and those who watch records: hooks, the outbox, the index of search.

use relata_app::{
    AppError, Workspace,
    plugins::{InstallOptions, plugin_install},
    records::{MergeRequest, record_merge, record_unmerge},
    search::{SearchRequest, search},
};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::{
    fixture::{
        Place, administrator, all, create, delete, eventually, in_trash, issues, nobody, value,
    },
    guest::faulty_with,
};

on_each_database! {
    hooks_watch_what_moves
    the_outbox_tells_of_each_record
}

async fn merge(workspace: &Workspace, ids: &[Uuid], keep: Uuid) -> Result<(), AppError> {
    let request = MergeRequest {
        ids: ids.to_vec(),
        keep,
        data: Map::new(),
    };
    workspace
        .transact(&nobody(), move |unit| {
            let request = request.clone();
            Box::pin(async move {
                let (company, _) = unit.catalogue().object_named("company").unwrap();
                record_merge(&unit, company, &request).await?;
                Ok(())
            })
        })
        .await
}

async fn unmerge(workspace: &Workspace, loser: Uuid) {
    workspace
        .transact(&nobody(), move |unit| {
            Box::pin(async move {
                let (company, _) = unit.catalogue().object_named("company").unwrap();
                record_unmerge(&unit, company, loser).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

async fn companies(workspace: &Workspace) -> (Uuid, Uuid) {
    let mut ids = Vec::new();
    for name in ["Aardvark", "Badger"] {
        let company = create(workspace, "company", json!({"name": name})).await;
        ids.push(company.unwrap());
    }
    (ids[0], ids[1])
}

async fn note(workspace: &Workspace, title: &str, company: Uuid) -> Uuid {
    let note = json!({"title": title, "company": company.to_string()});
    create(workspace, "note", note).await.unwrap()
}

async fn hooks_watch_what_moves(workspace: Workspace) {
    let (a, b) = companies(&workspace).await;
    let quiet = note(&workspace, "quiet", b).await;
    let trap = note(&workspace, "trap", b).await;
    let administrator = administrator(&workspace).await;
    let package = faulty_with(|manifest| {
        manifest.replacen("on = [\"create\"]", "on = [\"create\", \"update\"]", 1)
    });
    plugin_install(
        &workspace,
        &administrator,
        &package,
        &InstallOptions::default(),
    )
    .await
    .unwrap_or_else(|error| panic!("{error}: {:?}", issues(&error)));
    // The plugin breaks on one of the two: so nothing is done, with the other one neither.
    let error = merge(&workspace, &[a, b], a).await.unwrap_err();
    assert_eq!(error.code(), "PLUGIN_FAILED");
    let path = error.issues()[0].path.clone();
    assert_eq!(
        json!(path),
        json!(["ids", 1, "notes", trap.to_string()]),
        "{error}"
    );
    assert_eq!(all(&workspace, "company").await.len(), 2);
    assert_eq!(
        value(&workspace, "note", quiet, "company").await,
        json!(b.to_string())
    );
    assert_eq!(value(&workspace, "note", quiet, "body").await, json!(null));
    delete(&workspace, "note", trap).await.unwrap();
    merge(&workspace, &[a, b], a).await.unwrap();
    assert_eq!(
        value(&workspace, "note", quiet, "body").await,
        json!("seen")
    );
    // In the trash no hook is asked.
    for id in [quiet, trap] {
        assert_eq!(
            value(&workspace, "note", id, "company").await,
            json!(a.to_string())
        );
    }
    assert_eq!(in_trash(&workspace, "company").await[0].id, b);
}

async fn the_outbox_tells_of_each_record(workspace: Workspace) {
    let (a, b) = companies(&workspace).await;
    let live = note(&workspace, "live", b).await;
    let gone = note(&workspace, "gone", b).await;
    delete(&workspace, "note", gone).await.unwrap();
    let position = workspace.database().outbox_end().await.unwrap();
    merge(&workspace, &[a, b], a).await.unwrap();
    unmerge(&workspace, b).await;
    let told = eventually("all is told", async || {
        let outbox = workspace
            .database()
            .outbox_after(position, 100)
            .await
            .unwrap();
        let mut told: Vec<(Uuid, i64, &str)> = outbox
            .iter()
            .map(|row| {
                let entry = &row.entry;
                (entry.record, entry.version, entry.change.as_str())
            })
            .collect();
        told.sort();
        (told.len() >= 7).then_some(told)
    })
    .await;
    let mut expected = vec![
        (live, 2, "UPDATE"),
        (gone, 3, "UPDATE"),
        (b, 2, "DELETE"),
        // The merge, which the history alone calls so.
        (a, 2, "UPDATE"),
        (b, 3, "RESTORE"),
        (live, 3, "UPDATE"),
        (gone, 4, "UPDATE"),
    ];
    expected.sort();
    assert_eq!(told, expected);
    let history = workspace
        .database()
        .history_of(a, i64::MAX, 10)
        .await
        .unwrap();
    assert_eq!(history[0].change.as_str(), "MERGE");
}

/// Who is found by a word.
async fn found(workspace: &Workspace, query: &str, expected: &[Uuid]) {
    eventually(&format!("{query} finds {expected:?}"), async || {
        let request = SearchRequest {
            query: query.to_owned(),
            objects: None,
            first: None,
            after: None,
        };
        let page = search(workspace, &workspace.state(), &request)
            .await
            .unwrap();
        let ids: Vec<Uuid> = page.hits.iter().map(|hit| hit.id).collect();
        (ids == expected).then_some(())
    })
    .await;
}

async fn search_finds_who_is_there(place: &Place) {
    let folder = place.path().join("search");
    let workspace = place
        .open_with(|options| options.search_folder = Some(folder))
        .await;
    let (a, _) = companies(&workspace).await;
    let described = json!({"name": "Chinchilla", "description": "a marmalade factory"});
    let c = create(&workspace, "company", described).await.unwrap();
    found(&workspace, "marmalade", &[c]).await;
    merge(&workspace, &[a, c], a).await.unwrap();
    // It has the other's description now.
    found(&workspace, "marmalade", &[a]).await;
    found(&workspace, "chinchilla", &[]).await;
    unmerge(&workspace, c).await;
    found(&workspace, "marmalade", &[c]).await;
    found(&workspace, "chinchilla", &[c]).await;
    workspace.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_finds_who_is_there_on_sqlite() {
    search_finds_who_is_there(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_finds_who_is_there_on_postgres() {
    if let Some(place) = Place::postgres().await {
        search_finds_who_is_there(&place).await;
        place.drop().await;
    }
}
