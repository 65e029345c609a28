//! What the commands do, a file per noun.
//!
//! A command that changes a workspace says so in GraphQL, to a running server or to the control
//! plane of the workspace that it opens itself: one way for both ([`target::Target`]).

mod blueprint;
mod demo;
mod documents;
mod duplicates;
mod export;
mod import;
mod plugin;
mod serve;
mod settings;
mod target;
mod user;
mod workspace;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use relata_server::{Config, ConfigError, StartError, telemetry};
use serde::Serialize;

use crate::cli::{Cli, Command, Common};

const FAILURE: u8 = 1;
const WRONG_USAGE: u8 = 2;

/// The command was called in a way that can't work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

/// Shorthand for a command that can't go on as it was called.
fn wrong_usage(message: impl Into<String>) -> anyhow::Error {
    WrongUsage(message.into()).into()
}

pub(crate) fn run(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: threads can't be started: {error}");
            return ExitCode::from(FAILURE);
        }
    };
    let done = runtime.block_on(carry_out(cli.command, &cli.common));
    // Whatever still runs (a blocking read of stdin, say) must not hold the end up.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

async fn carry_out(command: Command, common: &Common) -> Result<()> {
    match command {
        Command::Serve(flags) => serve::run(common, &flags).await,
        Command::Demo(flags) => demo::run(common, &flags).await,
        Command::Migrate => workspace::migrate(common).await,
        Command::Check => workspace::check(common).await,
        Command::Schema => workspace::schema(common).await,
        Command::Settings(flags) => settings::run(common, &flags),
        Command::Plan { file } => blueprint::plan(common, &file).await,
        Command::Apply {
            file,
            confirm,
            plan,
        } => blueprint::apply(common, &file, &confirm, plan.as_deref()).await,
        Command::ExportBlueprint => blueprint::export(common).await,
        Command::Plugin(command) => plugin::run(common, command).await,
        Command::Import(flags) => import::run(common, flags).await,
        Command::Export(flags) => export::run(common, flags).await,
        Command::Duplicates(flags) => duplicates::run(common, flags).await,
        Command::UndoImport {
            job,
            force,
            destroy,
        } => import::undo(common, &job, force, destroy).await,
        Command::Documents(command) => documents::run(common, command).await,
        Command::User(command) => user::run_user(common, command).await,
        Command::Token(command) => user::run_token(common, command).await,
        // Handled before the runtime was started.
        Command::CompileComponent { .. } => Ok(()),
    }
}

/// The error and what caused it, each once.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(&format!("\n  because: {cause}"));
        }
    }
    text
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let is_usage = error.chain().any(|cause| {
        cause.is::<WrongUsage>()
            || cause.is::<ConfigError>()
            || cause.is::<telemetry::FilterError>()
            || matches!(
                cause.downcast_ref::<StartError>(),
                Some(StartError::Config(_))
            )
    });
    if is_usage { WRONG_USAGE } else { FAILURE }
}

/// Members of two structs of flags, as one list of settings.
#[derive(Serialize)]
struct Flags<'a, T> {
    #[serde(flatten)]
    workspace: &'a crate::cli::WorkspaceFlags,
    #[serde(flatten)]
    own: &'a T,
}

/// Settings of a server.
fn server_config(common: &Common, own: &impl Serialize) -> Result<Config, ConfigError> {
    let flags = Flags {
        workspace: &common.workspace,
        own,
    };
    Config::load(&flags, common.config.as_deref())
}

/// Settings of a command that does its work and ends: only warnings are logged, unless told
/// otherwise, because its answer is what people want to read.
fn command_config(common: &Common) -> Result<Config> {
    let mut config = Config::load(&common.workspace, common.config.as_deref())?;
    if config.log == Config::default().log {
        config.log = "warn".to_owned();
    }
    start_log(&config)?;
    Ok(config)
}

fn start_log(config: &Config) -> Result<(), telemetry::FilterError> {
    telemetry::start_log(&config.log, config.log_format)
}

/// Prints an answer: as JSON where a program reads it, as text for a person.
fn print_answer(common: &Common, json: &serde_json::Value, text: impl FnOnce() -> String) {
    let answer = if common.json {
        format!("{json:#}")
    } else {
        text()
    };
    let answer = answer.trim_end();
    if !answer.is_empty() {
        // Who has read enough and gone (`| head`) is no failure.
        let _ = writeln!(std::io::stdout().lock(), "{answer}");
    }
}

/// For commands that work on files or on their own process only.
fn refuse_server(common: &Common, command: &str) -> Result<()> {
    if common.server.is_some() {
        return Err(wrong_usage(format!(
            "`relata {command}` does not talk to a server; leave --server (RELATA_SERVER) out"
        )));
    }
    Ok(())
}
