//! What every request passes through, whatever it asks for: an id, a span, the list of allowed
//! Host names, figures, and the headers that keep a browser from doing more than it was asked to.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST,
    REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use relata_app::AppError;
use tokio::sync::OwnedSemaphorePermit;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;
use uuid::Uuid;

use super::problem::Problem;
use super::{Service, drain};
use crate::config::Config;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How many headers every answer gets here.
const HEADERS_OF_ALL: usize = 8;
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
/// Longest request id that is taken over from a client.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// How long a browser may remember the answer to a preflight request.
const PREFLIGHT_AGE_MAX: Duration = Duration::from_secs(3_600);

/// The request's id: the client's, if it is one that a log can bear, else a fresh one.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) Arc<str>);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|id| {
                (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
                    && id
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
            });
        Self(given.map_or_else(|| Uuid::now_v7().simple().to_string().into(), Arc::from))
    }
}

/// The outermost step of every request.
pub(super) async fn accompany(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    // First of all: whoever refuses, the rest of the body is read.
    let mut request = drain::accept(request);
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = tracing::info_span!("request", id = %id.0, method = %method, path);
    request.extensions_mut().insert(id.clone());

    let mut response = async {
        if service.hosts.allow(&request) {
            without_panic(in_turn(&service, request, next)).await
        } else {
            Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "BAD_INPUT",
                "this Host name is not served here; the setting allowed_hosts lists those that are",
            )
            .into_response()
        }
    }
    .instrument(span.clone())
    .await;

    seal(response.headers_mut(), &id, &service.config);
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let _entered = span.enter();
    report(&service.figures, route, response.status(), began);
    response
}

/// A panic is our mistake: the client gets a reference, the server goes on.
async fn without_panic(answer: impl Future<Output = Response>) -> Response {
    // What the panic may have left half-done is dropped with the request; shared state is behind
    // locks that a panic poisons or behind transactions that it rolls back.
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(_panic) => {
            Problem::from(AppError::broken("a request's handler panicked")).into_response()
        }
    }
}

fn report(figures: &Figures, route: &str, status: StatusCode, began: Instant) {
    let took = began.elapsed();
    figures.count(route, status, took);
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(status = status.as_u16(), microseconds, "answered");
    } else {
        tracing::info!(status = status.as_u16(), microseconds, "answered");
    }
}

/// What is counted of requests. Handles are kept: to look one up by its labels costs more than
/// to count.
pub(super) struct Figures {
    /// By status, then by route: a handful of each.
    of_routes: RwLock<HashMap<StatusCode, HashMap<Box<str>, OfRoute>>>,
    in_flight: metrics::Gauge,
}

struct OfRoute {
    requests: metrics::Counter,
    durations: metrics::Histogram,
}

impl Figures {
    /// After the figures' receiver has been started, if it is at all.
    pub(super) fn new() -> Self {
        Self {
            of_routes: RwLock::default(),
            in_flight: metrics::gauge!("http_requests_in_flight"),
        }
    }

    fn count(&self, route: &str, status: StatusCode, took: Duration) {
        {
            let known = self
                .of_routes
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(of_route) = known.get(&status).and_then(|routes| routes.get(route)) {
                return of_route.count(took);
            }
        }
        let of_route = OfRoute {
            requests: metrics::counter!(
                "http_requests_total",
                "route" => route.to_owned(),
                "status" => status.as_str().to_owned()
            ),
            durations: metrics::histogram!(
                "http_request_duration_seconds",
                "route" => route.to_owned()
            ),
        };
        of_route.count(took);
        let mut known = self
            .of_routes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // Routes are the patterns of our own list, not what clients ask for: this does not grow.
        known
            .entry(status)
            .or_default()
            .insert(route.into(), of_route);
    }
}

impl OfRoute {
    fn count(&self, took: Duration) {
        self.requests.increment(1);
        self.durations.record(took.as_secs_f64());
    }
}

/// Headers of every answer; a handler's own stay.
fn seal(headers: &mut HeaderMap, id: &RequestId, config: &Config) {
    // In one step: a map that grows as it is filled moves what it holds.
    headers.reserve(HEADERS_OF_ALL);
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
    let mut unless_set = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    unless_set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(REFERRER_POLICY, "no-referrer");
    unless_set(CACHE_CONTROL, "no-store");
    unless_set(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    unless_set(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    let is_public_tls = config
        .public_url
        .as_ref()
        .is_some_and(|address| address.0.scheme() == "https");
    if is_public_tls {
        unless_set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// A place among the requests that are carried out at the same time. Work that outlives its
/// request (a mutation whose client has gone) keeps a copy until it is done.
#[derive(Debug, Clone)]
pub(super) struct Turn(#[allow(dead_code)] Arc<OwnedSemaphorePermit>);

/// Waits for a turn; turns the request away when too many wait already.
async fn in_turn(service: &Service, mut request: Request, next: Next) -> Response {
    // Health is asked under load, too: it waits for nobody's turn.
    if is_health(&request) {
        return next.run(request).await;
    }
    let turn = match service.turns.clone().try_acquire_owned() {
        Ok(permit) => permit,
        Err(_all_taken) => match wait_for_turn(service).await {
            Some(permit) => permit,
            None => return turned_away(),
        },
    };
    let turn = Turn(Arc::new(turn));
    request.extensions_mut().insert(turn.clone());
    let _counted = InFlight::begin(&service.figures);
    next.run(request).await
}

fn is_health(request: &Request) -> bool {
    matches!(request.uri().path(), "/healthz" | "/readyz")
}

/// Counted as long as it lives: a client that goes away drops its request in the middle.
struct InFlight<'a>(&'a metrics::Gauge);

impl<'a> InFlight<'a> {
    fn begin(figures: &'a Figures) -> Self {
        let gauge = &figures.in_flight;
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

async fn wait_for_turn(service: &Service) -> Option<OwnedSemaphorePermit> {
    let _place_in_queue = service.waiting.try_acquire().ok()?;
    let turn = service.turns.clone().acquire_owned();
    tokio::time::timeout(service.config.request_timeout.0, turn)
        .await
        .ok()?
        .ok()
}

fn turned_away() -> Response {
    let mut response = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "the server has more to do than it can; try again",
    )
    .into_response();
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Which Host names are answered: a page of another name that points at this address (DNS
/// rebinding) gets nothing.
#[derive(Debug)]
pub(super) enum AllowedHosts {
    Any,
    These(HashSet<String>),
}

impl AllowedHosts {
    pub(super) fn of(config: &Config) -> Self {
        let public = config
            .public_url
            .as_ref()
            .and_then(|address| address.0.host_str());
        if config.allowed_hosts.is_empty() && !config.listen.ip().is_loopback() && public.is_none()
        {
            return Self::Any;
        }
        let mut names: HashSet<String> = config
            .allowed_hosts
            .iter()
            .map(String::as_str)
            .chain(public)
            .map(|name| host_name(name).to_ascii_lowercase())
            .collect();
        if names.contains("*") {
            return Self::Any;
        }
        if config.listen.ip().is_loopback() {
            names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
            names.insert(config.listen.ip().to_string());
        }
        Self::These(names)
    }

    fn allow(&self, request: &Request) -> bool {
        // Whoever looks after the process asks by address.
        if is_health(request) {
            return true;
        }
        match self {
            Self::Any => true,
            Self::These(names) => request
                .headers()
                .get(HOST)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|host| names.contains(&host_name(host).to_ascii_lowercase())),
        }
    }
}

/// `name` of `name:port`; an IPv6 address keeps its brackets.
fn host_name(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

/// What scripts of the listed origins may do; `None` where none are listed.
pub(super) fn cross_origin(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok()),
        )
    };
    // No credentials: the token travels in a header that the script sets itself.
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            ACCEPT_LANGUAGE,
            REQUEST_ID,
            HeaderName::from_static("time-zone"),
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("graphql-require-preflight"),
        ])
        .expose_headers([REQUEST_ID])
        .max_age(PREFLIGHT_AGE_MAX);
    Some(layer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use axum::body::Body;

    fn allows(config: &Config, host: &str) -> bool {
        let request = Request::builder()
            .uri("/graphql")
            .header(HOST, host)
            .body(Body::empty())
            .unwrap();
        AllowedHosts::of(config).allow(&request)
    }

    #[test]
    fn on_loopback_only_loopback_names_are_answered() {
        let config = Config::default();
        assert!(allows(&config, "localhost:8080"));
        assert!(allows(&config, "127.0.0.1"));
        assert!(allows(&config, "[::1]:8080"));
        assert!(!allows(&config, "evil.example"));
    }

    #[test]
    fn listed_names_are_answered() {
        let config = Config {
            listen: ([0, 0, 0, 0], 80).into(),
            allowed_hosts: vec!["CRM.example.com".to_owned()],
            ..Config::default()
        };
        assert!(allows(&config, "crm.EXAMPLE.com:443"));
        assert!(!allows(&config, "localhost"));
        let open = Config {
            listen: ([0, 0, 0, 0], 80).into(),
            ..Config::default()
        };
        assert!(allows(&open, "whatever"));
    }

    #[test]
    fn a_clients_request_id_is_taken_if_a_log_can_bear_it() {
        let of = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, id.parse().unwrap());
            RequestId::of(&headers).0
        };
        assert_eq!(&*of("abc-1.2_3:4"), "abc-1.2_3:4");
        assert_ne!(&*of("a b"), "a b");
        assert_eq!(of(&"x".repeat(65)).len(), 32);
        assert_eq!(RequestId::of(&HeaderMap::new()).0.len(), 32);
    }
}
