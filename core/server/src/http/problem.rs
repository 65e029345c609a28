//! Answers to requests that never reach their handler's work, in the form of GraphQL errors: one
//! form for clients to read, whatever went wrong.

use axum::http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use relata_app::AppError;
use serde_json::json;

/// An error of the API as an answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    issues: Vec<relata_app::Issue>,
    media_type: &'static str,
}

const JSON: &str = "application/json; charset=utf-8";

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            issues: Vec::new(),
            media_type: JSON,
        }
    }

    /// What was sent can't be read.
    pub(super) fn bad_input(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_INPUT", message)
    }

    /// Answers in the media type that the client asked for.
    pub(super) fn in_media_type(mut self, media_type: &'static str) -> Self {
        self.media_type = media_type;
        self
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self {
            status: status_of(&error),
            code: error.code(),
            message: error.message(),
            issues: error.issues().to_vec(),
            media_type: JSON,
        }
    }
}

fn status_of(error: &AppError) -> StatusCode {
    match error {
        AppError::NotFound(_) => StatusCode::NOT_FOUND,
        AppError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        AppError::Forbidden(_) => StatusCode::FORBIDDEN,
        AppError::VersionConflict { .. } | AppError::Conflict => StatusCode::CONFLICT,
        AppError::LimitExceeded(_) => StatusCode::PAYLOAD_TOO_LARGE,
        AppError::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        AppError::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        AppError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        AppError::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut extensions = json!({ "code": self.code });
        if !self.issues.is_empty() {
            extensions["issues"] = json!(self.issues);
        }
        let body = json!({ "errors": [{ "message": self.message, "extensions": extensions }] });
        let mut response = (
            self.status,
            [(CONTENT_TYPE, self.media_type)],
            body.to_string(),
        )
            .into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// `405`, with the methods that would do.
pub(super) fn only_post(message: &str) -> Response {
    let mut response =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_INPUT", message).into_response();
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// The fallback: nothing lives there.
pub(super) async fn no_such_route(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        format!(
            "there is nothing at {}; records are at /graphql, the configuration at /metadata",
            uri.path()
        ),
    )
}

/// The fallback for methods; axum adds `Allow`.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "BAD_INPUT",
        format!("{method} means nothing at {}", uri.path()),
    )
}
