//! `relata plan`, `relata apply`, `relata export-blueprint`

use std::path::Path;

use anyhow::{Context as _, Result};
use relata_catalog::Blueprint;
use serde_json::{Value as Json, json};

use super::print_answer;
use super::target::Target;
use crate::cli::Common;

pub(super) const PLAN_FIELDS: &str = "id baseRevision isApplied revision \
     steps { action name description isDestructive loses unconverted }";

pub(super) async fn plan(common: &Common, file: &Path) -> Result<()> {
    let document = read_document(file)?;
    let target = Target::open(common).await?;
    let query = format!(
        "query($document: JSON!) {{ planBlueprint(document: $document) {{ {PLAN_FIELDS} }} }}"
    );
    let data = target
        .control(&query, json!({ "document": document }))
        .await;
    target.close().await;
    let plan = &data?["planBlueprint"];
    print_answer(common, plan, || plan_text(plan));
    Ok(())
}

pub(super) async fn apply(
    common: &Common,
    file: &Path,
    confirm: &[String],
    plan: Option<&str>,
) -> Result<()> {
    let document = read_document(file)?;
    let target = Target::open(common).await?;
    let query = format!(
        "mutation($document: JSON!, $plan: ID, $confirm: [String!]) {{ \
             applyBlueprint(document: $document, plan: $plan, confirm: $confirm) {{ {PLAN_FIELDS} }} }}"
    );
    let variables = json!({ "document": document, "plan": plan, "confirm": confirm });
    let data = target.control(&query, variables).await;
    target.close().await;
    let plan = &data?["applyBlueprint"];
    print_answer(common, plan, || plan_text(plan));
    Ok(())
}

pub(super) async fn export(common: &Common) -> Result<()> {
    let target = Target::open(common).await?;
    let data = target.control("{ exportBlueprint }", json!({})).await;
    target.close().await;
    let blueprint = &data?["exportBlueprint"];
    let yaml = Blueprint::from_json(blueprint)
        .context("the blueprint can't be read; is the server of another version?")?
        .to_yaml();
    print_answer(common, blueprint, || yaml);
    Ok(())
}

/// The blueprint's text as it is: reading it, YAML or JSON, is the catalogue's business, so that
/// its limits hold and mistakes have paths.
fn read_document(file: &Path) -> Result<Json> {
    std::fs::read_to_string(file)
        .map(Json::String)
        .with_context(|| format!("can't read {}", file.display()))
}

/// The plan for a person: a line for each step, destructive ones with what they lose.
pub(super) fn plan_text(plan: &Json) -> String {
    let steps = plan["steps"].as_array().map_or(&[][..], Vec::as_slice);
    if steps.is_empty() {
        return "nothing to do: the workspace is as the blueprint says".to_owned();
    }
    let mut text = String::new();
    let mut to_confirm = Vec::new();
    for step in steps {
        let is_destructive = step["isDestructive"].as_bool().unwrap_or_default();
        let mark = if is_destructive { "!" } else { " " };
        let description = step["description"].as_str().unwrap_or_default();
        text.push_str(&format!(
            "{mark} {description}{}\n",
            loss_text(&step["loses"])
        ));
        for value in step["unconverted"].as_array().into_iter().flatten() {
            text.push_str(&format!(
                "      does not convert: {}\n",
                value.as_str().unwrap_or_default()
            ));
        }
        if is_destructive && step["loses"].as_i64().unwrap_or_default() > 0 {
            to_confirm.push(step["name"].as_str().unwrap_or_default());
        }
    }
    if plan["isApplied"].as_bool().unwrap_or_default() {
        text.push_str(&format!(
            "done: the catalogue is at revision {}",
            plan["revision"]
        ));
        return text;
    }
    text.push_str(&format!(
        "plan {}\n",
        plan["id"].as_str().unwrap_or_default()
    ));
    if !to_confirm.is_empty() {
        text.push_str(&format!(
            "steps marked ! lose data; to carry them out: relata apply FILE --confirm {}",
            to_confirm.join(" ")
        ));
    }
    text
}

fn loss_text(loses: &Json) -> String {
    match loses.as_i64() {
        None | Some(0) => String::new(),
        Some(count) => format!(" (loses {count})"),
    }
}
