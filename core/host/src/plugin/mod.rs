//! A plugin that has been loaded: one pre-linked component, and a fresh instance for each call, so
//! that nothing leaks from one call into the next and no failed call leaves anything to clear.

mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value as Json;
use wasmtime::component::InstancePre;

use crate::Grants;
use crate::bindings::{operations, record_hooks};
use crate::call::{AfterCall, BeforeCall, CallError, Fault, FaultCause, OperationCall, Outcome};
use crate::host::{Host, HostError, OperationSchemas, Queue};
use crate::inspect::{Import, Inspection};
use crate::manifest::{Hook, Manifest, OperationKind, Phase, schema_issues};
use crate::outcome::{check_issues, check_outcome, check_result};
use crate::package::{Package, Translations, translate};
use crate::services::{CallState, NoServices, Services, Writes};
use run::{Allowance, Answer, Invocation, other_answer};

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

/// What loading has made of a component.
pub(crate) struct Linked {
    pub(crate) inspection: Inspection,
    pub(crate) instances: InstancePre<CallState>,
    pub(crate) schemas: IndexMap<String, OperationSchemas>,
}

impl Plugin {
    pub(crate) fn new(host: Arc<Host>, package: &Package, grants: &Grants, linked: Linked) -> Self {
        Self {
            hooks: record_hooks::GuestIndices::new(&linked.instances).ok(),
            operations: operations::GuestIndices::new(&linked.instances).ok(),
            instances: linked.instances,
            host,
            id: package.manifest.id.as_str().into(),
            version: package.manifest.version.to_string().into(),
            manifest: package.manifest.clone(),
            translations: package.translations.clone(),
            sha256: package.sha256.clone(),
            grants: Arc::new(grants.clone()),
            inspection: linked.inspection,
            schemas: linked.schemas,
            faults_in_a_row: AtomicU32::new(0),
            fuel_of_last_call: AtomicU64::new(0),
        }
    }

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
    pub(crate) async fn try_out(&self) -> Result<(), HostError> {
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
}
