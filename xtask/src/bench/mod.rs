//! Measures the server beside a hand-written floor, on the same database, in the same run.
//!
//! The floor (`tests/floor`) answers the same questions from the same tables with no GraphQL, no
//! permissions and no planner. The load comes from `wrk`. What is printed is a Markdown table:
//! requests per second, latencies, CPU per request of the answering process, and the ratio.

mod catalogue;
mod commits;
mod hook;
mod import;
mod load;
mod machine;
mod model;
mod search;
mod sides;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use relata_test_cluster::{Cluster, Durability, create_database};
use serde_json::{Value, json};

use self::{
    load::{Figures, Load},
    sides::{Floor, Relata},
};
use crate::{guests, process, setup};

const USAGE: &str = "\
cargo xtask bench [--records N] [--deals N] [--seconds N] [--connections N,N,…] [--only sqlite|postgres] [--parts NAME,NAME,…]

  --records N       persons in the database (default 100000; companies are a tenth)
  --deals N         deals in the database (default 200000; made by createDeals, which is timed)
  --seconds N       length of each measurement (default 8)
  --connections N,… connections of the load, one measurement for each (default 16)
  --only DATABASE   one database alone
  --parts NAME,…    some parts alone: questions, search, import, model, hook, commits, catalogue";

const PARTS: [&str; 7] = [
    "questions",
    "search",
    "import",
    "model",
    "hook",
    "commits",
    "catalogue",
];

/// What a run is told.
struct Options {
    records: u32,
    deals: u32,
    seconds: u32,
    connections: Vec<u32>,
    only: Option<String>,
    parts: Vec<String>,
}

impl Options {
    fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|asked| asked == part)
    }
}

/// A question of the benchmark, as each side is asked.
struct Question {
    name: &'static str,
    /// GraphQL, with `$id` where it asks for one company.
    query: &'static str,
    /// The floor's route, where the floor answers it.
    floor: &'static str,
    /// Where in the server's answer stands what the floor answers.
    pointer: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    ById,
    Same,
    /// A page deep in a list, behind a person.
    Page,
    Groups,
    Create,
    /// Many in one mutation.
    CreateMany,
    Update,
}

impl Kind {
    fn writes(self) -> bool {
        matches!(self, Self::Create | Self::CreateMany | Self::Update)
    }
}

const COMPANY_FIELDS: &str = "id version createdAt updatedAt name website industry employees annualRevenue{amount currency} address{city country}";
const PERSON_FIELDS: &str = "id createdAt name{full} jobTitle emails{primary}";

const QUESTIONS: &[Question] = &[
    Question {
        name: "get by id, 10 fields",
        query: "query($id: ID!){company(id: $id){COMPANY}}",
        floor: "/one/",
        pointer: "/data/company",
        kind: Kind::ById,
    },
    Question {
        name: "list 50 × 10",
        query: "{companies(first: 50, orderBy: [{name: ASC}]){nodes{COMPANY}}}",
        floor: "/list",
        pointer: "/data/companies/nodes",
        kind: Kind::Same,
    },
    Question {
        name: "list 50 × 10, each with 10 × 5",
        query: "{companies(first: 50, orderBy: [{name: ASC}]){nodes{COMPANY people(first: 10){nodes{PERSON}}}}}",
        floor: "/nested",
        pointer: "/data/companies/nodes",
        kind: Kind::Same,
    },
    Question {
        name: "page 1,001 of 50 × 5, filtered and ordered",
        query: "query($after: String!){people(first: 50, after: $after, where: {company: {id: {isNull: false}}}, orderBy: [{name: ASC}]){nodes{PERSON}}}",
        floor: "/page/",
        pointer: "/data/people/nodes",
        kind: Kind::Page,
    },
    Question {
        name: "all deals by stage: count, sums by currency",
        query: "{deals{groups(by: [{stage: true}]){nodes{key{stage{stage{name}}} aggregate{count amount{sum{amount currency}}}}}}}",
        floor: "/groups",
        pointer: "/data/deals/groups/nodes",
        kind: Kind::Groups,
    },
    Question {
        name: "create",
        query: "mutation($data: CompanyCreate!){createCompany(data: $data){id}}",
        floor: "/create",
        pointer: "/data/createCompany",
        kind: Kind::Create,
    },
    Question {
        name: "update",
        query: "mutation($id: ID!, $data: CompanyUpdate!){updateCompany(id: $id, data: $data){id}}",
        floor: "/update/",
        pointer: "/data/updateCompany",
        kind: Kind::Update,
    },
    Question {
        name: "create 1,000 at once",
        query: "mutation($data: [CompanyCreate!]!){createCompanies(data: $data){count}}",
        floor: "/create-many",
        pointer: "/data/createCompanies",
        kind: Kind::CreateMany,
    },
];

impl Question {
    fn graphql(&self) -> String {
        self.query
            .replace("COMPANY", COMPANY_FIELDS)
            .replace("PERSON", PERSON_FIELDS)
            .replace(
                // The word also stands in the name of the input type.
                &format!("{COMPANY_FIELDS}Create"),
                "CompanyCreate",
            )
            .replace(&format!("{COMPANY_FIELDS}Update"), "CompanyUpdate")
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let Some(options) = parse(arguments)? else {
        println!("{USAGE}");
        return Ok(());
    };
    if !process::is_there("wrk", &["-v"]) && !load::is_installed() {
        setup::apt_install("wrk")?;
    }
    let relata = guests::run(guests::Profile::Release)?;
    let floor = process::target_folder()
        .join("release")
        .join("relata-floor");

    println!("{}\n", machine::describe()?);
    println!("{}", Figures::HEADER);
    let mut notes = Vec::new();
    for database in ["sqlite", "postgres"] {
        if options.only.as_deref().is_some_and(|only| only != database) {
            continue;
        }
        let folder = tempfile::Builder::new().prefix("relata-bench-").tempdir()?;
        let cluster = (database == "postgres")
            .then(|| Cluster::start(Durability::Synced))
            .transpose()?;
        let url = match &cluster {
            Some(cluster) => create_database(cluster.url(), "relata_bench")?,
            None => format!(
                "sqlite://{}?mode=rwc",
                folder.path().join("relata.db").display()
            ),
        };
        let server = Relata::prepare(&relata, &url, folder.path(), options.records)?;
        notes.push(format!(
            "{database}: start to first answered query with plugins compiled: {}",
            milliseconds(server.first_answer)
        ));
        let server = server.serve()?;
        notes.push(format!("{database}: {}", server.add_deals(options.deals)?));
        let floor = Floor::serve(&floor, &url)?;
        if options.has("questions") {
            for question in QUESTIONS {
                compare(database, question, &server, &floor, &options)?;
            }
        }
        if options.has("search") {
            notes.extend(search::measure(database, &server, &options)?);
        }
        if options.has("import") {
            notes.extend(import::measure(database, &server, &options)?);
        }
        if options.has("model") {
            notes.extend(model::measure(database, &server)?);
        }
        if options.has("hook") {
            notes.extend(hook::measure(database, &server, &options)?);
        }
        if options.has("commits") && database == "sqlite" {
            drop(floor);
            notes.extend(commits::measure(&server.stop(), &options)?);
        }
        if !options.has("catalogue") {
            continue;
        }
        let url = match &cluster {
            Some(cluster) => create_database(cluster.url(), "relata_bench_catalogue")?,
            None => format!(
                "sqlite://{}?mode=rwc",
                folder.path().join("catalogue.db").display()
            ),
        };
        notes.extend(catalogue::measure(
            database,
            &relata,
            &url,
            folder.path(),
            &options,
        )?);
    }
    println!();
    for note in notes {
        println!("- {note}");
    }
    Ok(())
}

/// Asks both sides the same question, floor first, and prints both rows.
fn compare(
    database: &str,
    question: &Question,
    server: &Relata<sides::Serving>,
    floor: &Floor,
    options: &Options,
) -> Result<()> {
    let mut alone = Duration::ZERO;
    if !question.kind.writes() {
        let began = Instant::now();
        same_answer(question, server, floor)?;
        alone = began.elapsed();
    }
    for connections in &options.connections {
        let load = Load {
            connections: *connections,
            seconds: options.seconds.max(seconds_for(alone, *connections)),
            ids: server.ids_file(),
        };
        let bottom = load.run(
            &floor.script(question, server.deep()),
            floor.url(),
            floor.process_id(),
        )?;
        let ours = load.run(&server.script(question), server.url(), server.process_id())?;
        let asked = format!("{}, {connections} connections", question.name);
        println!("{}", bottom.row(database, &asked, "floor", None));
        println!("{}", ours.row(database, &asked, "relata", Some(&bottom)));
    }
    Ok(())
}

/// How long a load has to run for each connection to get some answers, where the question took
/// this long when it was asked alone.
fn seconds_for(alone: Duration, connections: u32) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let in_turn = alone.as_secs_f64() * f64::from(connections) / processors as f64;
    // Rounded up; what is short of a second is no reason to run longer.
    (in_turn * 2.0) as u32 + 1
}

/// A benchmark of two different answers says nothing.
fn same_answer(question: &Question, server: &Relata<sides::Serving>, floor: &Floor) -> Result<()> {
    let id = server.first_id();
    let deep = server.deep();
    let variables = match question.kind {
        Kind::Page => json!({"after": deep.cursor}),
        _ => json!({"id": id}),
    };
    let ours = server.ask(&question.graphql(), &variables)?;
    let mut ours = ours
        .pointer(question.pointer)
        .with_context(|| format!("the server answered {ours}"))?
        .clone();
    // A connection of children is an object with nodes; the floor writes the list itself.
    if let Some(companies) = ours.as_array_mut() {
        for company in companies {
            if let Some(nodes) = company.pointer("/people/nodes").cloned() {
                company["people"] = nodes;
            }
        }
    }
    if question.kind == Kind::Groups {
        ours = by_stage(&ours);
    }
    let route = match question.kind {
        Kind::ById => format!("{}{id}", question.floor),
        Kind::Page => format!("{}{}", question.floor, deep.behind),
        _ => question.floor.to_owned(),
    };
    let bottom = floor.get(&route)?;
    if ours != bottom {
        bail!(
            "{}: the sides answer differently:\n{ours}\n{bottom}",
            question.name
        );
    }
    Ok(())
}

/// Groups as the floor writes them: by the name of the stage.
fn by_stage(groups: &Value) -> Value {
    let mut stages: Vec<Value> = groups
        .as_array()
        .into_iter()
        .flatten()
        .map(|group| {
            json!({
                "stage": group["key"]["stage"]["stage"]["name"],
                "count": group["aggregate"]["count"],
                "sum": group["aggregate"]["amount"]["sum"],
            })
        })
        .collect();
    stages.sort_by_key(|stage| stage["stage"].to_string());
    stages.into()
}

fn parse(arguments: &[String]) -> Result<Option<Options>> {
    let mut options = Options {
        records: 100_000,
        deals: 200_000,
        seconds: 8,
        connections: vec![16],
        only: None,
        parts: PARTS.map(str::to_owned).into(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--help" {
            return Ok(None);
        }
        let value = rest
            .next()
            .with_context(|| format!("{argument} needs a value\n\n{USAGE}"))?;
        match argument.as_str() {
            "--records" => options.records = value.parse()?,
            "--deals" => options.deals = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--connections" => {
                options.connections = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--parts" => {
                options.parts = value.split(',').map(str::to_owned).collect();
                if let Some(part) = options
                    .parts
                    .iter()
                    .find(|part| !PARTS.contains(&part.as_str()))
                {
                    bail!("there is no part {part}\n\n{USAGE}");
                }
            }
            "--only" => options.only = Some(value.clone()),
            unknown => bail!("unknown option {unknown}\n\n{USAGE}"),
        }
    }
    Ok(Some(options))
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
