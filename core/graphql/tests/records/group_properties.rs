//! Whatever records are measured, grouped, compared and ordered by: both databases answer what is
//! computed here from the list of records, and the list of each group has its records.

mod model;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use relata_app::{Caller, UserInfo};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use self::model::{Group, KEYS, MEASURES, Question, Sample, grouped, measures_json};
use crate::fixture::{Client, on_each_database};

on_each_database! {
    generated_groups_are_those_of_the_list
}

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
];

const AGGREGATE: &str = "aggregate { count
  name { count countDistinct min max }
  size { count countDistinct sum avg min max median }
  rate { count countDistinct sum avg min max median }
  worth { count countDistinct sum { amount currency } avg { amount currency } min { amount currency } max { amount currency } median { amount currency } }
  active { count countTrue countFalse }
  day { count countDistinct min max }
  at { count countDistinct min max }
}";

const KEY: &str = "key { id name size rate active day at tier tags worth { currency } place { country } owner { ... on User { id } }
  mother { id name tier node { id label } } }";

async fn generated_groups_are_those_of_the_list(client: Client) {
    let document = json!({
        "relata": 1,
        "objects": [{"key": "sample", "plural": "samples", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "size", "kind": "integer"},
            {"key": "rate", "kind": "decimal", "scale": 3},
            {"key": "worth", "kind": "money"},
            {"key": "active", "kind": "boolean"},
            {"key": "day", "kind": "date"},
            {"key": "at", "kind": "dateTime"},
            {"key": "tier", "kind": "select", "options": [{"value": "GOLD"}, {"value": "SILVER"}]},
            {"key": "tags", "kind": "multiSelect", "options": [{"value": "A_B"}, {"value": "AB"}, {"value": "C"}]},
            {"key": "place", "kind": "address"},
            {"key": "mother", "kind": "relation", "to": "sample", "inverse": {"name": "children"}},
        ]}],
    });
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, &document, None, &[])
        .await
        .unwrap();
    let mut runner = TestRunner::deterministic();
    let mut samples: Vec<Sample> = Vec::new();
    for _ in 0..45 {
        let mut sample = model::sample(samples.len())
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let mother = sample.mother.map(|index| samples[index].id.clone());
        let mut client = client.clone();
        client.caller = Caller::user(UserInfo {
            id: Uuid::from_u128(sample.owner),
            name: "Ada".to_owned(),
            email: "ada@example.org".to_owned(),
            is_admin: true,
            locale: None,
            zone: None,
        });
        sample.id = client.create("sample", sample.data(mother)).await;
        samples.push(sample);
    }
    for number in 0..70 {
        let question = model::question(ZONES.len())
            .new_tree(&mut runner)
            .unwrap()
            .current();
        check(&client, &samples, &question, number).await;
    }
}

async fn check(client: &Client, samples: &[Sample], question: &Question, number: usize) {
    let mut client = client.clone();
    client.caller.zone = jiff::tz::TimeZone::get(ZONES[question.zone]).unwrap();
    let listed = samples
        .iter()
        .filter(|sample| {
            question
                .filter
                .is_none_or(|least| sample.size >= Some(least))
        })
        .collect::<Vec<_>>();
    let filter = question.filter.map(|least| json!({"size": {"gte": least}}));
    at_the_root(&client, samples, &listed, question, filter.as_ref(), number).await;
    of_each_mother(&client, samples, &listed, question, filter.as_ref()).await;
}

async fn at_the_root(
    client: &Client,
    samples: &[Sample],
    listed: &[&Sample],
    question: &Question,
    filter: Option<&Json>,
    number: usize,
) {
    let zone = &client.caller.zone;
    let expected = grouped(samples, listed, question, zone);
    let mut found = Vec::new();
    let mut after = json!(null);
    loop {
        let mut variables = json!({
            "by": question.by(),
            "having": question.having(),
            "order": question.order(),
            "after": after,
        });
        let list = match filter {
            Some(filter) => {
                variables["filter"] = filter.clone();
                "(where: $filter)"
            }
            None => "",
        };
        let declared = if filter.is_some() {
            ", $filter: SampleFilter"
        } else {
            ""
        };
        let query = format!(
            "query Q($by: [SampleGroupBy!]!, $having: SampleHaving!, $order: [SampleGroupOrder!], $after: String{declared}) {{
               samples{list} {{ {AGGREGATE} groups(by: $by, having: $having, orderBy: $order, first: 3, after: $after) {{
                 totalCount nodes {{ {KEY} {AGGREGATE} where }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
        );
        let answer = client.data(&query, variables).await["samples"].take();
        assert_eq!(answer["aggregate"], measures_json(listed), "{number}");
        assert_eq!(
            answer["groups"]["totalCount"],
            expected.len(),
            "{number} {question:?}"
        );
        found.extend(answer["groups"]["nodes"].as_array().unwrap().clone());
        if answer["groups"]["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = answer["groups"]["pageInfo"]["endCursor"].clone();
    }
    same(&found, &expected, question);
    each_list_is_its_group(client, &found).await;
}

/// The same of the records around which lists stand.
async fn of_each_mother(
    client: &Client,
    samples: &[Sample],
    listed: &[&Sample],
    question: &Question,
    filter: Option<&Json>,
) {
    let filter = filter.cloned().unwrap_or_else(|| json!({"and": []}));
    let answer = client
        .data(
            &format!(
                "query Q($by: [SampleGroupBy!]!, $having: SampleHaving!, $order: [SampleGroupOrder!], $filter: SampleFilter) {{
                   samples(where: {{children: {{some: {{}}}}}}, first: 20) {{ nodes {{ id children(where: $filter) {{ {AGGREGATE}
                     groups(by: $by, having: $having, orderBy: $order, first: 50) {{ totalCount nodes {{ {KEY} {AGGREGATE} where }} }} }} }} }} }}"
            ),
            json!({"by": question.by(), "having": question.having(), "order": question.order(), "filter": filter}),
        )
        .await;
    for mother in answer["samples"]["nodes"].as_array().unwrap() {
        let children = listed
            .iter()
            .filter(|sample| {
                sample
                    .mother
                    .is_some_and(|index| samples[index].id == mother["id"])
            })
            .copied()
            .collect::<Vec<_>>();
        assert_eq!(mother["children"]["aggregate"], measures_json(&children));
        let expected = grouped(samples, &children, question, &client.caller.zone);
        let groups = &mother["children"]["groups"];
        assert_eq!(groups["totalCount"], expected.len());
        let found = groups["nodes"].as_array().unwrap();
        same(found, &expected, question);
        each_list_is_its_group(client, found).await;
    }
}

fn same(found: &[Json], expected: &[Group<'_>], question: &Question) {
    let keys = |groups: &mut dyn Iterator<Item = &Json>| groups.cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&mut found.iter().map(|group| &group["key"])),
        keys(&mut expected.iter().map(|group| &group.key_json)),
        "{question:?}"
    );
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(
            found["aggregate"],
            measures_json(&expected.samples),
            "{question:?}"
        );
    }
}

async fn each_list_is_its_group(client: &Client, groups: &[Json]) {
    for group in groups {
        let list = client
            .data(
                "query L($where: SampleFilter) { samples(where: $where) { totalCount } }",
                json!({"where": group["where"]}),
            )
            .await;
        assert_eq!(
            list["samples"]["totalCount"], group["aggregate"]["count"],
            "{}",
            group["where"]
        );
    }
}

#[test]
fn every_key_and_measure_is_asked_for() {
    let mut runner = TestRunner::deterministic();
    let questions = (0..200)
        .map(|_| {
            model::question(ZONES.len())
                .new_tree(&mut runner)
                .unwrap()
                .current()
        })
        .collect::<Vec<_>>();
    for key in 0..KEYS.len() {
        assert!(
            questions
                .iter()
                .any(|question| question.keys.contains(&key))
        );
    }
    for measure in 0..MEASURES.len() {
        let orders = |question: &&Question| question.order.is_some_and(|(by, _)| by == measure);
        assert!(questions.iter().any(|question| orders(&question)));
    }
}
