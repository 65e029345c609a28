//! The two sides of the comparison: the server and the floor, each a process of its own.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Kind, Question, load::PROLOGUE};
use crate::process;

/// A new company, as a Lua expression.
const COMPANY: &str = r#"company(number)"#;
/// As many as a mutation takes.
const COMPANIES: &str = r#"companies(number)"#;

/// Companies from which the load chooses.
const IDS: usize = 500;

/// The server: prepared, then serving.
pub(super) struct Relata<State> {
    program: PathBuf,
    database_url: String,
    folder: PathBuf,
    token: String,
    /// From start to the first answered query, plugins compiled.
    pub(super) first_answer: Duration,
    state: State,
}

pub(super) struct Prepared;

pub(super) struct Serving {
    process: Process,
    ids: Vec<String>,
    deep: Deep,
}

/// A place deep in the list of persons with a company, by name.
#[derive(Default)]
pub(super) struct Deep {
    /// The person before the page.
    pub(super) behind: String,
    pub(super) cursor: String,
}

/// Pages of fifty before it.
const PAGES_BEFORE: u64 = 1_000;
/// Deals that one mutation makes.
const DEALS_AT_ONCE: u32 = 1_000;

impl Relata<Prepared> {
    /// Fills a fresh workspace, and measures a start.
    pub(super) fn prepare(
        program: &Path,
        database_url: &str,
        folder: &Path,
        records: u32,
    ) -> Result<Self> {
        let mut relata = Self {
            program: program.to_owned(),
            database_url: database_url.to_owned(),
            folder: folder.to_owned(),
            token: String::new(),
            first_answer: Duration::ZERO,
            state: Prepared,
        };
        relata.token = relata.fill(records)?;

        let start = Instant::now();
        let process = relata.start(&[])?;
        relata.ask_at(&process.url, "{companies(first: 1){nodes{id}}}", &json!({}))?;
        relata.first_answer = start.elapsed();
        Ok(relata)
    }

    /// Fills the workspace as the demo does, and gives the token that the demo prints.
    fn fill(&self, records: u32) -> Result<String> {
        let mut demo = self.command(&[
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &self.database_url,
        ]);
        demo.args(["--records", &records.to_string(), "--plugins"])
            .arg(process::target_folder().join("guests"))
            .arg("--cache-dir")
            .arg(self.folder.join("cache"));
        let mut demo = demo
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not run relata demo")?;
        let stdout = demo.stdout.take().context("stdout is piped")?;
        let token = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.strip_prefix("token: ")
                    .map(|token| token.trim().to_owned())
            })
            .context("relata demo printed no token");
        let _ = process::command("kill", &["-TERM", &demo.id().to_string()]).status();
        let status = demo.wait()?;
        if !status.success() {
            bail!("relata demo: {status}");
        }
        token
    }

    pub(super) fn serve(self) -> Result<Relata<Serving>> {
        let process = self.start(&[])?;
        let answer = self.ask_at(
            &process.url,
            "query($n: Int!){companies(first: $n){nodes{id}}}",
            &json!({"n": IDS}),
        )?;
        let ids: Vec<String> = answer["data"]["companies"]["nodes"]
            .as_array()
            .with_context(|| format!("companies were expected: {answer}"))?
            .iter()
            .filter_map(|node| node["id"].as_str().map(str::to_owned))
            .collect();
        std::fs::write(self.folder.join("ids"), ids.join("\n"))?;
        let deep = self.find_deep(&process.url)?;
        Ok(Relata {
            program: self.program,
            database_url: self.database_url,
            folder: self.folder,
            token: self.token,
            first_answer: self.first_answer,
            state: Serving { process, ids, deep },
        })
    }

    fn find_deep(&self, url: &str) -> Result<Deep> {
        const LIST: &str = "where: {company: {id: {isNull: false}}}, orderBy: [{name: ASC}]";
        let count = self.ask_at(
            url,
            &format!("{{people({LIST}){{totalCount}}}}"),
            &json!({}),
        )?;
        let count = count["data"]["people"]["totalCount"].as_u64().unwrap_or(0);
        // With fewer persons, as deep as it goes.
        let offset = (PAGES_BEFORE * 50)
            .min(count.saturating_sub(50))
            .saturating_sub(1);
        let query = format!(
            "query($offset: Int!){{people(first: 1, offset: $offset, {LIST}){{nodes{{id}} pageInfo{{endCursor}}}}}}"
        );
        let answer = self.ask_at(url, &query, &json!({"offset": offset}))?;
        let text = |pointer: &str| {
            let found = answer.pointer(pointer).and_then(Value::as_str);
            found
                .map(str::to_owned)
                .with_context(|| format!("a person was expected: {answer}"))
        };
        Ok(Deep {
            behind: text("/data/people/nodes/0/id")?,
            cursor: text("/data/people/pageInfo/endCursor")?,
        })
    }
}

impl<State> Relata<State> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("RELATA_DATABASE_URL", &self.database_url)
            .env("RELATA_CACHE_DIR", self.folder.join("cache"))
            .env("RELATA_DATA_DIR", self.folder.join("data"))
            .env("RELATA_LOG", "warn");
        command
    }

    /// Starts a server of its own, with these variables.
    pub(super) fn start(&self, variables: &[(&str, &str)]) -> Result<Process> {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        Process::start(command)
    }

    fn ask_at(&self, url: &str, query: &str, variables: &Value) -> Result<Value> {
        self.post(&format!("{url}/graphql"), query, variables)
    }

    fn post(&self, address: &str, query: &str, variables: &Value) -> Result<Value> {
        let (answer, _) = self.curl(address, query, variables)?;
        Ok(answer)
    }

    fn timed(&self, address: &str, query: &str, variables: &Value) -> Result<Duration> {
        let (_, took) = self.curl(address, query, variables)?;
        Ok(took)
    }

    /// The answer, and how long it took.
    fn curl(&self, address: &str, query: &str, variables: &Value) -> Result<(Value, Duration)> {
        let body = json!({"query": query, "variables": variables}).to_string();
        // In a file: arguments are short. Several ask at once.
        let file = tempfile::NamedTempFile::new_in(&self.folder)?;
        std::fs::write(file.path(), body)?;
        let (answer, took) = self.send(address, "application/json", file.path())?;
        if answer.get("errors").is_some() {
            bail!("{query}: {answer}");
        }
        Ok((answer, took))
    }

    /// Posts a file; the answer, and how long it took.
    fn send(&self, address: &str, content_type: &str, file: &Path) -> Result<(Value, Duration)> {
        let printed = process::output(process::command(
            "curl",
            &[
                "-sS",
                "-w",
                "\n%{time_total}",
                "-H",
                &format!("Authorization: Bearer {}", self.token),
                "-H",
                &format!("Content-Type: {content_type}"),
                "--data-binary",
                &format!("@{}", file.display()),
                address,
            ],
        ))?;
        let (printed, took) = printed
            .trim_end()
            .rsplit_once('\n')
            .context("curl says how long it took")?;
        let answer: Value =
            serde_json::from_str(printed).with_context(|| format!("not JSON: {printed}"))?;
        Ok((answer, Duration::from_secs_f64(took.parse()?)))
    }

    /// The path of a file with ids.
    pub(super) fn ids_file(&self) -> PathBuf {
        self.folder.join("ids")
    }

    /// A script that sends this GraphQL with these variables, a Lua expression of `id` and `number`.
    pub(super) fn graphql_script(&self, query: &str, variables: &str) -> String {
        format!(
            r#"{PROLOGUE}
local headers = {{ ["Content-Type"] = "application/json", ["Accept"] = "application/graphql-response+json", ["Authorization"] = "Bearer {token}" }}
request = function()
  count = count + 1
  local id = ids[math.random(#ids)]
  local number = run .. "-" .. count
  return wrk.format("POST", "/graphql", headers, '{{"query":{query},"variables":' .. {variables} .. '}}')
end"#,
            token = self.token,
            query = json!(query)
                .to_string()
                .replace('\\', "\\\\")
                .replace('\'', "\\'"),
        )
    }
}

impl Relata<Serving> {
    /// Ends the server.
    pub(super) fn stop(self) -> Relata<Prepared> {
        Relata {
            program: self.program,
            database_url: self.database_url,
            folder: self.folder,
            token: self.token,
            first_answer: self.first_answer,
            state: Prepared,
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.state.process.url
    }

    pub(super) fn process_id(&self) -> u32 {
        self.state.process.child.id()
    }

    pub(super) fn first_id(&self) -> &str {
        &self.state.ids[0]
    }

    pub(super) fn deep(&self) -> &Deep {
        &self.state.deep
    }

    /// Where its files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The id that the server gives a CSV file.
    pub(super) fn upload(&self, file: &Path) -> Result<String> {
        let address = format!("{}/files?name=bench.csv", self.url());
        let (answer, _) = self.send(&address, "text/csv", file)?;
        answer["id"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("a file's id was expected: {answer}"))
    }

    /// Makes deals until there are so many, and says how fast.
    pub(super) fn add_deals(&self, wanted: u32) -> Result<String> {
        let there = self.ask("{deals{totalCount}}", &json!({}))?;
        let there = there["data"]["deals"]["totalCount"].as_u64().unwrap_or(0);
        let missing = wanted.saturating_sub(u32::try_from(there)?);
        let stages = ["new", "qualified", "proposal", "negotiation"];
        let currencies = ["EUR", "USD", "JPY"];
        let began = Instant::now();
        let mut made = 0;
        while made < missing {
            let count = DEALS_AT_ONCE.min(missing - made);
            let deals: Vec<Value> = (made..made + count)
                .map(|number| {
                    let one_of = |choices: &[&str]| choices[number as usize % choices.len()].to_owned();
                    json!({
                        "name": format!("Deal {number}"),
                        "amount": {"amount": format!("{}.00", 100 + number % 9_900), "currency": one_of(&currencies)},
                        "closeDate": "2027-03-31",
                        "stage": {"to": one_of(&stages)},
                        "company": {"connect": {"id": self.state.ids[number as usize % self.state.ids.len()]}},
                    })
                })
                .collect();
            self.ask(
                "mutation($data: [DealCreate!]!){createDeals(data: $data){count}}",
                &json!({"data": deals}),
            )?;
            made += count;
        }
        let seconds = began.elapsed().as_secs_f64();
        Ok(format!(
            "{made} deals made by createDeals, {DEALS_AT_ONCE} at once: {:.0} a second",
            f64::from(made) / seconds.max(0.001)
        ))
    }

    pub(super) fn ask(&self, query: &str, variables: &Value) -> Result<Value> {
        self.ask_at(self.url(), query, variables)
    }

    /// How long it takes to answer.
    pub(super) fn ask_timed(&self, query: &str, variables: &Value) -> Result<Duration> {
        self.timed(&format!("{}/graphql", self.url()), query, variables)
    }

    /// How long a request to the control plane takes.
    pub(super) fn configure_timed(&self, query: &str, variables: &Value) -> Result<Duration> {
        self.timed(&format!("{}/metadata", self.url()), query, variables)
    }

    /// A request to the control plane.
    pub(super) fn configure(&self, query: &str, variables: &Value) -> Result<Value> {
        self.post(&format!("{}/metadata", self.url()), query, variables)
    }

    pub(super) fn script(&self, question: &Question) -> String {
        let variables = match question.kind {
            Kind::ById => r#"'{"id":"' .. id .. '"}'"#,
            Kind::Same | Kind::Groups => "'{}'",
            Kind::Page => &format!(r#"'{{"after":"{}"}}'"#, self.state.deep.cursor),
            Kind::Create => &format!("'{{\"data\":' .. {COMPANY} .. '}}'"),
            Kind::CreateMany => &format!("'{{\"data\":' .. {COMPANIES} .. '}}'"),
            Kind::Update => r#"'{"id":"' .. id .. '","data":{"employees":' .. count .. '}}'"#,
        };
        self.graphql_script(&question.graphql(), variables)
    }
}

/// The floor, serving.
pub(super) struct Floor {
    process: Process,
}

impl Floor {
    pub(super) fn serve(program: &Path, database_url: &str) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([database_url, "127.0.0.1:0"]);
        Ok(Self {
            process: Process::start(command)?,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.process.url
    }

    pub(super) fn process_id(&self) -> u32 {
        self.process.child.id()
    }

    pub(super) fn get(&self, route: &str) -> Result<Value> {
        let printed = process::output(process::command(
            "curl",
            &["-sS", &format!("{}{route}", self.url())],
        ))?;
        serde_json::from_str(&printed).with_context(|| format!("not JSON: {printed}"))
    }

    pub(super) fn script(&self, question: &Question, deep: &Deep) -> String {
        let route = question.floor;
        let post = |body: &str| {
            format!(
                r#"count = count + 1
  local number = run .. "-" .. count
  return wrk.format("POST", "{route}", headers, {body})"#
            )
        };
        let request = match question.kind {
            Kind::ById => {
                format!(r#"return wrk.format("GET", "{route}" .. ids[math.random(#ids)])"#)
            }
            Kind::Same | Kind::Groups => format!(r#"return wrk.format("GET", "{route}")"#),
            Kind::Page => format!(r#"return wrk.format("GET", "{route}{}")"#, deep.behind),
            Kind::Create => post(COMPANY),
            Kind::CreateMany => post(COMPANIES),
            Kind::Update => format!(
                r#"count = count + 1
  return wrk.format("POST", "{route}" .. ids[math.random(#ids)] .. "/" .. count, headers)"#
            ),
        };
        format!(
            r#"{PROLOGUE}
local headers = {{ ["Content-Type"] = "application/json" }}
request = function()
  {request}
end"#
        )
    }
}

/// A process that says where it listens. Dropping it ends the process.
pub(super) struct Process {
    child: Child,
    url: String,
}

impl Process {
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(url) = line.strip_prefix("listening on ") else {
            let _ = child.kill();
            bail!("{command:?} said {line:?}");
        };
        Ok(Self {
            child,
            url: url.trim().to_owned(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
