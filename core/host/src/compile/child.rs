//! The compiler's own process. It limits itself before it looks at a byte of the component, so
//! that no code has to run between `fork` and `exec`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::cache::create_own;
use crate::{Limits, engine};

/// Exit code for a component that the compiler refuses.
pub(super) const EXIT_INVALID: i32 = 2;
/// Exit code for everything else.
const EXIT_FAILED: u8 = 3;

const CPU_SECONDS: &str = "RELATA_COMPILE_CPU_SECONDS";
const MEMORY_BYTES: &str = "RELATA_COMPILE_MEMORY_BYTES";
const OUTPUT_BYTES: &str = "RELATA_COMPILE_OUTPUT_BYTES";
const STACK_BYTES: &str = "RELATA_COMPILE_STACK_BYTES";

/// The part of [`Limits`] that the child must know, handed over in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChildLimits {
    cpu_seconds: u64,
    memory_bytes: u64,
    output_bytes: u64,
    stack_bytes: u64,
}

impl ChildLimits {
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            cpu_seconds: limits.compile_cpu_seconds,
            memory_bytes: limits.compile_memory_bytes,
            output_bytes: limits.compile_output_bytes,
            stack_bytes: limits.stack_bytes as u64,
        }
    }

    pub(super) fn to_env(self) -> [(&'static str, String); 4] {
        [
            (CPU_SECONDS, self.cpu_seconds.to_string()),
            (MEMORY_BYTES, self.memory_bytes.to_string()),
            (OUTPUT_BYTES, self.output_bytes.to_string()),
            (STACK_BYTES, self.stack_bytes.to_string()),
        ]
    }

    fn from_env() -> Self {
        let default = Self::of(&Limits::default());
        let read = |name: &str, default: u64| {
            std::env::var(name)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        Self {
            cpu_seconds: read(CPU_SECONDS, default.cpu_seconds),
            memory_bytes: read(MEMORY_BYTES, default.memory_bytes),
            output_bytes: read(OUTPUT_BYTES, default.output_bytes),
            stack_bytes: read(STACK_BYTES, default.stack_bytes),
        }
    }

    fn apply(self) -> Result<(), rustix::io::Errno> {
        let both = |limit| Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        setrlimit(Resource::As, both(self.memory_bytes))?;
        setrlimit(Resource::Fsize, both(self.output_bytes))?;
        setrlimit(Resource::Core, both(0))?;
        setrlimit(
            Resource::Cpu,
            Rlimit {
                // The soft limit's signal tells the parent what happened; the hard one ends it.
                current: Some(self.cpu_seconds),
                maximum: Some(self.cpu_seconds + 1),
            },
        )
    }
}

/// What a program's hidden subcommand runs to compile one component: `IN OUT`, the paths of the
/// component and of the machine code to write. Limits come in the environment; without them the
/// defaults hold.
pub fn compile_child_main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let [input, output] = arguments.as_slice() else {
        eprintln!("compile-component takes two paths: the component, and the file to write");
        return ExitCode::from(EXIT_FAILED);
    };
    let child_limits = ChildLimits::from_env();
    if let Err(error) = child_limits.apply() {
        eprintln!("can't limit the compiler: {error}");
        return ExitCode::from(EXIT_FAILED);
    }
    let limits = Limits {
        stack_bytes: usize::try_from(child_limits.stack_bytes).unwrap_or(usize::MAX),
        ..Limits::default()
    };
    let component = match std::fs::read(Path::new(input)) {
        Ok(component) => component,
        Err(error) => {
            eprintln!("can't read the component: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let machine_code = match compile(&component, &limits) {
        Ok(machine_code) => machine_code,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(EXIT_INVALID as u8);
        }
    };
    match create_own(Path::new(output), &machine_code) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("can't write the machine code: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

pub(super) fn compile(component: &[u8], limits: &Limits) -> wasmtime::Result<Vec<u8>> {
    engine::compiler_engine(limits)?.precompile_component(component)
}
