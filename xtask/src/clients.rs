//! Clients that people use, unchanged, against a running server: Apollo Client, urql, the Relay
//! compiler, a code generator, the audit of GraphQL over HTTP, and an S3 server that keeps files. They are in `tests/clients`.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    process::{self, command, root, target_folder},
    smoke::Demo,
};

/// What the clients' packages are installed from, and what says that they are.
const LOCK: &str = "package-lock.json";
const INSTALLED: &str = "installed.json";

/// Runs them against a demo that is running, and against servers that they start themselves.
pub(crate) fn run(demo: &Demo, relata: &Path) -> Result<()> {
    let folder = target_folder().join("clients");
    let scripts = install(&folder)?;
    eprintln!("· node --test (clients)");
    let output = command("node", &["--test", "--test-reporter=tap"])
        .args(&scripts)
        .current_dir(&folder)
        .env("RELATA_URL", &demo.url)
        .env("RELATA_TOKEN", &demo.token)
        .env("RELATA_PROGRAM", relata)
        .output()
        .context("could not run node")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
        bail!("clients: {}", output.status);
    }
    // The last lines count what was run.
    for line in text
        .lines()
        .filter(|line| line.starts_with("# tests") || line.starts_with("# pass"))
    {
        eprintln!("{line}");
    }
    Ok(())
}

/// Copies the scripts beside their packages, and installs those where they have changed: the
/// source folder stays clean. Gives the scripts' names.
fn install(folder: &Path) -> Result<Vec<String>> {
    fs::create_dir_all(folder)?;
    let mut scripts = Vec::new();
    for entry in fs::read_dir(root().join("tests/clients"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_file() {
            continue;
        }
        fs::copy(entry.path(), folder.join(&name))?;
        if name.ends_with(".test.js") {
            scripts.push(name);
        }
    }
    scripts.sort();
    let lock = fs::read(folder.join(LOCK))?;
    let installed = folder.join(INSTALLED);
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(scripts);
    }
    let mut npm = command(
        "npm",
        &[
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ],
    );
    npm.current_dir(folder);
    process::run(npm)?;
    fs::write(&installed, &lock)?;
    Ok(scripts)
}
