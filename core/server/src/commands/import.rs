//! `relata import` and `relata undo-import`: a job, here or on a server, and how far it is.

use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use serde_json::{Value as Json, json};

use super::print_answer;
use super::target::Target;
use crate::cli::{Common, ImportFlags, api_name};

/// How often is asked how far a job is.
const ASK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(common: &Common, flags: ImportFlags) -> Result<()> {
    let target = Target::open(common).await?;
    let done = if flags.preview {
        preview(common, &target, &flags).await
    } else {
        import(common, &target, &flags).await
    };
    target.close().await;
    done
}

pub(super) async fn undo(common: &Common, job: &str, force: bool, destroy: bool) -> Result<()> {
    let target = Target::open(common).await?;
    let done = undone(common, &target, job, force, destroy).await;
    target.close().await;
    done
}

/// What was given, in the form of the API.
fn options(flags: &ImportFlags) -> Json {
    let given = [
        ("empty", flags.empty.map(api_name)),
        ("dateOrder", flags.date_order.map(api_name)),
        ("format", flags.format.map(api_name)),
        (
            "encoding",
            flags
                .encoding
                .as_ref()
                .map(|name| name.to_ascii_uppercase()),
        ),
        ("delimiter", flags.delimiter.map(String::from)),
        ("sheet", flags.sheet.clone()),
    ];
    let mut options = json!({
        "map": flags.map,
        "set": flags.set,
        "skipEmpty": flags.skip_empty,
        "distinct": flags.distinct,
        "mode": if flags.partial { "PARTIAL" } else { "ALL_OR_NONE" },
        "dryRun": flags.dry_run,
        "action": api_name(flags.action),
        "on": flags.on,
        "createMissing": flags.create_missing,
        "overrideGates": flags.override_gates,
        "decimalComma": flags.decimal_comma,
    });
    for (name, value) in given {
        if let Some(value) = value {
            options[name] = value.into();
        }
    }
    options
}

async fn preview(common: &Common, target: &Target, flags: &ImportFlags) -> Result<()> {
    let file = target.upload(&flags.file).await?;
    let query = "query($object: String!, $file: ID!, $options: JSON) { \
         importPreview(object: $object, file: $file, options: $options) }";
    let variables = json!({ "object": flags.object, "file": file, "options": options(flags) });
    let data = target.control(query, variables).await?;
    let preview = &data["importPreview"];
    print_answer(common, preview, || {
        let text = |json: &Json| json.as_str().unwrap_or("-").to_owned();
        let mut lines = vec![format!(
            "{} {}, {} rows",
            text(&preview["format"]),
            text(&preview["encoding"]),
            preview["rows"]
        )];
        for column in preview["columns"].as_array().into_iter().flatten() {
            lines.push(format!(
                "{} -> {} ({}: {})",
                text(&column["column"]),
                text(&column["target"]),
                column["score"],
                text(&column["reason"])
            ));
        }
        lines.extend(error_lines(&preview["problems"]));
        lines.join("\n")
    });
    Ok(())
}

async fn import(common: &Common, target: &Target, flags: &ImportFlags) -> Result<()> {
    let file = target.upload(&flags.file).await?;
    let query = "mutation($object: String!, $file: ID!, $options: JSON) { \
         startImport(object: $object, file: $file, options: $options) { id } }";
    let variables = json!({ "object": flags.object, "file": file, "options": options(flags) });
    let started = target.control(query, variables).await?;
    let job = ended(target, started["startImport"]["id"].clone()).await?;
    let counts = &job["counts"];
    let count = |name: &str| counts[name].as_u64().unwrap_or_default();
    let has_failed = job["state"] != "DONE";
    // Of all or none, nothing has stayed.
    let made = |name: &str| {
        if has_failed && !flags.partial {
            0
        } else {
            count(name)
        }
    };
    let report = json!({
        "job": job["id"],
        "rows": count("rows"),
        "skipped": count("skipped"),
        "created": made("created"),
        "updated": made("updated"),
        "unchanged": made("unchanged"),
        "related": made("related"),
        "errorCount": count("errors"),
        "errors": job["errors"],
    });
    print_answer(common, &report, || report_text(&report, flags.dry_run));
    if count("errors") > 0 {
        bail!("{} of {} rows have errors", count("bad"), count("rows"));
    }
    if has_failed {
        bail!("{}", failure(&job));
    }
    Ok(())
}

async fn undone(
    common: &Common,
    target: &Target,
    job: &str,
    force: bool,
    destroy: bool,
) -> Result<()> {
    let query = "mutation($job: ID!, $force: Boolean!, $destroy: Boolean!) { \
         undoImport(job: $job, force: $force, destroy: $destroy) { id } }";
    let variables = json!({ "job": job, "force": force, "destroy": destroy });
    let started = target.control(query, variables).await?;
    let job = ended(target, started["undoImport"]["id"].clone()).await?;
    let counts = &job["counts"];
    print_answer(common, counts, || {
        let mut lines = vec![format!(
            "{} records removed, {} as they were before, {} left alone",
            counts["removed"], counts["restored"], counts["kept"]
        )];
        lines.extend(error_lines(&job["errors"]));
        lines.join("\n")
    });
    if job["state"] != "DONE" {
        bail!("{}", failure(&job));
    }
    Ok(())
}

/// The job when it has ended; a bar shows how far it is until then.
pub(super) async fn ended(target: &Target, id: Json) -> Result<Json> {
    let query =
        "query($id: ID!) { job(id: $id) { id state file counts error errors(first: 1000) } }";
    let bar = progress_bar();
    loop {
        let mut data = target.control(query, json!({ "id": id })).await?;
        let job = data["job"].take();
        if job.is_null() {
            bail!("the job {id} is not there any more");
        }
        let count = |name: &str| job["counts"][name].as_u64();
        if let Some(all) = count("rows").or_else(|| count("records")) {
            bar.set_length(all);
        }
        bar.set_position(count("done").unwrap_or_default());
        if !matches!(job["state"].as_str(), Some("QUEUED" | "RUNNING")) {
            bar.finish_and_clear();
            return Ok(job);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

pub(super) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = indicatif::ProgressStyle::with_template(
        "{bar:30} {human_pos} of {human_len} {per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    bar
}

pub(super) fn failure(job: &Json) -> String {
    let state = job["state"].as_str().unwrap_or_default();
    match job["error"]["message"].as_str() {
        Some(message) => message.to_owned(),
        None => format!("the job is {state}"),
    }
}

fn report_text(report: &Json, is_dry: bool) -> String {
    let count = |name: &str| report[name].as_u64().unwrap_or_default();
    let mut text = format!(
        "{} rows, {} records {}made",
        count("rows"),
        count("created"),
        if is_dry { "would be " } else { "" }
    );
    for (name, what) in [
        ("updated", "changed"),
        ("unchanged", "as they were"),
        ("related", "made for relations"),
        ("skipped", "passed over"),
    ] {
        if count(name) > 0 {
            text.push_str(&format!(", {} {what}", count(name)));
        }
    }
    if !is_dry && count("created") + count("updated") > 0 {
        let job = report["job"].as_str().unwrap_or_default();
        text.push_str(&format!("\nrelata undo-import {job} takes it back"));
    }
    for line in error_lines(&report["errors"]) {
        text.push_str(&format!("\n{line}"));
    }
    let listed = report["errors"].as_array().map_or(0, Vec::len) as u64;
    let unlisted = count("errorCount").saturating_sub(listed);
    if unlisted > 0 {
        text.push_str(&format!("\nand {unlisted} more"));
    }
    text
}

fn error_lines(errors: &Json) -> Vec<String> {
    errors
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| {
            let column = error["column"]
                .as_str()
                .map_or_else(String::new, |column| format!(", column {column}"));
            let message = error["message"].as_str().unwrap_or_default();
            format!("line {}{column}: {message}", error["line"])
        })
        .collect()
}
