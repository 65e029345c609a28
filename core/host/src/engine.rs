//! The engine: one configuration for the compiler (which runs in a child process) and for the
//! host, the pool of instances, and the clock that makes long calls yield.
//!
//! Figures are from the design's measurements: with 2 MiB of linear memory kept resident,
//! `PAGEMAP_SCAN` and a small guest stack, a fresh instance for each call costs 26–38 µs; without
//! them 95–133. `concurrency_support` costs 40 % of that and is off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::Limits;

/// Bytes of a host thread's stack on which a call runs. The guest's own part is
/// [`Limits::stack_bytes`]; the rest is for the host functions, which are polled on it: a write
/// made by a guest goes through the whole of the write path. Only touched pages cost anything.
const ASYNC_STACK_BYTES: usize = 2 << 20;

/// How long the clock goes on after the last call before it sleeps.
const TICKER_LINGER: Duration = Duration::from_millis(250);

/// What compiler and host must agree on.
pub(crate) fn config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .async_stack_size(ASYNC_STACK_BYTES.max(limits.stack_bytes * 2))
        .async_stack_zeroing(false)
        // The same bytes and the same fuel on every run, on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true);
    config
}

/// An engine for the compiler: no pool, whose reservation an address space limit would refuse.
pub(crate) fn compiler_engine(limits: &Limits) -> wasmtime::Result<Engine> {
    Engine::new(&config(limits))
}

/// An engine for calls.
pub(crate) fn call_engine(limits: &Limits) -> wasmtime::Result<Engine> {
    let mut pooled = config(limits);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    match Engine::new(&pooled) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            // Address space may be limited (containers, `ulimit -v`): slower is better than not.
            tracing::warn!(
                error = %format_args!("{error:#}"),
                "no room for the pool of plugin instances; each call will map its own memory"
            );
            Engine::new(&config(limits))
        }
    }
}

/// As many slots as there can be calls, nested ones included: none ever waits for a slot that
/// its parent holds. Slots are address space; what counts is what is touched.
fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let calls = limits.calls_alive_max();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_stacks(calls)
        // A component that wit-component makes of one module has three core instances, one memory
        // and two tables; guests with more share the average.
        .total_core_instances(calls.saturating_mul(6))
        .total_memories(calls.saturating_mul(2))
        .total_tables(calls.saturating_mul(3))
        .max_core_instances_per_component(clamped(limits.instances_max))
        .max_memories_per_component(clamped(limits.memories_max))
        .max_tables_per_component(clamped(limits.tables_max))
        .max_memories_per_module(clamped(limits.memories_max))
        .max_tables_per_module(clamped(limits.tables_max))
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements_max)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn clamped(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Moves the engine's epoch on while there are calls, so that each yields its thread in turn.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<TickerShared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct TickerShared {
    calls: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

/// A call in progress; the epoch moves while it lives.
pub(crate) struct Ticking<'t>(&'t TickerShared);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ticker {
    pub(crate) fn start(engine: &Engine, period: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(TickerShared::default());
        let thread = std::thread::Builder::new()
            .name("plugin-epoch".to_owned())
            .spawn({
                let shared = shared.clone();
                let engine = engine.clone();
                move || tick(&shared, &engine, period)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub(crate) fn enter(&self) -> Ticking<'_> {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Ticking(&self.shared)
    }
}

fn tick(shared: &TickerShared, engine: &Engine, period: Duration) {
    let mut busy_at = Instant::now();
    while !shared.stopped.load(Ordering::SeqCst) {
        if shared.calls.load(Ordering::SeqCst) > 0 {
            busy_at = Instant::now();
        } else if busy_at.elapsed() > TICKER_LINGER {
            shared.asleep.store(true, Ordering::SeqCst);
            // A call that came before `asleep` was seen is in `calls`; one that came after unparks.
            if shared.calls.load(Ordering::SeqCst) == 0 && !shared.stopped.load(Ordering::SeqCst) {
                std::thread::park();
            }
            shared.asleep.store(false, Ordering::SeqCst);
            busy_at = Instant::now();
        }
        std::thread::sleep(period);
        engine.increment_epoch();
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread's last act may take one period; nobody waits for it.
        }
    }
}
