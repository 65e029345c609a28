//! The project's task runner: `cargo xtask <task>`.
//!
//! Everything that a person or CI runs is a task here, so that both run the same. Small
//! dependencies only: it is compiled before anything else.

mod bench;
mod clients;
mod demo;
mod fuzz;
mod guests;
mod process;
mod setup;
mod smoke;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
cargo xtask <task>

  setup            installs what the machine lacks: the WebAssembly target, PostgreSQL's programs, Node.js
  demo [ARGS…]     builds everything and serves a lifelike sample company; ARGS go to `relata demo`
  guests           builds the bundled plugins into target/guests
  test [FILTER…]   format, clippy, tidy, guests, all tests on both databases, smoke run of the demo;
                   with a FILTER only the tests that match it
  clients          Apollo Client, urql, Relay, a code generator and the audit of GraphQL over HTTP,
                   against a demo; a part of `test`
  fuzz [TARGET] [--seconds N]
                   fuzzes what comes from outside, each target for N seconds (300); needs cargo-fuzz
  tidy             only the checks of the house's rules
  bench [ARGS…]    measures the server beside a hand-written floor; `bench --help` lists ARGS";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match run(&task, &rest) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str, rest: &[String]) -> Result<ExitCode> {
    match task {
        "setup" => setup::run()?,
        "demo" => demo::run(rest)?,
        "guests" => guests::run(guests::Profile::Debug).map(|_| ())?,
        "test" => test::run(rest)?,
        "clients" => {
            setup::run()?;
            let relata = guests::run(guests::Profile::Debug)?;
            let demo = smoke::Demo::start(&relata)?;
            clients::run(&demo, &relata)?;
            demo.end()?;
        }
        "fuzz" => fuzz::run(rest)?,
        "tidy" => tidy::run()?,
        "bench" => bench::run(rest)?,
        "" | "help" | "--help" | "-h" => println!("{USAGE}"),
        unknown => {
            eprintln!("there is no task `{unknown}`\n\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
