//! `relata duplicates`: has the records of an object compared with each other, and prints what may
//! be the same.

use anyhow::{Result, bail};
use serde_json::{Value as Json, json};

use super::import::{ended, failure};
use super::print_answer;
use super::target::Target;
use crate::cli::{Common, DuplicatesFlags};

/// Sets of one page of the answer.
const PAGE: u64 = 100;

pub(super) async fn run(common: &Common, flags: DuplicatesFlags) -> Result<()> {
    let target = Target::open(common).await?;
    let found = found(&target, &flags).await;
    target.close().await;
    let sets = found?;
    print_answer(common, &json!({ "sets": sets }), || table(&sets));
    Ok(())
}

async fn found(target: &Target, flags: &DuplicatesFlags) -> Result<Vec<Json>> {
    let object = json!({ "name": flags.object });
    let query = "query($name: String!) { object(name: $name) { plural } }";
    let known = target.control(query, object).await?;
    if !flags.last {
        let query = "mutation($object: String!) { findDuplicates(object: $object) { id } }";
        let started = target
            .control(query, json!({ "object": flags.object }))
            .await?;
        let job = ended(target, started["findDuplicates"]["id"].clone()).await?;
        if job["state"] != "DONE" {
            bail!("{}", failure(&job));
        }
    }
    let Some(plural) = known["object"]["plural"].as_str() else {
        bail!("there is no object {}", flags.object);
    };
    let query = format!(
        "query($first: Int, $after: String, $minScore: Float) {{
            found: {plural}Duplicates(first: $first, after: $after, minScore: $minScore) {{
                sets {{
                    score records {{ id label }}
                    pairs {{ mine theirs score reasons {{ rule score mine theirs }} }} }}
                pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let mut sets: Vec<Json> = Vec::new();
    let mut after = Json::Null;
    loop {
        let left = flags.first.saturating_sub(sets.len() as u64);
        let variables =
            json!({ "first": left.min(PAGE), "after": after, "minScore": flags.min_score });
        let mut page = target.records(&query, variables).await?["found"].take();
        if let Json::Array(more) = page["sets"].take() {
            sets.extend(more);
        }
        let info = &page["pageInfo"];
        if info["hasNextPage"] != true || sets.len() as u64 >= flags.first {
            return Ok(sets);
        }
        after = info["endCursor"].clone();
    }
}

/// A line for each record, and a blank one between two sets.
fn table(sets: &[Json]) -> String {
    if sets.is_empty() {
        return "no two records may be the same".to_owned();
    }
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let of_set = |set: &Json| -> String {
        let mut lines = Vec::new();
        let score = set["score"].as_f64().unwrap_or_default();
        let records = set["records"].as_array().into_iter().flatten();
        for (place, record) in records.enumerate() {
            let score = match place {
                0 => format!("{score:.2}"),
                _ => String::new(),
            };
            let (id, label) = (text(&record["id"]), text(&record["label"]));
            lines.push(format!("{score:4}  {id}  {label}"));
        }
        let reasons = set["pairs"][0]["reasons"].as_array().into_iter().flatten();
        let reasons: Vec<String> = reasons
            .filter(|reason| reason["score"].as_f64() > Some(0.0))
            .map(|reason| text(&reason["rule"]))
            .collect();
        lines.push(format!("      by {}", reasons.join(", ")));
        lines.join("\n")
    };
    sets.iter().map(of_set).collect::<Vec<_>>().join("\n\n")
}
