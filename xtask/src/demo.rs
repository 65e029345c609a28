//! Builds everything and serves a lifelike sample company.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::{guests, process};

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    eprintln!("Building Relata and its plugins. The first time this takes some minutes.");
    let relata = guests::run(guests::Profile::Release)?;
    let mut demo = process::command(&relata.to_string_lossy(), &["demo"]);
    demo.arg("--plugins")
        .arg(process::target_folder().join("guests"))
        .args(arguments);
    // Becomes the server, so that signals reach it.
    Err(demo.exec()).context("could not run relata demo")
}
