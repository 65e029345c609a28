//! Search over all records that there are: words of both scripts, prefixes down to a letter, typos.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::json;

use super::{
    Options,
    load::Load,
    sides::{Relata, Serving},
};

/// What people type, the worst of it included.
const QUERIES: [&str; 16] = [
    "a",
    "公",
    "公司",
    "科技",
    "有限公司",
    "s",
    "smith",
    "maria g",
    "john",
    "comp",
    "王",
    "gmbh",
    "renewal",
    "de",
    "jhonson",
    "张伟",
];
const SEARCH: &str = "query($query: String!){search(query: $query, first: 20){totalCount edges{score node{__typename id label} highlights{field text ranges{start end}}}}}";
/// The index is filled when its figures have stood still for so long.
const STILL: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(900);

pub(super) fn measure(
    database: &str,
    server: &Relata<Serving>,
    options: &Options,
) -> Result<Vec<String>> {
    let began = Instant::now();
    let mut still = Instant::now();
    let mut known = Vec::new();
    while still.elapsed() < STILL {
        if began.elapsed() > PATIENCE {
            bail!("the index of search is not filled after {PATIENCE:?}");
        }
        let mut totals = Vec::new();
        for query in ["a", "公", "s"] {
            let answer = server.ask(SEARCH, &json!({"query": query}))?;
            totals.push(answer["data"]["search"]["totalCount"].clone());
        }
        if totals != known {
            known = totals;
            still = Instant::now();
        }
        thread::sleep(Duration::from_millis(200));
    }
    let filled = still.duration_since(began);

    // One after the other, so that a figure is a query's own.
    let mut took = Vec::new();
    let mut worst = ("", Duration::ZERO);
    for _ in 0..20 {
        for query in QUERIES {
            let one = server.ask_timed(SEARCH, &json!({"query": query}))?;
            if one > worst.1 {
                worst = (query, one);
            }
            took.push(one);
        }
    }
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;

    let mut times = Vec::new();
    for number in 0..10 {
        let name = format!("Freshly made {number} {}", std::process::id());
        let created = server.ask(
            "mutation($name: String!){createCompany(data: {name: $name}){id}}",
            &json!({"name": name}),
        )?;
        let id = created["data"]["createCompany"]["id"].clone();
        let committed = Instant::now();
        loop {
            let found = server.ask(SEARCH, &json!({"query": name}))?;
            if found["data"]["search"]["edges"][0]["node"]["id"] == id {
                break;
            }
            if committed.elapsed() > Duration::from_secs(30) {
                bail!("a new record is not found");
            }
        }
        times.push(committed.elapsed());
    }
    times.sort_unstable();

    let list: Vec<String> = QUERIES.iter().map(|query| format!("\"{query}\"")).collect();
    let variables = format!(
        "'{{\"query\":\"' .. ({{{}}})[count % {} + 1] .. '\"}}'",
        list.join(", "),
        QUERIES.len()
    );
    for connections in &options.connections {
        let load = Load {
            connections: *connections,
            seconds: options.seconds,
            ids: server.ids_file(),
        };
        let script = server.graphql_script(SEARCH, &variables);
        let figures = load.run(&script, server.url(), server.process_id())?;
        let asked = format!("search, 16 different queries, {connections} connections");
        println!("{}", figures.row(database, &asked, "relata", None));
    }
    Ok(vec![format!(
        "{database}, search: {} queries one after the other: p50 {:.1} ms, p99 {:.1} ms, the slowest \
         {:.1} ms (`{}`); a new record was found {:.0} ms after its commit at the median, {:.0} ms at \
         most; the index was filled {:.0} s after the question came up",
        took.len(),
        at(50),
        at(99),
        worst.1.as_secs_f64() * 1e3,
        worst.0,
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() - 1].as_secs_f64() * 1e3,
        filled.as_secs_f64(),
    )])
}
