//! `relata demo`: a workspace to look around in. It lives in a temporary folder and goes with the
//! process; a database that the environment names is never touched.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rand::RngExt as _;
use relata_app::Caller;
use relata_app::sample::{SampleOptions, sample_fill};
use relata_server::{StartError, telemetry};
use relata_store::Purpose;
use serde_json::json;

use super::target::Target;
use super::{plugin, refuse_server, serve, server_config};
use crate::cli::{Common, DemoFlags, ServeFlags};

const ADMIN_EMAIL: &str = "admin@demo.example";
const PASSWORD_LENGTH: usize = 16;

pub(super) async fn run(common: &Common, flags: &DemoFlags) -> Result<()> {
    refuse_server(common, "demo")?;
    let folder = tempfile::Builder::new()
        .prefix("relata-demo-")
        .tempdir()
        .context("no temporary folder can be made")?;
    let config = demo_config(common, flags, folder.path())?;
    telemetry::start_log(&config.log, config.log_format)?;

    // Before minutes are spent on records: an address that is taken is noticed at once.
    let free = std::net::TcpListener::bind(config.listen);
    free.map_err(|source| relata_server::StartError::Listen {
        address: config.listen,
        source,
    })?;
    match &common.workspace.database_url {
        Some(_) => eprintln!("Making a workspace in the database that was named"),
        None => eprintln!("Making a workspace in {}", folder.path().display()),
    }
    let workspace = relata_server::open_workspace(&config, Purpose::Change).await?;
    let target = Target::of(workspace.clone());
    let password = random_password();
    let token = make_administrator(&target, &password).await?;
    for file in plugin_files(flags.plugins.as_deref())? {
        let installed = plugin::install_into(&target, &file, plugin::Granted::All).await?;
        eprintln!("Installed {}", plugin::plugin_text(&installed));
    }
    make_sample(&workspace, flags.records).await?;

    let server = relata_server::start_on(config, workspace).await?;
    let end = serve::End::listen()?;
    serve::announce(&server)?;
    println!(
        "open:  http://{}/graphql (records), http://{0}/metadata (configuration)",
        server.address
    );
    println!("login: {ADMIN_EMAIL} / {password}");
    println!("token: {token}");
    end.told().await;
    server.shutdown().await;
    Ok(())
}

/// The settings with a fresh database and fresh folders, unless flags name others.
fn demo_config(common: &Common, flags: &DemoFlags, folder: &Path) -> Result<relata_server::Config> {
    let mut common = common.clone();
    let workspace = &mut common.workspace;
    workspace
        .database_url
        .get_or_insert_with(|| format!("sqlite://{}?mode=rwc", folder.join("relata.db").display()));
    workspace
        .data_dir
        .get_or_insert_with(|| folder.join("data"));
    workspace.log.get_or_insert_with(|| "warn".to_owned());
    let serve = ServeFlags {
        listen: flags.listen,
        metrics_listen: flags.metrics_listen,
        ..ServeFlags::default()
    };
    let mut config = server_config(&common, &serve).map_err(StartError::from)?;
    // Who looks around is helped along.
    config.suggestions = true;
    Ok(config)
}

fn random_password() -> String {
    let mut random = rand::rng();
    std::iter::repeat_with(|| char::from(random.sample(rand::distr::Alphanumeric)))
        .take(PASSWORD_LENGTH)
        .collect()
}

async fn make_administrator(target: &Target, password: &str) -> Result<String> {
    let user = json!({ "email": ADMIN_EMAIL, "name": "Demo Administrator", "isAdmin": true, "password": password });
    let token = json!({ "user": ADMIN_EMAIL, "name": "demo" });
    let query = "mutation($user: UserCreate!, $token: TokenCreate!) { \
         createUser(data: $user) { id } createToken(data: $token) { secret } }";
    let data = target
        .control(query, json!({ "user": user, "token": token }))
        .await?;
    Ok(data["createToken"]["secret"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

/// The plugins' files, by name.
fn plugin_files(folder: Option<&Path>) -> Result<Vec<PathBuf>> {
    let Some(folder) = folder else {
        return Ok(Vec::new());
    };
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("can't look for plugins in {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "relata")
        })
        .collect();
    files.sort();
    Ok(files)
}

async fn make_sample(workspace: &relata_app::Workspace, records: u32) -> Result<()> {
    let today = jiff::Zoned::now().date();
    let options = SampleOptions::new(records, today);
    let bar = ProgressBar::new(options.total());
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} records {per_sec} {eta}")
    {
        bar.set_style(style);
    }
    let shown = bar.clone();
    let progress = Arc::new(move |done| shown.set_position(done));
    let made = sample_fill(workspace, &Caller::system(), &options, progress).await;
    bar.finish_and_clear();
    made.map_err(|error| super::target::told(&error))
        .context("the sample company can't be made")
}
