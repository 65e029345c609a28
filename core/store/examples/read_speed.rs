//! How long a compiled read takes, queue and answer included: `cargo run --release -p relata-store
//! --example read_speed`, on SQLite in a temporary folder, and with `RELATA_TEST_POSTGRES` (a
//! server, to make a database in) on PostgreSQL.
//!
//! Prints microseconds at the median and the 99th percentile for a record by its id, a list of 50
//! with 10 cells each, and that list with 10 children of 5 cells each.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use relata_catalog::{
    Blueprint, Catalogue, CoerceContext, FieldIndex, Key, ObjectIndex, STANDARD, TakenNames, Value,
    Via, coerce, diff, resolve,
};
use relata_store::filter::{ColumnRef, Deleted, Filter, Operand, SystemColumn};
use relata_store::read::{
    Connection, ConnectionMember, CursorKey, Directory, Member, Page, Parameter, PartMember, Read,
    Reader, ReaderOptions, Runs, compile,
};
use relata_store::{Database, DatabaseOptions, Record, Retention, Turn};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const COMPANIES: u128 = 1_000;
const PEOPLE_EACH: u128 = 10;
const RUNS: usize = 2_000;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    measure(&format!(
        "sqlite://{}/relata.db?mode=rwc",
        folder.path().display()
    ))
    .await;
    if let Ok(base) = std::env::var("RELATA_TEST_POSTGRES") {
        let name = format!("relata_read_speed_{}", std::process::id());
        admin(&base, &format!("CREATE DATABASE {name}")).await;
        measure(&format!("{base}/{name}")).await;
        admin(&base, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}

async fn measure(url: &str) {
    let database = Database::open(&DatabaseOptions::new(url)).await.unwrap();
    database.migrate().await.unwrap();
    let blueprint = Blueprint::parse(STANDARD).unwrap();
    let current = Catalogue::default();
    let target = resolve(&current, "relata", &blueprint, &TakenNames::default()).unwrap();
    let plan = diff(&current, &target);
    let tx = database.begin(Turn::Alone).await.unwrap();
    tx.apply(&plan, Retention::Park, "system", 0).await.unwrap();
    tx.commit().await.unwrap();
    let catalogue = plan.target;
    fill(&database, &catalogue).await;
    let options = ReaderOptions::new(url, CursorKey::new([1; 16]));
    let reader = Reader::open(&options).await.unwrap();
    println!("{:?}", database.backend());
    for (name, read) in reads(&catalogue) {
        let started = Instant::now();
        let compiled =
            Arc::new(compile(&catalogue, database.backend(), &read, Runs::OnReaders).unwrap());
        let compiling = started.elapsed();
        let id = Parameter::Value(Value::Reference(Uuid::from_u128(1)));
        let request = [(compiled, vec![id])];
        let mut times = Vec::with_capacity(RUNS);
        let mut bytes = 0;
        for _ in 0..RUNS {
            let started = Instant::now();
            let answers = reader.run(&request, Arc::new(Nobody)).await.unwrap();
            times.push(started.elapsed());
            bytes = answers[0].len();
        }
        times.sort();
        println!(
            "  {name}: p50 {:.1} µs, p99 {:.1} µs, {bytes} bytes; compiled in {:.1} µs",
            micros(times[RUNS / 2]),
            micros(times[RUNS * 99 / 100]),
            micros(compiling)
        );
    }
    reader.close().await;
    database.close().await;
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1_000.0
}

async fn fill(database: &Database, catalogue: &Catalogue) {
    let (_, company) = catalogue.object_named("company").unwrap();
    let (_, person) = catalogue.object_named("person").unwrap();
    let companies: Vec<Record> = (1..=COMPANIES)
        .map(|number| {
            let json = json!({
                "name": format!("Company {number}"), "website": "https://example.com",
                "industry": "TECHNOLOGY", "employees": number as u64,
                "annualRevenue": {"amount": "1250000.00", "currency": "EUR"},
                "address": {"city": "Zürich", "country": "CH"},
            });
            record(company, number, &json)
        })
        .collect();
    let people: Vec<Record> = (0..COMPANIES * PEOPLE_EACH)
        .map(|number| {
            let company = Uuid::from_u128(number / PEOPLE_EACH + 1);
            let json = json!({
                "name": {"given": "Ada", "family": format!("Lovelace {number}")},
                "jobTitle": "Engineer", "company": company.to_string(),
            });
            record(person, 1 << 64 | number, &json)
        })
        .collect();
    let tx = database.begin(Turn::First).await.unwrap();
    tx.insert(company, &companies).await.unwrap();
    tx.insert(person, &people).await.unwrap();
    tx.commit().await.unwrap();
}

fn record(object: &relata_catalog::Object, id: u128, json: &Json) -> Record {
    let values = object
        .fields
        .iter()
        .map(|field| coerce(field, &json[field.name.as_str()], &CoerceContext::default()).unwrap())
        .collect();
    Record {
        id: Uuid::from_u128(id),
        version: 1,
        created_at: 1_700_000_000_000_000,
        updated_at: 1_700_000_000_000_000,
        deleted_at: None,
        created_by: "system".to_owned(),
        updated_by: "system".to_owned(),
        owner: None,
        values,
    }
}

fn reads(catalogue: &Catalogue) -> Vec<(&'static str, Read)> {
    let (company, object) = catalogue.object_named("company").unwrap();
    let (person, people) = catalogue.object_named("person").unwrap();
    let field = |name: &str| object.field_named(name).unwrap().0;
    let of_person = |name: &str| people.field_named(name).unwrap().0;
    let cells = || {
        vec![
            system("id", SystemColumn::Id),
            system("version", SystemColumn::Version),
            system("createdAt", SystemColumn::CreatedAt),
            system("updatedAt", SystemColumn::UpdatedAt),
            cell("name", field("name"), 0),
            cell("website", field("website"), 0),
            cell("industry", field("industry"), 0),
            cell("employees", field("employees"), 0),
            composite(
                "annualRevenue",
                field("annualRevenue"),
                &["amount", "currency"],
            ),
            cell("city", field("address"), 1),
        ]
    };
    let mut nested = cells();
    nested.push(Member::ToMany {
        key: "people".to_owned(),
        connection: Box::new(page(
            person,
            Some(of_person("company")),
            10,
            vec![
                system("id", SystemColumn::Id),
                system("createdAt", SystemColumn::CreatedAt),
                cell("full", of_person("name"), 0),
                cell("given", of_person("name"), 2),
                cell("jobTitle", of_person("jobTitle"), 0),
            ],
        )),
    });
    vec![
        (
            "by id",
            Read::One {
                object: company,
                id: Operand::Parameter(0),
                members: cells(),
            },
        ),
        ("50 x 10", Read::Many(page(company, None, 50, cells()))),
        (
            "50 x 10 with 10 x 5",
            Read::Many(page(company, None, 50, nested)),
        ),
    ]
}

fn page(
    object: ObjectIndex,
    via: Option<FieldIndex>,
    first: i64,
    members: Vec<Member>,
) -> Connection {
    Connection {
        object,
        via: via.map(Via::Relation),
        filter: Filter::And(Vec::new()),
        order: Vec::new(),
        page: Page {
            first: Some(Operand::Value(Value::Integer(first))),
            ..Page::default()
        },
        deleted: Deleted::Exclude,
        members: vec![ConnectionMember::Nodes {
            key: "nodes".to_owned(),
            members,
        }],
    }
}

fn system(key: &str, column: SystemColumn) -> Member {
    Member::Column {
        key: key.to_owned(),
        column: ColumnRef::System(column),
    }
}

fn cell(key: &str, field: FieldIndex, part: usize) -> Member {
    Member::Column {
        key: key.to_owned(),
        column: ColumnRef::Field { field, part },
    }
}

fn composite(key: &str, field: FieldIndex, parts: &[&str]) -> Member {
    Member::Composite {
        key: key.to_owned(),
        field,
        members: parts
            .iter()
            .enumerate()
            .map(|(part, key)| PartMember::Column {
                key: (*key).to_owned(),
                part,
            })
            .collect(),
    }
}

async fn admin(base: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(base, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

struct Nobody;

impl Directory for Nobody {
    fn user(&self, _id: Uuid) -> Option<(String, String)> {
        None
    }

    fn token(&self, _id: Uuid) -> Option<String> {
        None
    }

    fn plugin(&self, _id: &str) -> Option<String> {
        None
    }

    fn field_name(&self, _object: &Key, _field: &Key) -> Option<String> {
        None
    }
}
