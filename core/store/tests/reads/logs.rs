//! History and passages.

use relata_catalog::{Key, Value};
use relata_store::Turn;
use relata_store::filter::Operand;
use relata_store::log::{Change, FieldChange, HistoryEntry, Passage};
use relata_store::read::{
    ActorMember, ActorMembers, HistoryFieldMember, HistoryMember, LogConnectionMember, Member,
    Page, PageInfoMember, Parameter, PassageMember, Read, StageMember,
};
use serde_json::json;

use crate::world::{World, check, integer, uuid, worlds};

async fn logged() -> Vec<World> {
    let worlds = worlds(&[
        ("client", 1, json!({"stage": "kept"})),
        ("client", 2, json!({"stage": "new"})),
    ])
    .await;
    for world in &worlds {
        let object = world.catalogue.object(world.object("client"));
        let entry = |version: i64, change: Change, field: &str| HistoryEntry {
            object: object.key.clone(),
            record: uuid(1),
            version,
            at: version * 1_000_000,
            actor: format!("user:{}", uuid(0xada)),
            change,
            fields: vec![FieldChange {
                field: Key::new("workspace", field),
                old: json!(null),
                new: json!({"b": "1.50", "a": [version]}),
            }],
        };
        let passage = |from: Option<&str>, to: &str, seconds: Option<i64>| Passage {
            object: object.key.clone(),
            record: uuid(1),
            field: object.field_named("stage").unwrap().1.key.clone(),
            from: from.map(|stage| (Key::new("workspace", "care"), stage.to_owned())),
            to: Some((Key::new("workspace", "care"), to.to_owned())),
            at: 5_000_000,
            seconds,
            actor: "system".to_owned(),
            reason: from.map(|_| "why \"not\"".to_owned()),
        };
        let tx = world.database.begin(Turn::First).await.unwrap();
        tx.append_history(&[
            entry(1, Change::Create, "name"),
            entry(2, Change::Update, "gone"),
            entry(3, Change::Delete, "name"),
        ])
        .await
        .unwrap();
        tx.append_passages(&[
            passage(None, "new", None),
            passage(Some("new"), "kept", Some(60)),
        ])
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
    worlds
}

fn actors() -> ActorMembers {
    ActorMembers {
        user: vec![ActorMember::Name {
            key: "name".to_owned(),
        }],
        ..ActorMembers::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_a_connection_newest_first() {
    let worlds = logged().await;
    let key = |key: &str| key.to_owned();
    let read = |world: &World| Read::One {
        object: world.object("client"),
        id: Operand::Parameter(0),
        members: vec![Member::History {
            key: key("history"),
            page: Page {
                first: Some(integer(2)),
                after: Some(Operand::Parameter(1)),
                ..Page::default()
            },
            members: vec![
                LogConnectionMember::TotalCount { key: key("total") },
                LogConnectionMember::Nodes {
                    key: key("nodes"),
                    members: vec![
                        HistoryMember::Version {
                            key: key("version"),
                        },
                        HistoryMember::At { key: key("at") },
                        HistoryMember::Change { key: key("change") },
                        HistoryMember::By {
                            key: key("by"),
                            members: actors(),
                        },
                        HistoryMember::Fields {
                            key: key("fields"),
                            members: vec![
                                HistoryFieldMember::Name { key: key("name") },
                                HistoryFieldMember::Old { key: key("old") },
                                HistoryFieldMember::New { key: key("new") },
                            ],
                        },
                    ],
                },
                LogConnectionMember::PageInfo {
                    key: key("pageInfo"),
                    members: vec![PageInfoMember::HasNextPage { key: key("more") }],
                },
            ],
        }],
    };
    let id = |number: u128| Parameter::Value(Value::Reference(uuid(number)));
    check(
        &worlds,
        read,
        &[id(1), Parameter::Absent],
        concat!(
            r#"{"history":{"total":3,"nodes":["#,
            r#"{"version":3,"at":"1970-01-01T00:00:03Z","change":"DELETE","by":{"name":"Ada"},"#,
            r#""fields":[{"name":"title","old":null,"new":{"b":"1.50","a":[3]}}]},"#,
            r#"{"version":2,"at":"1970-01-01T00:00:02Z","change":"UPDATE","by":{"name":"Ada"},"#,
            r#""fields":[{"name":"gone","old":null,"new":{"b":"1.50","a":[2]}}]}],"#,
            r#""pageInfo":{"more":true}}}"#
        ),
    )
    .await;
    check(
        &worlds,
        read,
        &[id(2), Parameter::Absent],
        r#"{"history":{"total":0,"nodes":[],"pageInfo":{"more":false}}}"#,
    )
    .await;
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_goes_on_from_a_cursor() {
    let worlds = logged().await;
    let key = |key: &str| key.to_owned();
    for world in &worlds {
        let read = Read::One {
            object: world.object("client"),
            id: Operand::Value(Value::Reference(uuid(1))),
            members: vec![Member::History {
                key: key("history"),
                page: Page {
                    first: Some(integer(2)),
                    after: Some(Operand::Parameter(0)),
                    ..Page::default()
                },
                members: vec![
                    LogConnectionMember::PageInfo {
                        key: key("pageInfo"),
                        members: vec![PageInfoMember::EndCursor { key: key("end") }],
                    },
                    LogConnectionMember::Nodes {
                        key: key("nodes"),
                        members: vec![HistoryMember::Version {
                            key: key("version"),
                        }],
                    },
                ],
            }],
        };
        let first = world.answer(&read, &[Parameter::Absent]).await.unwrap();
        let first: serde_json::Value = serde_json::from_str(&first).unwrap();
        let end = first["history"]["pageInfo"]["end"].as_str().unwrap();
        let rest = world
            .answer(&read, &[Parameter::Value(Value::Text(end.to_owned()))])
            .await
            .unwrap();
        let rest: serde_json::Value = serde_json::from_str(&rest).unwrap();
        assert_eq!(rest["history"]["nodes"], json!([{"version": 1}]));
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_are_a_list_newest_first() {
    let worlds = logged().await;
    let key = |key: &str| key.to_owned();
    let care = Key::new("workspace", "care");
    let stages = |_: &World| {
        ["new", "kept"]
            .map(|stage| (care.clone(), stage.to_owned(), format!("\"{stage}!\"")))
            .to_vec()
    };
    check(
        &worlds,
        |world| Read::One {
            object: world.object("client"),
            id: Operand::Value(Value::Reference(uuid(1))),
            members: vec![Member::Stage {
                key: key("stage"),
                field: world.field("client", "stage"),
                members: vec![StageMember::Passages {
                    key: key("passages"),
                    first: integer(10),
                    members: vec![
                        PassageMember::ByStage {
                            key: key("from"),
                            left: true,
                            json: stages(world),
                        },
                        PassageMember::ByStage {
                            key: key("to"),
                            left: false,
                            json: stages(world),
                        },
                        PassageMember::At { key: key("at") },
                        PassageMember::Seconds {
                            key: key("seconds"),
                        },
                        PassageMember::Reason { key: key("reason") },
                        PassageMember::By {
                            key: key("by"),
                            members: actors(),
                        },
                    ],
                }],
            }],
        },
        &[],
        concat!(
            r#"{"stage":{"passages":["#,
            r#"{"from":"new!","to":"kept!","at":"1970-01-01T00:00:05Z","seconds":60,"#,
            r#""reason":"why \"not\"","by":{}},"#,
            r#"{"from":null,"to":"new!","at":"1970-01-01T00:00:05Z","seconds":null,"#,
            r#""reason":null,"by":{}}]}}"#
        ),
    )
    .await;
    for world in worlds {
        world.close().await;
    }
}
