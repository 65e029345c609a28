//! `GET /metrics`: the figures for Prometheus, on a listener of its own, so that they are never
//! public by accident.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;

pub(super) async fn render(State(handle): State<PrometheusHandle>) -> Response {
    handle.run_upkeep();
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        handle.render(),
    )
        .into_response()
}
