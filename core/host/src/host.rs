//! The host, and the way of a package to a plugin: inspect, check grants, compile, link, try.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use relata_catalog::{Issue, Issues};
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{log, records, settings, types};
use crate::call::{BoxError, Fault, FaultCause};
use crate::compile::{CompileCommand, CompileFailure, Compiler};
use crate::engine::{self, Ticker};
use crate::inspect::{Import, Inspection, inspect};
use crate::manifest::{Manifest, schema_validator};
use crate::package::Package;
use crate::plugin::{Linked, Plugin};
use crate::services::CallState;
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
    pub(crate) engine: Engine,
    pub(crate) limits: Arc<Limits>,
    compiler: Compiler,
    pub(crate) ticker: Ticker,
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
        let plugin = Arc::new(Plugin::new(
            self.clone(),
            package,
            grants,
            Linked {
                inspection,
                instances,
                schemas,
            },
        ));
        plugin.try_out().await?;
        Ok(plugin)
    }

    /// Operations and after hooks wait for their turn. A before hook never does: it runs inside a
    /// write transaction, and whoever holds a turn may be waiting for exactly that transaction.
    /// Write transactions are few (SQLite has one, PostgreSQL as many as connections), and the
    /// pool has room for all of them.
    pub(crate) async fn turn(
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
pub(crate) enum Queue {
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
pub(crate) struct OperationSchemas {
    pub(crate) arguments: jsonschema::Validator,
    pub(crate) result: jsonschema::Validator,
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
