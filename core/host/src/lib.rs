//! The plugin host: everything that touches a stranger's WebAssembly, and the only user of
//! wasmtime.
//!
//! A [`Package`] is read and checked, its component [`inspect`]ed, compiled in a child process
//! and pre-linked ([`Host::load`]); each call gets a fresh instance with budgets of fuel, time,
//! memory and host calls ([`Plugin`]). Records are reached through [`Services`], a trait that the
//! application implements: this crate knows no database and no catalogue revision.
//!
//! Invariants: what was not asked for by the manifest *and* granted is not reachable; a guest can
//! neither hold a thread nor end the process; every failure is an error that names plugin and
//! version; machine code is loaded only when it is what our own compiler wrote.

mod host;
mod plugin;

mod package;

mod manifest;

mod grants;
mod inspect;

mod call;
mod limits;
mod services;
mod values;

mod bindings;
mod budget;
mod compile;
mod engine;
mod outcome;

pub use call::{
    Actor, ActorKind, AfterCall, BeforeCall, BoxError, CallError, Effect, Fault, FaultCause,
    OperationCall, Outcome, PluginIssue, effect_object, effect_values,
};
pub use compile::{CompileCommand, CompileFailure, compile_child_main};
pub use grants::{Grants, RecordsGrant};
pub use host::{Host, HostError, HostOptions};
pub use inspect::{Export, Import, Inspection, inspect};
pub use limits::Limits;
pub use manifest::{
    CAPABILITY_OBJECTS_MAX, CONTRACT_VERSION, Capabilities, Change, HOOK_FIELDS_MAX, HOOKS_MAX,
    Hook, Manifest, OPERATIONS_MAX, OnFailure, Operation, OperationKind, Phase, RecordsCapability,
};
pub use package::{Package, PackageParts, Translations};
pub use plugin::Plugin;
pub use services::{
    Condition, Direction, FIND_LIMIT_MAX, LogLevel, NoServices, Operator, Query, RecordsError,
    RecordsIssue, ServiceError, Services, Stored, Totals,
};
pub use values::{NamedValue, PluginValue, from_plugin, instant_text, to_client_json, to_plugin};
