//! Everything that CI runs.

use anyhow::Result;
use relata_test_cluster::{Cluster, Durability, URL_VARIABLE};

use crate::{
    clients, guests, process,
    process::{cargo, is_there},
    setup,
    smoke::Demo,
    tidy,
};

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
        let demo = Demo::start(&relata)?;
        demo.answers()?;
        clients::run(&demo, &relata)?;
        demo.end()?;
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
