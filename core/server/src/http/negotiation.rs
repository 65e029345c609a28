//! Media types: what a client sends, and what it wants to get (RFC 9110, GraphQL over HTTP).

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};

/// A media type that the GraphQL endpoints answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: 200 for every well-formed request, whatever became of it.
    Json,
    /// `application/graphql-response+json`: the status says what became of it.
    GraphqlResponse,
    /// `text/html`: a browser; it gets the page to explore with.
    Html,
}

impl MediaType {
    /// The header's value.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    fn essence(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::GraphqlResponse => ("application", "graphql-response+json"),
            Self::Html => ("text", "html"),
        }
    }
}

/// The best of `offered` for what the request accepts, the first of them where it says nothing.
/// `None` where none will do.
pub(super) fn answer_in(headers: &HeaderMap, offered: &[MediaType]) -> Option<MediaType> {
    let ranges: Vec<Range> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    if ranges.is_empty() {
        return offered.first().copied();
    }
    let mut best: Option<(MediaType, Preference)> = None;
    for media_type in offered {
        let Some(preference) = preference_for(*media_type, &ranges) else {
            continue;
        };
        if best
            .as_ref()
            .is_none_or(|(_, before)| preference.is_better_than(before))
        {
            best = Some((*media_type, preference));
        }
    }
    best.map(|(media_type, _)| media_type)
}

struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u32,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(1.0, |(_, value)| value.trim().parse::<f32>().unwrap_or(0.0));
        Some(Self {
            kind,
            subtype,
            // A quality is at most 1 and has three digits.
            quality: (quality.clamp(0.0, 1.0) * 1_000.0) as u32,
        })
    }

    /// How exactly the range names the media type; `None` where it doesn't.
    fn exactness(&self, media_type: MediaType) -> Option<u32> {
        let (kind, subtype) = media_type.essence();
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (its_kind, "*") if its_kind.eq_ignore_ascii_case(kind) => Some(1),
            (its_kind, its_subtype)
                if its_kind.eq_ignore_ascii_case(kind)
                    && its_subtype.eq_ignore_ascii_case(subtype) =>
            {
                Some(2)
            }
            _ => None,
        }
    }
}

struct Preference {
    quality: u32,
    exactness: u32,
    position: usize,
}

impl Preference {
    /// By quality; then what is named over what a wildcard covers; then what is named first.
    fn is_better_than(&self, other: &Self) -> bool {
        let rank = |preference: &Self| {
            (
                preference.quality,
                preference.exactness,
                std::cmp::Reverse(preference.position),
            )
        };
        rank(self) > rank(other)
    }
}

fn preference_for(media_type: MediaType, ranges: &[Range<'_>]) -> Option<Preference> {
    ranges
        .iter()
        .enumerate()
        .filter_map(|(position, range)| {
            range.exactness(media_type).map(|exactness| Preference {
                quality: range.quality,
                exactness,
                position,
            })
        })
        // The most exact range decides on a media type, also when it says no.
        .reduce(|decided, next| {
            if next.exactness > decided.exactness {
                next
            } else {
                decided
            }
        })
        .filter(|preference| preference.quality > 0)
}

/// What the body of a request says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyType {
    /// JSON in UTF-8.
    Json,
    /// JSON in another encoding.
    JsonElsewise,
    /// Anything else, or nothing said.
    Other,
}

/// What the request's body is.
pub(super) fn body_type(headers: &HeaderMap) -> BodyType {
    let Some(value) = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return BodyType::Other;
    };
    let mut parts = value.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
    {
        return BodyType::Other;
    }
    let is_utf8 = parts
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .all(|(_, charset)| {
            let charset = charset.trim().trim_matches('"');
            charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
        });
    if is_utf8 {
        BodyType::Json
    } else {
        BodyType::JsonElsewise
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(accept: &str, expected: Option<MediaType>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        let offered = [MediaType::Json, MediaType::GraphqlResponse, MediaType::Html];
        assert_eq!(answer_in(&headers, &offered), expected, "{accept}");
    }

    #[test]
    fn the_best_media_type_is_chosen() {
        use MediaType::{GraphqlResponse, Html, Json};
        check("*/*", Some(Json));
        check("application/*", Some(Json));
        check("application/json", Some(Json));
        check("application/graphql-response+json", Some(GraphqlResponse));
        check(
            "application/graphql-response+json, application/json;q=0.9",
            Some(GraphqlResponse),
        );
        check(
            "application/json, application/graphql-response+json",
            Some(Json),
        );
        check(
            "application/graphql-response+json; charset=utf-8, */*",
            Some(GraphqlResponse),
        );
        check(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            Some(Html),
        );
        check("application/json;q=0, */*", Some(GraphqlResponse));
        check("image/png", None);
        check("application/json;q=0", None);
    }

    #[test]
    fn without_a_wish_the_first_is_taken() {
        let offered = [MediaType::Json, MediaType::GraphqlResponse];
        assert_eq!(
            answer_in(&HeaderMap::new(), &offered),
            Some(MediaType::Json)
        );
    }

    #[test]
    fn the_body_must_be_json_in_utf8() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            body_type(&headers)
        };
        assert_eq!(of("application/json"), BodyType::Json);
        assert_eq!(of("Application/JSON; charset=\"UTF-8\""), BodyType::Json);
        assert_eq!(
            of("application/json; charset=utf-16"),
            BodyType::JsonElsewise
        );
        assert_eq!(of("text/plain"), BodyType::Other);
        assert_eq!(body_type(&HeaderMap::new()), BodyType::Other);
    }
}
