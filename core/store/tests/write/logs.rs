//! History, passages, outbox, deliveries.

use relata_catalog::Key;
use relata_store::log::{
    Change, DeadLetter, Delivery, FieldChange, HistoryEntry, OutboxEntry, Passage, Position,
};
use relata_store::{Database, Transaction, Turn};
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

use crate::fixture::{NOW, on_each, on_postgres};

fn entry(version: i64) -> OutboxEntry {
    OutboxEntry {
        object: Key::new("relata", "company"),
        record: Uuid::now_v7(),
        version,
        change: Change::Update,
        actor: "system".to_owned(),
        at: NOW,
        fields: vec![Key::new("relata", "name")],
    }
}

async fn append(transaction: &Transaction, version: i64) {
    transaction.append_outbox(&[entry(version)]).await.unwrap();
}

async fn versions(database: &Database, position: Position) -> Vec<i64> {
    versions_of(database, position, 100).await
}

/// What stands behind the position, once it is this much. PostgreSQL shows an entry when no older
/// transaction is open that may write to this outbox; one that has just got its number counts for
/// a moment wherever it is, and tests share a cluster.
async fn versions_once(database: &Database, position: Position, count: usize) -> Vec<i64> {
    let begun = std::time::Instant::now();
    loop {
        let found = versions_of(database, position, 1_000).await;
        if found.len() >= count || begun.elapsed() > std::time::Duration::from_secs(60) {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn versions_of(database: &Database, position: Position, limit: u64) -> Vec<i64> {
    let rows = database.outbox_after(position, limit).await.unwrap();
    rows.iter().map(|row| row.entry.version).collect()
}

#[tokio::test]
async fn the_outbox_gives_back_what_was_put_in() {
    on_each(async |database| {
        let entries: Vec<OutboxEntry> = (1..=600).map(entry).collect();
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.append_outbox(&entries).await.unwrap();
        transaction.commit().await.unwrap();
        versions_once(&database, Position::START, 600).await;
        let rows = database.outbox_after(Position::START, 1_000).await.unwrap();
        let found: Vec<OutboxEntry> = rows.iter().map(|row| row.entry.clone()).collect();
        assert_eq!(found, entries);
        let middle = rows[299].position;
        assert_eq!(versions(&database, middle).await.first(), Some(&301));
        let end = database.outbox_end().await.unwrap();
        assert_eq!(versions(&database, end).await, Vec::<i64>::new());

        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(
            transaction.prune_outbox(middle, NOW + 1).await.unwrap(),
            300
        );
        transaction.commit().await.unwrap();
        assert_eq!(
            versions(&database, Position::START).await.first(),
            Some(&301)
        );
    })
    .await;
}

#[tokio::test]
async fn a_reader_never_passes_a_transaction_that_is_still_open() {
    on_postgres(async |database| {
        let old = database.begin(Turn::First).await.unwrap();
        append(&old, 1).await;
        let young = database.begin(Turn::First).await.unwrap();
        append(&young, 2).await;
        young.commit().await.unwrap();
        assert_eq!(
            versions(&database, Position::START).await,
            Vec::<i64>::new(),
            "the younger one waits for the older one"
        );
        // What begins now and would read to the end starts before both.
        let end = database.outbox_end().await.unwrap();
        old.commit().await.unwrap();
        assert_eq!(
            versions_once(&database, Position::START, 2).await,
            vec![1, 2]
        );
        assert_eq!(versions(&database, end).await, vec![1, 2]);
    })
    .await;
}

#[tokio::test]
async fn a_consumer_is_served_by_one_process_and_keeps_its_place() {
    on_each(async |database| {
        let start = Position {
            xact: 3,
            sequence: 4,
        };
        let transaction = database.begin(Turn::First).await.unwrap();
        let claimed = transaction
            .claim_delivery("after", start, "one", NOW, NOW + 10)
            .await
            .unwrap();
        assert_eq!(claimed, Some(Delivery::starting("after", start)));
        let other = transaction
            .claim_delivery("after", start, "two", NOW + 10, NOW + 20)
            .await
            .unwrap();
        assert_eq!(other, None);
        let moved = Delivery {
            position: Position {
                xact: 5,
                sequence: 6,
            },
            attempts: 2,
            retry_at: Some(NOW + 5),
            last_error: Some("no answer".to_owned()),
            ..Delivery::starting("after", start)
        };
        transaction.save_delivery(&moved).await.unwrap();
        let letter = DeadLetter {
            id: 0,
            consumer: "after".to_owned(),
            entry: "{}".to_owned(),
            error: "no answer".to_owned(),
            attempts: 3,
            at: NOW,
        };
        transaction.append_dead_letter(&letter).await.unwrap();
        transaction.commit().await.unwrap();

        let transaction = database.begin(Turn::First).await.unwrap();
        let taken_over = transaction
            .claim_delivery("after", start, "two", NOW + 11, NOW + 20)
            .await
            .unwrap();
        assert_eq!(taken_over.as_ref(), Some(&moved));
        transaction.commit().await.unwrap();
        assert_eq!(database.deliveries().await.unwrap(), vec![moved.clone()]);
        assert_eq!(database.delivery("after").await.unwrap(), Some(moved));
        assert_eq!(database.delivery("before").await.unwrap(), None);
        let letters = database.dead_letters(None, 10).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].error, "no answer");
        let again = DeadLetter {
            error: "still no answer".to_owned(),
            attempts: 4,
            at: NOW + 1,
            ..letters[0].clone()
        };
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.append_dead_letter(&letter).await.unwrap();
        assert!(transaction.save_dead_letter(&again).await.unwrap());
        transaction.commit().await.unwrap();
        assert_eq!(
            database.dead_letter(again.id).await.unwrap().as_ref(),
            Some(&again)
        );
        assert_eq!(database.dead_letters_count().await.unwrap(), 2);
        let newest = database.dead_letters(None, 1).await.unwrap();
        assert_eq!(newest[0].attempts, 3);
        let older = database.dead_letters(Some(newest[0].id), 10).await.unwrap();
        assert_eq!(older, vec![again.clone()]);
        let transaction = database.begin(Turn::First).await.unwrap();
        assert!(transaction.remove_dead_letter(again.id).await.unwrap());
        assert!(!transaction.remove_dead_letter(again.id).await.unwrap());
        assert!(!transaction.save_dead_letter(&again).await.unwrap());
        transaction.remove_delivery("after").await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(database.deliveries().await.unwrap(), Vec::new());
    })
    .await;
}

#[tokio::test]
async fn history_and_passages_are_kept_until_the_record_is_forgotten() {
    on_each(async |database| {
        let record = Uuid::now_v7();
        let history = HistoryEntry {
            object: Key::new("relata", "deal"),
            record,
            version: 1,
            at: NOW,
            actor: "system".to_owned(),
            change: Change::Create,
            fields: vec![FieldChange {
                field: Key::new("relata", "name"),
                old: serde_json::Value::Null,
                new: "Ada".into(),
            }],
        };
        let passage = Passage {
            object: Key::new("relata", "deal"),
            record,
            field: Key::new("relata", "stage"),
            from: None,
            to: Some((Key::new("relata", "sales"), "lead".to_owned())),
            at: NOW,
            seconds: None,
            actor: "system".to_owned(),
            reason: None,
        };
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction.append_history(&[history]).await.unwrap();
        transaction.append_passages(&[passage]).await.unwrap();
        transaction.forget(record).await.unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_outbox_from_another_cluster_is_delivered_first_and_in_order() {
    on_postgres(async |database| {
        for version in 1..=2 {
            let transaction = database.begin(Turn::First).await.unwrap();
            append(&transaction, version).await;
            transaction.commit().await.unwrap();
        }
        versions_once(&database, Position::START, 2).await;
        let first = database.outbox_after(Position::START, 1).await.unwrap()[0].position;
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .claim_delivery("after", first, "one", 0, 1)
            .await
            .unwrap();
        transaction
            .claim_delivery("new", Position::START, "one", 0, 1)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        // As if they came from a cluster that has counted further.
        let raw = sea_orm::Database::connect(database.options().url.as_str())
            .await
            .unwrap();
        for table in ["relata_outbox", "relata_delivery WHERE xact > 0"] {
            let (table, condition) = table.split_once(" WHERE ").unwrap_or((table, "TRUE"));
            raw.execute_unprepared(&format!(
                "UPDATE {table} SET xact = xact + 1000000000 WHERE {condition}"
            ))
            .await
            .unwrap();
        }
        raw.close().await.unwrap();
        assert_eq!(
            versions(&database, Position::START).await,
            Vec::<i64>::new()
        );

        database.migrate().await.unwrap();
        let transaction = database.begin(Turn::First).await.unwrap();
        append(&transaction, 3).await;
        transaction.commit().await.unwrap();
        assert_eq!(
            versions_once(&database, Position::START, 3).await,
            vec![1, 2, 3]
        );
        let deliveries = database.deliveries().await.unwrap();
        assert_eq!(
            versions(&database, deliveries[0].position).await,
            vec![2, 3]
        );
        assert_eq!(deliveries[1].position, Position::START);
    })
    .await;
}

/// A connection to another database of the same cluster, or to the same one, that takes no part in
/// Relata, with a transaction that has a number.
async fn stranger(url: &str) -> (sea_orm::DatabaseConnection, sea_orm::DatabaseTransaction) {
    use sea_orm::TransactionTrait as _;
    let connection = sea_orm::Database::connect(url).await.unwrap();
    let open = connection.begin().await.unwrap();
    open.execute_unprepared("SELECT pg_current_xact_id()")
        .await
        .unwrap();
    (connection, open)
}

#[tokio::test]
async fn who_does_not_write_here_holds_up_nobody() {
    on_postgres(async |database| {
        let url = database.options().url.clone();
        let base = relata_test_cluster::shared().unwrap();
        for place in [format!("{base}/postgres"), url] {
            let before = database.outbox_end().await.unwrap();
            let (connection, open) = stranger(&place).await;
            let transaction = database.begin(Turn::First).await.unwrap();
            append(&transaction, 1).await;
            transaction.commit().await.unwrap();
            // Its lock on its number is there: nothing is to be waited for.
            assert_eq!(versions_once(&database, before, 1).await, vec![1]);
            // Our own older one still is waited for, also beside the stranger.
            let old = database.begin(Turn::First).await.unwrap();
            append(&old, 2).await;
            let position = database.outbox_after(before, 1).await.unwrap()[0].position;
            let young = database.begin(Turn::First).await.unwrap();
            append(&young, 3).await;
            young.commit().await.unwrap();
            assert_eq!(versions(&database, position).await, Vec::<i64>::new());
            assert!(database.outbox_goes_on(position).await.unwrap());
            let end = database.outbox_end().await.unwrap();
            old.commit().await.unwrap();
            assert_eq!(versions_once(&database, position, 2).await, vec![2, 3]);
            assert_eq!(versions(&database, end).await, vec![2, 3]);
            open.rollback().await.unwrap();
            connection.close().await.unwrap();
        }
    })
    .await;
}

/// Many writers that commit in another order than they have begun in: a reader that goes by the
/// outbox misses none, and sees none twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_entry_is_skipped_beside_many_writers() {
    const WRITERS: i64 = 8;
    const ROUNDS: i64 = 40;
    on_postgres(async |database| {
        let (connection, open) = stranger(&database.options().url).await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let database = database.clone();
                tokio::spawn(async move {
                    for round in 0..ROUNDS {
                        let transaction = database.begin(Turn::First).await.unwrap();
                        append(&transaction, writer * ROUNDS + round).await;
                        for _ in 0..(writer * 7 + round) % 5 {
                            tokio::task::yield_now().await;
                            transaction
                                .next_numbers(&format!("t.{writer}"), 1, 1, true)
                                .await
                                .unwrap();
                        }
                        transaction.commit().await.unwrap();
                    }
                })
            })
            .collect();
        let mut position = Position::START;
        let mut seen = Vec::new();
        let begun = std::time::Instant::now();
        while seen.len() < (WRITERS * ROUNDS) as usize {
            let rows = database.outbox_after(position, 7).await.unwrap();
            position = rows.last().map_or(position, |row| row.position);
            seen.extend(rows.iter().map(|row| row.entry.version));
            assert!(begun.elapsed().as_secs() < 60, "only {} seen", seen.len());
        }
        for writer in writers {
            writer.await.unwrap();
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..WRITERS * ROUNDS).collect::<Vec<_>>());
        open.rollback().await.unwrap();
        connection.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_past_of_many_records_is_read_at_once() {
    on_each(async |database| {
        let records: Vec<Uuid> = (0..70).map(|_| Uuid::now_v7()).collect();
        let transaction = database.begin(Turn::First).await.unwrap();
        for version in 1..=3 {
            let entries: Vec<HistoryEntry> = records
                .iter()
                .map(|record| HistoryEntry {
                    object: Key::new("relata", "deal"),
                    record: *record,
                    version,
                    at: NOW,
                    actor: "system".to_owned(),
                    change: Change::Update,
                    fields: Vec::new(),
                })
                .collect();
            transaction.append_history(&entries).await.unwrap();
        }
        transaction.commit().await.unwrap();
        // Not all up to the same version, and one that has no history.
        let mut wanted: Vec<(Uuid, i64)> = records
            .iter()
            .enumerate()
            .map(|(number, record)| (*record, 1 + number as i64 % 3))
            .collect();
        wanted.push((Uuid::now_v7(), 9));
        let found = database.history_of_many(&wanted, 2).await.unwrap();
        assert_eq!(found.len(), records.len());
        for (record, version) in &wanted[..records.len()] {
            let versions: Vec<i64> = found[record].iter().map(|entry| entry.version).collect();
            let expected: Vec<i64> = (1..=*version).rev().take(2).collect();
            assert_eq!(versions, expected);
        }
    })
    .await;
}
