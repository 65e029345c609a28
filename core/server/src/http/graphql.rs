//! GraphQL over HTTP, as its specification says, for both endpoints.
//!
//! - POST with a JSON body; GET for queries alone. Batches are refused.
//! - `application/json` answers 200 to every well-formed request; in
//!   `application/graphql-response+json` the status says what became of it.
//! - No request can be forged from another site's page: each needs the Authorization header, which
//!   makes a browser ask first (preflight), and a body must be JSON, which does the same.
//! - A mutation runs to its end, also when its client has gone: half of what a client asked for
//!   is never cancelled by a lost connection.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, RawQuery, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use relata_app::documents::{DocumentHash, read_hash};
use relata_app::idempotency::Repeatable;
use relata_app::{AppError, Caller, Issue, Issues};
use relata_graphql::{Accepts, GraphqlRequest, GraphqlResponse, Outcome, RequestContext};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use tracing::Instrument as _;

use super::Service;
use super::frame::{RequestId, Turn};
use super::negotiation::{BodyType, MediaType, answer_in, body_type};
use super::problem::{self, Problem};
use super::{auth, graphiql};

/// `POST /graphql`
pub(super) async fn records_post(State(service): State<Service>, request: Request) -> Response {
    answer_post(service, Endpoint::Records, request).await
}

/// `GET /graphql`
pub(super) async fn records_get(
    State(service): State<Service>,
    query: RawQuery,
    request: Request,
) -> Response {
    answer_get(service, Endpoint::Records, query, request).await
}

/// `POST /metadata`
pub(super) async fn control_post(State(service): State<Service>, request: Request) -> Response {
    answer_post(service, Endpoint::Control, request).await
}

/// `GET /metadata`
pub(super) async fn control_get(
    State(service): State<Service>,
    query: RawQuery,
    request: Request,
) -> Response {
    answer_get(service, Endpoint::Control, query, request).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Records,
    Control,
}

/// What stands around the GraphQL request.
struct Around {
    request_id: RequestId,
    turn: Option<Turn>,
}

impl Around {
    fn of(request: &Request) -> Self {
        Self {
            // `accompany` gives every request an id.
            request_id: request
                .extensions()
                .get::<RequestId>()
                .cloned()
                .unwrap_or_else(|| RequestId("".into())),
            turn: request.extensions().get::<Turn>().cloned(),
        }
    }
}

async fn answer_post(service: Service, endpoint: Endpoint, request: Request) -> Response {
    let offered = [MediaType::Json, MediaType::GraphqlResponse];
    let Some(media_type) = answer_in(request.headers(), &offered) else {
        return not_acceptable().into_response();
    };
    let around = Around::of(&request);
    match carry_out_post(&service, endpoint, request, around).await {
        Ok(response) => answer(response, media_type),
        Err(problem) => problem.in_media_type(media_type.header()).into_response(),
    }
}

async fn carry_out_post(
    service: &Service,
    endpoint: Endpoint,
    request: Request,
    around: Around,
) -> Result<GraphqlResponse, Problem> {
    require_json(request.headers())?;
    let caller = auth::caller(service, request.headers()).await?;
    let key = match endpoint {
        Endpoint::Records => request.headers().get(IDEMPOTENCY_KEY).cloned(),
        // Changes of the configuration say themselves what they start from (a plan's id).
        Endpoint::Control => None,
    };
    let body = read_body(service, endpoint, request).await?;
    let mut request = read_parameters(&body)?;
    request.repeatable = key
        .map(|key| Repeatable::new(&String::from_utf8_lossy(key.as_bytes()), &body))
        .transpose()?;
    execute(service, endpoint, request, caller, around).await
}

async fn answer_get(
    service: Service,
    endpoint: Endpoint,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let offered = [MediaType::Json, MediaType::GraphqlResponse, MediaType::Html];
    let Some(media_type) = answer_in(request.headers(), &offered) else {
        return not_acceptable().into_response();
    };
    if media_type == MediaType::Html {
        return graphiql::page();
    }
    let around = Around::of(&request);
    match carry_out_get(
        &service,
        endpoint,
        query.as_deref(),
        request.headers(),
        around,
    )
    .await
    {
        Ok(response) => answer(response, media_type),
        Err(problem) => problem.in_media_type(media_type.header()).into_response(),
    }
}

async fn carry_out_get(
    service: &Service,
    endpoint: Endpoint,
    query: Option<&str>,
    headers: &HeaderMap,
    around: Around,
) -> Result<GraphqlResponse, Problem> {
    let caller = auth::caller(service, headers).await?;
    let request = read_query_string(query.unwrap_or_default())?;
    execute(service, endpoint, request, caller, around).await
}

fn not_acceptable() -> Problem {
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "BAD_INPUT",
        "answers come as application/graphql-response+json or application/json; accept one of them",
    )
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let wrong = match body_type(headers) {
        BodyType::Json => return Ok(()),
        BodyType::JsonElsewise => "send JSON in UTF-8",
        BodyType::Other => "send JSON, with the header `Content-Type: application/json`",
    };
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "BAD_INPUT",
        wrong,
    ))
}

/// The body, if it is within the limit and comes in time.
async fn read_body(
    service: &Service,
    endpoint: Endpoint,
    request: Request,
) -> Result<Bytes, Problem> {
    let (setting, limit) = match endpoint {
        Endpoint::Records => ("body_max", service.config.body_max.bytes()),
        Endpoint::Control => ("control_body_max", service.config.control_body_max.bytes()),
    };
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "LIMIT_EXCEEDED",
            format!("a request may have {limit} bytes (setting {setting})"),
        )
    };
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut request = request;
    axum::extract::DefaultBodyLimit::max(limit).apply(&mut request);
    let read = Bytes::from_request(request, &());
    let read = tokio::time::timeout(service.config.request_timeout.0, read)
        .await
        .map_err(|_| {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "TIMEOUT",
                "the request took too long to arrive",
            )
        })?;
    read.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            Problem::bad_input("the request did not arrive whole")
        }
    })
}

/// The parameters of a request, where all of them are what they should be.
#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    query: Option<String>,
    #[serde(default, rename = "documentId")]
    document_id: Option<String>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Json>>,
    #[serde(default)]
    extensions: Option<Map<String, Json>>,
}

fn read_parameters(body: &[u8]) -> Result<GraphqlRequest, Problem> {
    // A list would be read as the members of the struct, in order.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    let parameters = match serde_json::from_slice::<Parameters>(body) {
        Ok(parameters) if is_object => parameters,
        _ => read_parameters_closely(body)?,
    };
    request_of(parameters)
}

/// Says all that is wrong with the parameters.
fn read_parameters_closely(body: &[u8]) -> Result<Parameters, Problem> {
    let body: Json = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_input(format!("the body is not JSON: {error}")))?;
    let mut body = match body {
        Json::Object(body) => body,
        Json::Array(_) => {
            return Err(Problem::bad_input(
                "batches are not taken: send one request at a time, or several root fields in one request",
            ));
        }
        _ => return Err(Problem::bad_input("the body must be a JSON object")),
    };
    let mut issues = Issues::default();
    let mut wrong = |parameter: &str, takes: &str| {
        let message = format!("{parameter} takes {takes}");
        issues.push(Issue::new("BAD_INPUT", message).at(parameter));
    };
    let mut text = |parameter: &str, takes: &str| match body.remove(parameter) {
        None | Some(Json::Null) => None,
        Some(Json::String(text)) => Some(text),
        Some(_) => {
            wrong(parameter, takes);
            None
        }
    };
    let query = text("query", "the text of a GraphQL document");
    let document_id = text("documentId", DOCUMENT_ID);
    let operation_name = text("operationName", "the name of an operation");
    let mut object = |parameter: &str, takes: &str| match body.remove(parameter) {
        None | Some(Json::Null) => None,
        Some(Json::Object(object)) => Some(object),
        Some(_) => {
            wrong(parameter, takes);
            None
        }
    };
    let variables = object(
        "variables",
        "an object: names of variables and their values",
    );
    let extensions = object("extensions", "an object");
    if issues.is_empty() {
        Ok(Parameters {
            query,
            document_id,
            operation_name,
            variables,
            extensions,
        })
    } else {
        Err(AppError::bad_input_issues(issues).into())
    }
}

const DOCUMENT_ID: &str = "sha256: and 64 hexadecimal digits";

fn request_of(parameters: Parameters) -> Result<GraphqlRequest, Problem> {
    let Parameters {
        query,
        document_id,
        operation_name,
        variables,
        extensions,
    } = parameters;
    let document = match document_id {
        Some(id) => Some(read_document_id(&id)?),
        None => match extensions
            .as_ref()
            .and_then(|all| all.get("persistedQuery"))
        {
            Some(persisted) => Some(read_persisted_query(persisted)?),
            None => None,
        },
    };
    if query.is_none() && document.is_none() {
        let message = "query takes the text of a GraphQL document; it is missing";
        let issue = Issue::new("BAD_INPUT", message).at("query");
        return Err(AppError::bad_input_issues(issue.into()).into());
    }
    Ok(GraphqlRequest {
        query,
        document,
        operation_name,
        variables: variables.unwrap_or_default(),
        ..GraphqlRequest::default()
    })
}

/// As GraphQL over HTTP has it: `sha256:` and the digits.
fn read_document_id(id: &str) -> Result<DocumentHash, Problem> {
    id.strip_prefix("sha256:")
        .and_then(read_hash)
        .ok_or_else(|| {
            let message = format!("documentId takes {DOCUMENT_ID}");
            let issue = Issue::new("BAD_INPUT", message).at("documentId");
            AppError::bad_input_issues(issue.into()).into()
        })
}

/// Apollo's form: `{"version": 1, "sha256Hash": "…"}`.
fn read_persisted_query(persisted: &Json) -> Result<DocumentHash, Problem> {
    let mut issues = Issues::default();
    let mut wrong = |member: Option<&str>, message: &str| {
        let mut issue = Issue::new("BAD_INPUT", message);
        if let Some(member) = member {
            issue = issue.at(member);
        }
        issues.push(issue.at("persistedQuery").at("extensions"));
    };
    let hash = persisted["sha256Hash"].as_str().and_then(read_hash);
    if !persisted.is_object() {
        wrong(None, "persistedQuery takes an object");
    } else {
        if persisted["version"] != 1 {
            wrong(Some("version"), "the version of this form is 1");
        }
        if hash.is_none() {
            wrong(Some("sha256Hash"), "sha256Hash takes 64 hexadecimal digits");
        }
    }
    match hash {
        Some(hash) if issues.is_empty() => Ok(hash),
        _ => Err(AppError::bad_input_issues(issues).into()),
    }
}

fn read_query_string(text: &str) -> Result<GraphqlRequest, Problem> {
    let mut body = Map::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" | "documentId" => Json::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Json::Null,
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|error| Problem::bad_input(format!("{name} must be JSON: {error}")))?,
            _ => continue,
        };
        if body.insert(name.clone().into_owned(), value).is_some() {
            return Err(Problem::bad_input(format!("{name} is given twice")));
        }
    }
    let body = Json::Object(body).to_string();
    Ok(GraphqlRequest {
        accepts: Accepts::QueryOnly,
        ..read_parameters(body.as_bytes())?
    })
}

/// Carries the request out within its time.
async fn execute(
    service: &Service,
    endpoint: Endpoint,
    request: GraphqlRequest,
    caller: Arc<Caller>,
    around: Around,
) -> Result<GraphqlResponse, Problem> {
    let context = RequestContext {
        request_id: around.request_id.0.to_string(),
    };
    let may_write = match endpoint {
        Endpoint::Records => service.records.may_write(&request),
        // A document without the word can't be a mutation; one with it is treated as one.
        Endpoint::Control => {
            let text = request.query.as_deref().unwrap_or_default();
            request.accepts == Accepts::Any && text.contains("mutation")
        }
    };
    if !may_write {
        let (setting, limit) = match endpoint {
            Endpoint::Records => ("request_timeout", service.config.request_timeout.0),
            // The plan of an installation compiles, as the installation does.
            Endpoint::Control => ("control_timeout", service.config.control_timeout.0),
        };
        let run = begin(service, endpoint, request, &caller, &context);
        return tokio::time::timeout(limit, run)
            .await
            .map_err(|_| took_too_long(setting, limit));
    }
    let run = {
        let service = service.clone();
        async move { begin(&service, endpoint, request, &caller, &context).await }
    };
    match endpoint {
        Endpoint::Records => {
            let limit = service.config.request_timeout.0;
            // The limit is inside: a transaction that is over its time is given up (rolled back).
            let run = async move { tokio::time::timeout(limit, run).await };
            to_its_end(run, around.turn)
                .await?
                .map_err(|_| took_too_long("request_timeout", limit))
        }
        Endpoint::Control => {
            let limit = service.config.control_timeout.0;
            // The limit is outside: compiling and data definition have limits of their own.
            tokio::time::timeout(limit, to_its_end(run, around.turn))
                .await
                .map_err(|_| goes_on(limit))?
        }
    }
}

fn begin<'a>(
    service: &'a Service,
    endpoint: Endpoint,
    request: GraphqlRequest,
    caller: &'a Caller,
    context: &'a RequestContext,
) -> BoxFuture<'a, GraphqlResponse> {
    match endpoint {
        Endpoint::Records => service.records.execute(request, caller, context),
        Endpoint::Control => service.control.execute(request, caller, context),
    }
}

/// Runs in a task of its own: dropping the returned future does not end it.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    turn: Option<Turn>,
) -> Result<T, Problem> {
    let task = async move {
        let done = work.await;
        // Until here it counts as a request that is being carried out: the end waits for it.
        drop(turn);
        done
    };
    tokio::spawn(task.in_current_span())
        .await
        .map_err(|_panic| AppError::broken("a mutation panicked").into())
}

fn took_too_long(setting: &str, limit: Duration) -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "TIMEOUT",
        format!(
            "the request took longer than {limit:?} (setting {setting}) and was given up; ask for less at once"
        ),
    )
}

fn goes_on(limit: Duration) -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "TIMEOUT",
        format!(
            "the change takes longer than {limit:?} (setting control_timeout) and goes on; look at its outcome later"
        ),
    )
}

/// The response in the media type that was asked for.
fn answer(response: GraphqlResponse, media_type: MediaType) -> Response {
    let status = match (response.outcome, media_type) {
        (Outcome::MethodNotAllowed, _) => {
            return problem::only_post("GET carries queries; send mutations by POST");
        }
        (Outcome::RequestError, MediaType::GraphqlResponse) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let is_repeated = response.is_repeated;
    let mut response = (
        status,
        [
            (CONTENT_TYPE, media_type.header()),
            (VARY, "Accept, Authorization, Accept-Language, Time-Zone"),
        ],
        response.body,
    )
        .into_response();
    if is_repeated {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// A client that may send a mutation again names it with this.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// In the answer to a mutation that was carried out before.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    async fn message(problem: Problem) -> String {
        let body = problem.into_response().into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn parameters_are_read() {
        let request = read_parameters(
            br#"{"query":"{a}","operationName":null,"variables":{"b":1},"extensions":{"x":1},"other":2}"#,
        )
        .unwrap();
        assert_eq!(request.query.as_deref(), Some("{a}"));
        assert_eq!(request.variables["b"], 1);
        assert_eq!(request.accepts, Accepts::Any);
    }

    #[tokio::test]
    async fn all_wrong_parameters_are_named() {
        let wrong = br#"{"query":0,"operationName":["x"],"variables":"y","extensions":false}"#;
        let text = message(read_parameters(wrong).unwrap_err()).await;
        for parameter in ["query", "operationName", "variables", "extensions"] {
            assert!(
                text.contains(&format!("\"path\":[\"{parameter}\"]")),
                "{text}"
            );
        }
        for batch in [&b"[{}]"[..], br#" ["{a}", null]"#] {
            let text = message(read_parameters(batch).unwrap_err()).await;
            assert!(text.contains("batches are not taken"), "{text}");
        }
        let text = message(read_parameters(b"{ \"not a JSON").unwrap_err()).await;
        assert!(text.contains("not JSON"), "{text}");
    }

    #[tokio::test]
    async fn a_document_may_be_named() {
        const HASH: &str = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38";
        let hash = read_hash(HASH);
        for body in [
            format!(r#"{{"documentId":"sha256:{HASH}"}}"#),
            format!(
                r#"{{"query":null,"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{HASH}"}}}}}}"#
            ),
        ] {
            let request = read_parameters(body.as_bytes()).unwrap();
            assert_eq!((request.query, request.document), (None, hash), "{body}");
        }
        for (body, path) in [
            (r#"{"documentId":"x"}"#, r#"["documentId"]"#),
            (r#"{"documentId":7}"#, r#"["documentId"]"#),
            ("{}", r#"["query"]"#),
            (
                r#"{"extensions":{"persistedQuery":7}}"#,
                r#"["extensions","persistedQuery"]"#,
            ),
            (
                r#"{"query":"{a}","extensions":{"persistedQuery":{"version":2}}}"#,
                r#"["extensions","persistedQuery","sha256Hash"]"#,
            ),
        ] {
            let text = message(read_parameters(body.as_bytes()).unwrap_err()).await;
            assert!(text.contains(path), "{body}: {text}");
        }
    }

    #[tokio::test]
    async fn a_query_string_carries_queries_only() {
        let request =
            read_query_string("query=%7Ba%7D&variables=%7B%22b%22%3A1%7D&other=1").unwrap();
        assert_eq!(request.query.as_deref(), Some("{a}"));
        assert_eq!(request.variables["b"], 1);
        assert_eq!(request.accepts, Accepts::QueryOnly);
        let text = message(read_query_string("query=a&query=b").unwrap_err()).await;
        assert!(text.contains("given twice"), "{text}");
        let text = message(read_query_string("").unwrap_err()).await;
        assert!(text.contains("missing"), "{text}");
    }
}
