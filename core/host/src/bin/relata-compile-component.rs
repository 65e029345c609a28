//! The compiler's child process as a program of its own, for hosts that have no subcommand for it
//! (this crate's tests).

use std::process::ExitCode;

fn main() -> ExitCode {
    relata_host::compile_child_main(std::env::args_os().skip(1))
}
