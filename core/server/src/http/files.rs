//! `POST /files` takes a file (a plugin's package, a CSV), `GET /files/{id}` gives it back.
//!
//! What comes out was put in by a stranger: it is never shown as part of this origin, whatever it
//! claims to be.

use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest as _, Multipart, Path, Query, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use relata_app::{AppError, uploads};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::problem::Problem;
use super::{Service, auth};

/// Also where a browser shows it: no origin, no scripts of ours, nothing to steal.
const SANDBOX: &str = "sandbox allow-forms allow-scripts";

#[derive(Deserialize)]
pub(super) struct Naming {
    /// Name of a file whose bytes are the body.
    name: Option<String>,
}

/// Takes a file: as the body (its name in `?name=`), or as the part `file` of a form.
pub(super) async fn upload(
    State(service): State<Service>,
    Query(naming): Query<Naming>,
    request: Request,
) -> Result<Response, Problem> {
    let caller = auth::caller(&service, request.headers()).await?;
    let (name, bytes) = tokio::time::timeout(
        service.config.control_timeout.0,
        read_file(&service, naming, request),
    )
    .await
    .map_err(|_| {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "TIMEOUT",
            "the file took too long to arrive",
        )
    })??;
    if bytes.is_empty() {
        return Err(Problem::bad_input("the file is empty"));
    }
    let kept = uploads::upload_create(&service.workspace, &caller, &name, bytes.into()).await?;
    let answer = json!({
        "id": kept.id,
        "name": kept.name,
        "size": kept.bytes.len(),
        "sha256": kept.sha256,
    });
    Ok((
        StatusCode::CREATED,
        [
            (CONTENT_TYPE, "application/json; charset=utf-8".to_owned()),
            (LOCATION, format!("/files/{}", kept.id)),
        ],
        answer.to_string(),
    )
        .into_response())
}

async fn read_file(
    service: &Service,
    naming: Naming,
    mut request: Request,
) -> Result<(String, Bytes), Problem> {
    let limit = service.config.upload_max.bytes();
    // A form has a little around its file.
    const FORM_BYTES: usize = 16 * 1024;
    axum::extract::DefaultBodyLimit::max(limit + FORM_BYTES).apply(&mut request);
    if is_form(request.headers()) {
        return read_form(request, limit).await;
    }
    let bytes = Bytes::from_request(request, &())
        .await
        .map_err(|rejection| not_read(rejection.status(), limit))?;
    within(&bytes, limit)?;
    Ok((naming.name.unwrap_or_else(|| "file".to_owned()), bytes))
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("multipart/form-data"))
}

async fn read_form(request: Request, limit: usize) -> Result<(String, Bytes), Problem> {
    let not_read = |error: MultipartError| not_read(error.status(), limit);
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Problem::bad_input("the form can't be read"))?;
    while let Some(part) = form.next_field().await.map_err(not_read)? {
        if part.name() != Some("file") {
            continue;
        }
        let name = part.file_name().unwrap_or("file").to_owned();
        let bytes = part.bytes().await.map_err(not_read)?;
        within(&bytes, limit)?;
        return Ok((name, bytes));
    }
    Err(Problem::bad_input(
        "the form has no part named `file`; `curl -F file=@NAME` sends one",
    ))
}

fn within(bytes: &Bytes, limit: usize) -> Result<(), Problem> {
    if bytes.len() > limit {
        return Err(too_large(limit));
    }
    Ok(())
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "LIMIT_EXCEEDED",
        format!("a file may have {limit} bytes (setting upload_max)"),
    )
}

fn not_read(status: StatusCode, limit: usize) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        too_large(limit)
    } else {
        Problem::bad_input("the file did not arrive whole")
    }
}

/// Gives a file back, as an attachment.
pub(super) async fn download(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&service, &headers).await?;
    let id: Uuid = id
        .parse()
        .map_err(|_| AppError::NotFound(format!("there is no file with the id {id}")))?;
    let file = uploads::upload_get(&service.workspace, &caller, id).await?;
    let mut response = (
        [
            (CONTENT_TYPE, "application/octet-stream"),
            (CONTENT_SECURITY_POLICY, SANDBOX),
        ],
        file.bytes,
    )
        .into_response();
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, attachment(&file.name));
    Ok(response)
}

/// The name in ASCII for old clients, and whole as RFC 8187 has it.
fn attachment(name: &str) -> HeaderValue {
    let plain: String = name
        .chars()
        .map(|character| match character {
            '"' | '\\' | '/' => '_',
            character if character.is_ascii_graphic() || character == ' ' => character,
            _ => '_',
        })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::from_str(&format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    ))
    .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_header() {
        assert_eq!(
            attachment("a\"b\r\nc 公.csv"),
            "attachment; filename=\"a_b__c _.csv\"; filename*=UTF-8''a%22b%0D%0Ac%20%E5%85%AC.csv"
        );
    }
}
