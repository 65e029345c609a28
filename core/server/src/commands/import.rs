//! `relata import`

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use relata_app::Caller;
use relata_app::imports::{ImportMode, ImportOptions, ImportReport, import_csv};
use serde_json::json;

use super::print_answer;
use super::target::Target;
use crate::cli::{Common, ImportFlags};

pub(super) async fn run(common: &Common, flags: ImportFlags) -> Result<()> {
    let options = ImportOptions {
        map: flags.map,
        set: flags.set,
        skip_empty: flags.skip_empty,
        distinct: flags.distinct,
        mode: if flags.partial {
            ImportMode::Partial
        } else {
            ImportMode::AllOrNone
        },
        dry_run: flags.dry_run,
    };
    let target = Target::open(common).await?;
    let report = match &target {
        Target::Local(local) => {
            let file = std::fs::File::open(&flags.file)
                .with_context(|| format!("can't read {}", flags.file.display()))?;
            let bar = progress_bar();
            let shown = bar.clone();
            let progress = Arc::new(move |rows| shown.set_position(rows));
            let done = import_csv(
                &local.workspace,
                &Caller::system(),
                &flags.object,
                file,
                &options,
                progress,
            )
            .await;
            bar.finish_and_clear();
            done.map_err(|error| super::target::told(&error))
        }
        Target::Remote(_) => remote(&target, &flags.object, &flags.file, &options).await,
    };
    target.close().await;
    let report = report?;
    print_answer(common, &json!(report), || report_text(&report));
    if report.error_count > 0 {
        bail!("{} of {} rows have errors", report.error_count, report.rows);
    }
    Ok(())
}

async fn remote(
    target: &Target,
    object: &str,
    file: &std::path::Path,
    options: &ImportOptions,
) -> Result<ImportReport> {
    let id = target.upload(file).await?;
    let query = "mutation($object: String!, $file: ID!, $options: JSON!) { \
         importRecords(object: $object, file: $file, options: $options) }";
    let data = target
        .control(
            query,
            json!({ "object": object, "file": id, "options": options }),
        )
        .await?;
    serde_json::from_value(data["importRecords"].clone())
        .context("the server's report can't be read; is it of another version?")
}

/// A spinner with a count: the number of rows is known only when the file is read.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) =
        indicatif::ProgressStyle::with_template("{spinner} {human_pos} rows {per_sec}")
    {
        bar.set_style(style);
    }
    bar
}

fn report_text(report: &ImportReport) -> String {
    let mut text = format!("{} rows, {} records made", report.rows, report.created);
    if report.skipped > 0 {
        text.push_str(&format!(", {} passed over", report.skipped));
    }
    for error in &report.errors {
        let column = error
            .column
            .as_ref()
            .map_or_else(String::new, |column| format!(", column {column}"));
        text.push_str(&format!("\nline {}{column}: {}", error.line, error.message));
    }
    let unlisted = report
        .error_count
        .saturating_sub(report.errors.len() as u64);
    if unlisted > 0 {
        text.push_str(&format!("\nand {unlisted} more"));
    }
    text
}
