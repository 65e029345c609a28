//! The command line, as clap reads it. What commands do is in [`crate::commands`].

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// A configurable, plugin-extended CRM.
#[derive(Debug, Parser)]
#[command(
    name = "relata",
    version,
    max_term_width = 100,
    after_help = "Settings come from flags, from the environment (RELATA_LISTEN for --listen) and from \
                  relata.toml, in this order. Commands that change a workspace talk to a running server \
                  with --server URL --token T; without, they open the database themselves."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Talk to this running server instead of opening the database
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "RELATA_SERVER",
        help_heading = "Where"
    )]
    pub(crate) server: Option<url::Url>,
    /// API token for --server
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "RELATA_TOKEN",
        hide_env_values = true,
        help_heading = "Where"
    )]
    pub(crate) token: Option<String>,
    /// File with settings [default: relata.toml, if there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "RELATA_CONFIG",
        help_heading = "Where"
    )]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceFlags,
}

/// Where the workspace is. Members are named like the settings.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub(crate) struct WorkspaceFlags {
    /// sqlite://FILE?mode=rwc or postgres://… [default: sqlite://relata.db?mode=rwc]
    #[arg(long, global = true, value_name = "URL", help_heading = "Where")]
    pub(crate) database_url: Option<String>,
    /// Files of the workspace [default: relata-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Where")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Compiled plugins; may be thrown away [default: cache in the data folder]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Where")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// What is logged: a level, or targets with levels (relata=debug,warn) [default: info; for
    /// commands other than serve: warn]
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Where")]
    pub(crate) log: Option<String>,
    /// auto (text on a terminal, JSON lines elsewhere), text or json
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Where")]
    pub(crate) log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Migrate, load plugins, serve
    Serve(ServeFlags),
    /// Serve a fresh temporary workspace with a lifelike sample company
    Demo(DemoFlags),
    /// Bring the database to this version
    Migrate,
    /// Verify migrations and catalogue against the database, change nothing
    Check,
    /// Show what a blueprint would change
    Plan {
        /// Blueprint, YAML or JSON
        file: PathBuf,
    },
    /// Carry out what a blueprint changes
    Apply {
        /// Blueprint, YAML or JSON
        file: PathBuf,
        /// Names of destructive steps to carry out, as `relata plan` shows them
        #[arg(long, value_name = "NAME", num_args = 1..)]
        confirm: Vec<String>,
        /// Only if it is still this plan
        #[arg(long, value_name = "ID")]
        plan: Option<String>,
    },
    /// Print the workspace's own configuration as a blueprint (YAML)
    ExportBlueprint,
    /// Make, check, install and manage plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Bring the rows of a file in as records
    Import(ImportFlags),
    /// Write records to a file
    Export(ExportFlags),
    /// Look for records that may be the same, and print them
    Duplicates(DuplicatesFlags),
    /// Take an import back
    UndoImport {
        /// Job, as `relata import` has printed it
        job: String,
        /// Also records that somebody has changed since
        #[arg(long)]
        force: bool,
        /// Remove for good what was made, instead of putting it into the trash
        #[arg(long)]
        destroy: bool,
    },
    /// Manage documents that clients may name by their hash instead of sending them
    #[command(subcommand)]
    Documents(DocumentsCommand),
    /// Manage users
    #[command(subcommand)]
    User(UserCommand),
    /// Manage API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print the record schema (SDL)
    Schema,
    /// Print all settings as `relata serve` would have them here, with defaults and ranges
    Settings(ServeFlags),
    /// Compile a component; started by the server itself, under limits
    #[command(hide = true)]
    CompileComponent {
        /// What the host passes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
}

/// Members are named like the settings.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub(crate) struct ServeFlags {
    /// Where to listen; port 0 picks one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where Prometheus may ask for /metrics
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// The address under which people reach the server, behind a proxy
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Another origin for what plugins serve and users upload
    #[arg(long, value_name = "URL")]
    pub(crate) content_url: Option<String>,
    /// Host names that are answered
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) allowed_hosts: Option<Vec<String>>,
    /// Origins whose scripts may ask
    #[arg(long, value_name = "ORIGIN,…", value_delimiter = ',')]
    pub(crate) cors_origins: Option<Vec<String>>,
    /// Where a phone number without a country code belongs: AT
    #[arg(long, value_name = "COUNTRY")]
    pub(crate) region: Option<String>,
    /// Currency of an amount that names none: EUR
    #[arg(long, value_name = "CURRENCY")]
    pub(crate) currency: Option<String>,
    /// Make this the first administrator; the password is in RELATA_ADMIN_PASSWORD or
    /// --admin-password-file
    #[arg(long, value_name = "EMAIL")]
    pub(crate) admin_email: Option<String>,
    /// File with the first administrator's password
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_password_file: Option<PathBuf>,
    /// Longest that a request may take [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub(crate) request_timeout: Option<String>,
    /// Longest that requests in flight may take after SIGTERM [default: 25s]
    #[arg(long, value_name = "TIME")]
    pub(crate) drain_timeout: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoFlags {
    /// How many persons the sample company knows; everything else follows in proportion
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) records: u32,
    /// Folder with plugins to install (*.relata)
    #[arg(long, value_name = "DIR")]
    pub(crate) plugins: Option<PathBuf>,
    /// Where to listen; port 0 picks one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where Prometheus may ask for /metrics
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Make a plugin that builds, in ./NAME
    New {
        /// Name: lower case letters, digits and hyphens
        name: String,
    },
    /// Build the plugin in DIR into one file NAME.relata
    Build {
        /// Folder of the plugin
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Write this file instead of NAME.relata in the folder
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Say all that is wrong with a plugin's file
    Check {
        /// NAME.relata
        file: PathBuf,
    },
    /// Run the plugin's tests
    Test {
        /// Folder of the plugin
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Install a plugin; it may do what is granted, and nothing without
    Install {
        /// NAME.relata
        file: PathBuf,
        /// Grant all that its manifest asks for (--plan shows what)
        #[arg(long, conflicts_with = "grants")]
        grant_all: bool,
        /// Grant this (JSON, or @FILE), in the form of the manifest's capabilities
        #[arg(long, value_name = "JSON")]
        grants: Option<String>,
        /// Only show what would be granted and changed
        #[arg(long)]
        plan: bool,
    },
    /// List the plugins
    List,
    /// Stop a plugin; its data and its fields stay
    Disable {
        /// publisher.name
        id: String,
    },
    /// Let a disabled or suspended plugin run again
    Enable {
        /// publisher.name
        id: String,
    },
    /// Remove a plugin
    Uninstall {
        /// publisher.name
        id: String,
        /// What becomes of the data in its objects and fields
        #[arg(long, value_enum, default_value_t = PluginData::Keep)]
        data: PluginData,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PluginData {
    /// Hidden, and there again when the plugin is
    Keep,
    /// Given out as JSON, then dropped
    Export,
    /// Dropped
    Drop,
}

impl PluginData {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "KEEP",
            Self::Export => "EXPORT",
            Self::Drop => "DROP",
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ImportFlags {
    /// Name of the object: company
    pub(crate) object: String,
    /// CSV, XLSX, JSON Lines or vCards; what it is, is told by its content
    pub(crate) file: PathBuf,
    /// Columns to fields: COLUMN=FIELD, COLUMN=FIELD.PART (lastname=name.family), or
    /// COLUMN=RELATION.FIELD for the related record whose field has the value [default: guessed
    /// from names and values; --preview shows how]
    #[arg(long, value_name = "COLUMN=FIELD", num_args = 1..)]
    pub(crate) map: Vec<String>,
    /// The same for every row: FIELD=VALUE or FIELD.PART=VALUE
    #[arg(long, value_name = "FIELD=VALUE", num_args = 1..)]
    pub(crate) set: Vec<String>,
    /// Pass over rows in which one of these columns is empty
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    pub(crate) skip_empty: Vec<String>,
    /// Of rows that are equal in all of these columns take the first only
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    pub(crate) distinct: Vec<String>,
    /// Bring in the rows that are right, and report the others
    #[arg(long)]
    pub(crate) partial: bool,
    /// Check the rows, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Only show what the file is, and what its columns may be
    #[arg(long)]
    pub(crate) preview: bool,
    /// What a row does: create, update or upsert
    #[arg(long, value_enum, default_value_t = Action::Create)]
    pub(crate) action: Action,
    /// By what records are found that are changed: id, or the fields of a unique key
    #[arg(long, value_name = "FIELD", num_args = 1..)]
    pub(crate) on: Vec<String>,
    /// What an empty cell does: keep or clear [default: clear with --on id, else keep]
    #[arg(long, value_enum)]
    pub(crate) empty: Option<EmptyCell>,
    /// Create records that relations name and that are not there
    #[arg(long)]
    pub(crate) create_missing: bool,
    /// Let records enter stages whose gates they don't meet
    #[arg(long)]
    pub(crate) override_gates: bool,
    /// Which of the numbers of 05/04/2026 is what: dmy, mdy or ymd
    #[arg(long, value_enum, visible_alias = "date-format")]
    pub(crate) date_order: Option<Order>,
    /// Numbers are written 1.234,56
    #[arg(long)]
    pub(crate) decimal_comma: bool,
    /// What the file must be [default: what it is]
    #[arg(long, value_enum)]
    pub(crate) format: Option<FileFormat>,
    /// UTF-8, UTF-16LE, UTF-16BE, GB18030 or WINDOWS-1252 [default: told by the bytes]
    #[arg(long)]
    pub(crate) encoding: Option<String>,
    /// Between the columns of a CSV file [default: told by the first lines]
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    /// Sheet of a workbook [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) sheet: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExportFlags {
    /// Name of the object: company
    pub(crate) object: String,
    /// What the file shall be
    #[arg(long, value_enum, default_value_t = FileFormat::Csv)]
    pub(crate) format: FileFormat,
    /// Columns, as an import maps them: id, name.family, company.name [default: all that an
    /// import takes back]
    #[arg(long, value_name = "FIELD", num_args = 1..)]
    pub(crate) fields: Vec<String>,
    /// Only records that meet this condition, in the form of lists: {"name": {"contains": "x"}}
    #[arg(long = "where", value_name = "JSON")]
    pub(crate) condition: Option<String>,
    /// Write to this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DuplicatesFlags {
    /// Name of the object: company
    pub(crate) object: String,
    /// Print what the last search has found; do not look again
    #[arg(long)]
    pub(crate) last: bool,
    /// Sets to print, at most; the likeliest are the first
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) first: u64,
    /// Only sets that are at least so likely, 0 to 1 [default: the object's own score]
    #[arg(long, value_name = "SCORE")]
    pub(crate) min_score: Option<f64>,
}

/// What a row does.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Action {
    /// Makes a record
    Create,
    /// Changes the one that it names
    Update,
    /// Changes it, or makes it
    Upsert,
}

/// What an empty cell does.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EmptyCell {
    /// Nothing
    Keep,
    /// Empties the field
    Clear,
}

/// Which number of a date is what.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Order {
    /// Day, month, year
    Dmy,
    /// Month, day, year
    Mdy,
    /// Year, month, day
    Ymd,
}

/// What a file is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FileFormat {
    /// Text in columns
    Csv,
    /// Excel
    Xlsx,
    /// A JSON object on each line
    Jsonl,
    /// vCards
    #[value(alias = "vcf")]
    Vcard,
}

/// The name that the API has for it.
pub(crate) fn api_name(value: impl ValueEnum) -> String {
    let name = value.to_possible_value();
    name.map(|name| name.get_name().to_ascii_uppercase())
        .unwrap_or_default()
}

#[derive(Debug, Subcommand)]
pub(crate) enum DocumentsCommand {
    /// Register documents; each must be valid at this moment
    Register {
        /// GraphQL (*.graphql, *.gql; one document each), or JSON: an object of hashes and texts
        /// (GraphQL Code Generator, Relay), or a manifest of Apollo's
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// List the registered documents
    List,
    /// Remove documents
    Remove {
        /// SHA-256, as `list` shows it
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make a user; the password is in RELATA_ADMIN_PASSWORD or --password-file
    Create {
        /// E-mail address
        #[arg(long)]
        email: String,
        /// Name [default: the e-mail address]
        #[arg(long)]
        name: Option<String>,
        /// May change the configuration
        #[arg(long)]
        admin: bool,
        /// File with the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// List the users
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make an API token, and print it: this once
    Create {
        /// E-mail address of the user whom it acts for
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// What it is for
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use clap::CommandFactory as _;
    use relata_server::Config;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// A flag that is no setting would be refused as an unknown key.
    #[test]
    fn every_flag_is_a_setting() {
        for flags in [
            serde_json::to_value(WorkspaceFlags::default()).unwrap(),
            serde_json::to_value(ServeFlags::default()).unwrap(),
        ] {
            for key in flags.as_object().unwrap().keys() {
                assert!(Config::KEYS.contains(&key.as_str()), "{key}");
            }
        }
    }
}
