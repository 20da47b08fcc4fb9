//! A text that is served as it is: a client keeps it, and asks each time whether it is still the same.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};

/// The text, with its type and the tag that tells it from what it was.
#[derive(Clone)]
pub(crate) struct Asset {
    content_type: HeaderValue,
    text: Bytes,
    tag: String,
}

impl Asset {
    pub(crate) fn new(content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let tag = format!("\"{:016x}\"", fnv_1a(&text));
        Self { content_type: HeaderValue::from_static(content_type), text, tag }
    }

    /// Adds a route for it.
    pub(crate) fn mount<S>(self, router: Router<S>, path: &str) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        router.route(path, get(move |headers: HeaderMap| async move { self.answer(&headers) }))
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        // `no-cache`: to be kept, but not to be used before we have said that it is current.
        let head = [(CACHE_CONTROL, "no-cache"), (ETAG, &self.tag)];
        if has_copy(headers, &self.tag) {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        let kind = [
            (CONTENT_TYPE, self.content_type.clone()),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (head, kind, self.text.clone()).into_response()
    }
}

/// Whether `If-None-Match` has this tag, which is quoted. One that a proxy has made weak is the same (RFC 9110, section
/// 13.1.2).
pub(crate) fn has_copy(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    tags.flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Tells versions of a text apart, nothing more.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower_service::Service;

    use super::*;

    async fn ask(method: &str, if_none_match: &[&[u8]]) -> Response {
        let mut request = Request::builder().method(method).uri("/a").body(Body::empty()).expect("a request");
        for tags in if_none_match {
            let tags = HeaderValue::from_bytes(tags).expect("a header value");
            request.headers_mut().append(IF_NONE_MATCH, tags);
        }
        let mut app: Router = Asset::new("text/plain", "abc").mount(Router::new(), "/a");
        app.call(request).await.expect("infallible")
    }

    #[tokio::test]
    async fn it_is_served_once_and_then_confirmed() {
        let first = ask("GET", &[]).await;
        assert_eq!(first.status(), 200);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/plain");
        assert_eq!(first.headers()[CACHE_CONTROL], "no-cache");
        let tag = first.headers()[ETAG].clone();
        assert_eq!(to_bytes(first.into_body(), 100).await.expect("a body"), "abc");

        for known in [tag.as_bytes(), &[b"\"other\", W/", tag.as_bytes()].concat(), b"*"] {
            let again = ask("GET", &[b"\"first\"", known]).await;
            assert_eq!((again.status().as_u16(), &again.headers()[ETAG]), (304, &tag));
            assert_eq!(to_bytes(again.into_body(), 100).await.expect("a body"), "");
        }
        for unknown in [&b"\"other\""[..], b"\xff\xfe", b"", b",,"] {
            assert_eq!(ask("GET", &[unknown]).await.status(), 200, "{unknown:?}");
        }
        assert_eq!(ask("HEAD", &[]).await.status(), 200);
        assert_eq!(ask("POST", &[]).await.status(), 405);
    }
}
