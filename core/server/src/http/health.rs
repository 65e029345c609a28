//! `/healthz`: the process is alive. `/readyz`: it can serve, or why it can't.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Service;

pub(super) async fn alive() -> &'static str {
    "alive\n"
}

pub(super) async fn ready(State(service): State<Service>) -> Response {
    let relata_app::Readiness {
        mut reasons,
        warnings,
    } = service.workspace.ready().await;
    if service.is_ending.load(Ordering::Relaxed) {
        reasons.push("the server is ending".to_owned());
    }
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "ready": reasons.is_empty(), "reasons": reasons, "warnings": warnings });
    (status, Json(body)).into_response()
}
