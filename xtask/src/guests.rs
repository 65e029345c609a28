//! Builds the bundled plugins, each into one file under `target/guests`, and the guests of the
//! tests, under `target/test-guests`.
//!
//! They are built by the same command that a stranger uses, `relata plugin build`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{
    process::{self, cargo, root, target_folder},
    setup,
};

/// How the `relata` program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build: for tests.
    Debug,
    /// Quick to run: for the demo and for benchmarks.
    Release,
}

/// Builds `relata` and the bundled plugins, and gives the path of the former.
pub(crate) fn run(profile: Profile) -> Result<PathBuf> {
    setup::webassembly_target()?;
    let relata = relata(profile)?;
    pack(&relata, "plugins", "guests")?;
    if profile == Profile::Debug {
        pack(&relata, "tests/guests", "test-guests")?;
    }
    Ok(relata)
}

/// Builds the `relata` program and gives its path.
pub(crate) fn relata(profile: Profile) -> Result<PathBuf> {
    // Always for the whole workspace, and for tests together with them: what cargo selects decides
    // which features the dependencies have, and another choice builds all of them again.
    let (arguments, folder): (&[&str], _) = match profile {
        Profile::Debug => (&["build", "--workspace", "--bins", "--tests"], "debug"),
        Profile::Release => (
            &[
                "build",
                "--release",
                "--workspace",
                "--bin",
                "relata",
                "--bin",
                "relata-floor",
                "--lib",
            ],
            "release",
        ),
    };
    process::run(cargo(arguments))?;
    Ok(target_folder().join(folder).join("relata"))
}

/// Builds each plugin in a folder of the workspace into one file in a folder of the target.
fn pack(relata: &Path, from: &str, to: &str) -> Result<()> {
    let to = target_folder().join(to);
    std::fs::create_dir_all(&to)?;
    for plugin in plugins(&root().join(from))? {
        let name = plugin.file_name().context("a plugin's folder has a name")?;
        let file = to.join(name).with_extension("relata");
        let mut build = process::command(&relata.to_string_lossy(), &["plugin", "build"]);
        build.arg(&plugin).arg("--output").arg(&file);
        process::run(build)?;
    }
    Ok(())
}

/// Folders that hold a plugin.
fn plugins(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    folders.retain(|folder| folder.join("plugin.toml").exists());
    folders.sort();
    Ok(folders)
}
