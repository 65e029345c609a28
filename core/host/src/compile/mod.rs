//! Compilation of components: in a child process under limits, kept in a folder of our own.
//!
//! 5.7 KB of nested loops keep Cranelift busy for 25 s, 20 KB for two minutes and 1.6 GB. So the
//! compiler runs where it can be ended, once for each component and compiler, and its output is
//! loaded only when it is what was written: to load machine code is to trust it.

mod cache;
mod child;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Component;

pub use child::compile_child_main;

use crate::package::hex;
use crate::{HostError, Limits};
use cache::{Cache, Scratch};

/// Bytes of a child's complaint that are kept.
const COMPLAINT_BYTES_MAX: u64 = 8 << 10;

/// How components are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileCommand {
    /// In a child process: `program arguments… IN OUT`, which runs [`compile_child_main`].
    Child {
        /// The program.
        program: PathBuf,
        /// What comes before `IN OUT`.
        arguments: Vec<OsString>,
    },
    /// In this process, **without any limit**: for tests, with guests that they made themselves.
    InThisProcess,
}

impl CompileCommand {
    /// This program with its hidden subcommand `compile-component`.
    ///
    /// # Errors
    /// When the system does not tell which program runs.
    pub fn this_program() -> std::io::Result<Self> {
        // On Linux the program that runs, not the file that is now where it was started from:
        // an update replaces that file under a running server.
        let running = Path::new("/proc/self/exe");
        let program = if std::fs::metadata(running).is_ok() {
            running.to_owned()
        } else {
            std::env::current_exe()?
        };
        Ok(Self::Child {
            program,
            arguments: vec!["compile-component".into()],
        })
    }
}

/// Why a component was not compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileFailure {
    /// The compiler refused it.
    #[error("the component can't be compiled: {0}")]
    Invalid(String),
    /// Its CPU time was used up.
    #[error("compiling the component took more than {0} s of CPU")]
    Cpu(u64),
    /// Its time by the clock was used up.
    #[error("compiling the component took more than {0} ms")]
    Wall(u64),
    /// Its memory was used up, or its stack, or it was ended from outside.
    #[error("the compiler ended without a result (memory limit {memory_bytes} bytes): {detail}")]
    Ended {
        /// Limit of the address space.
        memory_bytes: u64,
        /// What is known.
        detail: String,
    },
}

/// Compiles, and remembers.
#[derive(Debug)]
pub(crate) struct Compiler {
    command: CompileCommand,
    cache: Cache,
    /// What tells apart the output of compilers and configurations.
    compatibility: String,
    /// One at a time: a compilation may take all the memory that it is allowed.
    turn: Semaphore,
}

impl Compiler {
    pub(crate) fn new(
        engine: &Engine,
        cache_dir: &Path,
        command: CompileCommand,
    ) -> Result<Self, HostError> {
        Ok(Self {
            command,
            cache: Cache::open(cache_dir)?,
            compatibility: compatibility(engine),
            turn: Semaphore::new(1),
        })
    }

    /// The component as machine code, from the cache or the compiler.
    pub(crate) async fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Component, HostError> {
        let name = format!("{}-{}", hex(&Sha256::digest(bytes)), self.compatibility);
        if let Some(component) = self.cached(engine, &name) {
            return Ok(component);
        }
        let _turn = self
            .turn
            .acquire()
            .await
            .expect("the semaphore is never closed");
        // Somebody may have compiled the same component while this one waited.
        if let Some(component) = self.cached(engine, &name) {
            return Ok(component);
        }
        let started = std::time::Instant::now();
        let machine_code = self.compile(bytes, limits).await?;
        tracing::info!(
            component = &name[..16],
            bytes = bytes.len(),
            machine_code_bytes = machine_code.len(),
            elapsed_ms = started.elapsed().as_millis(),
            "compiled a component"
        );
        // What our own compiler has just written is refused for one reason only: the component
        // has more memories, tables or instances than a slot of the pool.
        let component = deserialize(engine, &machine_code)
            .map_err(|error| CompileFailure::Invalid(format!("{error:#}")))?;
        self.cache.store(&name, &machine_code)?;
        Ok(component)
    }

    /// What is in the cache, if it is intact. What isn't is made anew, never loaded.
    fn cached(&self, engine: &Engine, name: &str) -> Option<Component> {
        let machine_code = self.cache.load(name)?;
        match deserialize(engine, &machine_code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(
                    name,
                    error = %format_args!("{error:#}"),
                    "a cached component can't be loaded; it will be compiled again"
                );
                None
            }
        }
    }

    async fn compile(&self, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, HostError> {
        let scratch = self.cache.scratch(bytes)?;
        match &self.command {
            CompileCommand::Child { program, arguments } => {
                run_child(program, arguments, &scratch, limits).await?;
                Ok(scratch.output(limits.compile_output_bytes)?)
            }
            CompileCommand::InThisProcess => child::compile(bytes, limits)
                .map_err(|error| CompileFailure::Invalid(format!("{error:#}")).into()),
        }
    }
}

async fn run_child(
    program: &Path,
    arguments: &[OsString],
    scratch: &Scratch,
    limits: &Limits,
) -> Result<(), HostError> {
    let mut child = Command::new(program)
        .args(arguments)
        .arg(&scratch.input)
        .arg(&scratch.output)
        .env_clear()
        .envs(child::ChildLimits::of(limits).to_env())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| HostError::Compiler {
            program: program.to_owned(),
            source,
        })?;
    let mut complaint = String::new();
    let stderr = child.stderr.take();
    let ended = tokio::time::timeout(limits.compile_wall(), async {
        let mut kept = Vec::new();
        if let Some(stderr) = stderr {
            // Past the limit the pipe closes, and a child that goes on complaining dies of it.
            let _unreadable = stderr
                .take(COMPLAINT_BYTES_MAX)
                .read_to_end(&mut kept)
                .await;
        }
        complaint = String::from_utf8_lossy(&kept).trim().to_owned();
        child.wait().await
    })
    .await;
    let status = match ended {
        Ok(status) => status.map_err(|source| HostError::Compiler {
            program: program.to_owned(),
            source,
        })?,
        Err(_elapsed) => {
            if let Err(error) = child.kill().await {
                tracing::warn!(%error, "could not end a compilation");
            }
            return Err(CompileFailure::Wall(limits.compile_wall_ms).into());
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(failure(status, complaint, limits).into())
}

fn failure(status: std::process::ExitStatus, complaint: String, limits: &Limits) -> CompileFailure {
    use std::os::unix::process::ExitStatusExt;
    let cpu_limit_signal = rustix::process::Signal::XCPU.as_raw();
    if status.signal() == Some(cpu_limit_signal) {
        return CompileFailure::Cpu(limits.compile_cpu_seconds);
    }
    if status.code() == Some(child::EXIT_INVALID) {
        return CompileFailure::Invalid(complaint);
    }
    let detail = if complaint.is_empty() {
        status.to_string()
    } else {
        format!("{status}: {complaint}")
    };
    CompileFailure::Ended {
        memory_bytes: limits.compile_memory_bytes,
        detail,
    }
}

/// A short name for the compiler and its configuration: part of a file's name only, wasmtime
/// checks the real thing when it loads.
fn compatibility(engine: &Engine) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Makes machine code callable. The one place where this crate trusts bytes.
#[allow(unsafe_code)]
fn deserialize(engine: &Engine, machine_code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were written by our own compiler: they come from the child that this
    // process has just waited for, or from the cache, a folder of mode 0700 that belongs to this
    // user, where they are read once and compared with the digest that was kept with them.
    unsafe { Component::deserialize(engine, machine_code) }
}
