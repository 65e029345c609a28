//! Every limit of the host, by name. What grows and is not here is a mistake.

use std::time::Duration;

/// Limits of packages, compilation, calls and what guests may ask for in a call.
///
/// Each is a setting, in the table `plugin_limits`; there stands the range that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a package, and of all that it unpacks to. Default 32 MiB.
    pub package_bytes_max: u64,
    /// Files in a package. Default 512.
    pub package_entries_max: usize,
    /// How many times larger a file may become by unpacking. Default 200.
    pub package_ratio_max: u64,

    /// CPU seconds of one compilation. Default 60.
    pub compile_cpu_seconds: u64,
    /// Milliseconds of one compilation by the clock on the wall. Default 120,000.
    pub compile_wall_ms: u64,
    /// Bytes of address space of one compilation. Default 3 GiB.
    pub compile_memory_bytes: u64,
    /// Bytes of machine code that one compilation may write. Default 256 MiB.
    pub compile_output_bytes: u64,

    /// Operations and after hooks that run at the same time; and, times the depth, how many calls
    /// of all kinds may be alive. Before hooks don't wait for a turn: they hold a transaction for
    /// which the others may be waiting. Default 64.
    pub calls_concurrent_max: u32,
    /// Milliseconds that an operation or an after hook waits for its turn. Default 5,000.
    pub call_queue_ms: u64,
    /// How deep calls may nest (a hook's write that calls a hook …). Default 8.
    pub call_depth_max: u32,

    /// Fuel of a before hook, instantiation included: about 2,000 a microsecond, so the default
    /// of 10,000,000 is about 5 ms of CPU.
    pub before_fuel: u64,
    /// Milliseconds of a before hook by the clock on the wall, its reads included. Default 2,000.
    pub before_wall_ms: u64,
    /// Fuel of an after hook. Default 400,000,000, about 200 ms of CPU.
    pub after_fuel: u64,
    /// Milliseconds of an after hook by the clock on the wall. Default 10,000.
    pub after_wall_ms: u64,
    /// Fuel of an operation. Default 400,000,000, about 200 ms of CPU.
    pub operation_fuel: u64,
    /// Milliseconds of an operation by the clock on the wall. Default 10,000.
    pub operation_wall_ms: u64,
    /// Milliseconds after which a running guest lets others have the thread. Default 2.
    pub yield_ms: u64,
    /// Milliseconds after which a call is reported as slow. Default 20.
    pub slow_call_ms: u64,

    /// Bytes of all linear memories of a call together. Default 64 MiB.
    pub memory_bytes: usize,
    /// Linear memories of a call. Default 8.
    pub memories_max: usize,
    /// Elements of all tables of a call together. Default 20,000.
    pub table_elements_max: usize,
    /// Tables of a call. Default 16.
    pub tables_max: usize,
    /// Core instances of a call. Default 32.
    pub instances_max: usize,
    /// Bytes of the guest's stack. Default 128 KiB.
    pub stack_bytes: usize,

    /// Host functions that a call may call; beyond, they answer `limit`, and at four times as
    /// many the call ends. Default 1,000.
    pub host_calls_max: u32,
    /// Rows that a call may read. Default 10,000.
    pub host_rows_max: usize,
    /// Bytes of values that a call may read. Default 8 MiB.
    pub host_read_bytes: usize,
    /// Bytes that a guest may hand to the host at once: arguments of one host function, or its
    /// result. Default 4 MiB.
    pub transfer_bytes: usize,
    /// Lines that a call may log; further ones are dropped and counted. Default 100.
    pub log_lines_max: u32,
    /// Bytes of a logged line; longer ones are cut. Default 2 KiB.
    pub log_line_bytes: usize,

    /// Patches of a before hook. Default 100.
    pub patches_max: usize,
    /// Effects of a before hook. Default 200.
    pub effects_max: usize,
    /// Issues of a rejection. Default 100.
    pub issues_max: usize,
    /// Bytes of all patches, effects or issues together. Default 1 MiB.
    pub outcome_bytes: usize,
    /// Bytes of an operation's JSON. Default 4 MiB.
    pub result_bytes: usize,
    /// Levels of lists and objects in JSON that comes from a guest. Default 64.
    pub json_depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            package_bytes_max: 32 << 20,
            package_entries_max: 512,
            package_ratio_max: 200,
            compile_cpu_seconds: 60,
            compile_wall_ms: 120_000,
            compile_memory_bytes: 3 << 30,
            compile_output_bytes: 256 << 20,
            calls_concurrent_max: 64,
            call_queue_ms: 5_000,
            call_depth_max: 8,
            before_fuel: 10_000_000,
            before_wall_ms: 2_000,
            after_fuel: 400_000_000,
            after_wall_ms: 10_000,
            operation_fuel: 400_000_000,
            operation_wall_ms: 10_000,
            yield_ms: 2,
            slow_call_ms: 20,
            memory_bytes: 64 << 20,
            memories_max: 8,
            table_elements_max: 20_000,
            tables_max: 16,
            instances_max: 32,
            stack_bytes: 128 << 10,
            host_calls_max: 1_000,
            host_rows_max: 10_000,
            host_read_bytes: 8 << 20,
            transfer_bytes: 4 << 20,
            log_lines_max: 100,
            log_line_bytes: 2 << 10,
            patches_max: 100,
            effects_max: 200,
            issues_max: 100,
            outcome_bytes: 1 << 20,
            result_bytes: 4 << 20,
            json_depth_max: 64,
        }
    }
}

impl Limits {
    /// Calls that may exist at once, nested ones included: what the pool holds. A call beyond them
    /// fails at once; none ever waits for a slot that its parent holds.
    #[must_use]
    pub fn calls_alive_max(&self) -> u32 {
        self.calls_concurrent_max
            .saturating_mul(self.call_depth_max.saturating_add(1))
    }

    pub(crate) fn compile_wall(&self) -> Duration {
        Duration::from_millis(self.compile_wall_ms)
    }
}
