//! The page for browsers: GraphiQL, from this server alone, so that it works without the internet.
//! It holds no secret; the token is typed in by who uses it.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse as _, Response};
use include_dir::{Dir, include_dir};

use super::negotiation::MediaType;
use super::problem;

static ASSETS: Dir = include_dir!("$CARGO_MANIFEST_DIR/assets/graphiql");

/// Scripts come from here; the editor sets styles on its elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     connect-src 'self'; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// Vendored files have their version in their names.
const CACHE_VENDORED: &str = "public, max-age=31536000, immutable";
const CACHE_OURS: &str = "public, max-age=300";

/// The page for the endpoint whose address it was asked under.
pub(super) fn page() -> Response {
    let page = ASSETS
        .get_file("page.html")
        .map_or(&b""[..], |file| file.contents());
    (
        [
            (CONTENT_TYPE, MediaType::Html.header()),
            (CONTENT_SECURITY_POLICY, POLICY),
        ],
        page,
    )
        .into_response()
}

/// `GET /graphiql/{asset}`
pub(super) async fn asset(Path(name): Path<String>, uri: Uri) -> Response {
    let content_type = match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => return problem::no_such_route(uri).await.into_response(),
    };
    if let Some(file) = ASSETS.get_file(&name) {
        let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, CACHE_OURS)];
        return (headers, file.contents()).into_response();
    }
    let Some(file) = ASSETS.get_file(format!("{name}.gz")) else {
        return problem::no_such_route(uri).await.into_response();
    };
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, CACHE_VENDORED),
    ];
    let mut response = (headers, file.contents()).into_response();
    // Every browser that runs these scripts takes gzip; they are kept in no other form.
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Paths in quotes after `attribute=`.
    fn named_by<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
        page.split(&format!("{attribute}=\""))
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|path| path.starts_with("/graphiql/"))
            .collect()
    }

    #[tokio::test]
    async fn the_page_names_only_what_is_here() {
        let page = ASSETS
            .get_file("page.html")
            .unwrap()
            .contents_utf8()
            .unwrap();
        assert!(!page.contains("//"), "nothing from elsewhere: {page}");
        let mut paths = named_by(page, "src");
        paths.extend(named_by(page, "href"));
        assert_eq!(paths.len(), 6);
        for path in paths {
            let name = path.rsplit('/').next().unwrap().to_owned();
            let response = asset(Path(name), path.parse().unwrap()).await;
            assert_eq!(response.status(), 200, "{path}");
        }
    }

    #[tokio::test]
    async fn other_files_are_not_served() {
        for name in ["README.md", "page.html", "nothing.js", "..%2fpage.js"] {
            let response = asset(Path(name.to_owned()), "/graphiql/x".parse().unwrap()).await;
            assert_eq!(response.status(), 404, "{name}");
        }
    }
}
