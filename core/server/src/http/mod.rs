//! HTTP: the routes, in one list, and what every request passes through.
//!
//! Nothing here knows objects or fields. A handler reads its request, asks the room below, and
//! writes the answer; what it answers wrong requests with is in [`problem`].

mod auth;
mod drain;
mod files;
mod frame;
mod graphiql;
mod graphql;
mod health;
mod listen;
mod metrics;
mod negotiation;
mod problem;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use relata_app::Workspace;
use relata_graphql::{ControlOptions, ControlPlane, Records, RecordsOptions};
use tokio::sync::Semaphore;

use crate::config::Config;

pub(crate) use listen::{ConnectionLimits, Listening, listen};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Service(Arc<ServiceParts>);

/// See [`Service`].
pub(crate) struct ServiceParts {
    pub(crate) config: Config,
    pub(crate) workspace: Workspace,
    pub(crate) records: Records,
    pub(crate) control: ControlPlane,
    /// One permit for each request that is being carried out, also where its client has gone.
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) waiting: Arc<Semaphore>,
    /// One permit for each file that arrives.
    pub(crate) uploads: Arc<Semaphore>,
    /// Set at the first sign of the end: `/readyz` says no from then on.
    pub(crate) is_ending: AtomicBool,
    hosts: frame::AllowedHosts,
    figures: frame::Figures,
}

impl std::ops::Deref for Service {
    type Target = ServiceParts;

    fn deref(&self) -> &ServiceParts {
        &self.0
    }
}

impl Service {
    pub(crate) fn new(config: Config, workspace: Workspace) -> Self {
        let options = RecordsOptions {
            limits: config.query_limits,
            documents: config.documents,
            introspection: config.introspection,
            suggestions: config.suggestions,
        };
        let records = Records::with_options(workspace.clone(), options);
        let options = ControlOptions {
            limits: config.control_limits,
            introspection: config.introspection,
            suggestions: config.suggestions,
        };
        Self(Arc::new(ServiceParts {
            control: ControlPlane::with_options(workspace.clone(), records.clone(), options),
            records,
            turns: Arc::new(Semaphore::new(config.requests_at_once)),
            waiting: Arc::new(Semaphore::new(config.requests_waiting)),
            uploads: Arc::new(Semaphore::new(config.uploads_at_once)),
            is_ending: AtomicBool::new(false),
            hosts: frame::AllowedHosts::of(&config),
            figures: frame::Figures::new(),
            workspace,
            config,
        }))
    }
}

/// Everything that the server answers.
pub(crate) fn routes(service: &Service) -> Router {
    let mut routes = Router::new()
        // Records: the schema follows the catalogue.
        .route("/graphql", post(graphql::records_post).get(graphql::records_get))
        // The control plane: a static schema.
        .route("/metadata", post(graphql::control_post).get(graphql::control_get))
        // Attachments, plugin packages, sources of imports, what exports have made.
        .route("/files", post(files::upload))
        .route("/files/{id}", get(files::download))
        // What the page for browsers is made of.
        .route("/graphiql/{asset}", get(graphiql::asset))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    if let Some(cross_origin) = frame::cross_origin(&service.config.cors_origins) {
        routes = routes.layer(cross_origin);
    }
    routes
        .layer(axum::middleware::from_fn_with_state(
            service.clone(),
            frame::accompany,
        ))
        .with_state(service.clone())
}

/// What the listener for Prometheus answers.
pub(crate) fn metrics_routes(handle: PrometheusHandle) -> Router {
    Router::new()
        .route("/metrics", get(metrics::render))
        .with_state(handle)
}
