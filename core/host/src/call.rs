//! What goes into a call and what comes out of it.
//!
//! A rejection is the plugin's answer; a fault is its failure, an ordinary error that names the
//! plugin, its version and the export. The two are never confused.

use serde_json::Value as Json;

use relata_catalog::Issues;

use crate::bindings::{record_hooks, types};
use crate::manifest::Change;
use crate::values::{NamedValue, PluginValue};

pub use crate::bindings::record_hooks::{Effect, Outcome};
pub use crate::bindings::types::{Actor, ActorKind};

/// Any error, of whoever is on the other side of the [`Services`](crate::Services).
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A call of a before hook.
#[derive(Debug, Clone)]
pub struct BeforeCall {
    /// Singular name of the object.
    pub object: String,
    /// What happens to the record.
    pub change: Change,
    /// The record's id, also of one that is being created.
    pub id: String,
    /// Who does it.
    pub actor: Actor,
    /// When, RFC 3339 in UTC.
    pub now: String,
    /// The declared inputs before the write, in the manifest's order; empty on create.
    pub old: Vec<PluginValue>,
    /// The same after the write, as far as it is known.
    pub new: Vec<PluginValue>,
    /// How many plugin calls wait for this one: 0 for a write that no plugin made.
    pub depth: u32,
}

/// A call of an after hook.
#[derive(Debug, Clone)]
pub struct AfterCall {
    /// Singular name of the object.
    pub object: String,
    /// What happened to the record.
    pub change: Change,
    /// The record's id.
    pub id: String,
    /// The record's version that the change made.
    pub version: i64,
    /// Who did it.
    pub actor: Actor,
    /// When it was committed, RFC 3339 in UTC.
    pub at: String,
    /// The same for each delivery of the same event.
    pub idempotency_key: String,
    /// The declared inputs before the write, where the history knows them.
    pub old: Vec<PluginValue>,
    /// The declared inputs after the write.
    pub new: Vec<PluginValue>,
}

/// A call of an operation.
#[derive(Debug, Clone)]
pub struct OperationCall {
    /// A JSON object.
    pub arguments: Json,
    /// Who asks.
    pub actor: Actor,
    /// RFC 3339 in UTC.
    pub now: String,
    /// Language tag of the reader.
    pub locale: String,
}

/// Something that a person can mend, as the plugin says it. The text comes from
/// [`Plugin::message`](crate::Plugin::message).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginIssue {
    /// Into the record or the arguments.
    pub path: Vec<String>,
    /// Code of the plugin's translations.
    pub code: String,
    /// What the text speaks of.
    pub params: Vec<(String, String)>,
}

impl From<types::Issue> for PluginIssue {
    fn from(issue: types::Issue) -> Self {
        Self {
            path: issue.path,
            code: issue.code,
            params: issue.params,
        }
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin says no. Never empty.
    #[error("rejected by the plugin: {}", .0.iter().map(|issue| issue.code.as_str()).collect::<Vec<_>>().join(", "))]
    Rejected(Vec<PluginIssue>),
    /// The arguments do not satisfy the operation's schema.
    #[error("the arguments do not satisfy the operation's schema: {0}")]
    Arguments(Issues),
    /// An after hook says that it could not do its work; it is tried again later.
    #[error("the after hook asks to be called again: {0}")]
    Retry(String),
    /// The plugin failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A service ended the call ([`ServiceError::Abort`](crate::ServiceError::Abort)).
    #[error("the call was ended by the host")]
    Aborted(#[source] BoxError),
}

/// A plugin's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin {plugin} {version} failed in {export}: {cause}: {detail}")]
pub struct Fault {
    /// The plugin's id.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
    /// What was called: before hook `earn`, operation `statement`, …
    pub export: String,
    /// What kind of failure it is.
    pub cause: FaultCause,
    /// What is known about it.
    pub detail: String,
}

/// What kind of failure a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultCause {
    /// It trapped (a panic, `unreachable`, an access out of bounds).
    Trap,
    /// Its CPU budget was used up.
    Fuel,
    /// Its time by the clock was used up.
    Deadline,
    /// It wanted more memory than allowed.
    Memory,
    /// It wanted larger tables than allowed.
    Table,
    /// Its stack overflowed.
    Stack,
    /// It went on calling the host past the limit.
    HostCalls,
    /// What it returned can't be read, or is too much.
    Output,
    /// It wants what was not granted.
    Denied,
    /// No instance could be made of it.
    Instantiation,
    /// Calls are nested too deep.
    Depth,
    /// There was no room for a further call.
    Capacity,
}

impl FaultCause {
    /// Stable name for metrics and clients.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Trap => "TRAP",
            Self::Fuel => "FUEL",
            Self::Deadline => "DEADLINE",
            Self::Memory => "MEMORY",
            Self::Table => "TABLE",
            Self::Stack => "STACK",
            Self::HostCalls => "HOST_CALLS",
            Self::Output => "OUTPUT",
            Self::Denied => "DENIED",
            Self::Instantiation => "INSTANTIATION",
            Self::Depth => "DEPTH",
            Self::Capacity => "CAPACITY",
        }
    }
}

impl std::fmt::Display for FaultCause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Trap => "it trapped",
            Self::Fuel => "it used up its CPU budget",
            Self::Deadline => "it used up its time",
            Self::Memory => "it used up its memory",
            Self::Table => "its tables are too large",
            Self::Stack => "its stack overflowed",
            Self::HostCalls => "it made too many host calls",
            Self::Output => "its result can't be used",
            Self::Denied => "it wants what was not granted",
            Self::Instantiation => "it can't be instantiated",
            Self::Depth => "plugin calls are nested too deep",
            Self::Capacity => "there was no room for the call",
        })
    }
}

/// Why the host ended a call.
#[derive(Debug)]
pub(crate) enum End {
    Aborted(BoxError),
    Fault(FaultCause, String),
}

impl std::fmt::Display for End {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aborted(error) => write!(formatter, "ended by the host: {error}"),
            Self::Fault(cause, detail) => write!(formatter, "{cause}: {detail}"),
        }
    }
}

impl From<Change> for types::Change {
    fn from(change: Change) -> Self {
        match change {
            Change::Create => Self::Create,
            Change::Update => Self::Update,
            Change::Delete => Self::Delete,
            Change::Restore => Self::Restore,
            Change::Destroy => Self::Destroy,
        }
    }
}

impl BeforeCall {
    pub(crate) fn into_contract(self, hook: &str) -> record_hooks::BeforeCall {
        record_hooks::BeforeCall {
            hook: hook.to_owned(),
            object: self.object,
            change: self.change.into(),
            id: self.id,
            actor: self.actor,
            now: self.now,
            old: self.old,
            new: self.new,
        }
    }
}

impl AfterCall {
    pub(crate) fn into_contract(self, hook: &str) -> record_hooks::AfterCall {
        record_hooks::AfterCall {
            hook: hook.to_owned(),
            object: self.object,
            change: self.change.into(),
            id: self.id,
            version: self.version,
            actor: self.actor,
            at: self.at,
            idempotency_key: self.idempotency_key,
            old: self.old,
            new: self.new,
        }
    }
}

/// The object that an effect writes to.
#[must_use]
pub fn effect_object(effect: &Effect) -> &str {
    match effect {
        Effect::Create((object, _))
        | Effect::Update((object, _, _))
        | Effect::Delete((object, _)) => object,
    }
}

/// The values that an effect writes.
#[must_use]
pub fn effect_values(effect: &Effect) -> &[NamedValue] {
    match effect {
        Effect::Create((_, values)) | Effect::Update((_, _, values)) => values,
        Effect::Delete(_) => &[],
    }
}
