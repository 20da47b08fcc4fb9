//! The documentation page: Scalar on an OpenAPI document, served whole by this program.
//!
//! No request leaves for another machine: everything of Scalar that would send one is off (`page.js`), and the page's
//! policy would not let it. Every address in it is relative, so that it works nested and behind a proxy that takes a
//! prefix away.

mod script;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::accept_encoding::accepts_gzip;
use crate::asset::has_copy;

/// Only what comes from here runs, is shown, and is asked. Styles are what Scalar writes into the page itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data: blob:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// Kept, but asked for each time whether it still holds.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");
/// Another content would have another address.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The page at the path `at`, and its script below it, which show the document that the same router serves at
/// `openapi_url`.
///
/// # Panics
/// If `at` is no path of axum's, that is, does not begin with `/`.
pub(super) fn routes<S>(at: &str, openapi_url: &str, title: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let script_at = format!("{}/scalar-{}.js", at.trim_end_matches('/'), script::fingerprint());
    let page = Arc::new(Page::new(at, openapi_url, &script_at, title));
    Router::new()
        .route(at, get(move |headers: HeaderMap| async move { page.respond(&headers) }))
        .route(&script_at, get(|headers: HeaderMap| async move { respond_script(&headers).await }))
}

/// The page's text, with its tag.
struct Page {
    html: String,
    tag: String,
}

impl Page {
    fn new(at: &str, openapi_url: &str, script_at: &str, title: &str) -> Self {
        let html = include_str!("page.html")
            .replace("{script}", &escaped(&from_page(at, script_at)))
            .replace("{root}", &escaped(&from_page(at, "/")))
            .replace("{openapi}", &escaped(&from_page(at, openapi_url)))
            .replace("{title}", &escaped(title));
        Self { tag: tag(&script::checksum(html.as_bytes())), html }
    }

    fn respond(&self, headers: &HeaderMap) -> Response {
        let tag = [(ETAG, self.tag.clone())];
        let keep = [(CACHE_CONTROL, REVALIDATED)];
        if has_copy(headers, &self.tag) {
            return (StatusCode::NOT_MODIFIED, tag, keep).into_response();
        }
        let more = [
            (CONTENT_TYPE, HTML),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, NO_SNIFFING),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        (tag, keep, more, self.html.clone()).into_response()
    }
}

async fn respond_script(headers: &HeaderMap) -> Response {
    let compressed = if accepts_gzip(headers) { script::gzipped().await } else { None };
    let suffix = if compressed.is_some() { "-gzip" } else { "" };
    let tag = tag(&format!("{}{suffix}", script::fingerprint()));
    let is_known = has_copy(headers, &tag);
    let tag = [(ETAG, tag)];
    let keep = [(CACHE_CONTROL, FOR_EVER), (VARY, HeaderValue::from_static("accept-encoding"))];
    if is_known {
        return (StatusCode::NOT_MODIFIED, tag, keep).into_response();
    }
    let kind = [(CONTENT_TYPE, SCRIPT), (X_CONTENT_TYPE_OPTIONS, NO_SNIFFING)];
    match compressed {
        Some(body) => (tag, keep, kind, [(CONTENT_ENCODING, GZIP)], body).into_response(),
        None => (tag, keep, kind, script::plain()).into_response(),
    }
}

/// An entity tag, quoted as it travels.
fn tag(fingerprint: &str) -> String {
    format!("\"{fingerprint}\"")
}

/// A way from the page to a path of the same router.
fn from_page(at: &str, path: &str) -> String {
    let folders = at.matches('/').count().saturating_sub(1);
    let up = if folders == 0 { "./".to_owned() } else { "../".repeat(folders) };
    up + path.trim_start_matches('/')
}

/// A text as it stands in HTML, also in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
