//! The demo, started as a newcomer does.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::process::{self, root, target_folder};

/// How long the demo may take until it serves, in a debug build on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// A running demo. Dropping it kills the process.
pub(crate) struct Demo {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// The administrator's.
    pub(crate) token: String,
    process: Child,
}

impl Demo {
    pub(crate) fn start(relata: &Path) -> Result<Self> {
        let mut demo = process::command(
            &relata.to_string_lossy(),
            &["demo", "--listen", "127.0.0.1:0", "--records", "200"],
        );
        demo.arg("--plugins")
            .arg(target_folder().join("guests"))
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        eprintln!("· relata demo (smoke run)");
        let mut process = demo.spawn().context("could not run relata demo")?;
        let stdout = process.stdout.take().context("stdout is piped")?;
        let mut demo = Self {
            url: String::new(),
            token: String::new(),
            process,
        };
        (demo.url, demo.token) = announced(stdout)?;
        Ok(demo)
    }

    /// Asks it one question.
    pub(crate) fn answers(&self) -> Result<()> {
        let address = self.url.trim_start_matches("http://");
        let answer = ask(address, &self.token)?;
        if !answer.contains("\"totalCount\":") || answer.contains("\"errors\"") {
            bail!("the demo answered: {answer}");
        }
        Ok(())
    }

    /// Asks it to end, as the system does.
    pub(crate) fn end(mut self) -> Result<()> {
        process::run(process::command(
            "kill",
            &["-TERM", &self.process.id().to_string()],
        ))?;
        let status = self.process.wait()?;
        if !status.success() {
            bail!("the demo did not end cleanly on SIGTERM: {status}");
        }
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Ended already, as a rule.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Address and token, as the demo prints them.
fn announced(stdout: impl Read) -> Result<(String, String)> {
    let start = Instant::now();
    let (mut url, mut token) = (None, None);
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if let Some(rest) = line.strip_prefix("token: ") {
            token = Some(rest.trim().to_owned());
        }
        if let Some(rest) = line.strip_prefix("listening on ") {
            url = Some(rest.trim().to_owned());
        }
        if let (Some(url), Some(token)) = (&url, &token) {
            return Ok((url.clone(), token.clone()));
        }
        if start.elapsed() > START_TIMEOUT {
            bail!("the demo did not serve within {START_TIMEOUT:?}");
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
