//! What can be seen from outside: log lines and figures.
//!
//! Both belong to the process, not to a workspace: `tracing` and `metrics` have one receiver
//! each. Whoever starts several servers in one process (tests) shares them; starting twice is
//! therefore no error.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::LogFormat;

/// Upper bounds of durations, in seconds: from a cached read to a plugin's compilation.
const DURATION_BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

/// Sends log lines to stderr: text on a terminal, JSON lines elsewhere. `filter` is the setting
/// `log`, as `RELATA_LOG=relata=debug,warn`.
///
/// # Errors
/// A filter that can't be read.
pub fn start_log(filter: &str, format: LogFormat) -> Result<(), FilterError> {
    let filter = EnvFilter::try_new(filter).map_err(|source| FilterError {
        filter: filter.to_owned(),
        source,
    })?;
    let as_text = match format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE);
    // A receiver that is there already stays: see the module's comment.
    let _ = if as_text {
        lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init()
    };
    Ok(())
}

/// A filter of the log that can't be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the setting log is {filter:?}, which is no filter; write a level (info) or targets with levels (relata=debug,warn)"
)]
pub struct FilterError {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Starts counting, once in a process, and gives what renders the figures for Prometheus.
///
/// # Errors
/// Somebody else in the process receives the figures already.
pub fn start_metrics() -> Result<PrometheusHandle, MetricsError> {
    static STARTED: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = STARTED.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)
        .map_err(|source| MetricsError(source.to_string()))?
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        // Two callers at the same moment: the other one was faster.
        return STARTED
            .get()
            .cloned()
            .ok_or_else(|| MetricsError("another recorder of metrics is installed".to_owned()));
    }
    metrics::describe_counter!(
        "http_requests_total",
        "Requests answered, by route and status."
    );
    metrics::describe_histogram!(
        "http_request_duration_seconds",
        "From the head of a request to its answer, by route."
    );
    metrics::describe_gauge!("http_requests_in_flight", "Requests being carried out.");
    Ok(STARTED.get_or_init(|| handle).clone())
}

/// Sums up what was counted, again and again: until then each duration is kept as it is, and
/// Prometheus may never come.
pub(crate) fn keep_up(figures: PrometheusHandle) -> tokio::task::JoinHandle<()> {
    const EVERY: std::time::Duration = std::time::Duration::from_secs(5);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            figures.run_upkeep();
        }
    })
}

/// Figures can't be gathered.
#[derive(Debug, thiserror::Error)]
#[error("figures can't be gathered: {0}")]
pub struct MetricsError(String);
