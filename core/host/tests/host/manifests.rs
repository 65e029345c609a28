//! Golden manifests: those in `passing/` are read, and each in `failing/` says in its first lines
//! (`#! CODE path`) which issues it must give, all of them and no others.

use std::path::{Path, PathBuf};

use relata_host::{Manifest, OnFailure, Phase};
use serde_json::json;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/manifests")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn passing_manifests_are_read() {
    for file in files("passing") {
        let text = std::fs::read_to_string(&file).unwrap();
        let manifest =
            Manifest::parse(&text).unwrap_or_else(|issues| panic!("{}:\n{issues}", file.display()));
        let json = serde_json::to_value(&manifest).unwrap();
        let again: Manifest = serde_json::from_value(json).unwrap();
        assert_eq!(again, manifest, "{}", file.display());
    }
}

#[test]
fn failing_manifests_give_their_issues() {
    for file in files("failing") {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut expected: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#! "))
            .map(str::to_owned)
            .collect();
        assert!(!expected.is_empty(), "{} expects nothing", file.display());
        let issues = Manifest::parse(&text)
            .err()
            .unwrap_or_else(|| panic!("{} was read", file.display()));
        let mut found: Vec<String> = issues
            .0
            .iter()
            .map(|issue| {
                format!("{} {}", issue.code, issue.path_text())
                    .trim_end()
                    .to_owned()
            })
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{}:\n{issues}", file.display());
    }
}

#[test]
fn everything_of_the_full_manifest_is_there() {
    let text = include_str!("../manifests/passing/full.toml");
    let manifest = Manifest::parse(text).unwrap();
    assert_eq!(manifest.publisher(), "acme");
    assert_eq!(manifest.local_name(), "loyalty");
    let earn = manifest.hook("earn").unwrap();
    assert_eq!(earn.phase, Phase::Before);
    assert_eq!(earn.on_failure, OnFailure::Skip);
    assert_eq!(earn.inputs, ["amount", "stage"]);
    assert_eq!(manifest.hook("tell").unwrap().order, 100);
    let statement = manifest.operation("statement").unwrap();
    let properties: Vec<&String> = statement.arguments["properties"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        properties,
        ["number", "from", "count"],
        "in the author's order"
    );
    assert!(manifest.capabilities.records["person"].create);
}

#[test]
fn settings_get_their_defaults_and_are_checked() {
    let manifest = Manifest::parse(include_str!("../manifests/passing/full.toml")).unwrap();
    let filled = manifest
        .settings_with_defaults(&json!({ "currency": "EUR" }))
        .unwrap();
    assert_eq!(filled, json!({ "currency": "EUR", "pointsPerUnit": 1 }));
    let issues = manifest
        .settings_with_defaults(&json!({ "currency": 5, "pointsPerUnit": -1 }))
        .unwrap_err();
    assert_eq!(issues.0.len(), 2, "{issues}");
    let minimal = Manifest::parse(include_str!("../manifests/passing/minimal.toml")).unwrap();
    assert!(minimal.settings_with_defaults(&json!({ "a": 1 })).is_err());
    assert_eq!(
        minimal.settings_with_defaults(&json!(null)).unwrap(),
        json!({})
    );
}

/// What this repository ships keeps to what it asks of others.
#[test]
fn first_party_manifests_are_read() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    for entry in std::fs::read_dir(plugins).unwrap() {
        let file = entry.unwrap().path().join("plugin.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        Manifest::parse(&text).unwrap_or_else(|issues| panic!("{}:\n{issues}", file.display()));
    }
}
