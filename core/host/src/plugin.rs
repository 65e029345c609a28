//! The host and the plugins that it has loaded: one pre-linked component each, one fresh instance
//! for each call, so that nothing leaks from one call into the next.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use relata_catalog::{Issue, Issues};
use serde_json::Value as Json;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument;
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use crate::bindings::{log, operations, record_hooks, records, settings, types};
use crate::budget::{Budget, Exceeded};
use crate::call::{
    AfterCall, BeforeCall, BoxError, CallError, End, Fault, FaultCause, OperationCall, Outcome,
};
use crate::compile::{CompileCommand, CompileFailure, Compiler};
use crate::engine::{self, Ticker};
use crate::inspect::{Import, Inspection, inspect};
use crate::manifest::{Hook, Manifest, OperationKind, Phase, schema_issues, schema_validator};
use crate::outcome::{check_issues, check_outcome, check_result};
use crate::package::{Package, Translations, translate};
use crate::services::{CallState, NoServices, Services, Usage, Writes};
use crate::{Grants, Limits};

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Folder of compiled components; made if it isn't there, for this user alone.
    pub cache_dir: PathBuf,
    /// Every limit.
    pub limits: Limits,
    /// How components are compiled.
    pub compile_command: CompileCommand,
}

/// What keeps a plugin from being loaded, or the host from being made.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The plugin is not acceptable, with all reasons.
    #[error("the plugin can't be used: {0}")]
    Refused(#[from] Issues),
    /// It was not compiled.
    #[error(transparent)]
    Compile(#[from] CompileFailure),
    /// It failed when it was tried.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The compiler can't be run.
    #[error("can't run the compiler {}", program.display())]
    Compiler {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The cache can't be used.
    #[error("can't use the cache of compiled plugins at {}", path.display())]
    Cache {
        /// What was touched.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// wasmtime says no.
    #[error("the WebAssembly engine refused")]
    Engine(#[source] BoxError),
    /// A thread can't be made.
    #[error("can't start the clock of plugin calls")]
    Ticker(#[source] std::io::Error),
}

impl HostError {
    /// What the person who brought the plugin can mend; `None` when it is the host's trouble.
    #[must_use]
    pub fn issues(&self) -> Option<Issues> {
        match self {
            Self::Refused(issues) => Some(issues.clone()),
            Self::Compile(failure) => {
                let code = match failure {
                    CompileFailure::Invalid(_) => "COMPONENT_INVALID",
                    _ => "COMPILE_LIMIT",
                };
                Some(Issue::new(code, failure.to_string()).into())
            }
            Self::Fault(fault) => {
                Some(Issue::new("INSTANTIATION_FAILED", fault.to_string()).into())
            }
            _ => None,
        }
    }
}

/// The engine, its limits and its compiler: one for a process, shared by all workspaces.
#[derive(Debug)]
pub struct Host {
    engine: Engine,
    limits: Arc<Limits>,
    compiler: Compiler,
    ticker: Ticker,
    turns: Semaphore,
}

impl Host {
    /// Makes a host.
    ///
    /// # Errors
    /// When the engine, the cache folder or the clock's thread can't be made.
    pub fn new(options: HostOptions) -> Result<Arc<Self>, HostError> {
        let engine = engine::call_engine(&options.limits)
            .map_err(|error| HostError::Engine(error.into()))?;
        let compiler = Compiler::new(&engine, &options.cache_dir, options.compile_command)?;
        let period = Duration::from_millis(options.limits.yield_ms.max(1));
        let ticker = Ticker::start(&engine, period).map_err(HostError::Ticker)?;
        Ok(Arc::new(Self {
            turns: Semaphore::new(options.limits.calls_concurrent_max.max(1) as usize),
            engine,
            limits: Arc::new(options.limits),
            compiler,
            ticker,
        }))
    }

    /// The limits that hold.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What a component imports and exports, without compiling it.
    ///
    /// # Errors
    /// Everything that keeps it from being a plugin.
    pub fn inspect(&self, component: &[u8]) -> Result<Inspection, Issues> {
        inspect(component)
    }

    /// Makes a plugin ready for calls: checks that its component imports nothing that was not
    /// asked for and granted, compiles it (or finds it compiled), links it and makes one instance
    /// as a trial.
    ///
    /// # Errors
    /// See [`HostError`]; [`HostError::issues`] tells what the plugin's author can mend.
    pub async fn load(
        self: &Arc<Self>,
        package: &Package,
        grants: &Grants,
    ) -> Result<Arc<Plugin>, HostError> {
        let inspection = inspected(&package.component).await?;
        grants.check(&package.manifest, &inspection)?;
        let schemas = schemas_of(&package.manifest)?;
        let component = self
            .compiler
            .component(&self.engine, &package.component, &self.limits)
            .await?;
        let linker = linker_of(&self.engine, &inspection)?;
        let instances = linker
            .instantiate_pre(&component)
            .map_err(|error| incompatible(&error))?;
        let plugin = Arc::new(Plugin {
            hooks: record_hooks::GuestIndices::new(&instances).ok(),
            operations: operations::GuestIndices::new(&instances).ok(),
            instances,
            host: self.clone(),
            id: package.manifest.id.as_str().into(),
            version: package.manifest.version.to_string().into(),
            manifest: package.manifest.clone(),
            translations: package.translations.clone(),
            sha256: package.sha256.clone(),
            grants: Arc::new(grants.clone()),
            inspection,
            schemas,
            faults_in_a_row: AtomicU32::new(0),
            fuel_of_last_call: AtomicU64::new(0),
        });
        plugin.try_out().await?;
        Ok(plugin)
    }

    /// Operations and after hooks wait for their turn. A before hook never does: it runs inside a
    /// write transaction, and whoever holds a turn may be waiting for exactly that transaction.
    /// Write transactions are few (SQLite has one, PostgreSQL as many as connections), and the
    /// pool has room for all of them.
    async fn turn(
        &self,
        queue: Queue,
        depth: u32,
    ) -> Result<Option<SemaphorePermit<'_>>, (FaultCause, String)> {
        if depth > self.limits.call_depth_max {
            return Err((
                FaultCause::Depth,
                format!("at most {} levels are allowed", self.limits.call_depth_max),
            ));
        }
        if queue == Queue::Skip {
            return Ok(None);
        }
        let patience = Duration::from_millis(self.limits.call_queue_ms);
        match tokio::time::timeout(patience, self.turns.acquire()).await {
            Ok(permit) => Ok(Some(permit.expect("the semaphore is never closed"))),
            Err(_elapsed) => Err((
                FaultCause::Capacity,
                format!(
                    "{} other calls did not end within {} ms",
                    self.limits.calls_concurrent_max, self.limits.call_queue_ms
                ),
            )),
        }
    }
}

/// Whether a call waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    Wait,
    Skip,
}

/// Reads the component off the workers' threads: megabytes of a stranger's bytes take their time.
async fn inspected(component: &[u8]) -> Result<Inspection, HostError> {
    let component = component.to_vec();
    let inspection = tokio::task::spawn_blocking(move || inspect(&component))
        .await
        .map_err(|error| HostError::Engine(error.into()))?;
    Ok(inspection?)
}

/// Only what the component imports is linked, and it imports only what was granted.
fn linker_of(engine: &Engine, inspection: &Inspection) -> Result<Linker<CallState>, HostError> {
    type Data = HasSelf<CallState>;
    let mut linker: Linker<CallState> = Linker::new(engine);
    let mut link = || -> wasmtime::Result<()> {
        types::add_to_linker::<_, Data>(&mut linker, |state| state)?;
        for import in &inspection.imports {
            match import {
                Import::Types => {}
                Import::Records => records::add_to_linker::<_, Data>(&mut linker, |state| state)?,
                Import::Settings => settings::add_to_linker::<_, Data>(&mut linker, |state| state)?,
                Import::Log => log::add_to_linker::<_, Data>(&mut linker, |state| state)?,
            }
        }
        Ok(())
    };
    link().map_err(|error| HostError::Engine(error.into()))?;
    Ok(linker)
}

fn incompatible(error: &wasmtime::Error) -> HostError {
    Issues::from(Issue::new(
        "CONTRACT_MISMATCH",
        format!("the component does not fit this host's contract: {error:#}"),
    ))
    .into()
}

/// Compiled schemas of one operation.
#[derive(Debug)]
struct OperationSchemas {
    arguments: jsonschema::Validator,
    result: jsonschema::Validator,
}

fn schemas_of(manifest: &Manifest) -> Result<IndexMap<String, OperationSchemas>, Issues> {
    let mut issues = Issues::default();
    let mut schemas = IndexMap::new();
    for (position, operation) in manifest.operations.iter().enumerate() {
        let invalid = |key: &str, message: String| {
            Issue::new("SCHEMA_INVALID", message)
                .at(key)
                .at(position)
                .at("operations")
        };
        match (
            schema_validator(&operation.arguments),
            schema_validator(&operation.result),
        ) {
            (Ok(arguments), Ok(result)) => {
                schemas.insert(
                    operation.name.clone(),
                    OperationSchemas { arguments, result },
                );
            }
            (arguments, result) => {
                issues
                    .0
                    .extend(arguments.err().map(|m| invalid("arguments", m)));
                issues.0.extend(result.err().map(|m| invalid("result", m)));
            }
        }
    }
    issues.into_result(schemas)
}

/// A plugin that can be called.
pub struct Plugin {
    host: Arc<Host>,
    id: Arc<str>,
    version: Arc<str>,
    manifest: Manifest,
    translations: Translations,
    sha256: String,
    grants: Arc<Grants>,
    inspection: Inspection,
    instances: InstancePre<CallState>,
    hooks: Option<record_hooks::GuestIndices>,
    operations: Option<operations::GuestIndices>,
    schemas: IndexMap<String, OperationSchemas>,
    faults_in_a_row: AtomicU32,
    fuel_of_last_call: AtomicU64,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What is called, with what.
enum Invocation {
    Nothing,
    Before(record_hooks::BeforeCall),
    After(record_hooks::AfterCall),
    Operation(operations::OperationCall),
}

/// What came back, unchecked.
enum Answer {
    Nothing,
    Before(Result<Outcome, Vec<types::Issue>>),
    After(Result<(), String>),
    Operation(Result<String, Vec<types::Issue>>),
}

/// What a call may use.
struct Allowance {
    fuel: u64,
    wall: Duration,
    writes: Writes,
    queue: Queue,
    depth: u32,
}

impl Plugin {
    /// `publisher.name`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The plugin's own version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it was granted.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What it imports and exports.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Of its package, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether it reads records: then its before hooks run inside the transaction.
    #[must_use]
    pub fn reads_records(&self) -> bool {
        self.inspection.imports.contains(&Import::Records)
    }

    /// Calls that have failed since the last that did not.
    #[must_use]
    pub fn faults_in_a_row(&self) -> u32 {
        self.faults_in_a_row.load(Ordering::Relaxed)
    }

    /// Fuel that the call which ended last has used, its instantiation included: the same for the
    /// same call, which is what replays and benchmarks compare.
    #[must_use]
    pub fn fuel_of_last_call(&self) -> u64 {
        self.fuel_of_last_call.load(Ordering::Relaxed)
    }

    /// The text of an issue in the reader's language.
    #[must_use]
    pub fn message(&self, locale: &str, code: &str, params: &[(String, String)]) -> String {
        translate(&self.translations, locale, code, params)
    }

    /// Calls a before hook. Host functions that write answer `denied`.
    ///
    /// # Errors
    /// [`CallError::Rejected`] when the plugin says no, [`CallError::Fault`] when it fails,
    /// [`CallError::Aborted`] when a service ended the call.
    pub async fn before(
        &self,
        hook: &str,
        call: BeforeCall,
        services: Arc<dyn Services>,
    ) -> Result<Outcome, CallError> {
        let export = format!("before hook `{hook}`");
        let declared = self.hook(hook, Phase::Before, &export)?;
        let limits = &self.host.limits;
        let allowance = Allowance {
            fuel: limits.before_fuel,
            wall: Duration::from_millis(limits.before_wall_ms),
            writes: Writes::Denied("a before hook returns its writes as effects"),
            queue: Queue::Skip,
            depth: call.depth,
        };
        let invocation = Invocation::Before(call.into_contract(hook));
        let checked = self
            .call(
                &export,
                "before",
                invocation,
                allowance,
                services,
                |answer| match answer {
                    Answer::Before(Ok(outcome)) => {
                        check_outcome(&outcome, declared, &self.grants, limits)?;
                        Ok(Ok(outcome))
                    }
                    Answer::Before(Err(issues)) => Ok(Err(check_issues(issues, limits)?)),
                    _ => Err(other_answer()),
                },
            )
            .await?;
        checked.map_err(CallError::Rejected)
    }

    /// Calls an after hook.
    ///
    /// # Errors
    /// [`CallError::Retry`] when the plugin asks for it, [`CallError::Fault`] when it fails,
    /// [`CallError::Aborted`] when a service ended the call.
    pub async fn after(
        &self,
        hook: &str,
        call: AfterCall,
        services: Arc<dyn Services>,
    ) -> Result<(), CallError> {
        let export = format!("after hook `{hook}`");
        self.hook(hook, Phase::After, &export)?;
        let limits = &self.host.limits;
        let allowance = Allowance {
            fuel: limits.after_fuel,
            wall: Duration::from_millis(limits.after_wall_ms),
            writes: Writes::Allowed,
            queue: Queue::Wait,
            depth: 0,
        };
        let invocation = Invocation::After(call.into_contract(hook));
        let checked = self
            .call(
                &export,
                "after",
                invocation,
                allowance,
                services,
                |answer| match answer {
                    Answer::After(answer) => Ok(answer),
                    _ => Err(other_answer()),
                },
            )
            .await?;
        checked.map_err(|message| CallError::Retry(message.chars().take(1_000).collect()))
    }

    /// Calls an operation. The host functions that write answer `denied` in a query.
    ///
    /// # Errors
    /// [`CallError::Arguments`] when the arguments don't satisfy the schema,
    /// [`CallError::Rejected`] when the plugin says no, [`CallError::Fault`] when it fails or its
    /// result does not satisfy the schema, [`CallError::Aborted`] when a service ended the call.
    pub async fn operation(
        &self,
        name: &str,
        call: OperationCall,
        services: Arc<dyn Services>,
    ) -> Result<Json, CallError> {
        let export = format!("operation `{name}`");
        let (Some(operation), Some(schemas)) =
            (self.manifest.operation(name), self.schemas.get(name))
        else {
            let detail = "the manifest has no such operation".to_owned();
            return Err(self
                .fault(&export, FaultCause::Instantiation, detail)
                .into());
        };
        let issues = schema_issues(&schemas.arguments, &call.arguments);
        if !issues.is_empty() {
            return Err(CallError::Arguments(issues));
        }
        let limits = &self.host.limits;
        let allowance = Allowance {
            fuel: limits.operation_fuel,
            wall: Duration::from_millis(limits.operation_wall_ms),
            writes: match operation.kind {
                OperationKind::Mutation => Writes::Allowed,
                OperationKind::Query => Writes::Denied("a query does not write"),
            },
            queue: Queue::Wait,
            depth: 0,
        };
        let invocation = Invocation::Operation(operations::OperationCall {
            name: name.to_owned(),
            arguments: call.arguments.to_string(),
            actor: call.actor,
            now: call.now,
            locale: call.locale,
        });
        let checked = self
            .call(
                &export,
                "operation",
                invocation,
                allowance,
                services,
                |answer| match answer {
                    Answer::Operation(Ok(text)) => {
                        let result = check_result(&text, limits)?;
                        let issues = schema_issues(&schemas.result, &result);
                        if let Some(first) = issues.0.first() {
                            return Err((
                                FaultCause::Output,
                                format!("its result does not satisfy its schema: {first}"),
                            ));
                        }
                        Ok(Ok(result))
                    }
                    Answer::Operation(Err(issues)) => Ok(Err(check_issues(issues, limits)?)),
                    _ => Err(other_answer()),
                },
            )
            .await?;
        checked.map_err(CallError::Rejected)
    }

    /// Makes one instance and throws it away: what fails to start is refused when it is loaded,
    /// not when a customer saves a record.
    async fn try_out(&self) -> Result<(), HostError> {
        let limits = &self.host.limits;
        let allowance = Allowance {
            fuel: limits.before_fuel,
            wall: Duration::from_millis(limits.before_wall_ms),
            writes: Writes::Denied("this is a trial"),
            queue: Queue::Wait,
            depth: 0,
        };
        let tried = self
            .call(
                "its start",
                "trial",
                Invocation::Nothing,
                allowance,
                Arc::new(NoServices),
                |_| Ok(()),
            )
            .await;
        self.faults_in_a_row.store(0, Ordering::Relaxed);
        match tried {
            Ok(()) => Ok(()),
            Err(CallError::Fault(fault)) => Err(fault.into()),
            Err(other) => Err(HostError::Engine(other.into())),
        }
    }

    fn hook(&self, name: &str, phase: Phase, export: &str) -> Result<&Hook, Fault> {
        self.manifest
            .hook(name)
            .filter(|hook| hook.phase == phase)
            .ok_or_else(|| {
                let detail = "the manifest has no such hook".to_owned();
                self.fault(export, FaultCause::Instantiation, detail)
            })
    }

    fn fault(&self, export: &str, cause: FaultCause, detail: String) -> Fault {
        Fault {
            plugin: self.id.to_string(),
            version: self.version.to_string(),
            export: export.to_owned(),
            cause,
            detail,
        }
    }

    /// One call, from its turn to its checked answer, with its span and its metrics.
    async fn call<T>(
        &self,
        export: &str,
        kind: &'static str,
        invocation: Invocation,
        allowance: Allowance,
        services: Arc<dyn Services>,
        check: impl FnOnce(Answer) -> Result<T, (FaultCause, String)> + Send,
    ) -> Result<T, CallError> {
        let span = tracing::info_span!(
            "plugin call",
            plugin = &*self.id,
            version = &*self.version,
            export,
            fuel = tracing::field::Empty,
        );
        let started = Instant::now();
        let fuel = allowance.fuel;
        let (answer, fuel_left) = self
            .run(invocation, allowance, services)
            .instrument(span.clone())
            .await;
        let result = match answer
            .and_then(|answer| check(answer).map_err(|(cause, detail)| End::Fault(cause, detail)))
        {
            Ok(checked) => Ok(checked),
            Err(End::Aborted(error)) => Err(CallError::Aborted(error)),
            Err(End::Fault(cause, detail)) => {
                Err(CallError::Fault(self.fault(export, cause, detail)))
            }
        };
        let used = fuel.saturating_sub(fuel_left);
        span.record("fuel", used);
        self.fuel_of_last_call.store(used, Ordering::Relaxed);
        self.account(export, kind, started.elapsed(), used, &result);
        result
    }

    /// Fresh store, fresh instance, one call. What ended it, and the fuel that is left.
    async fn run(
        &self,
        invocation: Invocation,
        allowance: Allowance,
        services: Arc<dyn Services>,
    ) -> (Result<Answer, End>, u64) {
        let _turn = match self.host.turn(allowance.queue, allowance.depth).await {
            Ok(turn) => turn,
            Err((cause, detail)) => return (Err(End::Fault(cause, detail)), allowance.fuel),
        };
        let _ticking = self.host.ticker.enter();
        let mut store = match self.store(&allowance, services) {
            Ok(store) => store,
            Err(error) => {
                let end = End::Fault(FaultCause::Instantiation, format!("{error:#}"));
                return (Err(end), allowance.fuel);
            }
        };
        let ran = tokio::time::timeout(allowance.wall, self.invoke(&mut store, invocation)).await;
        let fuel_left = store.get_fuel().unwrap_or(0);
        let answer = match ran {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(ending(&mut store, &failure, &allowance)),
            Err(_elapsed) => Err(End::Fault(
                FaultCause::Deadline,
                format!("at most {} ms are allowed", allowance.wall.as_millis()),
            )),
        };
        (answer, fuel_left)
    }

    fn store(
        &self,
        allowance: &Allowance,
        services: Arc<dyn Services>,
    ) -> wasmtime::Result<Store<CallState>> {
        let limits = &self.host.limits;
        let state = CallState {
            plugin: self.id.clone(),
            version: self.version.clone(),
            services,
            grants: self.grants.clone(),
            limits: limits.clone(),
            writes: allowance.writes,
            budget: Budget::new(limits),
            usage: Usage::default(),
            last_words: None,
            end: None,
        };
        let mut store = Store::try_new(&self.host.engine, state)?;
        // The limiter comes before the instance: counts are read when it is set.
        store.limiter(|state| &mut state.budget);
        store.set_fuel(allowance.fuel)?;
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| {
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        Ok(store)
    }

    async fn invoke(
        &self,
        store: &mut Store<CallState>,
        invocation: Invocation,
    ) -> Result<Answer, Failure> {
        let instance = self
            .instances
            .instantiate_async(&mut *store)
            .await
            .map_err(Failure::Starting)?;
        self.call_export(store, &instance, invocation)
            .await
            .map_err(Failure::Running)
    }

    async fn call_export(
        &self,
        store: &mut Store<CallState>,
        instance: &Instance,
        invocation: Invocation,
    ) -> wasmtime::Result<Answer> {
        Ok(match invocation {
            Invocation::Nothing => {
                // Loading an interface checks the types of its functions.
                if let Some(hooks) = &self.hooks {
                    hooks.load(&mut *store, instance)?;
                }
                if let Some(operations) = &self.operations {
                    operations.load(&mut *store, instance)?;
                }
                Answer::Nothing
            }
            Invocation::Before(call) => {
                let hooks = exported(self.hooks.as_ref())?.load(&mut *store, instance)?;
                Answer::Before(hooks.call_before(&mut *store, &call).await?)
            }
            Invocation::After(call) => {
                let hooks = exported(self.hooks.as_ref())?.load(&mut *store, instance)?;
                Answer::After(hooks.call_after(&mut *store, &call).await?)
            }
            Invocation::Operation(call) => {
                let operations = exported(self.operations.as_ref())?.load(&mut *store, instance)?;
                Answer::Operation(operations.call_call(&mut *store, &call).await?)
            }
        })
    }

    fn account<T>(
        &self,
        export: &str,
        kind: &'static str,
        elapsed: Duration,
        fuel: u64,
        result: &Result<T, CallError>,
    ) {
        let outcome = match result {
            Ok(_) => "answered",
            Err(CallError::Fault(fault)) => fault.cause.code(),
            Err(CallError::Aborted(_)) => "aborted",
            Err(_) => "rejected",
        };
        let plugin = self.id.to_string();
        metrics::counter!(
            "relata_plugin_calls_total",
            "plugin" => plugin.clone(), "kind" => kind, "outcome" => outcome
        )
        .increment(1);
        metrics::histogram!("relata_plugin_call_seconds", "plugin" => plugin.clone(), "kind" => kind)
            .record(elapsed.as_secs_f64());
        metrics::histogram!("relata_plugin_fuel", "plugin" => plugin, "kind" => kind)
            .record(fuel as f64);
        match result {
            Err(CallError::Fault(fault)) => {
                let in_a_row = self.faults_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::warn!(
                    plugin = &*self.id,
                    version = &*self.version,
                    export,
                    cause = fault.cause.code(),
                    detail = %fault.detail,
                    in_a_row,
                    "a plugin failed"
                );
            }
            Err(CallError::Aborted(_)) => {}
            _ => self.faults_in_a_row.store(0, Ordering::Relaxed),
        }
        if elapsed.as_millis() > u128::from(self.host.limits.slow_call_ms) {
            tracing::warn!(
                plugin = &*self.id,
                version = &*self.version,
                export,
                elapsed_ms = elapsed.as_millis(),
                fuel,
                "a slow plugin call"
            );
        }
    }
}

fn exported<T>(indices: Option<&T>) -> wasmtime::Result<&T> {
    indices.ok_or_else(|| wasmtime::Error::msg("the component does not export this interface"))
}

fn other_answer() -> (FaultCause, String) {
    (FaultCause::Output, "it answered another call".to_owned())
}

/// Where a call failed.
enum Failure {
    Starting(wasmtime::Error),
    Running(wasmtime::Error),
}

/// What an error of wasmtime's means. What the host itself decided comes first: wasmtime only
/// passes that on.
fn ending(store: &mut Store<CallState>, failure: &Failure, allowance: &Allowance) -> End {
    let state = store.data_mut();
    if let Some(end) = state.end.take() {
        return end;
    }
    if let Some(exceeded) = state.budget.exceeded {
        let cause = match exceeded {
            Exceeded::Memory { .. } => FaultCause::Memory,
            Exceeded::Table { .. } => FaultCause::Table,
        };
        return End::Fault(cause, exceeded.to_string());
    }
    let (error, otherwise) = match failure {
        Failure::Starting(error) => (error, FaultCause::Instantiation),
        Failure::Running(error) => (error, FaultCause::Output),
    };
    if error
        .downcast_ref::<wasmtime::PoolConcurrencyLimitError>()
        .is_some()
    {
        return End::Fault(FaultCause::Capacity, format!("{error:#}"));
    }
    let (cause, detail) = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (
            FaultCause::Fuel,
            format!("at most {} units of fuel are allowed", allowance.fuel),
        ),
        Some(Trap::StackOverflow) => (FaultCause::Stack, described(error)),
        Some(Trap::Interrupt) => (FaultCause::Deadline, described(error)),
        Some(trap) => {
            // The SDK logs a panic's text before it traps; the trap itself knows nothing of it.
            let detail = match state.last_words.take() {
                Some(words) => format!("{words} ({trap})"),
                None => described(error),
            };
            (FaultCause::Trap, detail)
        }
        None => (otherwise, described(error)),
    };
    End::Fault(cause, detail)
}

/// The chain of an error, without control characters (function names are the guest's), in at
/// most a thousand characters.
fn described(error: &wasmtime::Error) -> String {
    format!("{error:#}")
        .chars()
        .map(|c| if c == '\n' { ' ' } else { c })
        .filter(|c| !c.is_control())
        .take(1_000)
        .collect()
}
