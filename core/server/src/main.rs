//! `relata`: the command line.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage (of flags or settings). Answers go to stdout,
//! errors to stderr, and they say what to do next.

// A request is one future from the socket to the rows: deeper than rustc looks by default.
#![recursion_limit = "256"]

mod authoring;
mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;

/// A request makes about a hundred small allocations on its way; this allocator needs a third of
/// the time of glibc's for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    if let cli::Command::CompileComponent { arguments } = cli.command {
        // Before any thread is started: the host has put limits on this process.
        return relata_host::compile_child_main(arguments);
    }
    commands::run(cli)
}
