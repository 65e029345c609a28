//! Writers beside each other.

use relata_catalog::{Catalogue, FieldIndex, Kind, Value};
use relata_store::{Database, Lock, Retention, StoreError, Turn};
use uuid::Uuid;

use crate::fixture::{
    NOW, count, created, field, insert, object, on_each, on_postgres, plan, record, text,
    with_objects, words,
};

#[tokio::test]
async fn of_two_that_decide_by_what_the_other_changes_one_must_try_again() {
    on_postgres(async |database| {
        let account = object(
            "account",
            vec![field(
                "balance",
                Kind::Integer {
                    min: None,
                    max: None,
                },
            )],
        );
        let catalogue = with_objects(&database, vec![account.clone()]).await;
        let (index, _) = catalogue.object_named("account").unwrap();
        let accounts = [
            record(vec![Value::Integer(60)]),
            record(vec![Value::Integer(60)]),
        ];
        insert(&database, &account, &accounts).await;

        // Write skew: each reads the sum and takes from its own account.
        let everything = relata_store::filter::Filter::And(Vec::new());
        let column = relata_store::filter::ColumnRef::Field {
            field: FieldIndex(0),
            part: 0,
        };
        let one = database.begin(Turn::First).await.unwrap();
        let two = database.begin(Turn::First).await.unwrap();
        for transaction in [&one, &two] {
            let (_, sum) = transaction
                .total(&catalogue, index, &everything, Some(column))
                .await
                .unwrap();
            assert_eq!(sum, 120.into());
        }
        let mut outcomes = Vec::new();
        for (transaction, before) in [(one, &accounts[0]), (two, &accounts[1])] {
            let mut after = before.clone();
            after.version = 2;
            after.values[0] = Value::Integer(-40);
            let outcome = match transaction
                .update(&account, &[after.id], &after, &[FieldIndex(0)])
                .await
            {
                Ok(()) => transaction.commit().await,
                Err(error) => Err(error),
            };
            outcomes.push(outcome);
        }
        let failed: Vec<&StoreError> = outcomes.iter().filter_map(|o| o.as_ref().err()).collect();
        assert_eq!(failed.len(), 1, "{outcomes:?}");
        assert!(failed[0].is_retryable(), "{failed:?}");
    })
    .await;
}

#[tokio::test]
async fn increments_are_never_lost() {
    on_each(async |database| {
        let counter = object(
            "counter",
            vec![field(
                "n",
                Kind::Integer {
                    min: None,
                    max: None,
                },
            )],
        );
        with_objects(&database, vec![counter.clone()]).await;
        let row = record(vec![Value::Integer(0)]);
        insert(&database, &counter, std::slice::from_ref(&row)).await;

        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (database, counter) = (database.clone(), counter.clone());
            writers.spawn(async move {
                for _ in 0..5 {
                    add_one(&database, &counter, row.id).await;
                }
            });
        }
        writers.join_all().await;
        let transaction = database.begin(Turn::First).await.unwrap();
        let found = transaction
            .get(&counter, row.id, Lock::None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.values[0], Value::Integer(40));
        assert_eq!(found.version, 41);
    })
    .await;
}

/// As the application does it: beside others first, alone after conflicts.
async fn add_one(database: &Database, counter: &relata_catalog::Object, id: Uuid) {
    for attempt in 0..4 {
        let turn = if attempt < 2 {
            Turn::First
        } else {
            Turn::Alone
        };
        match try_to_add(database, counter, id, turn).await {
            Ok(()) => return,
            Err(error) if error.is_retryable() && turn == Turn::First => {}
            // With nobody else writing there is nobody to conflict with.
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("retries used up");
}

async fn try_to_add(
    database: &Database,
    counter: &relata_catalog::Object,
    id: Uuid,
    turn: Turn,
) -> Result<(), StoreError> {
    let transaction = database.begin(turn).await?;
    let mut record = transaction.get(counter, id, Lock::Update).await?.unwrap();
    let Value::Integer(n) = record.values[0] else {
        panic!("an integer");
    };
    record.values[0] = Value::Integer(n + 1);
    record.version += 1;
    transaction
        .update(counter, &[record.id], &record, &[FieldIndex(0)])
        .await?;
    transaction.commit().await
}

#[tokio::test]
async fn gapless_numbers_have_no_gaps_and_come_back_after_a_rollback() {
    on_each(async |database| {
        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(
            transaction.next_numbers("t.c", 100, 3, true).await.unwrap(),
            100
        );
        assert_eq!(
            transaction.next_numbers("t.c", 100, 1, true).await.unwrap(),
            103
        );
        transaction.commit().await.unwrap();
        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(
            transaction.next_numbers("t.c", 100, 5, true).await.unwrap(),
            104
        );
        transaction.rollback().await;
        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(
            transaction.next_numbers("t.c", 100, 1, true).await.unwrap(),
            104
        );
        transaction.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn numbers_drawn_beside_each_other_are_distinct_and_in_a_row() {
    on_each(async |database| {
        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(
            transaction
                .next_numbers("t.free", 7, 2, false)
                .await
                .unwrap(),
            7
        );
        transaction.commit().await.unwrap();
        let mut drawers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let database = database.clone();
            drawers.spawn(async move {
                let mut drawn = Vec::new();
                for _ in 0..5 {
                    let transaction = database.begin(Turn::First).await.unwrap();
                    let first = transaction
                        .next_numbers("t.free", 7, 50, false)
                        .await
                        .unwrap();
                    transaction.commit().await.unwrap();
                    drawn.extend(first..first + 50);
                }
                drawn
            });
        }
        let mut all: Vec<i64> = drawers.join_all().await.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8 * 5 * 50);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_stays_what_it_was_and_holds_up_nobody() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        // It begins while somebody writes, and does not see what is not committed.
        let writing = database.begin(Turn::Alone).await.unwrap();
        let snapshot = database.snapshot().await.unwrap();
        writing
            .insert(&company, &[record(vec![words("Ada")])])
            .await
            .unwrap();
        assert_eq!(count(&snapshot, &catalogue, "company").await, 0);
        // Others write and commit while it is open, and it does not see that either.
        writing.commit().await.unwrap();
        insert(&database, &company, &[record(vec![words("Grace")])]).await;
        assert_eq!(count(&snapshot, &catalogue, "company").await, 0);
        drop(snapshot);
        let later = database.snapshot().await.unwrap();
        assert_eq!(count(&later, &catalogue, "company").await, 2);
        later.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nothing_is_written_in_a_snapshot() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        let refused = |outcome: Result<(), StoreError>| {
            let error = outcome.unwrap_err();
            assert!(matches!(error, StoreError::ReadOnly), "{error:?}");
            assert!(error.to_string().contains("opened for reading only"));
        };
        let row = record(vec![words("Ada")]);
        let snapshot = database.snapshot().await.unwrap();
        refused(snapshot.insert(&company, &[row]).await);
        // A statement that gives rows writes as well.
        let snapshot = database.snapshot().await.unwrap();
        let claimed = snapshot
            .claim_delivery("after", Default::default(), "one", 0, 1)
            .await;
        refused(claimed.map(|_| ()));
        // And data definition.
        let base = Catalogue {
            revision: 1,
            ..catalogue.clone()
        };
        let other = object("person", vec![field("name", text())]);
        let plan = plan(
            &base,
            vec![company.clone(), other.clone()],
            vec![created(&other)],
        );
        let snapshot = database.snapshot().await.unwrap();
        refused(
            snapshot
                .apply(&plan, Retention::Park, "system", NOW)
                .await
                .map(|_| ()),
        );
        drop(snapshot);
        let later = database.snapshot().await.unwrap();
        assert_eq!(count(&later, &catalogue, "company").await, 0);
    })
    .await;
}
