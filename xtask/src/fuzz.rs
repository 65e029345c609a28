//! A while of fuzzing: the targets of `tests/fuzz`, one after the other, on one core.
//!
//! The compiler is the one that everything else is built with. No sanitizer: there is no unsafe
//! code of ours, and what is looked for are panics, overflows of the stack, and work or memory
//! without end. What the fuzzer finds out stays in the target folder, so that the next run goes on
//! from there.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo, is_there, root, target_folder};

/// The targets, and how long their inputs may be.
const TARGETS: [(&str, usize); 5] = [
    ("guard", 8192),
    ("filter", 4096),
    ("cursor", 512),
    ("import", 8192),
    ("blueprint", 8192),
];

/// How long each of them runs, unless told otherwise.
const SECONDS: u32 = 300;

/// Longest time for one input.
const INPUT_SECONDS: u32 = 10;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (targets, seconds) = chosen(arguments)?;
    if !is_there("cargo", &["fuzz", "--version"]) {
        bail!("cargo-fuzz is not installed: `cargo install cargo-fuzz --locked`");
    }
    let folder = root().join("tests/fuzz");
    // What is fuzzed is what is shipped.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let built = target_folder().join("fuzz");
    for (target, bytes_max) in targets {
        let corpus = built.join("corpus").join(target);
        let found = built.join("found").join(target);
        for folder in [&corpus, &found] {
            fs::create_dir_all(folder)?;
        }
        let mut command = cargo(&[
            "fuzz",
            "run",
            "--fuzz-dir",
            "tests/fuzz",
            "--sanitizer",
            "none",
            "--codegen-units",
            "16",
            "--target-dir",
        ]);
        command
            .args([&built, &PathBuf::from(target), &corpus])
            .arg(folder.join("seeds").join(target))
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={bytes_max}"))
            .arg(format!("-timeout={INPUT_SECONDS}"))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .args(["-rss_limit_mb=2048", "-print_final_stats=1"]);
        let words = folder.join("seeds").join(format!("{target}.dict"));
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        process::run(command)
            .with_context(|| format!("`{target}` found something: see {}", found.display()))?;
    }
    Ok(())
}

/// `[TARGET] [--seconds N]`
fn chosen(arguments: &[String]) -> Result<(Vec<(&'static str, usize)>, u32)> {
    let mut targets = TARGETS.to_vec();
    let mut seconds = SECONDS;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let given = arguments.next().context("--seconds takes a number")?;
            seconds = given.parse().context("--seconds takes a number")?;
            continue;
        }
        targets.retain(|(target, _)| target == argument);
        if targets.is_empty() {
            bail!("there is no target `{argument}`, but {TARGETS:?}");
        }
    }
    Ok((targets, seconds))
}
