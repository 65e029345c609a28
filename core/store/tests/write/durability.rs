//! What survives, what is rolled back, and who may open a workspace.

use std::time::Duration;

use futures_util::FutureExt as _;
use relata_store::{Backend, Database, DatabaseOptions, Purpose, StoreError, Turn};
use sea_orm::ConnectionTrait as _;

use crate::fixture::{
    Place, count, field, object, on_each, on_postgres, record, text, with_objects, words,
};

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_a_clean_connection() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .insert(&company, &[record(vec![words("Ada")])])
            .await
            .unwrap();
        drop(transaction);

        // Also where there is no runtime.
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .insert(&company, &[record(vec![words("Grace")])])
            .await
            .unwrap();
        std::thread::spawn(move || drop(transaction))
            .join()
            .unwrap();

        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(count(&transaction, &catalogue, "company").await, 0);
        transaction.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_was_abandoned_behind_a_savepoint_is_undone_with_it() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        let kept = [record(vec![words("Ada")])];
        transaction.insert(&company, &kept).await.unwrap();
        let savepoint = transaction.savepoint().await.unwrap();
        let records: Vec<_> = (0..5_000)
            .map(|n| record(vec![words(&n.to_string())]))
            .collect();
        let outcome = transaction.insert(&company, &records).now_or_never();
        assert!(outcome.is_none(), "{outcome:?}");
        transaction.rollback_to(savepoint).await.unwrap();
        let kept = [record(vec![words("Grace")])];
        transaction.insert(&company, &kept).await.unwrap();
        transaction.commit().await.unwrap();
        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(count(&transaction, &catalogue, "company").await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_abandoned_statement_cannot_be_committed() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        // Several statements, of which one is on its way when the future is dropped.
        let records: Vec<_> = (0..5_000)
            .map(|n| record(vec![words(&n.to_string())]))
            .collect();
        let outcome = transaction.insert(&company, &records).now_or_never();
        assert!(outcome.is_none(), "{outcome:?}");
        let error = transaction.commit().await.unwrap_err();
        assert!(matches!(error, StoreError::Abandoned), "{error:?}");

        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(count(&transaction, &catalogue, "company").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_file_is_changed_by_one_process_at_a_time() {
    let place = Place::file();
    let database = place.open().await;
    let options = DatabaseOptions::new(place.url.as_str());
    let error = Database::open(&options).await.unwrap_err();
    assert!(matches!(error, StoreError::Held { .. }), "{error:?}");
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );

    // Looking is allowed beside it, changing is not.
    let looking = Database::open(&DatabaseOptions {
        purpose: Purpose::Look,
        ..options.clone()
    })
    .await
    .unwrap();
    assert_eq!(
        looking.pending_migrations().await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(looking.load_catalogue().await.unwrap().revision, 0);
    assert!(matches!(
        looking.begin(Turn::First).await,
        Err(StoreError::ReadOnly)
    ));
    looking.close().await;

    database.close().await;
    drop(database);
    Database::open(&options).await.unwrap();
}

#[tokio::test]
async fn a_url_that_cannot_be_used_says_why() {
    for url in [
        "mysql://localhost/x",
        "sqlite::memory:",
        "sqlite://x.db?mode=nonsense",
        "sqlite:///no/such/folder/x.db?mode=rwc",
        "sqlite://no-such-file.db",
    ] {
        let error = Database::open(&DatabaseOptions::new(url))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Options(_)), "{url}: {error:?}");
    }
    let error = Database::open(&DatabaseOptions {
        turn_wait_max: Duration::from_millis(300),
        ..DatabaseOptions::new("postgres://nobody@127.0.0.1:1/none")
    })
    .await
    .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    let Some(place) = Place::server().await else {
        return;
    };
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let options = DatabaseOptions::new(place.url.as_str());
        starts.spawn(async move {
            let database = Database::open(&options).await.unwrap();
            let applied = database.migrate().await.unwrap();
            database.close().await;
            applied.len()
        });
    }
    let applied = starts.join_all().await;
    let by_whom = applied.iter().filter(|count| **count > 0).count();
    assert_eq!(
        by_whom, 1,
        "one of them applies all migrations: {applied:?}"
    );
    place.remove().await;
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_refused() {
    let place = Place::file();
    let database = place.open().await;
    database.close().await;
    drop(database);
    let raw = sea_orm::Database::connect(place.url.as_str())
        .await
        .unwrap();
    raw.execute_unprepared(
        "INSERT INTO relata_catalogue VALUES (1, 999, '{}', '[]', 'system', 0); \
         INSERT INTO relata_migration VALUES ('m9999_later', 0)",
    )
    .await
    .unwrap();
    raw.close().await.unwrap();

    let database = Database::open(&DatabaseOptions::new(place.url.as_str()))
        .await
        .unwrap();
    assert!(matches!(
        database.migrate().await,
        Err(StoreError::Newer { .. })
    ));
    assert!(matches!(
        database.pending_migrations().await,
        Err(StoreError::Newer { .. })
    ));
    assert!(matches!(
        database.load_catalogue().await,
        Err(StoreError::Newer { .. })
    ));
}

#[tokio::test]
async fn a_lock_that_does_not_come_is_a_timeout() {
    on_postgres(async |database| {
        let mut options = database.options().clone();
        options.lock_wait_max = Duration::from_millis(200);
        let impatient = Database::open(&options).await.unwrap();
        let alone = database.begin(Turn::Alone).await.unwrap();
        let error = impatient.begin(Turn::First).await.unwrap_err();
        assert!(matches!(error, StoreError::Timeout(_)), "{error:?}");
        alone.rollback().await;
        impatient
            .begin(Turn::First)
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
        impatient.close().await;
    })
    .await;
}

#[tokio::test]
async fn statistics_are_there_when_they_are_refreshed() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        with_objects(&database, vec![company.clone()]).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        let records: Vec<_> = (0..300)
            .map(|n| record(vec![words(&n.to_string())]))
            .collect();
        transaction.insert(&company, &records).await.unwrap();
        transaction.commit().await.unwrap();
        database.refresh_statistics().await.unwrap();
        let known = match database.backend() {
            Backend::Sqlite => format!(
                "SELECT MAX(CAST(stat AS INTEGER)) AS rows FROM sqlite_stat1 WHERE tbl = '{}'",
                company.table
            ),
            Backend::Postgres => format!(
                "SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = '{}'::regclass",
                company.table
            ),
        };
        let raw = sea_orm::Database::connect(database.options().url.as_str())
            .await
            .unwrap();
        let row = raw
            .query_one_raw(sea_orm::Statement::from_string(
                raw.get_database_backend(),
                known,
            ))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.try_get::<i64>("", "rows").unwrap(), 300);
    })
    .await;
}
