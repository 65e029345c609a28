//! Everything that CI runs.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use relata_test_cluster::{Cluster, Durability, URL_VARIABLE};

use crate::{
    guests, process,
    process::{cargo, is_there, root},
    setup, tidy,
};

/// How long the demo may take until it serves, in a debug build on a busy machine.
const DEMO_TIMEOUT: Duration = Duration::from_secs(180);

pub(crate) fn run(filters: &[String]) -> Result<()> {
    setup::run()?;
    if filters.is_empty() {
        process::run(cargo(&["fmt", "--all", "--check"]))?;
        tidy::run()?;
        process::run(cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ]))?;
    }
    let relata = guests::run(guests::Profile::Debug)?;
    if filters.is_empty() {
        demo_answers(&relata)?;
    }
    tests(filters)
}

fn tests(filters: &[String]) -> Result<()> {
    let cluster = Cluster::start(Durability::Unsynced)?;
    let with_nextest = is_there("cargo", &["nextest", "--version"]);
    let mut command = if with_nextest {
        cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        cargo(&["test", "--workspace", "--no-fail-fast"])
    };
    if with_nextest && std::env::var_os("CI").is_some() {
        command.args(["--profile", "ci"]);
    }
    command.args(filters).env(URL_VARIABLE, cluster.url());
    process::run(command)
}

/// Starts the demo as a newcomer does, and asks it one question.
fn demo_answers(relata: &Path) -> Result<()> {
    let mut demo = process::command(
        &relata.to_string_lossy(),
        &["demo", "--listen", "127.0.0.1:0", "--records", "200"],
    );
    demo.arg("--plugins")
        .arg(process::target_folder().join("guests"))
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    eprintln!("· relata demo (smoke run)");
    let mut demo = demo.spawn().context("could not run relata demo")?;
    let answer = first_answer(demo.stdout.take().context("stdout is piped")?);
    let _ = process::command("kill", &["-TERM", &demo.id().to_string()]).status();
    let status = demo.wait()?;
    let answer = answer?;
    if !answer.contains("\"totalCount\":") || answer.contains("\"errors\"") {
        bail!("the demo answered: {answer}");
    }
    if !status.success() {
        bail!("the demo did not end cleanly on SIGTERM: {status}");
    }
    Ok(())
}

fn first_answer(stdout: impl Read) -> Result<String> {
    let start = Instant::now();
    let (mut address, mut token) = (None, None);
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if let Some(rest) = line.strip_prefix("token: ") {
            token = Some(rest.trim().to_owned());
        }
        if let Some(rest) = line.strip_prefix("listening on http://") {
            address = Some(rest.trim().to_owned());
        }
        if let (Some(address), Some(token)) = (&address, &token) {
            return ask(address, token);
        }
        if start.elapsed() > DEMO_TIMEOUT {
            bail!("the demo did not serve within {DEMO_TIMEOUT:?}");
        }
    }
    bail!("the demo ended before it served")
}

fn ask(address: &str, token: &str) -> Result<String> {
    let body = r#"{"query":"{ companies(first: 1) { totalCount nodes { id name } } members(first: 1) { totalCount } }"}"#;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
