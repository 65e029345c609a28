//! Installs what the machine lacks. Safe to run again: what is there is left alone.

use anyhow::{Context, Result};

use crate::process::{self, command, is_there, output};

pub(crate) fn run() -> Result<()> {
    webassembly_target()?;
    postgres()?;
    node()
}

/// The target that guests are built for. Named in `rust-toolchain.toml` too, but rustup does not
/// install it by itself everywhere.
pub(crate) fn webassembly_target() -> Result<()> {
    if !is_there("rustup", &["--version"]) {
        // Without rustup the toolchain came some other way; the build says what it lacks.
        return Ok(());
    }
    let installed = output(command("rustup", &["target", "list", "--installed"]))?;
    if !installed
        .lines()
        .any(|line| line == "wasm32-unknown-unknown")
    {
        run_command("rustup", &["target", "add", "wasm32-unknown-unknown"])?;
    }
    Ok(())
}

/// PostgreSQL's programs. The tests start a server of their own; the distribution's is not used.
fn postgres() -> Result<()> {
    if relata_test_cluster::programs_folder().is_ok() {
        return Ok(());
    }
    apt_install("postgresql")?;
    relata_test_cluster::programs_folder().map(|_| ())
}

/// Node.js and npm: clients of other people run in the tests.
fn node() -> Result<()> {
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if !is_there(program, &["--version"]) {
            apt_install(package)?;
        }
    }
    Ok(())
}

/// Installs a package of a Debian-like distribution.
pub(crate) fn apt_install(package: &str) -> Result<()> {
    run_command("apt-get", &["update", "-qq"])?;
    let mut install = command(
        "apt-get",
        &["install", "-y", "-qq", "--no-install-recommends", package],
    );
    install.env("DEBIAN_FRONTEND", "noninteractive");
    process::run(install).with_context(|| {
        format!("`{package}` is needed; install it by hand where there is no apt-get")
    })
}

fn run_command(program: &str, arguments: &[&str]) -> Result<()> {
    process::run(command(program, arguments))
}
