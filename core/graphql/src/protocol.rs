//! What comes in and what goes out, the same for both endpoints.
//!
//! Not HTTP: status codes and media types are the server's. It finds in [`Outcome`] all that the
//! specification of GraphQL over HTTP makes them depend on.

use bytes::Bytes;
use relata_app::{documents::DocumentHash, idempotency::Repeatable};
use serde_json::{Map, Value as Json};

/// One GraphQL request, as its transport has read it.
#[derive(Debug, Clone, Default)]
pub struct GraphqlRequest {
    /// The document; where it is only named, nothing.
    pub query: Option<String>,
    /// The SHA-256 that names it, where the client says so.
    pub document: Option<DocumentHash>,
    /// Which of its operations, where there are several.
    pub operation_name: Option<String>,
    /// Values of its variables.
    pub variables: Map<String, Json>,
    /// What may be done.
    pub accepts: Accepts,
    /// By what the client will know it, if it has to send it again.
    pub repeatable: Option<Repeatable>,
}

/// Which operations a transport carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Accepts {
    /// Queries and mutations (POST).
    #[default]
    Any,
    /// Queries alone (GET): anything else is answered with [`Outcome::MethodNotAllowed`].
    QueryOnly,
}

/// What accompanies a request on its way.
#[derive(Debug, Clone, Default)]
pub struct RequestContext {
    /// The request's id: in every span, and in `extensions.requestId` of an answer with errors.
    pub request_id: String,
}

/// The answer: its bytes, and what a transport must know of them.
#[derive(Debug, Clone)]
pub struct GraphqlResponse {
    /// JSON: `{"data":…}`, `{"errors":…,"data":…}` or `{"errors":…}`.
    pub body: Bytes,
    /// What happened.
    pub outcome: Outcome,
    /// Nothing was done now: it is the answer to the same request from before.
    pub is_repeated: bool,
}

impl GraphqlResponse {
    /// What was done just now.
    pub(crate) fn new(body: Bytes, outcome: Outcome) -> Self {
        Self {
            body,
            outcome,
            is_repeated: false,
        }
    }
}

/// What happened to a request, as far as a transport cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was executed: the body has `data`, perhaps `null`, perhaps with errors.
    /// HTTP: 200 under both media types.
    Executed,
    /// It was not executed: the document cannot be parsed, is not valid, is over a limit, names no
    /// operation, or its variables do not fit. The body has no `data`.
    /// HTTP: 400 under `application/graphql-response+json`, 200 under `application/json`.
    RequestError,
    /// A mutation where only queries are accepted. HTTP: 405.
    MethodNotAllowed,
}
