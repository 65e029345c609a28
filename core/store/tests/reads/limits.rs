//! What is refused, and what a reader survives.

use std::sync::Arc;
use std::time::Duration;

use relata_catalog::{Value, Via};
use relata_store::filter::{
    ColumnRef, Direction, Filter, Nulls, Operand, Operator, OrderTerm, Quantifier, SystemColumn,
};
use relata_store::read::{
    CompileError, CursorKey, Member, Page, Parameter, READ_DEPTH_MAX, Read, Reader, ReaderOptions,
    Runs, compile,
};
use relata_store::{Backend, StoreError};
use serde_json::json;

use crate::world::{Names, World, always, backends, column, list, nodes, text, worlds};

fn clients(world: &World, filter: Filter, order: Vec<OrderTerm>) -> Read {
    let id = column("id", ColumnRef::System(SystemColumn::Id));
    let page = Page::default();
    Read::Many(list(
        world,
        "client",
        filter,
        order,
        page,
        vec![nodes(vec![id])],
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_column_does_not_offer_is_a_compile_error() {
    let worlds = worlds(&[]).await;
    assert!(backends(&worlds).contains(&Backend::Sqlite));
    for world in &worlds {
        let backend = world.database.backend();
        let compiled = |read: &Read| compile(&world.catalogue, backend, read, Runs::OnReaders);
        for (field, operator) in [
            ("tier", Operator::IContains),
            ("size", Operator::Contains),
            ("extra", Operator::Eq),
            ("tags", Operator::Eq),
            ("active", Operator::Lt),
            ("name", Operator::Has),
        ] {
            let filter = world.compare("client", field, 0, operator, text("x"));
            let error = compiled(&clients(world, filter, vec![])).unwrap_err();
            assert!(matches!(error, CompileError::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(field), "{error}");
        }
        let by_json = OrderTerm {
            through: Vec::new(),
            column: world.part("client", "extra", 0),
            direction: Direction::Ascending,
            nulls: Nulls::Last,
        };
        let error = compiled(&clients(world, always(), vec![by_json])).unwrap_err();
        assert!(matches!(error, CompileError::Unordered { .. }), "{error}");
        let wrong = world.compare("client", "size", 0, Operator::Eq, text("x"));
        let error = compiled(&clients(world, wrong, vec![])).unwrap_err();
        assert!(matches!(error, CompileError::Operand(_)), "{error}");
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_has_an_end() {
    let worlds = worlds(&[("client", 1, json!({"parent": 1}))]).await;
    for world in &worlds {
        let nested = |depth: usize| {
            let mut members = vec![column("id", ColumnRef::System(SystemColumn::Id))];
            for _ in 0..depth {
                members = vec![Member::ToOne {
                    key: "parent".to_owned(),
                    field: world.field("client", "parent"),
                    members,
                }];
            }
            Read::One {
                object: world.object("client"),
                id: Operand::Value(Value::Reference(crate::world::uuid(1))),
                members,
            }
        };
        let answer = world.answer(&nested(READ_DEPTH_MAX), &[]).await.unwrap();
        assert_eq!(answer.matches("parent").count(), READ_DEPTH_MAX);
        let too_deep = compile(
            &world.catalogue,
            world.database.backend(),
            &nested(READ_DEPTH_MAX + 1),
            Runs::OnReaders,
        );
        assert!(matches!(too_deep, Err(CompileError::Limit { .. })));
        let mut filter = always();
        for _ in 0..200 {
            filter = Filter::Not(Box::new(filter));
        }
        let too_deep = compile(
            &world.catalogue,
            world.database.backend(),
            &clients(world, filter, vec![]),
            Runs::OnReaders,
        );
        assert!(matches!(too_deep, Err(CompileError::Limit { .. })));
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_answers_the_same_wherever_it_runs() {
    let records: Vec<_> = (1..=300)
        .map(|number| ("client", number, json!({"size": number % 7, "parent": 1})))
        .collect();
    let worlds = worlds(&records).await;
    for world in &worlds {
        let quick = world.compare("client", "size", 0, Operator::Eq, Operand::Parameter(0));
        let read = clients(world, quick, vec![]);
        let compiled = Arc::new(
            compile(
                &world.catalogue,
                world.database.backend(),
                &read,
                Runs::OnReaders,
            )
            .unwrap(),
        );
        let mut answers = Vec::new();
        // Never where it is asked for; given up there as soon as the clock is looked at; there.
        for here_max in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_secs(9),
        ] {
            let options = ReaderOptions {
                here_max,
                ..ReaderOptions::new(&world.database.options().url, CursorKey::new([7; 16]))
            };
            let reader = Reader::open(&options).await.unwrap();
            let asked = [(compiled.clone(), vec![Parameter::Value(Value::Integer(3))])];
            for _ in 0..3 {
                answers.push(reader.run(&asked, Arc::new(Names)).await.unwrap());
            }
            reader.close().await;
            let closed = reader.run(&asked, Arc::new(Names)).await;
            assert!(
                matches!(closed, Err(StoreError::Unavailable(_))),
                "{closed:?}"
            );
        }
        assert!(answers[0][0].len() > 1_000);
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_has_an_end_and_the_next_request_is_served() {
    let records: Vec<_> = (1..=300)
        .map(|number| ("client", number, json!({"size": 1, "parent": 1})))
        .collect();
    let worlds = worlds(&records).await;
    for world in &worlds {
        let backend = world.database.backend();
        let options = ReaderOptions {
            readers: 1,
            time_max: Duration::from_millis(300),
            ..ReaderOptions::new(&world.database.options().url, CursorKey::new([7; 16]))
        };
        let reader = Reader::open(&options).await.unwrap();
        // For each of 300 all 300 siblings of all 300 siblings; PostgreSQL is cleverer than that,
        // and has to wait for a lock instead.
        let mut slow = world.compare("client", "size", 0, Operator::Eq, crate::world::integer(2));
        for _ in 0..2 {
            slow = Filter::ToOne {
                field: world.field("client", "parent"),
                filter: Box::new(Filter::ToMany {
                    object: world.object("client"),
                    via: Via::Relation(world.field("client", "parent")),
                    quantifier: Quantifier::Some,
                    filter: Box::new(slow),
                }),
            };
        }
        let in_the_way = (backend == Backend::Postgres).then(async || {
            let (client, connection) =
                tokio_postgres::connect(&world.database.options().url, tokio_postgres::NoTls)
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let table = &world.catalogue.object(world.object("client")).table;
            client
                .batch_execute(&format!(
                    "BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
                ))
                .await
                .unwrap();
            client
        });
        let in_the_way = match in_the_way {
            Some(locking) => Some(locking.await),
            None => None,
        };
        let run = async |read: &Read, parameters: Vec<Parameter>| {
            let compiled =
                Arc::new(compile(&world.catalogue, backend, read, Runs::OnReaders).unwrap());
            reader.run(&[(compiled, parameters)], Arc::new(Names)).await
        };
        let result = run(&clients(world, slow, vec![]), vec![]).await;
        assert!(matches!(result, Err(StoreError::Timeout(_))), "{result:?}");
        if let Some(client) = in_the_way {
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        let quick = world.compare("client", "size", 0, Operator::Eq, Operand::Parameter(0));
        let read = clients(world, quick, vec![]);
        let one = Parameter::Value(Value::Integer(1));
        assert!(run(&read, vec![one.clone()]).await.is_ok());
        // A parameter that is missing, or of another type, harms nobody.
        assert!(matches!(
            run(&read, vec![]).await,
            Err(StoreError::Value { .. })
        ));
        let wrong = Parameter::Value(Value::Text("x".to_owned()));
        assert!(matches!(
            run(&read, vec![wrong]).await,
            Err(StoreError::Value { .. })
        ));
        assert!(run(&read, vec![one]).await.is_ok());
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_are_replaced() {
    let worlds = worlds(&[("client", 1, json!({"name": "a"}))]).await;
    for world in &worlds {
        if world.database.backend() != Backend::Postgres {
            continue;
        }
        let read = clients(world, always(), vec![]);
        let before = world.answer(&read, &[]).await.unwrap();
        let (client, connection) =
            tokio_postgres::connect(&world.database.options().url, tokio_postgres::NoTls)
                .await
                .unwrap();
        tokio::spawn(connection);
        let lost = client
            .query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'relata-read'",
                &[],
            )
            .await
            .unwrap();
        assert!(!lost.is_empty());
        assert_eq!(world.answer(&read, &[]).await.unwrap(), before);
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_request_leaves_nothing_behind() {
    let worlds = worlds(&[("client", 1, json!({"name": "a"}))]).await;
    for world in &worlds {
        let read = clients(world, always(), vec![]);
        let backend = world.database.backend();
        let compiled =
            Arc::new(compile(&world.catalogue, backend, &read, Runs::OnReaders).unwrap());
        let twice = [(Arc::clone(&compiled), vec![]), (compiled, vec![])];
        for _ in 0..20 {
            let run = world.reader.run(&twice, Arc::new(Names));
            // Dropped after it was polled a first time: somewhere between BEGIN and COMMIT.
            let _ = tokio::time::timeout(Duration::ZERO, run).await;
        }
        assert!(world.answer(&read, &[]).await.unwrap().contains("00000001"));
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_reader_says_so() {
    let worlds = worlds(&[("client", 1, json!({"name": "a"}))]).await;
    for world in &worlds {
        let read = clients(world, always(), vec![]);
        let backend = world.database.backend();
        let compiled =
            Arc::new(compile(&world.catalogue, backend, &read, Runs::OnReaders).unwrap());
        let reader = &world.reader;
        let request = [(compiled, vec![])];
        assert!(reader.run(&request, Arc::new(Names)).await.is_ok());
        reader.close().await;
        world.database.close().await;
        let result = reader.run(&request, Arc::new(Names)).await;
        assert!(
            matches!(result, Err(StoreError::Unavailable(_))),
            "{result:?}"
        );
        if backend == Backend::Sqlite {
            let file = world.database.options().url.clone();
            let file = file
                .trim_start_matches("sqlite://")
                .replace("?mode=rwc", "-wal");
            assert!(
                !std::path::Path::new(&file).exists(),
                "the log is in the file"
            );
        }
    }
    for world in worlds {
        world.close().await;
    }
}
