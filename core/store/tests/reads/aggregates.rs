//! Aggregates: exact, by currency, in the trash and out of it, at the root and for each parent.

use relata_catalog::{Value, Via};
use relata_store::StoreError;
use relata_store::filter::{ColumnRef, Deleted, Filter, Operator, SystemColumn};
use relata_store::read::{
    AggregateMember, Connection, ConnectionMember, Measure, MeasureMember, Member, Page,
    PartMember, Read, Runs, compile,
};
use serde_json::json;

use crate::world::{World, always, check, column, integer, list, nodes, text, uuid, worlds};

fn measure(key: &str, measure: Measure) -> MeasureMember {
    MeasureMember::Measure {
        key: key.to_owned(),
        measure,
    }
}

fn all_of(measures: &[(&str, Measure)]) -> Vec<MeasureMember> {
    measures
        .iter()
        .map(|(key, one)| measure(key, *one))
        .collect()
}

const NUMBERS: [(&str, Measure); 7] = [
    ("count", Measure::Count),
    ("distinct", Measure::CountDistinct),
    ("sum", Measure::Sum),
    ("avg", Measure::Mean),
    ("min", Measure::Least),
    ("max", Measure::Greatest),
    ("median", Measure::Median),
];

const ENDS: [(&str, Measure); 4] = [
    ("count", Measure::Count),
    ("distinct", Measure::CountDistinct),
    ("min", Measure::Least),
    ("max", Measure::Greatest),
];

fn of(world: &World, field: &str, measures: &[(&str, Measure)]) -> AggregateMember {
    AggregateMember::Column {
        key: field.to_owned(),
        column: world.part("client", field, 0),
        members: all_of(measures),
    }
}

fn worth(world: &World, measures: &[(&str, Measure)]) -> AggregateMember {
    let amount = |key: &str, part| PartMember::Column {
        key: key.to_owned(),
        part,
    };
    let mut members = vec![measure("count", Measure::Count)];
    members.extend(measures.iter().map(|(key, one)| MeasureMember::Amounts {
        key: (*key).to_owned(),
        measure: *one,
        members: vec![amount("a", 0), amount("c", 1)],
    }));
    AggregateMember::Money {
        key: "worth".to_owned(),
        field: world.field("client", "worth"),
        members,
    }
}

fn aggregate(members: Vec<AggregateMember>) -> ConnectionMember {
    ConnectionMember::Aggregate {
        key: "aggregate".to_owned(),
        members,
    }
}

fn clients(
    world: &World,
    filter: Filter,
    deleted: Deleted,
    members: Vec<AggregateMember>,
) -> Connection {
    Connection {
        deleted,
        ..list(
            world,
            "client",
            filter,
            vec![],
            Page::default(),
            vec![aggregate(members)],
        )
    }
}

fn count() -> AggregateMember {
    AggregateMember::Count {
        key: "count".to_owned(),
    }
}

async fn close(worlds: Vec<World>) {
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_has_its_measures() {
    let worlds = worlds(&[
        ("client", 1, json!({"name": "émile", "size": 1, "rate": "0.10", "active": true, "since": "2024-02-29", "met": "2026-11-22T08:00:00Z", "tier": "GOLD"})),
        ("client", 2, json!({"name": "Zoë", "size": 2, "rate": "0.20", "active": false, "since": "1999-12-31", "met": "1969-07-20T20:17:40.5Z", "tier": "GOLD"})),
        ("client", 3, json!({"name": "Ede", "size": -4, "rate": "-0.05", "active": true, "tier": "SILVER"})),
        ("client", 4, json!({"size": 2, "rate": "0.20"})),
        ("client", 5, json!({})),
        ("client", 6, json!({"name": "in the trash", "size": 100, "rate": "5", "deleted": true})),
    ])
    .await;
    let read = |world: &World| {
        Read::Many(clients(
            world,
            always(),
            Deleted::Exclude,
            vec![
                count(),
                of(world, "size", &NUMBERS),
                of(world, "rate", &NUMBERS),
                of(world, "name", &ENDS),
                of(world, "since", &ENDS),
                of(world, "met", &ENDS),
                of(world, "tier", &ENDS[..2]),
                of(
                    world,
                    "active",
                    &[
                        ("count", Measure::Count),
                        ("yes", Measure::CountTrue),
                        ("no", Measure::CountFalse),
                    ],
                ),
            ],
        ))
    };
    check(
        &worlds,
        read,
        &[],
        concat!(
            r#"{"aggregate":{"count":5,"#,
            r#""size":{"count":4,"distinct":3,"sum":1,"avg":"0.250000","min":-4,"max":2,"median":"1.500000"},"#,
            r#""rate":{"count":4,"distinct":3,"sum":"0.45","avg":"0.112500","min":"-0.05","max":"0.20","median":"0.150000"},"#,
            r#""name":{"count":3,"distinct":3,"min":"Ede","max":"Zoë"},"#,
            r#""since":{"count":2,"distinct":2,"min":"1999-12-31","max":"2024-02-29"},"#,
            r#""met":{"count":2,"distinct":2,"min":"1969-07-20T20:17:40.5Z","max":"2026-11-22T08:00:00Z"},"#,
            r#""tier":{"count":3,"distinct":2},"#,
            r#""active":{"count":3,"yes":2,"no":1}}}"#
        ),
    )
    .await;
    // Of nothing.
    check(
        &worlds,
        |world| {
            Read::Many(clients(
                world,
                world.compare("client", "size", 0, Operator::Gt, integer(1000)),
                Deleted::Include,
                vec![
                    of(world, "size", &NUMBERS),
                    of(world, "rate", &NUMBERS),
                    of(world, "name", &ENDS),
                    worth(world, &NUMBERS[2..]),
                ],
            ))
        },
        &[],
        concat!(
            r#"{"aggregate":{"size":{"count":0,"distinct":0,"sum":null,"avg":null,"min":null,"max":null,"median":null},"#,
            r#""rate":{"count":0,"distinct":0,"sum":null,"avg":null,"min":null,"max":null,"median":null},"#,
            r#""name":{"count":0,"distinct":0,"min":null,"max":null},"#,
            r#""worth":{"count":0,"sum":[],"avg":[],"min":[],"max":[],"median":[]}}}"#
        ),
    )
    .await;
    for world in &worlds {
        let compiled = compile(
            &world.catalogue,
            world.database.backend(),
            &read(world),
            Runs::OnReaders,
        )
        .unwrap();
        assert_eq!(compiled.statements().count(), 1);
    }
    close(worlds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_are_never_added_up() {
    let money = |amount: &str, currency: &str| json!({"worth": {"amount": amount, "currency": currency}, "size": 1});
    let worlds = worlds(&[
        ("client", 1, money("10.00", "EUR")),
        ("client", 2, money("0.05", "EUR")),
        ("client", 3, money("-7.00", "CHF")),
        ("client", 4, money("20.02", "EUR")),
        ("client", 5, json!({"size": 1})),
        ("client", 6, money("1.01", "EUR")),
    ])
    .await;
    check(
        &worlds,
        |world| {
            Read::Many(clients(
                world,
                world.compare("client", "size", 0, Operator::Eq, integer(1)),
                Deleted::Exclude,
                vec![count(), worth(world, &NUMBERS[2..])],
            ))
        },
        &[],
        concat!(
            r#"{"aggregate":{"count":6,"worth":{"count":5,"#,
            r#""sum":[{"a":"-7.00","c":"CHF"},{"a":"31.08","c":"EUR"}],"#,
            r#""avg":[{"a":"-7.00","c":"CHF"},{"a":"7.77","c":"EUR"}],"#,
            r#""min":[{"a":"-7.00","c":"CHF"},{"a":"0.05","c":"EUR"}],"#,
            r#""max":[{"a":"-7.00","c":"CHF"},{"a":"20.02","c":"EUR"}],"#,
            r#""median":[{"a":"-7.00","c":"CHF"},{"a":"5.51","c":"EUR"}]}}}"#
        ),
    )
    .await;
    close(worlds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_beyond_64_bits_are_exact() {
    let most = "9999999999999999.99";
    let safe = (1_i64 << 53) - 1;
    let records: Vec<_> = (1..=20)
        .map(|id| {
            let worth = json!({"amount": most, "currency": "EUR"});
            (
                "client",
                id,
                json!({"rate": most, "worth": worth, "size": safe}),
            )
        })
        .collect();
    let worlds = worlds(&records).await;
    check(
        &worlds,
        |world| {
            Read::Many(clients(
                world,
                always(),
                Deleted::Exclude,
                vec![
                    of(world, "rate", &NUMBERS[2..]),
                    worth(world, &NUMBERS[2..4]),
                    of(world, "size", &NUMBERS[3..]),
                ],
            ))
        },
        &[],
        concat!(
            r#"{"aggregate":{"rate":{"sum":"199999999999999999.80","avg":"9999999999999999.990000","#,
            r#""min":"9999999999999999.99","max":"9999999999999999.99","median":"9999999999999999.990000"},"#,
            r#""worth":{"count":20,"sum":[{"a":"199999999999999999.80","c":"EUR"}],"#,
            r#""avg":[{"a":"9999999999999999.99","c":"EUR"}]},"#,
            r#""size":{"avg":"9007199254740991.000000","min":9007199254740991,"max":9007199254740991,"median":"9007199254740991.000000"}}}"#
        ),
    )
    .await;
    for world in &worlds {
        let read = Read::Many(clients(
            world,
            always(),
            Deleted::Exclude,
            vec![of(world, "size", &NUMBERS[2..3])],
        ));
        let answer = world.answer(&read, &[]).await;
        assert!(matches!(answer, Err(StoreError::SumTooLarge)), "{answer:?}");
    }
    close(worlds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_parent_has_its_own() {
    let worlds = worlds(&[
        ("client", 1, json!({"name": "A"})),
        ("client", 2, json!({"name": "B"})),
        ("client", 3, json!({"name": "A-1", "parent": 1, "size": 3, "worth": {"amount": "5", "currency": "EUR"}})),
        ("client", 4, json!({"name": "A-2", "parent": 1, "size": 4, "worth": {"amount": "6", "currency": "USD"}})),
        ("client", 5, json!({"name": "A-x", "parent": 1, "size": 900})),
        ("client", 6, json!({"name": "A-t", "parent": 1, "size": 5, "deleted": true})),
    ])
    .await;
    check(
        &worlds,
        |world| {
            let branches = Connection {
                via: Some(Via::Relation(world.field("client", "parent"))),
                page: Page {
                    first: Some(integer(1)),
                    ..Page::default()
                },
                ..list(
                    world,
                    "client",
                    world.compare("client", "size", 0, Operator::Lt, integer(100)),
                    vec![],
                    Page::default(),
                    vec![
                        aggregate(vec![
                            count(),
                            of(world, "size", &[NUMBERS[2], NUMBERS[6]]),
                            worth(world, &NUMBERS[2..3]),
                        ]),
                        nodes(vec![column("name", world.part("client", "name", 0))]),
                        ConnectionMember::Aggregate {
                            key: "again".to_owned(),
                            members: vec![AggregateMember::Column {
                                key: "createdAt".to_owned(),
                                column: ColumnRef::System(SystemColumn::CreatedAt),
                                members: all_of(&ENDS[3..]),
                            }],
                        },
                    ],
                )
            };
            Read::Many(list(
                world,
                "client",
                world.compare("client", "name", 0, Operator::In, relata_store::filter::Operand::List(vec![
                    Value::Text("A".to_owned()),
                    Value::Text("B".to_owned()),
                ])),
                vec![],
                Page::default(),
                vec![nodes(vec![
                    column("name", world.part("client", "name", 0)),
                    Member::ToMany {
                        key: "branches".to_owned(),
                        connection: Box::new(branches),
                    },
                ])],
            ))
        },
        &[],
        concat!(
            r#"{"nodes":[{"name":"A","branches":{"aggregate":{"count":2,"size":{"sum":7,"median":"3.500000"},"#,
            r#""worth":{"count":2,"sum":[{"a":"5.00","c":"EUR"},{"a":"6.00","c":"USD"}]}},"#,
            r#""nodes":[{"name":"A-1"}],"again":{"createdAt":{"max":"1970-01-01T00:00:04Z"}}}},"#,
            r#"{"name":"B","branches":{"aggregate":{"count":0,"size":{"sum":null,"median":null},"worth":{"count":0,"sum":[]}},"#,
            r#""nodes":[],"again":{"createdAt":{"max":null}}}}]}"#
        ),
    )
    .await;
    // One record that has them, and what is in the trash.
    check(
        &worlds,
        |world| Read::One {
            object: world.object("client"),
            id: relata_store::filter::Operand::Value(Value::Reference(uuid(1))),
            members: vec![Member::ToMany {
                key: "gone".to_owned(),
                connection: Box::new(Connection {
                    via: Some(Via::Relation(world.field("client", "parent"))),
                    ..clients(
                        world,
                        world.compare("client", "name", 0, Operator::StartsWith, text("A-")),
                        Deleted::Only,
                        vec![of(world, "size", &NUMBERS[2..3])],
                    )
                }),
            }],
        },
        &[],
        r#"{"gone":{"aggregate":{"size":{"sum":5}}}}"#,
    )
    .await;
    close(worlds).await;
}
