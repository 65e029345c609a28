//! A running `relata`, and what one can ask of it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// How long a start may take on a busy machine, in a debug build.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a condition that a scenario waits for may take to come true.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Which database a scenario runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file in the scenario's folder.
    Sqlite,
    /// A fresh database in the test cluster.
    Postgres,
}

/// Where a workspace lives. Outlives the server processes that serve it.
#[derive(Debug)]
pub struct Folder {
    folder: tempfile::TempDir,
    database_url: String,
    kind: DatabaseKind,
}

impl Folder {
    /// An empty one.
    ///
    /// # Errors
    /// When no folder or database can be made.
    pub fn fresh(kind: DatabaseKind) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("relata-test-").tempdir()?;
        let database_url = match kind {
            DatabaseKind::Sqlite => {
                format!(
                    "sqlite://{}?mode=rwc",
                    folder.path().join("relata.db").display()
                )
            }
            DatabaseKind::Postgres => relata_test_cluster::fresh_database()?,
        };
        Ok(Self {
            folder,
            database_url,
            kind,
        })
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the workspace is.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Which database it is on.
    #[must_use]
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// `relata` with these arguments, set up for this workspace.
    #[must_use]
    pub fn relata(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.path())
            .env("RELATA_DATABASE_URL", &self.database_url)
            .env("RELATA_DATA_DIR", self.path().join("data"))
            // Shared by all tests: a compiled plugin is found by its content, so it is safe.
            .env("RELATA_CACHE_DIR", target_folder().join("test-plugin-cache"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    /// Where its workspace lives.
    pub folder: Folder,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// An administrator's token.
    pub token: String,
    process: Child,
    client: reqwest::Client,
}

/// The answer to a GraphQL request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Value,
    /// The request id that the server gave.
    pub request_id: Option<String>,
    /// The server says that it was carried out before.
    pub is_repeated: bool,
}

impl Answer {
    /// `data`, when there are no errors.
    ///
    /// # Panics
    /// When there are errors: the scenario expected none.
    #[track_caller]
    pub fn data(self) -> Value {
        assert!(
            self.body.get("errors").is_none(),
            "unexpected errors: {:#}",
            self.body
        );
        self.body["data"].clone()
    }

    /// The first error's code.
    ///
    /// # Panics
    /// When there is no error: the scenario expected one.
    #[must_use]
    #[track_caller]
    pub fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("an error with a code was expected: {:#}", self.body))
    }

    /// The first error's message.
    #[must_use]
    pub fn message(&self) -> &str {
        self.body["errors"][0]["message"]
            .as_str()
            .unwrap_or_default()
    }

    /// The first error's issues, each as `path: code`.
    #[must_use]
    pub fn issues(&self) -> Vec<String> {
        self.body["errors"][0]["extensions"]["issues"]
            .as_array()
            .map(|issues| {
                issues
                    .iter()
                    .map(|issue| {
                        let path: Vec<String> = issue["path"]
                            .as_array()
                            .map(|path| {
                                path.iter()
                                    .map(|segment| {
                                        segment
                                            .as_str()
                                            .map_or_else(|| segment.to_string(), str::to_owned)
                                    })
                                    .collect()
                            })
                            .unwrap_or_default();
                        format!(
                            "{}: {}",
                            path.join("."),
                            issue["code"].as_str().unwrap_or("?")
                        )
                    })
                    .collect()
            })
            .unwrap_or_default()
    }
}

impl Server {
    /// A server on a fresh workspace.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(kind: DatabaseKind) -> Result<Self> {
        let folder = Folder::fresh(kind)?;
        Self::start_on(folder).await
    }

    /// A server on a workspace that may have been served before.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_on(folder: Folder) -> Result<Self> {
        let token = administrator_token(&folder).await?;
        let (process, url) = launch(&folder).await?;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(120))
            .build()?;
        Ok(Self {
            folder,
            url,
            token,
            process,
            client,
        })
    }

    /// Ends the process at once, as a power cut would, and gives back the workspace.
    ///
    /// # Errors
    /// When the process can't be killed.
    pub async fn kill(mut self) -> Result<Folder> {
        self.process.kill().await?;
        Ok(self.folder)
    }

    /// Asks the process to end, and gives back the workspace and how it ended.
    ///
    /// # Errors
    /// When the process does not end.
    pub async fn terminate(mut self) -> Result<(Folder, std::process::ExitStatus)> {
        let id = self.process.id().context("the process runs")?;
        Command::new("kill")
            .args(["-TERM", &id.to_string()])
            .status()
            .await?;
        let status = tokio::time::timeout(WAIT_TIMEOUT, self.process.wait()).await??;
        Ok((self.folder, status))
    }

    /// Id of the process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// A request to the records.
    ///
    /// # Panics
    /// When there is no answer at all.
    pub async fn graphql(&self, query: &str, variables: Value) -> Answer {
        self.post("/graphql", query, variables).await
    }

    /// A request to the records without variables, which must succeed; its data.
    ///
    /// # Panics
    /// When there are errors.
    pub async fn data(&self, query: &str) -> Value {
        self.graphql(query, json!({})).await.data()
    }

    /// A request to the control plane.
    ///
    /// # Panics
    /// When there is no answer at all.
    pub async fn metadata(&self, query: &str, variables: Value) -> Answer {
        self.post("/metadata", query, variables).await
    }

    async fn post(&self, route: &str, query: &str, variables: Value) -> Answer {
        self.send(route, &json!({"query": query, "variables": variables}), &[])
            .await
    }

    /// A request with this body, and headers beside the usual ones.
    ///
    /// # Panics
    /// When there is no answer at all.
    pub async fn send(&self, route: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send_bytes(route, body.to_string().into_bytes(), headers)
            .await
    }

    /// Sends what need not be JSON, as if it were.
    ///
    /// # Panics
    /// When the server can't be reached.
    pub async fn send_bytes(&self, route: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
        let mut request = self
            .client
            .post(format!("{}{route}", self.url))
            .bearer_auth(&self.token)
            .header("accept", "application/graphql-response+json")
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let request_id = header("x-request-id");
        let is_repeated = header("idempotent-replayed").is_some();
        let text = response.text().await.expect("the answer arrives whole");
        let body =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON ({status}): {text}"));
        Answer {
            status,
            body,
            request_id,
            is_repeated,
        }
    }

    /// A bare HTTP client, for what is not GraphQL.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.client
    }

    /// `relata` with these arguments, talking to this server. Fails the scenario when it fails.
    ///
    /// # Errors
    /// When the command's exit code is not 0, with what it printed.
    pub async fn relata(&self, arguments: &[&str]) -> Result<String> {
        let mut all = arguments.to_vec();
        all.extend(["--server", &self.url, "--token", &self.token]);
        run_relata(self.folder.relata(&all)).await
    }

    /// Asks again until the answer satisfies the condition.
    ///
    /// # Panics
    /// When it does not come true within 30 s.
    pub async fn wait_until(&self, query: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let start = tokio::time::Instant::now();
        loop {
            let data = self.data(query).await;
            if condition(&data) {
                return data;
            }
            assert!(
                start.elapsed() < WAIT_TIMEOUT,
                "still not so after {WAIT_TIMEOUT:?}: {data:#}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Runs a command and gives what it printed on stdout.
///
/// # Errors
/// When the exit code is not 0, with what it printed on stderr.
pub async fn run_relata(mut command: Command) -> Result<String> {
    let output = command.output().await.context("could not run relata")?;
    if !output.status.success() {
        bail!(
            "{}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn administrator_token(folder: &Folder) -> Result<String> {
    const EMAIL: &str = "admin@example.com";
    let mut create = folder.relata(&[
        "user",
        "create",
        "--email",
        EMAIL,
        "--name",
        "Ada Admin",
        "--admin",
    ]);
    create.env("RELATA_ADMIN_PASSWORD", "correct horse battery staple");
    // A workspace that was served before has its administrator.
    let _ = run_relata(create).await;
    let printed =
        run_relata(folder.relata(&["token", "create", "--user", EMAIL, "--json"])).await?;
    let answer: Value =
        serde_json::from_str(&printed).with_context(|| format!("not JSON: {printed}"))?;
    answer["token"]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no token in {printed}"))
}

async fn launch(folder: &Folder) -> Result<(Child, String)> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("server.log"))?;
    let mut process = folder
        .relata(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .with_context(|| {
            format!(
                "could not run {}: build it first (`cargo xtask test` does)",
                program().display()
            )
        })?;
    let stdout = process.stdout.take().context("stdout is piped")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(START_TIMEOUT, lines.next_line())
        .await
        .context("the server does not start")??;
    let Some(url) = line
        .as_deref()
        .and_then(|line| line.strip_prefix("listening on "))
    else {
        let log = std::fs::read_to_string(folder.path().join("server.log")).unwrap_or_default();
        bail!("the server said {line:?} and logged:\n{log}");
    };
    let url = url.trim().to_owned();
    // Somebody must read on, or the pipe fills and the server waits.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((process, url))
}

/// The `relata` program that belongs to these tests.
#[must_use]
pub fn program() -> PathBuf {
    target_folder().join("debug").join("relata")
}

/// Where cargo put what it built: two folders up from the test program, in `deps`.
fn target_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a test runs from a file");
    own.ancestors()
        .nth(3)
        .expect("tests are in target/<profile>/deps")
        .to_owned()
}
