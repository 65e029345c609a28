//! `POST /files` takes a file (an attachment, a plugin's package, a CSV), `GET /files/{id}` gives it
//! back. Both in pieces: what is on its way is never in memory as a whole.
//!
//! What comes out was put in by a stranger: it is never shown as part of this origin, whatever it
//! claims to be. Every answer is an attachment in a sandbox, and its type is told only where a
//! browser does nothing with it but show or play it.

use std::ops::Range;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest as _, Multipart, Path, Query, Request, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{Stream, StreamExt as _};
use relata_app::files::{self, NewFile};
use relata_app::{AppError, Caller};
use relata_store::platform::StoredFile;
use serde::Deserialize;
use serde_json::json;
use tracing::Instrument as _;
use uuid::Uuid;

use super::problem::Problem;
use super::{Service, auth};

/// Also where a browser shows it: no origin, no scripts of ours, nothing to steal.
const SANDBOX: &str = "sandbox allow-forms allow-scripts";
/// It never changes, but who may have it does: a browser asks again, and is told by the hash.
const ASK_AGAIN: &str = "private, no-cache";
/// What a form may have around its file.
const FORM_BYTES: usize = 16 << 10;

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
    let turn = tokio::time::timeout(
        service.config.request_timeout.0,
        std::sync::Arc::clone(&service.uploads).acquire_owned(),
    );
    let Ok(Ok(turn)) = turn.await else {
        return Err(Problem::from(AppError::RateLimited(
            "too many files arrive at the moment; send it again later".to_owned(),
        )));
    };
    // In a task of its own: where the client goes away, what has arrived is removed at once.
    let work = async move {
        let kept = take(&service, &caller, naming, request).await;
        drop(turn);
        kept
    };
    let taken = tokio::spawn(work.in_current_span());
    let file = match taken.await {
        Ok(taken) => taken?,
        Err(_) => return Err(AppError::broken("an upload was broken off").into()),
    };
    let answer = json!({
        "id": file.id,
        "name": file.name,
        "contentType": file.content_type,
        "size": file.size,
        "sha256": file.sha256,
        "url": address(file.id),
    });
    Ok((
        StatusCode::CREATED,
        [
            (CONTENT_TYPE, "application/json; charset=utf-8".to_owned()),
            (LOCATION, address(file.id)),
        ],
        answer.to_string(),
    )
        .into_response())
}

fn address(id: Uuid) -> String {
    format!("/files/{id}")
}

async fn take(
    service: &Service,
    caller: &Caller,
    naming: Naming,
    request: Request,
) -> Result<StoredFile, Problem> {
    let silence = service.config.upload_silence.0;
    let bytes_max = service.config.upload_max.0;
    let claimed = request.headers().get(CONTENT_TYPE).cloned();
    let claimed = claimed.as_ref().and_then(|value| value.to_str().ok());
    if !claimed.is_some_and(|claimed| claimed.starts_with("multipart/form-data")) {
        let name = naming.name.unwrap_or_else(|| "file".to_owned());
        let new = NewFile {
            name: &name,
            content_type: claimed,
            bytes_max,
        };
        let content = patient(request.into_body().into_data_stream(), silence);
        return create(service, caller, new, content).await;
    }
    let mut form = form(request, bytes_max).await?;
    loop {
        let part = tokio::time::timeout(silence, form.next_field()).await;
        let part = part.map_err(|_| silent(silence))?;
        let Some(part) = part.map_err(|_| not_whole())? else {
            return Err(Problem::bad_input(
                "the form has no part named `file`; `curl -F file=@NAME` sends one",
            ));
        };
        if part.name() == Some("file") {
            let name = part.file_name().unwrap_or("file").to_owned();
            let claimed = part.content_type().map(str::to_owned);
            let new = NewFile {
                name: &name,
                content_type: claimed.as_deref(),
                bytes_max,
            };
            return create(service, caller, new, patient(part, silence)).await;
        }
    }
}

async fn create(
    service: &Service,
    caller: &Caller,
    new: NewFile<'_>,
    content: impl Stream<Item = Result<Bytes, AppError>> + Send,
) -> Result<StoredFile, Problem> {
    files::file_create(&service.workspace, caller, new, content)
        .await
        .map_err(|error| match error {
            // The client's time, not ours.
            AppError::Timeout(message) => {
                Problem::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message)
            }
            other => other.into(),
        })
}

async fn form(mut request: Request, bytes_max: u64) -> Result<Multipart, Problem> {
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    // The other parts of a form are read too, though nobody wants them.
    axum::extract::DefaultBodyLimit::max(bytes_max.saturating_add(FORM_BYTES)).apply(&mut request);
    Multipart::from_request(request, &())
        .await
        .map_err(|_| Problem::bad_input("the form can't be read"))
}

/// The same pieces, as long as none is waited for too long.
fn patient<E: Into<axum::BoxError> + Send>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Send,
    silence: Duration,
) -> impl Stream<Item = Result<Bytes, AppError>> + Send {
    let pieces = Box::pin(pieces);
    futures_util::stream::try_unfold(pieces, move |mut pieces| async move {
        match tokio::time::timeout(silence, pieces.next()).await {
            Err(_) => Err(AppError::Timeout(silence_text(silence))),
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some((piece, pieces))),
            Ok(Some(Err(error))) => Err(broken(&error.into())),
        }
    })
}

/// What breaks a body off: the client, or the limit of a whole form.
fn broken(error: &axum::BoxError) -> AppError {
    let is_limit = error
        .downcast_ref::<MultipartError>()
        .is_some_and(|error| error.status() == StatusCode::PAYLOAD_TOO_LARGE);
    if is_limit {
        return AppError::LimitExceeded(
            "the form has more bytes than a file may have (setting upload_max)".to_owned(),
        );
    }
    AppError::bad_input(NOT_WHOLE)
}

const NOT_WHOLE: &str = "the file did not arrive whole";

fn not_whole() -> Problem {
    Problem::bad_input(NOT_WHOLE)
}

fn silent(silence: Duration) -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "TIMEOUT",
        silence_text(silence),
    )
}

fn silence_text(silence: Duration) -> String {
    format!("nothing of the file has arrived for {silence:?} (setting upload_silence)")
}

/// Gives a file back, or the part of it that is asked for, as an attachment.
pub(super) async fn download(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&service, &headers).await?;
    let id: Uuid = id
        .parse()
        .map_err(|_| AppError::NotFound(format!("there is no file with the id {id}")))?;
    let file = files::file_get(&service.workspace, &caller, id).await?;
    let size = u64::try_from(file.size).unwrap_or_default();
    let tag = format!("\"{}\"", file.sha256);
    if text_of(&headers, IF_NONE_MATCH).is_some_and(|tags| names(tags, &tag)) {
        return Ok(described(StatusCode::NOT_MODIFIED, &tag, Body::empty()));
    }
    let (status, range) = match wanted(&headers, &tag, size) {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Beyond => {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            let message = format!("the file has {size} bytes; what is asked for lies behind them");
            let mut response = Problem::new(status, "BAD_INPUT", message).into_response();
            set(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    let content = files::file_read(&service.workspace, &file, range.clone()).await?;
    let mut response = described(status, &tag, Body::from_stream(content));
    let content_type = match relata_files::is_shown_safely(&file.content_type) {
        true => &file.content_type,
        false => "application/octet-stream",
    };
    set(&mut response, CONTENT_TYPE, content_type);
    set(
        &mut response,
        CONTENT_LENGTH,
        &(range.end - range.start).to_string(),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        set(&mut response, CONTENT_RANGE, &part);
    }
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, attachment(&file.name));
    Ok(response)
}

fn described(status: StatusCode, tag: &str, body: Body) -> Response {
    let mut response = (status, body).into_response();
    set(&mut response, ETAG, tag);
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, CACHE_CONTROL, ASK_AGAIN);
    set(&mut response, CONTENT_SECURITY_POLICY, SANDBOX);
    response
}

fn set(response: &mut Response, name: axum::http::HeaderName, value: &str) {
    // Hashes, numbers and names of types: what a header can bear.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn text_of(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a list of tags names this one (RFC 9110, 13.1.2: the weak comparison).
fn names(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|named| named == "*" || named.trim_start_matches("W/") == tag)
}

/// Which bytes are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Beyond,
}

/// One part, of the very file that the client knows. What can't be read, or is several parts, may
/// be answered by all of it (RFC 9110, 14.2).
fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let Some(range) = text_of(headers, RANGE) else {
        return Wanted::All;
    };
    if text_of(headers, IF_RANGE).is_some_and(|known| known != tag) {
        return Wanted::All;
    }
    let Ok(parsed) = http_range_header::parse_range_header(range) else {
        return Wanted::All;
    };
    if parsed.ranges.len() > 1 {
        return Wanted::All;
    }
    match parsed.validate(size) {
        Ok(parts) => match parts.as_slice() {
            [part] => Wanted::Part(*part.start()..part.end() + 1),
            _ => Wanted::All,
        },
        Err(_) => Wanted::Beyond,
    }
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
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn one_part_is_given_of_the_file_that_is_known() {
        let check = |range: &str, if_range: Option<&str>, expected: Wanted| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
            if let Some(known) = if_range {
                headers.insert(IF_RANGE, HeaderValue::from_str(known).unwrap());
            }
            assert_eq!(
                wanted(&headers, "\"a\"", 100),
                expected,
                "{range} {if_range:?}"
            );
        };
        check("bytes=0-0", None, Wanted::Part(0..1));
        check("bytes=10-19", Some("\"a\""), Wanted::Part(10..20));
        check("bytes=10-19", Some("\"b\""), Wanted::All);
        check("bytes=90-", None, Wanted::Part(90..100));
        check("bytes=90-1000", None, Wanted::Part(90..100));
        check("bytes=-5", None, Wanted::Part(95..100));
        check("bytes=100-", None, Wanted::Beyond);
        check("bytes=0-1,4-5", None, Wanted::All);
        check("lines=1-2", None, Wanted::All);
    }

    #[test]
    fn a_tag_is_found_in_a_list() {
        for tags in ["\"a\"", "\"b\", W/\"a\"", "*"] {
            assert!(names(tags, "\"a\""), "{tags}");
        }
        assert!(!names("\"b\"", "\"a\""));
    }

    #[test]
    fn a_name_can_not_break_out_of_its_header() {
        assert_eq!(
            attachment("a\"b\r\nc 公.csv"),
            "attachment; filename=\"a_b__c _.csv\"; filename*=UTF-8''a%22b%0D%0Ac%20%E5%85%AC.csv"
        );
    }
}
