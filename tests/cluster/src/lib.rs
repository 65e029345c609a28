//! A throw-away PostgreSQL cluster on a free loopback port, for tests and benchmarks.
//!
//! Small and synchronous on purpose: the task runner uses it as well as the tests. It never
//! touches a server that somebody else runs. PostgreSQL refuses to run as root, so as root its
//! programs run as the user `postgres`.
//!
//! Not here: installing PostgreSQL. `cargo xtask setup` does that.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// Names a running cluster to the tests: a URL without a database. `cargo xtask test` sets it, so
/// that all test processes share one cluster.
pub const URL_VARIABLE: &str = "RELATA_TEST_POSTGRES";

/// Set by who wants to leave PostgreSQL out, and says so.
pub const SQLITE_ONLY_VARIABLE: &str = "RELATA_TEST_SQLITE_ONLY";

/// The cluster that all tests share; none where PostgreSQL is to be left out.
///
/// # Panics
/// When neither is said: a test that leaves a database out by itself would pass without having
/// looked.
#[must_use]
pub fn shared() -> Option<String> {
    match std::env::var(URL_VARIABLE) {
        Ok(url) => Some(url),
        Err(_) if std::env::var_os(SQLITE_ONLY_VARIABLE).is_some() => None,
        Err(_) => panic!(
            "{URL_VARIABLE} names no PostgreSQL server. `cargo xtask test FILTER` starts one; \
             {SQLITE_ONLY_VARIABLE}=1 leaves it out"
        ),
    }
}

/// How long a cluster may take to answer its first connection.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Commits wait: what a benchmark must measure.
    Synced,
    /// Commits don't wait: what a test wants.
    Unsynced,
}

/// A running cluster. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    server: Child,
    // Declared last: the folder goes after the server has stopped.
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// Makes and starts a cluster.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not come up within a minute.
    pub fn start(durability: Durability) -> Result<Self> {
        let programs = programs_folder()?;
        let folder = tempfile::Builder::new()
            .prefix("relata-postgres-")
            .tempdir()?;
        let data = folder.path().join("data");
        if is_root() {
            let status = Command::new("chown")
                .arg("postgres")
                .arg(folder.path())
                .status()?;
            if !status.success() {
                bail!(
                    "could not give {} to the user postgres",
                    folder.path().display()
                );
            }
        }

        let made = as_server_user(&programs.join("initdb"))
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .context("could not run initdb")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }

        let port = free_port()?;
        let mut command = as_server_user(&programs.join("postgres"));
        command
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "max_connections=400", "-c", "shared_buffers=256MB"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("server.log"))?);
        if durability == Durability::Unsynced {
            command.args([
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
            ]);
        }
        let server = command.spawn().context("could not run postgres")?;
        let mut cluster = Self {
            url: format!("postgres://postgres@127.0.0.1:{port}"),
            server,
            _folder: folder,
        };
        cluster.wait_until_it_answers(&programs)?;
        Ok(cluster)
    }

    /// URL without a database, for a superuser.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Id of the server's main process, for figures of its use of the machine.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }

    fn wait_until_it_answers(&mut self, programs: &Path) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self._folder.path().join("server.log"))
                    .unwrap_or_default();
                bail!("postgres ended at once ({status}): {log}");
            }
            let answer = Command::new(programs.join("pg_isready"))
                .args(["-q", "-d", &format!("{}/postgres", self.url)])
                .status();
            if answer.is_ok_and(|status| status.success()) {
                return Ok(());
            }
            if start.elapsed() > START_TIMEOUT {
                bail!("postgres did not answer within {START_TIMEOUT:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGQUIT: immediate shutdown, nothing here is worth a checkpoint. `kill` also reaches a
        // server that runs as another user, because who started it is root then.
        let _ = Command::new("kill")
            .args(["-QUIT", &self.server.id().to_string()])
            .status();
        let _ = self.server.wait();
    }
}

/// A fresh, empty database in the cluster that the tests share, and its URL. The cluster is the
/// one that [`URL_VARIABLE`] names, or one of this process's own.
///
/// # Errors
/// When there is no cluster to be had, or it refuses to make a database.
pub fn fresh_database() -> Result<String> {
    static OWN: OnceLock<Cluster> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let base = match std::env::var(URL_VARIABLE) {
        Ok(url) => url,
        Err(_) => match OWN.get() {
            Some(cluster) => cluster.url().to_owned(),
            None => {
                let cluster = Cluster::start(Durability::Unsynced)?;
                OWN.get_or_init(|| cluster).url().to_owned()
            }
        },
    };
    let name = format!(
        "relata_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    create_database(&base, &name)
}

/// Makes a database in the cluster at `base`, and gives its URL.
///
/// # Errors
/// When the cluster refuses.
pub fn create_database(base: &str, name: &str) -> Result<String> {
    let made = Command::new(programs_folder()?.join("psql"))
        .args([
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &format!("{base}/postgres"),
        ])
        .args([
            "-c",
            &format!("DROP DATABASE IF EXISTS \"{name}\""),
            "-c",
            &format!("CREATE DATABASE \"{name}\""),
        ])
        .output()
        .context("could not run psql")?;
    if !made.status.success() {
        bail!(
            "could not make the database {name}: {}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    Ok(format!("{base}/{name}"))
}

/// Where PostgreSQL's programs are: the newest that the distribution has installed.
///
/// # Errors
/// When none is there.
pub fn programs_folder() -> Result<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    versions.retain(|folder| folder.join("initdb").exists());
    versions.sort();
    versions
        .pop()
        .context("PostgreSQL is not installed: run `cargo xtask setup`")
}

fn as_server_user(program: &Path) -> Command {
    // The server ends with the process that started it, also when that one is killed.
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=QUIT");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(program);
    command
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
