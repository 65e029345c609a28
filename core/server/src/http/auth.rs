//! Who asks: the bearer token, and the language and zone of the request.
//!
//! Without a token nothing is answered, not even the schema.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION};
use jiff::tz::TimeZone;
use relata_app::{AppError, Caller};

use super::Service;
use super::problem::Problem;

/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 512;
/// Longest language tag (RFC 5646 recommends to allow for 35 characters).
const LOCALE_BYTES_MAX: usize = 35;

/// The caller, with the language and the zone of the request where it names them.
pub(super) async fn caller(service: &Service, headers: &HeaderMap) -> Result<Arc<Caller>, Problem> {
    let token = bearer(headers)?;
    let mut caller = service.workspace.authenticate(token).await?;
    if let Some(locale) = accepted_locale(headers).filter(|locale| *locale != caller.locale) {
        Arc::make_mut(&mut caller).locale = locale.to_owned();
    }
    if let Some(zone) = named_zone(headers)? {
        Arc::make_mut(&mut caller).zone = zone;
    }
    Ok(caller)
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        AppError::Unauthenticated(
            "send an API token in the header `Authorization: Bearer TOKEN`; `relata token create --user EMAIL` makes one".to_owned(),
        )
    };
    let value = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(missing)?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(missing().into());
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(AppError::Unauthenticated("this is not a token".to_owned()).into());
    }
    Ok(token)
}

/// The most wanted language of `Accept-Language`, if it is a tag.
fn accepted_locale(headers: &HeaderMap) -> Option<&str> {
    let mut best: Option<(f32, &str)> = None;
    for range in headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|parameter| parameter.strip_prefix("q="))
            .map_or(1.0, |value| value.parse().unwrap_or(0.0));
        let is_tag = !tag.is_empty()
            && tag.len() <= LOCALE_BYTES_MAX
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_tag && quality > 0.0 && best.is_none_or(|(before, _)| quality > before) {
            best = Some((quality, tag));
        }
    }
    best.map(|(_, tag)| tag)
}

fn named_zone(headers: &HeaderMap) -> Result<Option<TimeZone>, Problem> {
    let Some(value) = headers.get("time-zone") else {
        return Ok(None);
    };
    let name = value.to_str().unwrap_or_default();
    TimeZone::get(name).map(Some).map_err(|_| {
        Problem::bad_input("the header Time-Zone takes an IANA name, like Europe/Vienna")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn the_token_is_read_from_its_header() {
        assert_eq!(bearer(&with("authorization", "Bearer abc")).unwrap(), "abc");
        assert_eq!(
            bearer(&with("authorization", "bearer  abc ")).unwrap(),
            "abc"
        );
        for wrong in ["Basic abc", "Bearer", "Bearer  ", "abc"] {
            assert!(bearer(&with("authorization", wrong)).is_err(), "{wrong}");
        }
        assert!(bearer(&HeaderMap::new()).is_err());
    }

    #[test]
    fn the_most_wanted_language_is_taken() {
        let of = |value: &str| accepted_locale(&with("accept-language", value)).map(str::to_owned);
        assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8").as_deref(), Some("zh-CN"));
        assert_eq!(of("en;q=0.5, de").as_deref(), Some("de"));
        assert_eq!(of("*"), None);
        assert_eq!(of("not a tag"), None);
    }

    #[test]
    fn a_zone_must_exist() {
        assert!(
            named_zone(&with("time-zone", "Asia/Shanghai"))
                .unwrap()
                .is_some()
        );
        assert!(named_zone(&with("time-zone", "Mars/Olympus")).is_err());
        assert!(named_zone(&HeaderMap::new()).unwrap().is_none());
    }
}
