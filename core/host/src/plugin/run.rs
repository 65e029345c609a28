//! One call: its turn, its store, its instance, its end, and the account of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tracing::Instrument;
use wasmtime::component::Instance;
use wasmtime::{Store, Trap, UpdateDeadline};

use super::Plugin;
use crate::bindings::{operations, record_hooks, types};
use crate::budget::{Budget, Exceeded};
use crate::call::{CallError, End, FaultCause, Outcome};
use crate::host::Queue;
use crate::services::{CallState, Services, Usage, Writes};

/// What is called, with what.
pub(super) enum Invocation {
    Nothing,
    Before(record_hooks::BeforeCall),
    After(record_hooks::AfterCall),
    Operation(operations::OperationCall),
}

/// What came back, unchecked.
pub(super) enum Answer {
    Nothing,
    Before(Result<Outcome, Vec<types::Issue>>),
    After(Result<(), String>),
    Operation(Result<String, Vec<types::Issue>>),
}

/// What a call may use.
pub(super) struct Allowance {
    pub(super) fuel: u64,
    pub(super) wall: Duration,
    pub(super) writes: Writes,
    pub(super) queue: Queue,
    pub(super) depth: u32,
}

impl Plugin {
    /// One call, from its turn to its checked answer, with its span and its metrics.
    pub(super) async fn call<T>(
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

pub(super) fn other_answer() -> (FaultCause, String) {
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
