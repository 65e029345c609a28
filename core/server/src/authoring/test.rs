//! `relata plugin test`: the crate's own tests, then its scenarios, each in a fresh workspace in
//! a temporary folder, with the plugin built, granted what it asks for, and installed.
//!
//! The scenarios go the way of any client's requests: what passes here is what users will see.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use relata_app::plugins::{InstallOptions, plugin_install};
use relata_app::{Caller, Workspace};
use relata_graphql::{GraphqlRequest, Records, RequestContext};
use relata_server::{Config, telemetry};
use relata_store::Purpose;
use serde_json::{Map, Value as Json};

use super::build;
use super::scenario::{self, Saved, Scenario, Step};

/// Longest that a step waits for what it expects `eventually`.
const EVENTUALLY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two looks.
const EVENTUALLY_PAUSE: Duration = Duration::from_millis(50);

/// Runs every test of the plugin in `folder` and prints how each went.
///
/// # Errors
/// Tests that fail, a plugin that can't be built or installed.
pub(crate) async fn test(folder: &Path) -> Result<()> {
    build::expect_plugin(folder)?;
    // What the plugin warns of, and what goes wrong beneath it.
    telemetry::start_log("warn", Config::default().log_format)?;
    let scenarios = scenario::read_all(&folder.join("tests/scenarios"))?;
    build::run_native_tests(folder)?;

    let place = tempfile::tempdir().context("no temporary folder can be made")?;
    let (file, report) = build::build_quietly(folder, Some(&place.path().join("plugin.relata")))?;
    report.print_warnings();
    let package = std::fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
    let mut failed = 0;
    for (position, (file, scenario)) in scenarios.iter().enumerate() {
        let place = place.path().join(position.to_string());
        let outcome = run(&place, &package, scenario)
            .await
            .with_context(|| file.display().to_string())?;
        match outcome {
            Ok(()) => println!("ok    {}", scenario.scenario),
            Err(what) => {
                failed += 1;
                println!("FAIL  {}\n{what}", scenario.scenario);
            }
        }
    }
    match (failed, scenarios.len()) {
        (0, 0) => println!("the crate's tests pass; there is no scenario in tests/scenarios"),
        (0, 1) => println!("the crate's tests and its scenario pass"),
        (0, count) => println!("the crate's tests and all {count} scenarios pass"),
        (failed, count) => bail!("{failed} of {count} scenarios fail"),
    }
    Ok(())
}

/// Runs one scenario; the inner error is the scenario's own.
async fn run(place: &Path, package: &[u8], scenario: &Scenario) -> Result<Result<(), String>> {
    std::fs::create_dir_all(place).with_context(|| format!("can't make {}", place.display()))?;
    let config = Config {
        database_url: format!("sqlite://{}?mode=rwc", place.join("test.db").display()),
        data_dir: place.join("data"),
        // One for all scenarios: the component is compiled once.
        cache_dir: place.parent().map(|parent| parent.join("cache")),
        ..Config::default()
    };
    let workspace = relata_server::open_workspace(&config, Purpose::Change).await?;
    let outcome = async {
        install(&workspace, package, scenario).await?;
        play(&workspace, scenario).await
    }
    .await;
    workspace.close().await;
    outcome
}

async fn install(workspace: &Workspace, package: &[u8], scenario: &Scenario) -> Result<()> {
    let options = InstallOptions {
        settings: scenario.settings.clone(),
        ..InstallOptions::default()
    };
    plugin_install(workspace, &Caller::system(), package, &options)
        .await
        .map(|_| ())
        .map_err(|error| {
            let issues: String = error
                .issues()
                .iter()
                .map(|issue| format!("\n  {issue}"))
                .collect();
            anyhow!("the plugin can't be installed: {}{issues}", error.message())
        })
}

async fn play(workspace: &Workspace, scenario: &Scenario) -> Result<Result<(), String>> {
    let records = Records::new(workspace.clone());
    let mut saved = Saved::default();
    for step in &scenario.steps {
        let variables = saved
            .fill(step)
            .with_context(|| format!("step `{}`", step.step))?;
        let (answer, mismatches) = answer_to(&records, step, variables).await?;
        if !mismatches.is_empty() {
            let lines: String = mismatches
                .iter()
                .map(|mismatch| format!("\n        {mismatch}"))
                .collect();
            return Ok(Err(format!("      step `{}`:{lines}", step.step)));
        }
        saved
            .keep(step, &answer)
            .with_context(|| format!("step `{}`", step.step))?;
    }
    Ok(Ok(()))
}

/// The answer, and in what it is not as expected.
async fn answer_to(
    records: &Records,
    step: &Step,
    variables: Map<String, Json>,
) -> Result<(Json, Vec<String>)> {
    let began = Instant::now();
    loop {
        let answer = ask(records, &step.query, variables.clone()).await?;
        let mismatches = step.expect.mismatches(&answer);
        let again =
            step.eventually && !mismatches.is_empty() && began.elapsed() < EVENTUALLY_WAIT_MAX;
        if !again {
            return Ok((answer, mismatches));
        }
        tokio::time::sleep(EVENTUALLY_PAUSE).await;
    }
}

async fn ask(records: &Records, query: &str, variables: Map<String, Json>) -> Result<Json> {
    let request = GraphqlRequest {
        query: Some(query.to_owned()),
        variables,
        ..GraphqlRequest::default()
    };
    let context = RequestContext {
        request_id: uuid::Uuid::now_v7().simple().to_string(),
    };
    let response = records.execute(request, &Caller::system(), &context).await;
    serde_json::from_slice(&response.body).context("the records endpoint did not answer in JSON")
}
