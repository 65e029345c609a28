//! Errors of resolvers in the form that the records endpoint has: message, path,
//! `extensions.code`, `extensions.issues`.

use async_graphql::{Error, PathSegment, Response, ServerError};
use bytes::Bytes;
use relata_app::AppError;
use serde_json::{Value as Json, json};

use crate::errors::GraphqlError;
use crate::protocol::{Outcome, RequestContext};

/// What a resolver returns where the application refuses: the error itself travels as its source.
pub(super) fn graphql(error: AppError) -> Error {
    Error::new_with_source(error)
}

/// An error as clients get it. What carries no error of the application is async-graphql's own
/// word on what was sent: a field that is not there, a value that can't be.
fn finished(error: &ServerError) -> GraphqlError {
    let mut finished = match error.source::<AppError>() {
        Some(source) => {
            let mut finished = GraphqlError::new(source.code(), source.message());
            finished.issues = source.issues().to_vec();
            finished.locations = GraphqlError::invalid(error).locations;
            finished
        }
        None => GraphqlError::invalid(error),
    };
    finished.path = error
        .path
        .iter()
        .map(|segment| match segment {
            PathSegment::Field(name) => name.as_str().into(),
            PathSegment::Index(index) => (*index).into(),
        })
        .collect();
    finished
}

/// The response's bytes. What was not executed has no `data` at all.
pub(super) fn body(response: &Response, outcome: Outcome, context: &RequestContext) -> Bytes {
    let errors: Vec<GraphqlError> = response.errors.iter().map(finished).collect();
    let data = (outcome == Outcome::Executed).then(|| {
        serde_json::to_string(&response.data)
            .expect("values of GraphQL have text keys and no other failure")
    });
    encoded(&errors, data.as_deref(), context)
}

/// The bytes of an answer: errors first, so that who reads a log sees them.
pub(super) fn encoded(
    errors: &[GraphqlError],
    data: Option<&str>,
    context: &RequestContext,
) -> Bytes {
    let errors: Vec<Json> = errors
        .iter()
        .map(|error| error.to_json(&context.request_id))
        .collect();
    let mut text = String::from("{");
    if !errors.is_empty() {
        text.push_str("\"errors\":");
        text.push_str(&json!(errors).to_string());
    }
    if let Some(data) = data {
        if !errors.is_empty() {
            text.push(',');
        }
        text.push_str("\"data\":");
        text.push_str(data);
    }
    text.push('}');
    text.into()
}
