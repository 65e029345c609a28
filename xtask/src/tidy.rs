//! The house's rules that a machine can check: which room may know which, which heavy dependency
//! enters by which door, how large a file may grow.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::process::{self, cargo, root};

/// Which crates of the workspace a crate may depend on, dependencies for tests included.
const ARROWS: &[(&str, &[&str])] = &[
    ("relata-catalog", &[]),
    ("relata-migrations", &[]),
    (
        "relata-store",
        &["relata-catalog", "relata-migrations", "relata-test-cluster"],
    ),
    ("relata-host", &["relata-catalog"]),
    ("relata-search", &["relata-catalog"]),
    ("relata-files", &[]),
    (
        "relata-app",
        &[
            "relata-catalog",
            "relata-files",
            "relata-host",
            "relata-search",
            "relata-store",
            "relata-test-cluster",
        ],
    ),
    (
        "relata-graphql",
        &[
            "relata-app",
            "relata-catalog",
            "relata-files",
            "relata-host",
            "relata-store",
            "relata-test-cluster",
        ],
    ),
    (
        "relata-server",
        &[
            "relata-app",
            "relata-catalog",
            "relata-files",
            "relata-graphql",
            "relata-host",
            "relata-store",
            "relata-test-cluster",
        ],
    ),
    ("relata-sdk-macros", &[]),
    ("relata-sdk", &["relata-sdk-macros"]),
    ("relata-membership", &["relata-sdk"]),
    ("relata-test-cluster", &[]),
    ("relata-tests", &["relata-server", "relata-test-cluster"]),
    ("relata-floor", &[]),
    ("relata-sync", &[]),
    ("xtask", &["relata-test-cluster"]),
];

/// Dependencies that enter by one door only: every other crate that names one is wrong, unless
/// for its tests.
const DOORS: &[(&str, &[&str])] = &[
    ("sea-orm", &["relata-store"]),
    ("sea-orm-migration", &["relata-migrations", "relata-store"]),
    ("rusqlite", &["relata-store", "relata-floor"]),
    ("tokio-postgres", &["relata-store", "relata-floor"]),
    ("tantivy", &["relata-search"]),
    ("object_store", &["relata-files"]),
    ("wasmtime", &["relata-host"]),
    ("async-graphql", &["relata-graphql"]),
    ("axum", &["relata-server", "relata-floor"]),
    (
        "anyhow",
        &[
            "relata-server",
            "relata-tests",
            "relata-test-cluster",
            "relata-floor",
            "xtask",
        ],
    ),
];

/// A file past this many lines is two things.
const LINES_MAX: usize = 900;

/// Words that no committed file may hold: hosts of package registries.
const FORBIDDEN: &[&str] = &[
    "crates\u{2e}io/api",
    "registry\u{2e}npmjs",
    "pypi\u{2e}org",
    "deb\u{2e}debian",
];

pub(crate) fn run() -> Result<()> {
    eprintln!("· tidy");
    let mut faults = arrows()?;
    faults.extend(files()?);
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    bail!("{} of the house's rules broken", faults.len())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    path: Option<String>,
    /// `dev`, `build`, or nothing for an ordinary one.
    kind: Option<String>,
}

fn arrows() -> Result<Vec<String>> {
    let text = process::output(cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ]))?;
    let metadata: Metadata = serde_json::from_str(&text)?;
    Ok(arrow_faults(&metadata.packages))
}

fn arrow_faults(packages: &[Package]) -> Vec<String> {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        // Guests written for tests are nobody's room; they may know the SDK alone.
        let allowed = match arrows.get(name) {
            Some(allowed) => allowed,
            None if name.starts_with("guest-") => &["relata-sdk"].as_slice(),
            None => {
                faults.push(format!("crate `{name}` has no place in the house: add it to ARROWS in xtask/src/tidy.rs"));
                continue;
            }
        };
        for dependency in &package.dependencies {
            let target = dependency.name.as_str();
            if dependency.path.is_some() && !allowed.contains(&target) {
                faults.push(format!(
                    "`{name}` must not depend on `{target}`: it may know {allowed:?}"
                ));
            }
            if let Some((_, doors)) = DOORS.iter().find(|(door, _)| *door == target)
                && dependency.kind.as_deref() != Some("dev")
                && !doors.contains(&name)
            {
                faults.push(format!(
                    "`{target}` enters through {doors:?} alone, not through `{name}`"
                ));
            }
        }
    }
    faults
}

fn files() -> Result<Vec<String>> {
    let listed = process::output(process::command(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard"],
    ))?;
    let mut faults = Vec::new();
    for name in listed.lines() {
        // A file deleted but not yet committed is listed and cannot be read; so are pictures.
        if let Ok(text) = std::fs::read_to_string(root().join(name)) {
            faults.extend(file_faults(name, &text));
        }
    }
    Ok(faults)
}

fn file_faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let is_rust = Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "rs");
    let lines = text.lines().count();
    if is_rust && lines > LINES_MAX {
        faults.push(format!(
            "{name}: {lines} lines, more than {LINES_MAX}: which of it is two things?"
        ));
    }
    if name != "Cargo.lock" {
        for word in FORBIDDEN {
            if text.contains(word) {
                faults.push(format!("{name}: names `{word}`"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        Package {
            name: name.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|(name, is_ours)| Dependency {
                    name: (*name).to_owned(),
                    path: is_ours.then(|| String::from("somewhere")),
                    kind: None,
                })
                .collect(),
        }
    }

    #[test]
    fn an_arrow_against_the_house_is_a_fault() {
        assert!(arrow_faults(&[package("relata-app", &[("relata-store", true)])]).is_empty());
        assert_eq!(
            arrow_faults(&[package("relata-catalog", &[("relata-store", true)])]).len(),
            1
        );
        assert_eq!(
            arrow_faults(&[package("relata-app", &[("wasmtime", false)])]).len(),
            1
        );
        assert_eq!(arrow_faults(&[package("relata-unheard-of", &[])]).len(), 1);
    }

    #[test]
    fn a_file_that_is_too_long_is_a_fault() {
        assert!(file_faults("a.rs", &"\n".repeat(LINES_MAX)).is_empty());
        assert_eq!(file_faults("a.rs", &"x\n".repeat(LINES_MAX + 1)).len(), 1);
        assert!(file_faults("a.md", &"x\n".repeat(LINES_MAX + 1)).is_empty());
    }

    #[test]
    fn the_house_is_in_order() {
        run().expect("the rules hold");
    }
}
