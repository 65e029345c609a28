//! What goes when its time is over.

use std::time::Duration;

use relata_app::Workspace;
use serde_json::json;

use crate::fixture::{Place, all, create, delete, in_trash};

/// Looks for what may go all the time.
async fn open(place: &Place, trash: Duration) -> Workspace {
    place
        .open_with(|options| {
            options.retention.look_every = Duration::from_millis(20);
            options.retention.trash = trash;
        })
        .await
}

/// Waits until so many are in the trash.
async fn left(workspace: &Workspace, object: &'static str, count: usize) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while in_trash(workspace, object).await.len() != count {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the trash of {object} is not emptied"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn the_trash_is_emptied(place: &Place) {
    let workspace = open(place, Duration::from_secs(3_600)).await;
    let company = create(&workspace, "company", json!({"name": "Gone"}))
        .await
        .unwrap();
    create(&workspace, "company", json!({"name": "There"}))
        .await
        .unwrap();
    delete(&workspace, "company", company).await.unwrap();
    // More than one batch.
    for number in 0..45 {
        let person = json!({"name": format!("Person {number}")});
        let person = create(&workspace, "person", person).await.unwrap();
        delete(&workspace, "person", person).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        in_trash(&workspace, "company").await.len(),
        1,
        "its time is not over"
    );
    workspace.close().await;
    // The right to change a file is held until then.
    drop(workspace);

    let workspace = open(place, Duration::from_millis(1)).await;
    left(&workspace, "company", 0).await;
    left(&workspace, "person", 0).await;
    assert_eq!(all(&workspace, "company").await.len(), 1);
    workspace.close().await;
}

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_trash_is_emptied() {
        super::the_trash_is_emptied(&super::Place::sqlite()).await;
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_trash_is_emptied() {
        if let Some(place) = super::Place::postgres().await {
            super::the_trash_is_emptied(&place).await;
            place.drop().await;
        }
    }
}
