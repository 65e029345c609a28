//! Files brought in, taken out and taken back by jobs of the server, through all rules and hooks.

use std::{
    fmt::Write as _,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{
    Options, machine,
    sides::{Relata, Serving},
};

/// Rows of the larger file, at most.
const ROWS_MAX: u32 = 100_000;
/// Rows of the file whose records a plugin's hook looks at.
const HOOKED_ROWS_MAX: u32 = 20_000;
const PATIENCE: Duration = Duration::from_secs(1_800);

pub(super) fn measure(
    database: &str,
    server: &Relata<Serving>,
    options: &Options,
) -> Result<Vec<String>> {
    let rows = options.records.min(ROWS_MAX);
    let mut people = String::from("Full name,E-mail,Phone,Job title,Birthday\n");
    for row in 0..rows {
        writeln!(
            people,
            "Ida{row} Import{},ida{row}@import{}.example,+49 30 {:07},Buyer,19{:02}-{:02}-{:02}",
            row % 977,
            row % 613,
            1_000_000 + row,
            40 + row % 60,
            1 + row % 12,
            1 + row % 28,
        )?;
    }
    let hooked = options.records.min(HOOKED_ROWS_MAX);
    let mut members = String::from("joinedOn,points\n");
    for row in 0..hooked {
        writeln!(members, "20{:02}-0{}-11,0", 10 + row % 15, 1 + row % 9)?;
    }

    let imported = start_import(server, "person", &people)?;
    let exported = run(server, "startExport(object: \"person\") { id }")?;
    let undone = run(
        server,
        &format!("undoImport(job: \"{}\") {{ id }}", imported.id),
    )?;
    let with_hook = start_import(server, "member", &members)?;
    let people_then = server.ask("{people{totalCount}}", &json!({}))?;
    let exported_rows = people_then["data"]["people"]["totalCount"]
        .as_u64()
        .unwrap_or_default()
        + u64::from(rows);
    Ok(vec![
        format!(
            "{database}, import of {rows} persons from CSV: {}; its undo: {}; export of {exported_rows} persons: {}",
            imported.text(rows.into()),
            undone.text(rows.into()),
            exported.text(exported_rows),
        ),
        format!(
            "{database}, import of {hooked} members, each through membership's hook: {}",
            with_hook.text(hooked.into())
        ),
    ])
}

/// A job that is done.
struct Done {
    id: String,
    took: Duration,
    /// The slowest create that somebody else asked for meanwhile.
    slowest: Duration,
    peak_mib: u64,
    more_mib: u64,
}

impl Done {
    fn text(&self, rows: u64) -> String {
        format!(
            "{:.1} s, {:.0} a minute, the server's memory at most {} MiB (+{}), the slowest create of somebody else meanwhile {:.0} ms",
            self.took.as_secs_f64(),
            rows as f64 * 60.0 / self.took.as_secs_f64(),
            self.peak_mib,
            self.more_mib,
            self.slowest.as_secs_f64() * 1e3,
        )
    }
}

fn start_import(server: &Relata<Serving>, object: &str, rows: &str) -> Result<Done> {
    let file = server.folder().join("import.csv");
    fs::write(&file, rows)?;
    let file = server.upload(&file)?;
    run(
        server,
        &format!("startImport(object: \"{object}\", file: \"{file}\") {{ id }}"),
    )
}

/// Starts a job, and waits for it, while somebody else creates a record now and then.
fn run(server: &Relata<Serving>, mutation: &str) -> Result<Done> {
    let process = server.process_id();
    machine::forget_peak(process)?;
    let before = machine::peak_mib(process)?;
    let began = Instant::now();
    let started = server.configure(&format!("mutation {{ job: {mutation} }}"), &json!({}))?;
    let id = started["data"]["job"]["id"]
        .as_str()
        .with_context(|| format!("a job was expected: {started}"))?
        .to_owned();
    let mut slowest = Duration::ZERO;
    loop {
        let job = server.configure(
            "query($id: ID!){job(id: $id){state counts error}}",
            &json!({"id": id}),
        )?;
        let job = &job["data"]["job"];
        match job["state"].as_str() {
            Some("QUEUED" | "RUNNING") => {}
            Some("DONE" | "UNDONE") if job["counts"]["bad"].as_u64().unwrap_or(0) == 0 => break,
            _ => bail!("{mutation}: {job}"),
        }
        if began.elapsed() > PATIENCE {
            bail!("{mutation} is not done after {PATIENCE:?}: {job}");
        }
        slowest = slowest.max(server.ask_timed(
            "mutation($name: String!){createCompany(data: {name: $name}){id}}",
            &json!({"name": format!("Somebody else's {:?}", began.elapsed())}),
        )?);
        thread::sleep(Duration::from_millis(50));
    }
    let peak = machine::peak_mib(process)?;
    Ok(Done {
        id,
        took: began.elapsed(),
        slowest,
        peak_mib: peak,
        more_mib: peak.saturating_sub(before),
    })
}
