//! Order and pages: whatever the order, the pages put together are the whole list.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use relata_catalog::Value;
use relata_store::StoreError;
use relata_store::filter::{ColumnRef, Direction, Nulls, Operand, OrderTerm, SystemColumn};
use relata_store::read::{
    ConnectionMember, EdgeMember, Page, PageInfoMember, Parameter, Read, Runs, compile,
};
use serde_json::{Value as Json, json};

use crate::world::{World, always, column, integer, list, worlds};

/// first, last, after, before, offset as parameters 0 to 4.
fn paged(world: &World, order: Vec<OrderTerm>) -> Read {
    let key = |key: &str| key.to_owned();
    Read::Many(list(
        world,
        "client",
        always(),
        order,
        Page {
            first: Some(Operand::Parameter(0)),
            last: Some(Operand::Parameter(1)),
            after: Some(Operand::Parameter(2)),
            before: Some(Operand::Parameter(3)),
            offset: Some(Operand::Parameter(4)),
        },
        vec![
            ConnectionMember::PageInfo {
                key: key("pageInfo"),
                members: vec![
                    PageInfoMember::HasNextPage { key: key("next") },
                    PageInfoMember::HasPreviousPage {
                        key: key("previous"),
                    },
                    PageInfoMember::StartCursor { key: key("start") },
                    PageInfoMember::EndCursor { key: key("end") },
                ],
            },
            ConnectionMember::Edges {
                key: key("edges"),
                members: vec![
                    EdgeMember::Cursor { key: key("cursor") },
                    EdgeMember::Node {
                        key: key("node"),
                        members: vec![
                            column("id", ColumnRef::System(SystemColumn::Id)),
                            column("name", world.part("client", "name", 0)),
                        ],
                    },
                ],
            },
            ConnectionMember::TotalCount { key: key("total") },
        ],
    ))
}

struct Asked<'a> {
    first: Option<i64>,
    last: Option<i64>,
    after: Option<&'a str>,
    before: Option<&'a str>,
    offset: Option<i64>,
}

impl Asked<'_> {
    fn parameters(&self) -> Vec<Parameter> {
        let number = |number: Option<i64>| {
            number.map_or(Parameter::Absent, |number| {
                Parameter::Value(Value::Integer(number))
            })
        };
        let text = |text: Option<&str>| {
            text.map_or(Parameter::Absent, |text| {
                Parameter::Value(Value::Text(text.to_owned()))
            })
        };
        vec![
            number(self.first),
            number(self.last),
            text(self.after),
            text(self.before),
            number(self.offset),
        ]
    }
}

const WHOLE: Asked<'_> = Asked {
    first: Some(500),
    last: None,
    after: None,
    before: None,
    offset: None,
};

async fn ask(world: &World, read: &Read, asked: &Asked<'_>) -> Json {
    let answer = world.answer(read, &asked.parameters()).await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

fn ids(answer: &Json) -> Vec<String> {
    answer["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
        .collect()
}

fn term(world: &World, field: &str, direction: Direction, nulls: Nulls) -> OrderTerm {
    OrderTerm {
        through: Vec::new(),
        column: world.part("client", field, 0),
        direction,
        nulls,
    }
}

/// Walks a list in pages, forwards and backwards; both must give the whole.
async fn walk(world: &World, order: Vec<OrderTerm>, size: i64) -> Vec<String> {
    let read = paged(world, order);
    let whole = ask(world, &read, &WHOLE).await;
    let expected = ids(&whole);
    assert_eq!(whole["pageInfo"]["next"], json!(false));
    assert_eq!(whole["pageInfo"]["previous"], json!(false));
    let mut walked = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = ask(
            world,
            &read,
            &Asked {
                first: Some(size),
                after: after.as_deref(),
                ..WHOLE
            },
        )
        .await;
        walked.extend(ids(&page));
        assert_eq!(page["total"], json!(expected.len()));
        assert_eq!(page["pageInfo"]["previous"], json!(after.is_some()));
        if page["pageInfo"]["next"] == json!(false) {
            break;
        }
        after = Some(page["pageInfo"]["end"].as_str().unwrap().to_owned());
    }
    assert_eq!(walked, expected, "forwards");
    let mut walked = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let page = ask(
            world,
            &read,
            &Asked {
                first: None,
                last: Some(size),
                before: before.as_deref(),
                ..WHOLE
            },
        )
        .await;
        walked.splice(0..0, ids(&page));
        assert_eq!(page["pageInfo"]["next"], json!(before.is_some()));
        if page["pageInfo"]["previous"] == json!(false) {
            break;
        }
        before = Some(page["pageInfo"]["start"].as_str().unwrap().to_owned());
    }
    assert_eq!(walked, expected, "backwards");
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_whole_list() {
    let names = prop_oneof![
        Just(Json::Null),
        Just(json!("Ångström")),
        Just(json!("angstrom")),
        Just(json!("王小明")),
        Just(json!("Zoë")),
        Just(json!("zoe")),
        "[a-cÄé王]{1,3}".prop_map(Json::from),
    ];
    let record = (
        names,
        prop::option::of(0i64..4),
        any::<bool>(),
        prop::option::of(1u64..20),
    );
    let mut runner = TestRunner::deterministic();
    let records: Vec<(&str, u128, Json)> = prop::collection::vec(record, 20)
        .new_tree(&mut runner)
        .unwrap()
        .current()
        .into_iter()
        .enumerate()
        .map(|(index, (name, size, active, parent))| {
            let parent = parent.filter(|parent| *parent <= index as u64);
            let json = json!({
                "name": name, "size": size, "active": active, "parent": parent,
                "rate": size.map(|size| format!("{size}.50")),
                "since": size.map(|size| format!("2024-0{}-01", size + 1)),
                "met": size.map(|size| format!("2024-0{}-01T00:00:00.5Z", size + 1)),
            });
            ("client", index as u128 + 1, json)
        })
        .collect();
    let worlds = worlds(&records).await;
    let mut orders = Vec::new();
    for direction in [Direction::Ascending, Direction::Descending] {
        for nulls in [Nulls::First, Nulls::Last] {
            for fields in [
                &["name"][..],
                &["size", "name"],
                &["active", "rate"],
                &["since", "met"],
                &["parent"],
            ] {
                orders.push((fields, direction, nulls));
            }
        }
    }
    for (index, (fields, direction, nulls)) in orders.into_iter().enumerate() {
        let size = [1, 3, 7][index % 3];
        let mut answers = Vec::new();
        for world in &worlds {
            let mut order: Vec<OrderTerm> = fields
                .iter()
                .map(|field| term(world, field, direction, nulls))
                .collect();
            // The second term the other way round; the third through a relation.
            if let Some(second) = order.get_mut(1) {
                second.direction = Direction::Ascending;
            }
            order.push(OrderTerm {
                through: vec![world.field("client", "parent")],
                ..term(world, "name", direction, nulls)
            });
            answers.push(walk(world, order, size).await);
        }
        assert!(
            answers.windows(2).all(|pair| pair[0] == pair[1]),
            "{fields:?} {direction:?} {nulls:?}: {answers:?}"
        );
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_ordered_by_its_folded_key() {
    let names = [
        "zebra",
        "Ångström",
        "apple",
        "Éclair",
        "王",
        "ångström b",
        "B",
    ];
    let records: Vec<(&str, u128, Json)> = names
        .iter()
        .enumerate()
        .map(|(index, name)| ("client", index as u128 + 1, json!({"name": name})))
        .collect();
    let worlds = worlds(&records).await;
    for world in &worlds {
        let order = vec![term(world, "name", Direction::Ascending, Nulls::Last)];
        let answer = ask(world, &paged(world, order), &WHOLE).await;
        let sorted: Vec<&str> = answer["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| edge["node"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            sorted,
            [
                "Ångström",
                "ångström b",
                "apple",
                "B",
                "Éclair",
                "zebra",
                "王"
            ]
        );
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_and_windows_between_cursors() {
    let records: Vec<(&str, u128, Json)> = (1..=6)
        .map(|number| ("client", number, json!({"size": number as i64})))
        .collect();
    let worlds = worlds(&records).await;
    for world in &worlds {
        let order = vec![term(world, "size", Direction::Descending, Nulls::Last)];
        let read = paged(world, order);
        let whole = ask(world, &read, &WHOLE).await;
        let all = ids(&whole);
        let cursor = |index: usize| whole["edges"][index]["cursor"].as_str().unwrap();
        let between = Asked {
            after: Some(cursor(0)),
            before: Some(cursor(4)),
            ..WHOLE
        };
        assert_eq!(ids(&ask(world, &read, &between).await), all[1..4]);
        let from_the_end = Asked {
            first: None,
            last: Some(2),
            ..between
        };
        let page = ask(world, &read, &from_the_end).await;
        assert_eq!(ids(&page), all[2..4]);
        assert_eq!(page["pageInfo"]["previous"], json!(true));
        let passed_over = Asked {
            first: Some(2),
            offset: Some(3),
            ..WHOLE
        };
        let page = ask(world, &read, &passed_over).await;
        assert_eq!(ids(&page), all[3..5]);
        assert_eq!(page["pageInfo"]["next"], json!(true));
        assert_eq!(page["pageInfo"]["previous"], json!(true));
        let nothing = Asked {
            first: Some(0),
            ..WHOLE
        };
        let page = ask(world, &read, &nothing).await;
        assert_eq!(ids(&page), Vec::<String>::new());
        assert_eq!(page["pageInfo"]["start"], Json::Null);
        assert_eq!(page["pageInfo"]["next"], json!(true));
        assert_eq!(page["total"], json!(6));
    }
    for world in worlds {
        world.close().await;
    }
}

/// Names stand first in an index, sizes don't; both are empty in some.
#[tokio::test(flavor = "multi_thread")]
async fn any_window_between_two_cursors_is_a_part_of_the_list() {
    let names = [Some("b"), None, Some("a"), None, Some("b")];
    let records: Vec<(&str, u128, Json)> = (1..)
        .zip(names)
        .map(|(number, name)| {
            let size = name.map(str::len);
            ("client", number, json!({"name": name, "size": size}))
        })
        .collect();
    let worlds = worlds(&records).await;
    let places: Vec<Option<usize>> = (0..names.len()).map(Some).chain([None]).collect();
    for world in &worlds {
        for field in ["name", "size"] {
            for direction in [Direction::Ascending, Direction::Descending] {
                for nulls in [Nulls::First, Nulls::Last] {
                    let read = paged(world, vec![term(world, field, direction, nulls)]);
                    let whole = ask(world, &read, &WHOLE).await;
                    let all = ids(&whole);
                    let cursor = |place: Option<usize>| {
                        place.map(|index| whole["edges"][index]["cursor"].as_str().unwrap())
                    };
                    for (after, before) in places
                        .iter()
                        .flat_map(|after| places.iter().map(move |before| (*after, *before)))
                    {
                        let from = after.map_or(0, |index| index + 1);
                        let to = before.unwrap_or(all.len()).max(from);
                        let between = &all[from..to];
                        for (first, last, offset) in [
                            (Some(500), None, None),
                            (Some(2), None, None),
                            (Some(2), None, Some(1)),
                            (None, Some(2), None),
                            (None, Some(2), Some(2)),
                        ] {
                            let asked = Asked {
                                first,
                                last,
                                offset,
                                after: cursor(after),
                                before: cursor(before),
                            };
                            let passed = offset.unwrap_or(0) as usize;
                            let mut expected: Vec<String> = if last.is_some() {
                                let rows = between.iter().rev().skip(passed).take(2);
                                rows.rev().cloned().collect()
                            } else {
                                between.iter().skip(passed).cloned().collect()
                            };
                            if let Some(first) = first {
                                expected.truncate(first as usize);
                            }
                            assert_eq!(
                                ids(&ask(world, &read, &asked).await),
                                expected,
                                "{field} {direction:?} {nulls:?} from {after:?} to {before:?}, {first:?} {last:?} {offset:?}"
                            );
                        }
                    }
                }
            }
        }
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_of_another_order_or_edited_ones_are_refused() {
    let worlds = worlds(&[("client", 1, json!({"name": "a", "size": 1}))]).await;
    for world in &worlds {
        let by_name = vec![term(world, "name", Direction::Ascending, Nulls::Last)];
        let read = paged(world, by_name);
        let whole = ask(world, &read, &WHOLE).await;
        let cursor = whole["pageInfo"]["end"].as_str().unwrap().to_owned();
        let refused = async |read: &Read, cursor: &str| {
            let asked = Asked {
                after: Some(cursor),
                ..WHOLE
            };
            let result = world.answer(read, &asked.parameters()).await;
            assert!(matches!(result, Err(StoreError::BadCursor)), "{result:?}");
        };
        for order in [
            vec![],
            vec![term(world, "size", Direction::Ascending, Nulls::Last)],
            vec![term(world, "name", Direction::Descending, Nulls::Last)],
            vec![term(world, "name", Direction::Ascending, Nulls::First)],
        ] {
            refused(&paged(world, order), &cursor).await;
        }
        for position in 0..cursor.len() {
            let mut edited = cursor.clone().into_bytes();
            edited[position] = if edited[position] == b'A' { b'B' } else { b'A' };
            let edited = String::from_utf8(edited).unwrap();
            refused(&read, &edited).await;
        }
        for nonsense in ["", "AAAA", "not base64!", "' OR 1=1"] {
            refused(&read, nonsense).await;
        }
        refused(&read, &cursor[..cursor.len() - 4]).await;
        // A good one goes on being good.
        let asked = Asked {
            after: Some(&cursor),
            ..WHOLE
        };
        assert_eq!(ids(&ask(world, &read, &asked).await), Vec::<String>::new());
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_a_statement_does_not_depend_on_values() {
    let worlds = worlds(&[]).await;
    for world in &worlds {
        let texts = |size: i64, name: &str| -> Vec<String> {
            let filter = world.compare(
                "client",
                "name",
                0,
                relata_store::filter::Operator::IContains,
                crate::world::text(name),
            );
            let page = Page {
                first: Some(integer(size)),
                ..Page::default()
            };
            let members = vec![crate::world::nodes(vec![column(
                "name",
                world.part("client", "name", 0),
            )])];
            let read = Read::Many(list(world, "client", filter, vec![], page, members));
            let compiled = compile(
                &world.catalogue,
                world.database.backend(),
                &read,
                Runs::OnReaders,
            )
            .unwrap();
            compiled.statements().map(|text| text.to_string()).collect()
        };
        assert_eq!(texts(1, "a"), texts(77, "'; DROP TABLE x"));
    }
    for world in worlds {
        world.close().await;
    }
}
