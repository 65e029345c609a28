//! `relata export`: records as a file. Here they are written as they are read; a server makes the
//! file by a job, and hands it over.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};

use anyhow::{Context as _, Result, bail};
use relata_app::Caller;
use relata_app::exports::{ExportOptions, export_to};
use serde_json::{Value as Json, json};

use super::import::{ended, failure, progress_bar};
use super::target::{Target, told};
use super::{print_answer, wrong_usage};
use crate::cli::{Common, ExportFlags, api_name};

pub(super) async fn run(common: &Common, flags: ExportFlags) -> Result<()> {
    let condition: Option<Json> = flags
        .condition
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| wrong_usage(format!("--where takes JSON: {error}")))?;
    let options = json!({
        "object": flags.object,
        "format": api_name(flags.format),
        "fields": flags.fields,
        "where": condition,
    });
    if flags.output.is_none() && std::io::stdout().is_terminal() {
        return Err(wrong_usage("say where to by -o FILE, or by a pipe"));
    }
    let target = Target::open(common).await?;
    let done = exported(&target, &options, &flags).await;
    target.close().await;
    let records = done?;
    if let Some(file) = &flags.output {
        print_answer(common, &json!({ "records": records }), || {
            format!("{records} records in {}", file.display())
        });
    }
    Ok(())
}

async fn exported(target: &Target, options: &Json, flags: &ExportFlags) -> Result<u64> {
    match target {
        Target::Local(local) => {
            let options: ExportOptions = serde_json::from_value(options.clone())
                .context("the options are not of this version's form")?;
            let bar = progress_bar();
            let mut out = output(flags)?;
            let counts = export_to(
                &local.workspace,
                &Caller::system(),
                &options,
                &mut out,
                &mut |counts| {
                    bar.set_length(counts.records);
                    bar.set_position(counts.done);
                    true
                },
            )
            .await;
            bar.finish_and_clear();
            Ok(counts.map_err(|error| told(&error))?.done)
        }
        Target::Remote(remote) => {
            let query = "mutation($options: JSON!) { startExport(options: $options) { id } }";
            let started = target.control(query, json!({ "options": options })).await?;
            let job = ended(target, started["startExport"]["id"].clone()).await?;
            let Some(file) = job["file"].as_str().filter(|_| job["state"] == "DONE") else {
                bail!("{}", failure(&job));
            };
            let mut out = output(flags)?;
            remote.download(file, &mut out).await?;
            Ok(job["counts"]["done"].as_u64().unwrap_or_default())
        }
    }
}

fn output(flags: &ExportFlags) -> Result<Box<dyn Write + Send>> {
    Ok(match &flags.output {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("can't write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(std::io::stdout()),
    })
}
