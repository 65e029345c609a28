//! Settings: one flat list and a few tables of limits, read from flags, the environment and
//! `relata.toml`, in this order of precedence.
//!
//! A variable names a member of a table with two underscores: `RELATA_DELIVERY__PAGE`.
//!
//! Every value arrives as text (or a list of texts) and is parsed here, once, so that a password
//! made of digits stays a text and `RELATA_CORS_ORIGINS=a,b` means the same as a list in the
//! file. All mistakes are collected: somebody who sets up a server sees all of them at once.
//!
//! Keys may be written with `-` (as flags are) or with `_`.

mod print;
mod tables;
mod values;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use relata_app::outbox::DeliveryOptions;
use relata_app::retention::RetentionOptions;
use relata_app::search::SearchOptions;
use relata_files::{Place, S3};
use relata_graphql::{DocumentsAllowed, RecordsLimits, guard::DocumentLimits};
use serde::Serialize;

pub use self::values::{LogFormat, Secret, Size, Time, WebAddress};

use self::tables::{Limit, Table};
use self::values::Setting;

/// Prefix of the environment variables that are settings.
const ENVIRONMENT_PREFIX: &str = "RELATA_";

/// Variables with the prefix that are no settings of this process: of the test harness, of the
/// command line's client side, and those that Kubernetes makes for a service named `relata`.
fn is_foreign_variable(name: &str) -> bool {
    matches!(
        name,
        "RELATA_CONFIG" | "RELATA_SERVER" | "RELATA_TOKEN" | "RELATA_PORT"
    ) || [
        "RELATA_TEST_",
        "RELATA_BENCH_",
        "RELATA_SERVICE_",
        "RELATA_PORT_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

macro_rules! settings {
    (
        single { $( $(#[doc = $about:literal])* $name:ident : $type:ty = $default:expr, )* }
        tables { $( $(#[doc = $table_about:literal])* $table:ident : $limits:ty, )* }
    ) => {
        /// What a process is told. Every limit has its default here, or in its room.
        #[derive(Debug, Clone)]
        pub struct Config {
            $( $(#[doc = $about])* pub $name: $type, )*
            $( $(#[doc = $table_about])* pub $table: $limits, )*
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    $( $name: $default, )*
                    $( $table: <$limits>::default(), )*
                }
            }
        }

        impl Config {
            /// Names of all settings that are no tables.
            pub const KEYS: &'static [&'static str] = &[$( stringify!($name), )*];
            /// Names of all tables.
            pub const TABLES: &'static [&'static str] = &[$( stringify!($table), )*];

            fn read(figment: &Figment, mistakes: &mut Vec<String>) -> Self {
                let defaults = Self::default();
                Self {
                    $( $name: read_one(figment, stringify!($name), defaults.$name, mistakes), )*
                    $( $table: read_table(figment, stringify!($table), mistakes), )*
                }
            }

            /// Hands each setting, then each table, to who prints them.
            fn describe(&self, printer: &mut impl print::Printer) {
                let defaults = Self::default();
                $( printer.setting(stringify!($name), &[$($about),*], &self.$name, &defaults.$name); )*
                $( printer.table(stringify!($table), &[$($table_about),*], &self.$table); )*
            }
        }
    };
}

settings! {
    single {
        /// Where to listen; port 0 picks one.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// Where Prometheus may ask; nowhere unless set.
        metrics_listen: Option<SocketAddr> = None,
        /// `sqlite://FILE?mode=rwc` or `postgres://…`.
        database_url: String = "sqlite://relata.db?mode=rwc".to_owned(),
        /// Connections that read at the same time.
        database_readers: usize = 4,
        /// `SQLite`: transactions that share a commit while others wait to write; 1 for none.
        commit_group_max: usize = 64,
        /// `SQLite`: how long such a group forms. Its first transaction waits for its last.
        commit_group_age: Time = Time::milliseconds(10),
        /// Files that belong to the workspace.
        data_dir: PathBuf = PathBuf::from("relata-data"),
        /// Compiled plugins; can be thrown away. `cache` in the data folder unless set.
        cache_dir: Option<PathBuf> = None,
        /// The address under which people reach the server, behind a proxy.
        public_url: Option<WebAddress> = None,
        /// Another origin for what plugins serve and users upload.
        content_url: Option<WebAddress> = None,
        /// Host names that are answered. Unless set: the public address's, and on a loopback address
        /// only loopback names; elsewhere every name.
        allowed_hosts: Vec<String> = Vec::new(),
        /// Origins whose scripts may ask: `https://app.example.com`, or `*`.
        cors_origins: Vec<String> = Vec::new(),
        /// E-mail address of the first administrator.
        admin_email: Option<String> = None,
        /// Password of the first administrator; only from the environment.
        admin_password: Option<Secret> = None,
        /// File with the password of the first administrator.
        admin_password_file: Option<PathBuf> = None,
        /// Signs cursors and sessions, encrypts secrets; made in the data folder if absent.
        secret_key: Option<Secret> = None,
        /// Where a phone number without a country code belongs: two letters, as ISO 3166-1 has them.
        region: Option<String> = None,
        /// Currency of an amount that names none: three letters, as ISO 4217 has them.
        currency: Option<String> = None,
        /// Longest that a request may take.
        request_timeout: Time = Time::seconds(30),
        /// Longest that a request to the control plane may take: compiling a plugin takes its time.
        control_timeout: Time = Time::seconds(300),
        /// Longest that a client may take to send the head of a request, and that a connection may
        /// wait for the next one.
        head_timeout: Time = Time::seconds(30),
        /// Longest that requests in flight may take after SIGTERM.
        drain_timeout: Time = Time::seconds(25),
        /// Requests carried out at the same time; more wait.
        requests_at_once: usize = 512,
        /// Requests that wait for their turn; more are turned away.
        requests_waiting: usize = 4096,
        /// Connections held at the same time; more wait to be accepted.
        connections: usize = 8192,
        /// Largest body of a GraphQL request.
        body_max: Size = Size::mebibytes(1),
        /// Largest body of a request to the control plane: blueprints travel there.
        control_body_max: Size = Size::mebibytes(8),
        /// Largest file that `POST /files` takes.
        upload_max: Size = Size::mebibytes(64),
        /// Longest that a client may send nothing of a file that it has begun to send.
        upload_silence: Time = Time::seconds(30),
        /// Files that arrive at the same time; more wait. Into a bucket, each takes up to 24 MiB of
        /// memory.
        uploads_at_once: usize = 32,
        /// Where the content of files lies: a folder, or `s3://BUCKET/PREFIX`. `files` in the data
        /// folder unless set. Processes that share a database share it too. Who may enter a bucket
        /// is told by the environment alone: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
        file_store: Option<String> = None,
        /// Address of the bucket's server, where it is not Amazon's: `https://minio.example.com`.
        file_store_endpoint: Option<WebAddress> = None,
        /// Region of the bucket.
        file_store_region: Option<String> = None,
        /// A statement that takes longer is named in the log.
        slow_statement: Time = Time::milliseconds(200),
        /// What is logged: `info`, `relata=debug,warn` …
        log: String = "info".to_owned(),
        /// `text`, `json`, or `auto`: text on a terminal, JSON lines elsewhere.
        log_format: LogFormat = LogFormat::Auto,
        /// Faults of a plugin in a row after which it is suspended.
        plugin_faults_max: usize = 10,
        /// Documents that /graphql carries out: `any`, or only those that were `registered`.
        documents: DocumentsAllowed = DocumentsAllowed::Any,
        /// Whether clients may ask for the schema (`__schema`, `__type`).
        introspection: bool = true,
        /// Whether an error about an unknown name says which known name is near.
        suggestions: bool = false,
    }
    tables {
        /// Packages, compilation, calls, and what guests may ask for in a call.
        plugin_limits: relata_host::Limits,
        /// Requests to the records endpoint, `/graphql`.
        query_limits: RecordsLimits,
        /// Requests to the control plane, `/metadata`.
        control_limits: DocumentLimits,
        /// How the outbox is delivered to after hooks.
        delivery: DeliveryOptions,
        /// How long things stay that nobody needs any more.
        retention: RetentionOptions,
        /// How records are found by their words.
        search: SearchOptions,
    }
}

/// What is wrong with the settings; all of it.
#[derive(Debug, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct ConfigError(pub Vec<String>);

fn listed(mistakes: &[String]) -> String {
    let mut text = String::from("the settings can't be used:");
    for mistake in mistakes {
        // Writing into a String can't fail.
        let _ = write!(text, "\n  {mistake}");
    }
    text
}

impl Config {
    /// Reads the settings: `flags` (a struct with optional members named like the settings) over
    /// the environment over `file` (`relata.toml` in the working folder unless given) over the
    /// defaults.
    ///
    /// # Errors
    /// All that is wrong with them, each with where it was said.
    pub fn load(flags: &impl Serialize, file: Option<&Path>) -> Result<Self, ConfigError> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with(ENVIRONMENT_PREFIX).then_some(())?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        Self::layered(flags, variables, file)
    }

    fn layered(
        flags: &impl Serialize,
        variables: impl Iterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let mut mistakes = Vec::new();
        if let Some(file) = file
            && !file.is_file()
        {
            mistakes.push(format!("{}: there is no such file", file.display()));
        }
        let mut figment = Figment::new();
        // The file in the working folder need not be there; one that was named must be.
        let path = file.unwrap_or(Path::new("relata.toml"));
        if path.is_file() {
            figment = figment.merge(Spelled(Toml::file_exact(path)));
        }
        let figment = figment
            .merge(Environment(variables.collect()))
            .merge(Spelled(Serialized::defaults(flags)));
        if let Err(error) = figment.extract::<Dict>() {
            mistakes.extend(error.into_iter().map(|error| error.to_string()));
            return Err(ConfigError(mistakes));
        }
        name_unknown_keys(&figment, &mut mistakes);
        let config = Self::read(&figment, &mut mistakes);
        check_together(&figment, &config, &mut mistakes);
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError(mistakes))
        }
    }

    /// Folder of compiled plugins.
    #[must_use]
    pub fn cache_dir(&self) -> PathBuf {
        self.cache_dir
            .clone()
            .unwrap_or_else(|| self.data_dir.join("cache"))
    }

    /// Where the content of files lies.
    #[must_use]
    pub fn file_place(&self) -> Place {
        let Some(place) = &self.file_store else {
            return Place::Folder(self.data_dir.join("files"));
        };
        match S3::at(place) {
            Some(bucket) => Place::S3(S3 {
                endpoint: self
                    .file_store_endpoint
                    .as_ref()
                    .map(|address| address.0.clone()),
                region: self.file_store_region.clone(),
                ..bucket
            }),
            None => Place::Folder(place.into()),
        }
    }
}

fn name_unknown_keys(figment: &Figment, mistakes: &mut Vec<String>) {
    let Ok(all) = figment.extract::<Dict>() else {
        return;
    };
    for (key, value) in &all {
        if let Some(limits) = limits_of(key) {
            // What is no table is named where it is read.
            let unknown = value.as_dict().into_iter().flat_map(Dict::keys);
            for member in unknown.filter(|member| !limits.contains(&member.as_str())) {
                let path = format!("{key}.{member}");
                let hint = nearest(member, &limits);
                mistakes.push(unknown_key(figment, &path, &hint));
            }
        } else if !Config::KEYS.contains(&key.as_str()) {
            let table = Config::TABLES
                .iter()
                .find(|table| limits_of(table).is_some_and(|limits| limits.contains(&&**key)));
            let hint = match table {
                Some(table) => format!("did you mean {table}.{key}?"),
                None => nearest(key, Config::KEYS),
            };
            mistakes.push(unknown_key(figment, key, &hint));
        }
    }
}

/// Names of the limits of a table.
fn limits_of(table: &str) -> Option<Vec<&'static str>> {
    fn keys<T: Table>() -> Vec<&'static str> {
        T::LIMITS.iter().map(Limit::key).collect()
    }
    match table {
        "plugin_limits" => Some(keys::<relata_host::Limits>()),
        "query_limits" => Some(keys::<RecordsLimits>()),
        "control_limits" => Some(keys::<DocumentLimits>()),
        "delivery" => Some(keys::<DeliveryOptions>()),
        "retention" => Some(keys::<RetentionOptions>()),
        "search" => Some(keys::<SearchOptions>()),
        _ => None,
    }
}

fn unknown_key(figment: &Figment, path: &str, hint: &str) -> String {
    let place = said_where(figment, path);
    format!("{place}: there is no such setting; {hint}")
}

fn nearest(key: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|known| (strsim::levenshtein(key, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map_or_else(
            || "`relata settings` prints those that there are".to_owned(),
            |(_, known)| format!("did you mean {known}?"),
        )
}

fn check_together(figment: &Figment, config: &Config, mistakes: &mut Vec<String>) {
    let password_from_file = figment
        .find_metadata("admin_password")
        .is_some_and(|metadata| metadata.name != ENVIRONMENT_NAME);
    if password_from_file {
        mistakes.push(format!(
            "{}: a password does not belong there; use admin_password_file or the variable RELATA_ADMIN_PASSWORD",
            said_where(figment, "admin_password")
        ));
    }
    let is_code = |code: &str, length| {
        code.len() == length && code.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    if config
        .region
        .as_deref()
        .is_some_and(|code| !is_code(code, 2))
    {
        mistakes.push(format!(
            "{}: takes two capital letters, like AT",
            said_where(figment, "region")
        ));
    }
    if config
        .currency
        .as_deref()
        .is_some_and(|code| !is_code(code, 3))
    {
        mistakes.push(format!(
            "{}: takes three capital letters, like EUR",
            said_where(figment, "currency")
        ));
    }
    if config.admin_password.is_some() && config.admin_password_file.is_some() {
        mistakes
            .push("admin_password and admin_password_file exclude each other; give one".to_owned());
    }
    check_file_store(figment, config, mistakes);
    let scheme = config.database_url.split(':').next().unwrap_or_default();
    if !matches!(scheme, "sqlite" | "postgres" | "postgresql") {
        mistakes.push(format!(
            "{}: takes sqlite://FILE?mode=rwc or postgres://…",
            said_where(figment, "database_url")
        ));
    }
}

fn check_file_store(figment: &Figment, config: &Config, mistakes: &mut Vec<String>) {
    let place = config.file_store.as_deref();
    let is_bucket = place.is_some_and(|place| S3::at(place).is_some());
    // Not told as it was written: somebody may have put a password there.
    if place.is_some_and(|place| place.is_empty() || place.contains("://")) && !is_bucket {
        mistakes.push(format!(
            "{}: takes a folder or s3://BUCKET/PREFIX; keys of a bucket belong into the \
             environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            said_where(figment, "file_store")
        ));
    }
    let endpoint = config.file_store_endpoint.as_ref();
    if endpoint
        .is_some_and(|address| !address.0.username().is_empty() || address.0.password().is_some())
    {
        mistakes.push(format!(
            "{}: takes an address without keys; they belong into the environment, as \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            said_where(figment, "file_store_endpoint")
        ));
    }
    for (key, is_set) in [
        ("file_store_endpoint", endpoint.is_some()),
        ("file_store_region", config.file_store_region.is_some()),
    ] {
        if is_set && !is_bucket {
            mistakes.push(format!(
                "{}: is of a bucket; file_store names none (s3://BUCKET/PREFIX)",
                said_where(figment, key)
            ));
        }
    }
}

fn read_one<T: Setting>(figment: &Figment, key: &str, default: T, mistakes: &mut Vec<String>) -> T {
    let Ok(value) = figment.find_value(key) else {
        return default;
    };
    match texts_of(&value).and_then(|texts| T::parse(&texts)) {
        Ok(setting) => setting,
        Err(wrong) => {
            mistakes.push(format!("{}: {wrong}", said_where(figment, key)));
            default
        }
    }
}

fn read_table<T: Table>(figment: &Figment, table: &str, mistakes: &mut Vec<String>) -> T {
    let mut limits = T::default();
    let Ok(value) = figment.find_value(table) else {
        return limits;
    };
    let Some(members) = value.as_dict() else {
        mistakes.push(format!(
            "{}: is a table of limits: [{table}], or variables like {ENVIRONMENT_PREFIX}{}__{}",
            said_where(figment, table),
            table.to_ascii_uppercase(),
            T::LIMITS[0].key().to_ascii_uppercase()
        ));
        return limits;
    };
    let before = mistakes.len();
    for limit in T::LIMITS {
        let Some(value) = members.get(limit.key()) else {
            continue;
        };
        let read = texts_of(value).and_then(|texts| limit.read(&mut limits, &texts));
        if let Err(wrong) = read {
            let path = format!("{table}.{}", limit.key());
            mistakes.push(format!("{}: {wrong}", said_where(figment, &path)));
        }
    }
    // What stayed at its default because it was wrong contradicts nothing.
    if mistakes.len() == before {
        for (key, wrong) in limits.contradictions() {
            let path = format!("{table}.{key}");
            mistakes.push(format!("{}: {wrong}", said_where(figment, &path)));
        }
    }
    limits
}

fn texts_of(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(_, items) => items.iter().map(text_of).collect(),
        scalar => text_of(scalar).map(|text| vec![text]),
    }
}

fn text_of(value: &Value) -> Result<String, String> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    match value {
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .ok_or_else(|| "takes another kind of number".to_owned()),
        Value::Bool(_, boolean) => Ok(boolean.to_string()),
        _ => Err("takes a text, a number or a list of texts".to_owned()),
    }
}

/// The setting as it was written, and where.
fn said_where(figment: &Figment, key: &str) -> String {
    match figment.find_metadata(key) {
        Some(metadata) if metadata.name == ENVIRONMENT_NAME => {
            let variable = key.to_ascii_uppercase().replace('.', TABLE_SEPARATOR);
            format!("{ENVIRONMENT_PREFIX}{variable}")
        }
        Some(Metadata {
            source: Some(source),
            ..
        }) if source.file_path().is_some() => format!("{key} in {source}"),
        _ => format!("--{}", key.replace('_', "-")),
    }
}

/// A provider whose keys may be written with `-`, and whose empty values are left out.
struct Spelled<P>(P);

impl<P: Provider> Provider for Spelled<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut profiles = self.0.data()?;
        for keys in profiles.values_mut() {
            *keys = spelled(std::mem::take(keys));
        }
        Ok(profiles)
    }
}

fn spelled(keys: Dict) -> Dict {
    keys.into_iter()
        .filter(|(_, value)| !matches!(value, Value::Empty(..)))
        .map(|(key, value)| {
            let value = match value {
                Value::Dict(tag, members) => Value::Dict(tag, spelled(members)),
                value => value,
            };
            (key.replace('-', "_"), value)
        })
        .collect()
}

/// Between a table and its member in the name of a variable.
const TABLE_SEPARATOR: &str = "__";

const ENVIRONMENT_NAME: &str = "the environment";

/// The environment's variables, as texts.
struct Environment(Vec<(String, String)>);

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(ENVIRONMENT_NAME)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut keys = Dict::new();
        for (name, value) in self.0.iter().filter(|(name, _)| !is_foreign_variable(name)) {
            let key = name[ENVIRONMENT_PREFIX.len()..].to_ascii_lowercase();
            let value = Value::from(value.as_str());
            let Some((table, member)) = key.split_once(TABLE_SEPARATOR) else {
                keys.insert(key, value);
                continue;
            };
            let members = keys
                .entry(table.to_owned())
                .or_insert_with(|| Value::from(Dict::new()));
            // Where the table was given as one text, that is the mistake to name.
            if let Value::Dict(_, members) = members {
                members.insert(member.to_owned(), value);
            }
        }
        Ok(Profile::Default.collect(keys))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    #[derive(Serialize, Default)]
    struct Flags {
        listen: Option<String>,
        #[serde(rename = "database-url")]
        database_url: Option<String>,
    }

    fn check(flags: Flags, variables: &[(&str, &str)], file: &str) -> Result<Config, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relata.toml");
        std::fs::write(&path, file).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::layered(&flags, variables, Some(&path)).map_err(|error| error.0)
    }

    #[test]
    fn flags_win_over_environment_over_file() {
        let flags = Flags {
            listen: Some("127.0.0.1:1".to_owned()),
            ..Flags::default()
        };
        let config = check(
            flags,
            &[
                ("RELATA_LISTEN", "127.0.0.1:2"),
                ("RELATA_DATA_DIR", "/from/environment"),
            ],
            "listen = '127.0.0.1:3'\ndata-dir = '/from/file'\ncache_dir = '/cache'\n",
        )
        .unwrap();
        assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(config.data_dir, PathBuf::from("/from/environment"));
        assert_eq!(config.cache_dir(), PathBuf::from("/cache"));
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let mistakes = check(
            Flags {
                database_url: Some("mysql://here".to_owned()),
                ..Flags::default()
            },
            &[
                ("RELATA_REQUEST_TIMEOUT", "soon"),
                ("RELATA_TEST_POSTGRES", "x"),
            ],
            "lisen = 'a'\nbody_max = '1 ton'\nadmin_password = 'x'\n",
        )
        .unwrap_err();
        let all = mistakes.join("\n");
        assert_eq!(mistakes.len(), 5, "{all}");
        assert!(all.contains("did you mean listen?"), "{all}");
        assert!(all.contains("relata.toml"), "{all}");
        assert!(
            all.contains("RELATA_REQUEST_TIMEOUT: takes a duration"),
            "{all}"
        );
        assert!(all.contains("--database-url: takes sqlite://"), "{all}");
        assert!(all.contains("RELATA_ADMIN_PASSWORD"), "{all}");
    }

    #[test]
    fn limits_come_from_tables_and_from_variables() {
        let config = check(
            Flags::default(),
            &[
                ("RELATA_QUERY_LIMITS__DEPTH_MAX", "12"),
                ("RELATA_RETENTION__OUTBOX", "7d"),
            ],
            "[query-limits]\ndepth-max = 9\npage_max = 200\n\
             [plugin_limits]\nmemory_bytes = '32MiB'\nbefore_fuel = 20_000_000\n\
             [control_limits]\naliases_max = 0\n",
        )
        .unwrap();
        assert_eq!(config.query_limits.document.depth_max, 12);
        assert_eq!(config.query_limits.page_max, 200);
        assert_eq!(config.query_limits.page_default, 50);
        assert_eq!(config.plugin_limits.memory_bytes, 32 << 20);
        assert_eq!(config.plugin_limits.before_fuel, 20_000_000);
        assert_eq!(config.control_limits.aliases_max, 0);
        assert_eq!(config.retention.outbox, Duration::from_secs(7 * 24 * 3_600));
    }

    #[test]
    fn limits_that_make_no_sense_are_named_with_value_and_range() {
        let mistakes = check(
            Flags::default(),
            &[
                ("RELATA_QUERY_LIMITS__DEPTH_MAX", "0"),
                ("RELATA_QUERY_LIMITS__DEPHT_MAX", "7"),
                ("RELATA_CONTROL_LIMITS", "many"),
                ("RELATA_REQUESTS_AT_ONCE", "18446744073709551615"),
            ],
            "before_fuel = 1\n[plugin_limits]\nbefore_fuel = 99_000_000_000_000\nmemory_bytes = '1 ton'\n\
             [delivery]\npause_first = '30m'\npause_max = '1m'\nattempts_max = [1, 2]\nspeed = 1\n",
        )
        .unwrap_err();
        let all = mistakes.join("\n");
        for part in [
            "RELATA_QUERY_LIMITS__DEPTH_MAX: takes a whole number from 1 to 60, not 0",
            "RELATA_QUERY_LIMITS__DEPHT_MAX: there is no such setting; did you mean depth_max?",
            "RELATA_CONTROL_LIMITS: is a table of limits: [control_limits]",
            "RELATA_REQUESTS_AT_ONCE: takes a whole number from 1 to 1000000, not 18446744073709551615",
            "before_fuel in ",
            "did you mean plugin_limits.before_fuel?",
            "takes a whole number from 10000 to 20000000000, not 99000000000000",
            "takes a size from 1MiB to 4GiB, not 1 ton",
            "takes a whole number from 1 to 100, not 1, 2",
            "delivery.speed in ",
        ] {
            assert!(all.contains(part), "{part} is missing in\n{all}");
        }
        assert_eq!(mistakes.len(), 9, "{all}");
    }

    #[test]
    fn a_bucket_is_named_without_keys() {
        let config = check(
            Flags::default(),
            &[("RELATA_FILE_STORE_REGION", "eu-central-1")],
            "file_store = 's3://crm/files'\nfile_store_endpoint = 'http://127.0.0.1:9000'\n",
        )
        .unwrap();
        let Place::S3(bucket) = config.file_place() else {
            panic!("{:?}", config.file_place());
        };
        assert_eq!((&*bucket.bucket, &*bucket.prefix), ("crm", "files"));
        assert_eq!(bucket.region.as_deref(), Some("eu-central-1"));
        let config = check(Flags::default(), &[], "file_store = '/srv/files'").unwrap();
        assert_eq!(config.file_place(), Place::Folder("/srv/files".into()));

        let mistakes = check(
            Flags::default(),
            &[("RELATA_FILE_STORE", "s3://key:hush@crm/files")],
            "file_store_endpoint = 'https://key:hush@minio.example.com'\n",
        )
        .unwrap_err();
        let all = mistakes.join("\n");
        assert_eq!(mistakes.len(), 3, "{all}");
        assert!(
            all.contains("RELATA_FILE_STORE: takes a folder or s3://"),
            "{all}"
        );
        assert!(all.contains("AWS_SECRET_ACCESS_KEY"), "{all}");
        assert!(!all.contains("hush"), "{all}");
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let mistakes = check(
            Flags::default(),
            &[],
            "[delivery]\npause_first = '30m'\npause_max = '1m'\n[query_limits]\npage_max = 20\n",
        )
        .unwrap_err();
        let all = mistakes.join("\n");
        assert_eq!(mistakes.len(), 2, "{all}");
        assert!(all.contains("30m is more than pause_max, 1m"), "{all}");
        assert!(all.contains("50 is more than page_max, 20"), "{all}");
    }

    #[test]
    fn only_a_file_that_was_named_must_be_there() {
        let flags = Flags::default();
        assert!(Config::layered(&flags, std::iter::empty(), None).is_ok());
        let named = Path::new("/nowhere/relata.toml");
        assert!(Config::layered(&flags, std::iter::empty(), Some(named)).is_err());
    }

    #[test]
    fn texts_stay_texts_and_lists_may_be_written_with_commas() {
        let config = check(
            Flags::default(),
            &[
                ("RELATA_ADMIN_PASSWORD", "0123"),
                (
                    "RELATA_CORS_ORIGINS",
                    "https://a.example, https://b.example",
                ),
                ("RELATA_REQUEST_TIMEOUT", "250ms"),
                ("RELATA_UPLOAD_MAX", "2GiB"),
            ],
            "allowed-hosts = ['crm.example.com']\nrequests_at_once = 7\ndrain_timeout = 5\n",
        )
        .unwrap();
        assert_eq!(config.admin_password.unwrap().reveal(), "0123");
        assert_eq!(config.cors_origins.len(), 2);
        assert_eq!(config.allowed_hosts, ["crm.example.com"]);
        assert_eq!(config.requests_at_once, 7);
        assert_eq!(config.request_timeout.0, Duration::from_millis(250));
        assert_eq!(config.drain_timeout.0, Duration::from_secs(5));
        assert_eq!(config.upload_max.0, 2 << 30);
    }
}
