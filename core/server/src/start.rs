//! From settings to a server that answers, and back to nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use relata_app::{AppError, Workspace, WorkspaceOptions};
use relata_files::{FileStore, FilesError};
use relata_host::{CompileCommand, Host, HostError, HostOptions};
use relata_store::{DatabaseOptions, Purpose};

use crate::config::{Config, ConfigError};
use crate::http::{self, ConnectionLimits, Listening, Service};
use crate::secret_key::{self, SecretKeyError};
use crate::telemetry;

/// A server at work. Dropping it does not end it: call [`RunningServer::shutdown`].
pub struct RunningServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where Prometheus may ask, if anywhere.
    pub metrics_address: Option<SocketAddr>,
    service: Service,
    listening: Listening,
    metrics: Option<Metrics>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The workspace can't be opened.
    #[error("the workspace can't be opened: {}", with_issues(.0))]
    Workspace(#[source] AppError),
    /// The store of files can't be opened.
    #[error("files can't be kept (setting file_store)")]
    Files(#[source] FilesError),
    /// The plugin host can't be made.
    #[error("plugins can't be run")]
    Host(#[source] HostError),
    /// The system does not say which program this is, so no compiler can be started.
    #[error("the system does not say which program this is; plugins could not be compiled")]
    Program(#[source] std::io::Error),
    /// The secret key can't be had.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
    /// The address can't be listened on.
    #[error("can't listen on {address}; is another server there? --listen names another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Figures can't be gathered.
    #[error(transparent)]
    Metrics(#[from] telemetry::MetricsError),
    /// The first administrator can't be made.
    #[error("the first administrator can't be made: {}", with_issues(.0))]
    Administrator(#[source] AppError),
    /// The file with the first administrator's password can't be read.
    #[error("can't read the password from {file}")]
    PasswordFile {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// The message, and each issue on a line of its own.
fn with_issues(error: &AppError) -> String {
    let mut text = error.message();
    for issue in error.issues() {
        text.push_str(&format!("\n  {issue}"));
    }
    text
}

/// Opens the workspace, migrates it, loads its plugins, and serves it.
///
/// # Errors
/// See [`StartError`].
pub async fn start(config: Config) -> Result<RunningServer, StartError> {
    let workspace = open_workspace(&config, Purpose::Change).await?;
    start_on(config, workspace).await
}

/// Serves a workspace that is open already. Shutting down closes it.
///
/// # Errors
/// See [`StartError`].
pub async fn start_on(config: Config, workspace: Workspace) -> Result<RunningServer, StartError> {
    let began = Instant::now();
    make_first_administrator(&config, &workspace).await?;
    let limits = ConnectionLimits {
        connections: config.connections,
        head_timeout: config.head_timeout.0,
    };
    let metrics = match config.metrics_listen {
        Some(address) => {
            // Only where somebody can ask for them: figures that nobody fetches cost time.
            let figures = telemetry::start_metrics()?;
            let upkeep = telemetry::keep_up(figures.clone());
            let listening = listen(address, http::metrics_routes(figures), limits).await?;
            Some(Metrics { listening, upkeep })
        }
        None => None,
    };
    let listen_on = config.listen;
    let service = Service::new(config, workspace);
    let listening = listen(listen_on, http::routes(&service), limits).await?;
    tracing::info!(
        address = %listening.address,
        milliseconds = milliseconds_since(began),
        "listening"
    );
    Ok(RunningServer {
        address: listening.address,
        metrics_address: metrics.as_ref().map(|metrics| metrics.listening.address),
        service,
        listening,
        metrics,
    })
}

async fn listen(
    address: SocketAddr,
    routes: axum::Router,
    limits: ConnectionLimits,
) -> Result<Listening, StartError> {
    http::listen(address, routes, limits)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// The listener for Prometheus, and what keeps its figures small.
struct Metrics {
    listening: Listening,
    upkeep: tokio::task::JoinHandle<()>,
}

impl RunningServer {
    /// The workspace that is served.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.service.workspace
    }

    /// Takes no more connections, lets requests in flight finish within the limit
    /// (`drain_timeout`), and closes the workspace.
    pub async fn shutdown(self) {
        let began = Instant::now();
        self.service.is_ending.store(true, Ordering::Relaxed);
        let limit = self.service.config.drain_timeout.0;
        let drained = tokio::time::timeout(limit, async {
            self.listening.stop().await;
            // Mutations whose clients have gone: each holds its turn until it is done.
            let all = u32::try_from(self.service.config.requests_at_once).unwrap_or(u32::MAX);
            let _ = self.service.turns.acquire_many(all).await;
        })
        .await;
        if drained.is_err() {
            tracing::warn!(
                ?limit,
                "requests were still in flight at the end of the time to drain (setting drain_timeout)"
            );
        }
        if let Some(metrics) = self.metrics {
            // Prometheus asks again soon; its connection is not worth waiting for.
            let stopped = metrics.listening.stop();
            let _ = tokio::time::timeout(std::time::Duration::from_millis(200), stopped).await;
            metrics.upkeep.abort();
        }
        self.service.workspace.close().await;
        tracing::info!(milliseconds = milliseconds_since(began), "ended");
    }
}

async fn make_first_administrator(
    config: &Config,
    workspace: &Workspace,
) -> Result<(), StartError> {
    let Some(email) = &config.admin_email else {
        return Ok(());
    };
    let password = admin_password(config)?;
    let made = relata_app::users::administrator_ensure(workspace, email, password.as_deref())
        .await
        .map_err(StartError::Administrator)?;
    if made {
        tracing::info!(email, "the first administrator is there");
    }
    Ok(())
}

/// The password from the environment or the file, if either is set.
///
/// # Errors
/// A file that can't be read.
pub fn admin_password(config: &Config) -> Result<Option<String>, StartError> {
    if let Some(secret) = &config.admin_password {
        return Ok(Some(secret.reveal().to_owned()));
    }
    let Some(file) = &config.admin_password_file else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(file).map_err(|source| StartError::PasswordFile {
        file: file.display().to_string(),
        source,
    })?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Opens the workspace that the settings name: to change it (migrating it first), or to look.
///
/// # Errors
/// [`StartError::Workspace`], [`StartError::Host`], [`StartError::SecretKey`],
/// [`StartError::Files`].
pub async fn open_workspace(config: &Config, purpose: Purpose) -> Result<Workspace, StartError> {
    let began = Instant::now();
    let host = plugin_host(config)?;
    let host_ready = milliseconds_since(began);
    let database = database_options(config, purpose);
    let cursor_key = secret_key::cursor_key(config, purpose)?;
    let mut options = WorkspaceOptions::new(database, host, cursor_key);
    options.reader.readers = config.database_readers;
    options.reader.time_max = config.request_timeout.0;
    options.reader.slow_statement = config.slow_statement.0;
    options.region.clone_from(&config.region);
    options.currency.clone_from(&config.currency);
    options.plugin_faults_max = u32::try_from(config.plugin_faults_max).unwrap_or(u32::MAX);
    options.delivery = config.delivery.clone();
    options.retention = config.retention.clone();
    options.search = config.search.clone();
    if purpose == Purpose::Change {
        let store = FileStore::open(&config.file_place()).map_err(StartError::Files)?;
        options.files = Some(store);
    }
    options.search_folder = Some(config.cache_dir().join("search"));
    let workspace = Workspace::open(options)
        .await
        .map_err(StartError::Workspace)?;
    tracing::info!(
        plugin_host_milliseconds = host_ready,
        milliseconds = milliseconds_since(began),
        revision = workspace.state().revision,
        plugins = workspace.state().plugins.iter().count(),
        "workspace opened"
    );
    Ok(workspace)
}

/// How the database is opened.
#[must_use]
pub fn database_options(config: &Config, purpose: Purpose) -> DatabaseOptions {
    DatabaseOptions {
        purpose,
        slow_statement: config.slow_statement.0,
        group_members_max: config.commit_group_max,
        group_age_max: config.commit_group_age.0,
        ..DatabaseOptions::new(config.database_url.clone())
    }
}

fn plugin_host(config: &Config) -> Result<Arc<Host>, StartError> {
    let compile_command = CompileCommand::this_program().map_err(StartError::Program)?;
    let options = HostOptions {
        cache_dir: config.cache_dir(),
        limits: config.plugin_limits.clone(),
        compile_command,
    };
    Host::new(options).map_err(StartError::Host)
}

fn milliseconds_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
