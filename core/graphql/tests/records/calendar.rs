//! Conditions on parts of the calendar: both databases find what the calendar in memory finds, by
//! the clock of each caller's zone.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    parts_are_those_of_the_calendar
    mutations_look_into_days_alone
}

/// Clocks that go by halves of hours, by the minute before 1891, and beyond the calendar's ends.
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Paris",
    "America/St_Johns",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Australia/Lord_Howe",
];

const PARTS: [&str; 7] = ["year", "quarter", "month", "week", "weekday", "day", "hour"];

/// Where years, weeks and clocks turn, and where the calendar begins.
const INSTANTS: [&str; 12] = [
    "0001-01-01T00:00:00Z",
    "2099-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00Z",
    "2021-01-03T12:00:00Z",
    "2021-01-04T00:00:00Z",
    "2024-02-29T23:30:00Z",
    "2026-03-29T00:59:59.999999Z",
    "2026-03-29T01:00:00Z",
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:30:00Z",
    "2026-12-31T23:00:00Z",
];

struct Event {
    name: String,
    at: Option<Timestamp>,
}

fn part(part: &str, clock: DateTime) -> i64 {
    match part {
        "year" => clock.year().into(),
        "quarter" => ((clock.month() + 2) / 3).into(),
        "month" => clock.month().into(),
        "week" => clock.date().iso_week_date().week().into(),
        "weekday" => clock.weekday().to_monday_one_offset().into(),
        "day" => clock.day().into(),
        _ => clock.hour().into(),
    }
}

async fn prepare(client: &Client) -> Vec<Event> {
    let document = json!({
        "relata": 1,
        "objects": [{"key": "event", "plural": "events", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "day", "kind": "date"},
            {"key": "at", "kind": "dateTime"},
        ]}],
    });
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    let mut runner = TestRunner::deterministic();
    // Up to 2100: later changes of clocks are not looked up.
    let any_instant = -62_135_596_800_000_000_i64..4_102_444_800_000_000;
    let recent = 1_000_000_000_000_000_i64..2_000_000_000_000_000;
    let mut instants: Vec<Option<Timestamp>> = INSTANTS
        .iter()
        .map(|text| Some(text.parse().unwrap()))
        .collect();
    instants.push(None);
    for strategy in [any_instant.boxed(), recent.boxed()] {
        for _ in 0..60 {
            let micros = strategy.new_tree(&mut runner).unwrap().current();
            instants.push(Some(Timestamp::from_microsecond(micros).unwrap()));
        }
    }
    let events: Vec<Event> = instants
        .into_iter()
        .enumerate()
        .map(|(index, at)| Event {
            name: format!("{index:03}"),
            at,
        })
        .collect();
    let rows: Vec<Json> = events
        .iter()
        .map(|Event { name, at }| {
            let day = at.map(|at| at.to_zoned(TimeZone::UTC).date().to_string());
            json!({"name": name, "day": day, "at": at.map(|at| at.to_string())})
        })
        .collect();
    client
        .data(
            "mutation C($data: [EventCreate!]!) { createEvents(data: $data) { count } }",
            json!({"data": rows}),
        )
        .await;
    events
}

async fn found(client: &Client, filter: Json) -> Vec<String> {
    let query = "query Q($where: EventFilter!) { events(where: $where, orderBy: {name: ASC}, first: 500) { nodes { name } } }";
    let data = client.data(query, json!({"where": filter})).await;
    data["events"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether an operator holds for a part, of two operands.
type Holds = fn(i64, i64, i64) -> bool;

/// An operator with its operands, and whether it holds for a part.
fn condition() -> impl Strategy<Value = (Json, Holds, i64, i64)> {
    (0..5_usize, 0..60_i64, 0..6_i64, prop::bool::weighted(0.2)).prop_map(
        |(operator, low, wide, is_year)| {
            let low = if is_year { 1990 + low } else { low };
            let high = low + wide;
            let (json, holds): (Json, Holds) = match operator {
                0 => (json!({"eq": low}), |part, low, _| part == low),
                1 => (json!({"in": [low, high]}), |part, low, high| {
                    part == low || part == high
                }),
                2 => (json!({"between": [low, high]}), |part, low, high| {
                    (low..=high).contains(&part)
                }),
                3 => (json!({"gt": low, "lte": high}), |part, low, high| {
                    part > low && part <= high
                }),
                _ => (json!({"lt": low}), |part, low, _| part < low),
            };
            (json, holds, low, high)
        },
    )
}

async fn parts_are_those_of_the_calendar(client: Client) {
    let events = prepare(&client).await;
    let mut runner = TestRunner::deterministic();
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        let mut client = client.clone();
        client.caller.zone = zone.clone();
        for word in PARTS {
            for _ in 0..6 {
                let (operators, holds, low, high) =
                    condition().new_tree(&mut runner).unwrap().current();
                let clock = |zone: &TimeZone| {
                    events
                        .iter()
                        .filter(|event| {
                            event.at.is_some_and(|at| {
                                let clock = zone.to_offset(at).to_datetime(at);
                                holds(part(word, clock), low, high)
                            })
                        })
                        .map(|event| event.name.clone())
                        .collect::<Vec<_>>()
                };
                assert_eq!(
                    found(&client, json!({"at": {word: operators}})).await,
                    clock(&zone),
                    "{name} {word} {operators}"
                );
                if word != "hour" {
                    assert_eq!(
                        found(&client, json!({"day": {word: operators}})).await,
                        clock(&TimeZone::UTC),
                        "day {word} {operators}"
                    );
                }
            }
        }
    }
    // East of Greenwich the calendar's last instant is in a year that no date has.
    let end = json!({"name": "end", "at": "9999-12-31T23:59:59.999999Z"});
    client.create("event", end).await;
    let mut early = client.clone();
    early.caller.zone = TimeZone::get("Pacific/Kiritimati").unwrap();
    let next = json!({"at": {"year": {"eq": 10_000}, "month": {"eq": 1}, "hour": {"eq": 13}}});
    assert_eq!(found(&early, next.clone()).await, ["end"]);
    assert!(found(&client, next).await.is_empty());

    // What is empty has no part, and so another than this one.
    let other = found(&client, json!({"day": {"weekday": {"ne": 1}}})).await;
    let not = found(&client, json!({"not": {"day": {"weekday": {"eq": 1}}}})).await;
    assert_eq!(other, not);
    assert!(not.len() < events.len() && not.contains(&"012".to_owned()));
    let empty = found(&client, json!({"at": {"month": {"isNull": true}}})).await;
    assert_eq!(empty, ["012"]);
    // Several conditions share the zone's table, also inside each other.
    let both = json!({"or": [{"at": {"month": {"eq": 2}, "day": {"eq": 29}}}, {"at": {"hour": {"eq": 0}, "year": {"eq": 1970}}}]});
    assert_eq!(found(&client, both).await, ["003", "006"]);
}

async fn mutations_look_into_days_alone(client: Client) {
    prepare(&client).await;
    let by_day = "mutation { deleteEvents(where: {day: {month: {eq: 2}, day: {eq: 29}}}) { nodes { name } } }";
    assert_eq!(
        client.data(by_day, json!({})).await["deleteEvents"]["nodes"][0]["name"],
        "006"
    );
    let by_instant = "mutation { deleteEvents(where: {at: {month: {eq: 2}}}) { count } }";
    assert_eq!(
        client.errors(by_instant, json!({})).await,
        ["BAD_INPUT", "  deleteEvents.where.at.month ONLY_IN_QUERIES"]
    );
    let hour = "{ events(where: {day: {hour: {eq: 2}}}) { totalCount } }";
    assert_eq!(client.errors(hour, json!({})).await[0], "BAD_INPUT");
}
