//! Whatever is asked of whichever objects and records: both databases answer, byte for byte, what
//! a slow and simple interpreter works out from a list of the records.
//!
//! Everything is drawn at random from a seed: a blueprint, records (some in the trash), and
//! queries with conditions, orders, pages, nested lists, relations, fragments, directives,
//! variables. What fails is shrunk, and shown with both answers.
//!
//! CI asks few questions, always the same. For a long hunt, `RELATA_QUERY_PROPERTIES` gives a
//! seed, a number of worlds, and a number of questions in each:
//!
//! ```text
//! RELATA_QUERY_PROPERTIES=7,20,500 cargo xtask test query_properties
//! ```
//!
//! Aggregates and groups have a model of their own (`group_properties`).

mod choices;
mod data;
mod generate;
mod interpreter;
mod query;
mod schema;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use relata_catalog::{Key, Kind, ObjectIndex};
use relata_graphql::{GraphqlRequest, RecordsLimits, RequestContext};
use serde_json::{Value as Json, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use uuid::Uuid;

use self::choices::Choices;
use self::data::{Table, World};
use self::query::Question;
use crate::fixture::{Client, on_each_database};

on_each_database! {
    answers_are_those_of_the_interpreter
}

/// How much is tried.
struct Extent {
    seed: u64,
    worlds: usize,
    questions: u32,
}

impl Extent {
    fn given() -> Self {
        let Ok(given) = std::env::var("RELATA_QUERY_PROPERTIES") else {
            return Self {
                seed: 1,
                worlds: 4,
                questions: 125,
            };
        };
        let numbers = given
            .split(',')
            .map(|number| number.trim().parse::<u32>().unwrap())
            .collect::<Vec<_>>();
        let [seed, worlds, questions] = numbers[..] else {
            panic!("RELATA_QUERY_PROPERTIES is a seed, worlds, and questions in each: 7,20,500")
        };
        Self {
            seed: seed.into(),
            worlds: worlds as usize,
            questions,
        }
    }

    /// Whether it is enough to ask for everything.
    fn is_whole(&self) -> bool {
        self.worlds * self.questions as usize >= QUESTIONS_WHOLE
    }
}

/// Questions among which everything is, by far.
const QUESTIONS_WHOLE: usize = 500;

async fn answers_are_those_of_the_interpreter(client: Client) {
    let extent = Extent::given();
    let client = client.within(RecordsLimits {
        page_default: interpreter::PAGE as u64,
        page_nested_default: interpreter::PAGE_NESTED as u64,
        rows_max: u64::MAX,
        ..RecordsLimits::default()
    });
    let mut objects = Vec::new();
    let mut pipelines = Vec::new();
    let asked = RefCell::new(String::new());
    for number in 0..extent.worlds {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&extent.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&(number as u64).to_le_bytes());
        let config = Config {
            cases: extent.questions,
            failure_persistence: None,
            max_shrink_iters: 5_000,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let mut numbers =
            |count| Choices::new((0..count).map(|_| runner.rng().next_u32()).collect());
        let shape = schema::shape(&mut numbers(500), number);
        // Each world stands beside those before it: nothing is taken away.
        objects.extend(shape.objects);
        pipelines.extend(shape.pipelines);
        let document = json!({"relata": 1, "objects": objects, "pipelines": pipelines});
        relata_app::catalogue::blueprint_apply(
            &client.workspace,
            &client.caller,
            &document,
            None,
            &[],
        )
        .await
        .unwrap_or_else(|error| panic!("{error:?} {document:#}"));
        let world = data::write(&client, &mut numbers(50_000), &shape.keys).await;
        block_in_place(|| ask(&client, &world, &mut runner, &asked, (&extent, number)));
    }
    if extent.is_whole() {
        everything_was_asked(&asked.into_inner());
    }
}

fn ask(
    client: &Client,
    world: &World,
    runner: &mut TestRunner,
    asked: &RefCell<String>,
    (extent, number): (&Extent, usize),
) {
    let known = RefCell::new(HashMap::new());
    let cursors = |object, order: &Json| cursors(client, world, &known, object, order);
    let question = |numbers| generate::question(world, &cursors, Choices::new(numbers));
    // The same document with other values takes the plan of the first, or must not take it.
    let difference = |numbers| {
        let mut question = question(numbers);
        for _ in 0..2 {
            let expected = interpreter::response(world, &cursors, &question);
            let found = respond(client, &question);
            let mut asked = asked.borrow_mut();
            asked.push_str(&question.document());
            asked.push_str(&Json::Object(question.given()).to_string());
            if found != expected {
                return Some((question, found, expected));
            }
            question.vary();
        }
        None
    };
    let case = |numbers| match difference(numbers) {
        None => Ok(()),
        Some(_) => Err(TestCaseError::fail("another answer")),
    };
    let numbers = prop::collection::vec(0..1_000_u32, 1..400);
    let Err(TestError::Fail(reason, numbers)) = runner.run(&numbers, case) else {
        return;
    };
    let Some((question, found, expected)) = difference(numbers) else {
        panic!("not again: {reason}");
    };
    let shapes = world.tables.iter().map(|table| described(world, table));
    panic!(
        "seed {}, world {number}\n{}\n\n{}\n\nvariables: {}\nadministrator: {}\n\nfound:    {found}\nexpected: {expected}\n",
        extent.seed,
        shapes.collect::<String>(),
        question.document(),
        Json::Object(question.given()),
        question.is_admin,
    );
}

/// An object in short: the names of fields tell their kinds.
fn described(world: &World, table: &Table) -> String {
    let object = world.object(table.object);
    let label = object.label_field.as_ref().map_or("none", Key::local);
    let fields = object.fields.iter().map(|field| match &field.kind {
        Kind::Relation(relation) => format!("{} -> {}", field.name, relation.target.local()),
        _ => field.name.clone(),
    });
    let lists = world.lists(table.object);
    let lists = lists.iter().map(|(name, ..)| (*name).to_owned());
    let members = fields.chain(lists).collect::<Vec<_>>().join(", ");
    format!("{} (label: {label}): {members}\n", object.singular)
}

/// The bytes of the answer.
fn respond(client: &Client, question: &Question) -> String {
    let request = GraphqlRequest {
        query: Some(question.document()),
        variables: question.given(),
        ..GraphqlRequest::default()
    };
    let context = RequestContext::default();
    let mut caller = client.caller.clone();
    caller.is_admin = question.is_admin;
    let responding = client.records.execute(request, &caller, &context);
    let response = Handle::current().block_on(responding);
    String::from_utf8(response.body.to_vec()).unwrap()
}

/// Cursors that are known already, by object and order.
type Known = RefCell<HashMap<(usize, String), Rc<HashMap<Uuid, String>>>>;

/// The cursors of all records of an object in an order. That a record has the same cursor in
/// whichever list it stands is part of what is tested; so is the order of this list.
fn cursors(
    client: &Client,
    world: &World,
    known: &Known,
    object: ObjectIndex,
    order: &Json,
) -> Rc<HashMap<Uuid, String>> {
    let key = (object.0, order.to_string());
    if let Some(known) = known.borrow().get(&key) {
        return known.clone();
    }
    let described = world.object(object);
    let query = format!(
        "query L($order: [{}Order!]) {{ list: {}(orderBy: $order, deleted: INCLUDE, first: 500) {{ edges {{ cursor node {{ id }} }} }} }}",
        described.type_name(),
        described.plural
    );
    let variables = json!({"order": order});
    let answer = Handle::current().block_on(client.data(&query, variables));
    let edges = answer["list"]["edges"].as_array().unwrap();
    let cursors = edges
        .iter()
        .map(|edge| {
            let text = |json: &Json| json.as_str().unwrap().to_owned();
            (
                text(&edge["node"]["id"]).parse().unwrap(),
                text(&edge["cursor"]),
            )
        })
        .collect::<HashMap<_, _>>();
    assert_eq!(cursors.len(), world.records(object).len());
    let cursors = Rc::new(cursors);
    known.borrow_mut().insert(key, cursors.clone());
    cursors
}

/// A generator that leaves something out proves nothing about it.
fn everything_was_asked(asked: &str) {
    let words = "eq ne in notIn isNull lt lte gt gte between contains startsWith endsWith like iEq \
        iContains iStartsWith iEndsWith iLike has hasAny hasAll isEmpty within last next and or not \
        some none every where orderBy first after before offset deleted id version createdAt \
        updatedAt deletedAt owner typed given family additional city street amount currency type \
        pipeline enteredAt";
    let forms = words.split_whitespace().map(|word| format!("{word}:"));
    let others = [
        "ASC_NULLS_FIRST",
        "DESC_NULLS_LAST",
        "INCLUDE",
        "ONLY",
        "@skip",
        "@include",
        "... on Record",
        "... on Node",
        "fragment",
        "... {",
        "node(",
        "__typename",
        "totalCount",
        "hasNextPage",
        "hasPreviousPage",
        "startCursor",
        "endCursor",
        "cursor",
        "= null",
        "null}",
        "probability",
        "options",
        "allowed",
        "unmet",
    ];
    let missing = forms
        .chain(others.map(str::to_owned))
        .filter(|form| !asked.contains(form.as_str()) && !asked.contains(&form.replace(':', "\":")))
        .collect::<Vec<_>>();
    assert!(missing.is_empty(), "never asked: {missing:?}");
}
