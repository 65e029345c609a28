//! What is written: every kind of cell, composites, stages, actors, nested records.

use relata_catalog::{Key, Value, Via};
use relata_store::filter::{ColumnRef, Deleted, Operand, SystemColumn};
use relata_store::read::{
    ActorMember, ActorMembers, Connection, ConnectionMember, EdgeMember, ListMember, Member, Page,
    PageInfoMember, Parameter, PartMember, Read, StageMember, StageOption, StageOptionMember,
};
use serde_json::json;

use crate::world::{World, always, check, column, integer, list, nodes, uuid, worlds};

fn one(world: &World, object: &str, id: u128, members: Vec<Member>) -> Read {
    Read::One {
        object: world.object(object),
        id: Operand::Value(Value::Reference(uuid(id))),
        members,
    }
}

fn part(key: &str, part: usize) -> PartMember {
    PartMember::Column {
        key: key.to_owned(),
        part,
    }
}

fn full_client() -> serde_json::Value {
    json!({
        "name": "Ada \"& Söhne\" 王", "about": "long\\text\nline", "size": -12, "rate": "3.10",
        "worth": {"amount": "-0.05", "currency": "CHF"}, "active": true, "since": "2024-02-29",
        "met": "2026-11-22T08:00:00.25Z", "tier": "GOLD", "tags": ["B", "A"],
        "mail": "a@example.com", "phone": "030 123456", "site": "https://example.com/x",
        "extra": {"b": [1, 2.5, "ü"], "a": null},
        "person": {"given": "小明", "family": "王", "order": "FAMILY_FIRST"},
        "mails": {"primary": "p@example.com", "additional": ["q@example.com"]},
        "phones": {"primary": "030 123456", "additional": ["12"]},
        "address": {"city": "Zürich"}, "number": 7, "stage": "new",
        "by": format!("user:{}", uuid(0xada)), "owner": 0xada,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_cell_is_written_alike() {
    let worlds = worlds(&[("client", 1, full_client()), ("client", 2, json!({}))]).await;
    let cells = |world: &World| -> Vec<Member> {
        [
            "name", "about", "size", "rate", "active", "since", "met", "tier", "tags", "mail",
            "site", "extra", "number", "parent",
        ]
        .map(|field| column(field, world.part("client", field, 0)))
        .into_iter()
        .chain([
            column("id", ColumnRef::System(SystemColumn::Id)),
            column("version", ColumnRef::System(SystemColumn::Version)),
            column("createdAt", ColumnRef::System(SystemColumn::CreatedAt)),
            column("deletedAt", ColumnRef::System(SystemColumn::DeletedAt)),
            Member::Label {
                key: "label".to_owned(),
            },
            Member::Literal {
                key: "__typename".to_owned(),
                json: "\"Client\"".to_owned(),
            },
        ])
        .collect()
    };
    check(
        &worlds,
        |world| one(world, "client", 1, cells(world)),
        &[],
        concat!(
            r#"{"name":"Ada \"& Söhne\" 王","about":"long\\text\nline","size":-12,"rate":"3.10","#,
            r#""active":true,"since":"2024-02-29","met":"2026-11-22T08:00:00.25Z","tier":"GOLD","#,
            r#""tags":["B","A"],"mail":"a@example.com","site":"https://example.com/x","#,
            r#""extra":{"b":[1,2.5,"ü"],"a":null},"number":"C-0007","parent":null,"#,
            r#""id":"00000000-0000-0000-0000-000000000001","version":1,"#,
            r#""createdAt":"1970-01-01T00:00:01Z","deletedAt":null,"#,
            r#""label":"Ada \"& Söhne\" 王","__typename":"Client"}"#
        ),
    )
    .await;
    check(
        &worlds,
        |world| one(world, "client", 2, cells(world)),
        &[],
        concat!(
            r#"{"name":null,"about":null,"size":null,"rate":null,"active":null,"since":null,"#,
            r#""met":null,"tier":null,"tags":null,"mail":null,"site":null,"extra":null,"#,
            r#""number":null,"parent":null,"id":"00000000-0000-0000-0000-000000000002","#,
            r#""version":1,"createdAt":"1970-01-01T00:00:02Z","deletedAt":null,"#,
            r#""label":"00000000-0000-0000-0000-000000000002","__typename":"Client"}"#
        ),
    )
    .await;
    check(
        &worlds,
        |world| one(world, "client", 99, cells(world)),
        &[],
        "null",
    )
    .await;
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn composites_are_objects_or_null() {
    let worlds = worlds(&[("client", 1, full_client()), ("client", 2, json!({}))]).await;
    let members = |world: &World| {
        let composite = |field: &str, members| Member::Composite {
            key: field.to_owned(),
            field: world.field("client", field),
            members,
        };
        vec![
            composite("worth", vec![part("amount", 0), part("currency", 1)]),
            composite("phone", vec![part("e164", 0), part("typed", 1)]),
            composite(
                "person",
                vec![
                    part("full", 0),
                    part("given", 2),
                    part("family", 3),
                    part("order", 4),
                ],
            ),
            composite("mails", vec![part("primary", 0), part("additional", 2)]),
            composite(
                "phones",
                vec![
                    PartMember::Object {
                        key: "primary".to_owned(),
                        members: vec![part("typed", 1)],
                    },
                    PartMember::List {
                        key: "additional".to_owned(),
                        part: 2,
                        members: vec![
                            ListMember::Stored {
                                key: "t".to_owned(),
                                name: "typed".to_owned(),
                            },
                            ListMember::Stored {
                                key: "e".to_owned(),
                                name: "e164".to_owned(),
                            },
                        ],
                    },
                ],
            ),
            composite("address", vec![part("street", 0), part("city", 1)]),
        ]
    };
    check(
        &worlds,
        |world| one(world, "client", 1, members(world)),
        &[],
        concat!(
            r#"{"worth":{"amount":"-0.05","currency":"CHF"},"#,
            r#""phone":{"e164":"+4930123456","typed":"030 123456"},"#,
            r#""person":{"full":"王小明","given":"小明","family":"王","order":"FAMILY_FIRST"},"#,
            r#""mails":{"primary":"p@example.com","additional":["q@example.com"]},"#,
            r#""phones":{"primary":{"typed":"030 123456"},"#,
            r#""additional":[{"t":"12","e":null}]},"#,
            r#""address":{"street":null,"city":"Zürich"}}"#
        ),
    )
    .await;
    check(
        &worlds,
        |world| one(world, "client", 2, members(world)),
        &[],
        r#"{"worth":null,"phone":null,"person":null,"mails":null,"phones":null,"address":null}"#,
    )
    .await;
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_are_written_by_what_they_are() {
    let records = [
        ("client", 1, full_client()),
        ("client", 2, json!({"by": format!("token:{}", uuid(0x70))})),
        ("client", 3, json!({"by": "plugin:relata.membership"})),
        (
            "client",
            4,
            json!({"by": format!("user:{}", uuid(5)), "owner": 5}),
        ),
        ("client", 5, json!({})),
    ];
    let worlds = worlds(&records).await;
    let key = |key: &str| key.to_owned();
    let named = |kind: &str| {
        vec![
            ActorMember::Literal {
                key: key("k"),
                json: format!("\"{kind}\""),
            },
            ActorMember::Id { key: key("id") },
            ActorMember::Name { key: key("name") },
        ]
    };
    let members = || ActorMembers {
        user: vec![
            ActorMember::Name { key: key("name") },
            ActorMember::Email { key: key("email") },
        ],
        token: named("Token"),
        plugin: named("Plugin"),
        system: Vec::new(),
    };
    check(
        &worlds,
        |world| {
            Read::Many(list(
                world,
                "client",
                always(),
                Vec::new(),
                Page::default(),
                vec![nodes(vec![
                    Member::Actor {
                        key: key("by"),
                        column: ColumnRef::System(SystemColumn::CreatedBy),
                        members: members(),
                    },
                    Member::Actor {
                        key: key("owner"),
                        column: ColumnRef::System(SystemColumn::Owner),
                        members: members(),
                    },
                ])],
            ))
        },
        &[],
        concat!(
            r#"{"nodes":["#,
            r#"{"by":{"name":"Ada","email":"ada@example.com"},"#,
            r#""owner":{"name":"Ada","email":"ada@example.com"}},"#,
            r#"{"by":{"k":"Token","id":"00000000-0000-0000-0000-000000000070","name":"import"},"#,
            r#""owner":null},"#,
            r#"{"by":{"k":"Plugin","id":"relata.membership","name":"Membership"},"owner":null},"#,
            r#"{"by":{"name":null,"email":null},"owner":{"name":null,"email":null}},"#,
            r#"{"by":{},"owner":null}]}"#
        ),
    )
    .await;
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_nest_both_ways() {
    let records = [
        ("client", 1, json!({"name": "Head"})),
        ("client", 2, json!({"name": "Branch", "parent": 1})),
        ("client", 3, json!({"name": "Trash", "deleted": true})),
        ("client", 4, json!({"name": "Orphan", "parent": 3})),
        (
            "invoice",
            11,
            json!({"number": 1, "client": 1, "total": "10.00"}),
        ),
        (
            "invoice",
            12,
            json!({"number": 2, "client": 1, "total": "2.50"}),
        ),
        ("invoice", 13, json!({"number": 3, "client": 2})),
        (
            "invoice",
            14,
            json!({"number": 4, "client": 1, "deleted": true}),
        ),
        ("line", 21, json!({"text": "a", "invoice": 11})),
        ("line", 22, json!({"text": "b", "invoice": 11})),
        ("line", 23, json!({"text": "c", "invoice": 13})),
    ];
    let worlds = worlds(&records).await;
    let invoices = |world: &World| Connection {
        object: world.object("invoice"),
        via: Some(Via::Relation(world.field("invoice", "client"))),
        filter: always(),
        order: Vec::new(),
        page: Page {
            first: Some(integer(1)),
            ..Page::default()
        },
        deleted: Deleted::Exclude,
        members: vec![
            ConnectionMember::TotalCount {
                key: "n".to_owned(),
            },
            ConnectionMember::PageInfo {
                key: "pageInfo".to_owned(),
                members: vec![PageInfoMember::HasNextPage {
                    key: "more".to_owned(),
                }],
            },
            ConnectionMember::Edges {
                key: "edges".to_owned(),
                members: vec![EdgeMember::Node {
                    key: "node".to_owned(),
                    members: vec![
                        Member::Label {
                            key: "label".to_owned(),
                        },
                        Member::ToMany {
                            key: "lines".to_owned(),
                            connection: Box::new(Connection {
                                object: world.object("line"),
                                via: Some(Via::Relation(world.field("line", "invoice"))),
                                filter: always(),
                                order: Vec::new(),
                                page: Page::default(),
                                deleted: Deleted::Exclude,
                                members: vec![nodes(vec![column(
                                    "text",
                                    world.part("line", "text", 0),
                                )])],
                            }),
                        },
                    ],
                }],
            },
        ],
    };
    check(
        &worlds,
        |world| {
            Read::Many(list(
                world,
                "client",
                always(),
                Vec::new(),
                Page::default(),
                vec![nodes(vec![
                    column("name", world.part("client", "name", 0)),
                    Member::ToMany {
                        key: "invoices".to_owned(),
                        connection: Box::new(invoices(world)),
                    },
                    Member::ToOne {
                        key: "parent".to_owned(),
                        field: world.field("client", "parent"),
                        members: vec![
                            column("name", world.part("client", "name", 0)),
                            Member::ToMany {
                                key: "invoices".to_owned(),
                                connection: Box::new(invoices(world)),
                            },
                        ],
                    },
                ])],
            ))
        },
        &[],
        concat!(
            r#"{"nodes":[{"name":"Head","invoices":{"n":2,"pageInfo":{"more":true},"edges":["#,
            r#"{"node":{"label":"INV-00001","lines":{"nodes":[{"text":"a"},{"text":"b"}]}}}]},"#,
            r#""parent":null},"#,
            r#"{"name":"Branch","invoices":{"n":1,"pageInfo":{"more":false},"edges":["#,
            r#"{"node":{"label":"INV-00003","lines":{"nodes":[{"text":"c"}]}}}]},"#,
            r#""parent":{"name":"Head","invoices":{"n":2,"pageInfo":{"more":true},"edges":["#,
            r#"{"node":{"label":"INV-00001","lines":{"nodes":[{"text":"a"},{"text":"b"}]}}}]}}},"#,
            r#"{"name":"Orphan","invoices":{"n":0,"pageInfo":{"more":false},"edges":[]},"#,
            r#""parent":null}]}"#
        ),
    )
    .await;
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_say_where_a_record_may_go() {
    let records = [
        ("client", 1, full_client()),
        ("client", 2, json!({"stage": "gone"})),
        ("client", 3, json!({})),
    ];
    let worlds = worlds(&records).await;
    let care = Key::new("workspace", "care");
    let option = |world: &World, stage: &str, from: &[&str], requires: &[&str]| StageOption {
        pipeline: care.clone(),
        stage: stage.to_owned(),
        stage_json: vec![format!("{{\"name\":\"{stage}\"}}"), format!("\"{stage}\"")],
        from: from.iter().map(|stage| (*stage).to_owned()).collect(),
        from_unmet_json: vec!["{\"code\":\"FROM\"}".to_owned()],
        requires: requires
            .iter()
            .map(|field| {
                (
                    world.field("client", field),
                    vec![format!("{{\"path\":\"{field}\"}}")],
                )
            })
            .collect(),
    };
    let members = |world: &World| {
        vec![Member::Stage {
            key: "stage".to_owned(),
            field: world.field("client", "stage"),
            members: vec![
                StageMember::ByStage {
                    key: "stage".to_owned(),
                    json: vec![(care.clone(), "new".to_owned(), "\"Fresh\"".to_owned())],
                },
                StageMember::EnteredAt {
                    key: "at".to_owned(),
                },
                StageMember::Options {
                    key: "options".to_owned(),
                    options: vec![
                        option(world, "new", &[], &[]),
                        option(world, "kept", &["fresh"], &["name", "worth"]),
                    ],
                    members: vec![
                        StageOptionMember::Stage {
                            key: "s".to_owned(),
                            text: 0,
                        },
                        StageOptionMember::Stage {
                            key: "t".to_owned(),
                            text: 1,
                        },
                        StageOptionMember::Allowed {
                            key: "ok".to_owned(),
                        },
                        StageOptionMember::Unmet {
                            key: "unmet".to_owned(),
                            text: 0,
                        },
                    ],
                },
            ],
        }]
    };
    check(
        &worlds,
        |world| {
            Read::Many(list(
                world,
                "client",
                always(),
                Vec::new(),
                Page::default(),
                vec![nodes(members(world))],
            ))
        },
        &[],
        concat!(
            r#"{"nodes":[{"stage":{"stage":"Fresh","at":"1970-01-01T00:00:01.5Z","options":["#,
            r#"{"s":{"name":"new"},"t":"new","ok":true,"unmet":[]},"#,
            r#"{"s":{"name":"kept"},"t":"kept","ok":true,"unmet":[]}]}},"#,
            r#"{"stage":{"stage":null,"at":"1970-01-01T00:00:01.5Z","options":["#,
            r#"{"s":{"name":"new"},"t":"new","ok":true,"unmet":[]},"#,
            r#"{"s":{"name":"kept"},"t":"kept","ok":false,"unmet":[{"code":"FROM"},{"path":"name"},"#,
            r#"{"path":"worth"}]}]}},{"stage":null}]}"#
        ),
    )
    .await;
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_may_come_as_a_parameter_and_be_nonsense() {
    let worlds = worlds(&[("client", 1, json!({"name": "Ada"}))]).await;
    let read = |world: &World| Read::One {
        object: world.object("client"),
        id: Operand::Parameter(0),
        members: vec![column("name", world.part("client", "name", 0))],
    };
    let found = r#"{"name":"Ada"}"#;
    for (id, expected) in [
        (Value::Reference(uuid(1)), found),
        (Value::Text(uuid(1).to_string()), found),
        (Value::Text("' OR 1=1 --".to_owned()), "null"),
        (Value::Null, "null"),
    ] {
        check(&worlds, read, &[Parameter::Value(id)], expected).await;
    }
    for world in worlds {
        world.close().await;
    }
}
