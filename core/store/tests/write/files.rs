//! What is known of files, and the columns that point at them.

use relata_catalog::{File, Kind, Step, Value};
use relata_store::platform::{StoredFile, files};
use relata_store::{Database, Retention, StoreError, Turn};
use uuid::Uuid;

use crate::fixture::{
    NOW, apply, field, insert, object, on_each, plan, record, text, with_objects, words,
};

fn arriving() -> StoredFile {
    StoredFile {
        id: Uuid::now_v7(),
        name: "contract.pdf".to_owned(),
        content_type: "application/pdf".to_owned(),
        size: 0,
        sha256: String::new(),
        actor: "system".to_owned(),
        user: Some(Uuid::now_v7()),
        at: NOW,
        state: files::ARRIVING.to_owned(),
    }
}

#[tokio::test]
async fn a_file_arrives_is_kept_and_leaves() {
    on_each(async |database| {
        let mut file = arriving();
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.insert_file(&file).await.unwrap();
        // It is not leaving, so it stays.
        transaction.forget_file(file.id).await.unwrap();
        transaction.commit().await.unwrap();

        let transaction = database.begin(Turn::First).await.unwrap();
        assert!(transaction.keep_file(file.id, 7, "00").await.unwrap());
        assert!(!transaction.keep_file(file.id, 8, "11").await.unwrap());
        (file.size, file.sha256) = (7, "00".to_owned());
        file.state = files::KEPT.to_owned();
        let found = transaction.files(&[file.id, Uuid::now_v7()]).await.unwrap();
        assert_eq!(found, vec![file.clone()]);
        transaction
            .note_unheld(&[file.id], Some(NOW))
            .await
            .unwrap();
        let seen = transaction.files_seen(None, 10).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].unheld_since, seen[0].is_held), (Some(NOW), false));
        assert!(
            transaction
                .files_seen(Some(file.id), 10)
                .await
                .unwrap()
                .is_empty()
        );
        transaction.commit().await.unwrap();
        assert_eq!(database.file(file.id).await.unwrap(), Some(file.clone()));
        assert!(database.files_leaving(10).await.unwrap().is_empty());

        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.let_files_go(&[file.id]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(database.files_leaving(10).await.unwrap(), vec![file.id]);
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.forget_file(file.id).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(database.file(file.id).await.unwrap(), None);
    })
    .await;
}

/// Whether anything holds the file, and what comes of forgetting it.
async fn look(database: &Database, id: Uuid) -> (bool, Result<(), StoreError>) {
    let transaction = database.begin(Turn::First).await.unwrap();
    let seen = transaction.files_seen(None, 10).await.unwrap();
    let is_held = seen.iter().any(|file| file.id == id && file.is_held);
    transaction.let_files_go(&[id]).await.unwrap();
    let forgotten = transaction.forget_file(id).await;
    transaction.rollback().await;
    (is_held, forgotten)
}

#[tokio::test]
async fn a_file_that_a_column_holds_can_not_go() {
    on_each(async |database| {
        let paper = field(
            "paper",
            Kind::File {
                types: Vec::new(),
                max_size: None,
            },
        );
        let bare = object("deed", vec![field("title", text())]);
        let mut deed = bare.clone();
        deed.fields.push(paper.clone());
        let catalogue = with_objects(&database, vec![deed.clone()]).await;
        let file = arriving();
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.insert_file(&file).await.unwrap();
        transaction.commit().await.unwrap();
        assert!(matches!(look(&database, file.id).await, (false, Ok(()))));

        let holding = |id| {
            record(vec![
                words("A"),
                Value::File(File {
                    id,
                    name: file.name.clone(),
                    content_type: file.content_type.clone(),
                    size: 7,
                    sha256: "00".to_owned(),
                }),
            ])
        };
        insert(&database, &deed, &[holding(file.id)]).await;
        let is_held = |found: (bool, Result<(), StoreError>)| {
            assert!(found.0);
            assert!(matches!(found.1, Err(StoreError::Referenced)), "{found:?}");
        };
        is_held(look(&database, file.id).await);

        // What is not there can't be held.
        let transaction = database.begin(Turn::First).await.unwrap();
        let missing = transaction.insert(&deed, &[holding(Uuid::now_v7())]).await;
        assert!(
            matches!(missing, Err(StoreError::Referenced)),
            "{missing:?}"
        );
        transaction.rollback().await;

        // A parked column holds it, until it is dropped.
        let removed = Step::RemoveField {
            name: "deed.paper".to_owned(),
            object: deed.key.clone(),
            table: deed.table.clone(),
            field: paper,
        };
        let plan = plan(&catalogue, vec![bare], vec![removed]);
        apply(&database, &plan, Retention::Park).await;
        is_held(look(&database, file.id).await);
        let transaction = database.begin(Turn::Alone).await.unwrap();
        transaction.drop_parked(NOW + 1, NOW + 1).await.unwrap();
        transaction.commit().await.unwrap();
        assert!(matches!(look(&database, file.id).await, (false, Ok(()))));
    })
    .await;
}
