//! The browser client's files, served beside the streams that it reads, so that both are of one version.
//!
//! ```
//! use axum::Router;
//! use sse_runtime::{Result, Sse, client, routes, sse_route};
//!
//! #[sse_route("/ticks")]
//! async fn ticks(sse: Sse) -> Result<()> {
//!     sse.send("tick").await?;
//!     Ok(())
//! }
//!
//! let app: Router = routes![ticks].merge(client::routes());
//! // in the page: import { connect } from "/sse-client.js"
//! ```
//!
//! What it does: [`guide::browser_client`](crate::guide::browser_client).

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};

const SCRIPT: &str = "text/javascript; charset=utf-8";
/// What servers guess for `.ts` is a video.
const TYPES: &str = "text/plain; charset=utf-8";

/// The scripts import one another by these names.
const FILES: [File; 5] = [
    File::new("/sse-client.js", SCRIPT, include_str!("../client/sse-client.js")),
    File::new("/sse-client.connection.js", SCRIPT, include_str!("../client/sse-client.connection.js")),
    File::new("/sse-client.parser.js", SCRIPT, include_str!("../client/sse-client.parser.js")),
    File::new("/sse-client.worker.js", SCRIPT, include_str!("../client/sse-client.worker.js")),
    File::new("/sse-client.d.ts", TYPES, include_str!("../client/sse-client.d.ts")),
];

/// Serves `/sse-client.js`, the scripts that it loads, and its types in `/sse-client.d.ts`.
///
/// They may be nested: the scripts find one another. A browser keeps them, and asks each time whether they are
/// still the same, so that a page never runs with a client that is older than its server.
///
/// ```
/// use axum::Router;
///
/// let app: Router = Router::new().nest("/assets", sse_runtime::client::routes());
/// // in the page: import { connect } from "/assets/sse-client.js"
/// ```
#[must_use = "these routes do nothing until they are merged into a router"]
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, file| {
        router.route(file.path, get(move |headers: HeaderMap| async move { file.answer(&headers) }))
    })
}

struct File {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
    hash: u64,
}

impl File {
    const fn new(path: &'static str, content_type: &'static str, text: &'static str) -> Self {
        Self { path, content_type, text, hash: fnv_1a(text.as_bytes()) }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let etag = format!("\"{:016x}\"", self.hash);
        let known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| matches(tags.as_bytes(), &etag));
        // `no-cache`: to be kept, but not to be used before we have said that it is current.
        let head = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, etag)];
        if known {
            (StatusCode::NOT_MODIFIED, head).into_response()
        } else {
            (head, [(CONTENT_TYPE, self.content_type)], self.text).into_response()
        }
    }
}

/// Whether `If-None-Match` names this tag. One that a proxy has made weak is the same (RFC 9110, section 13.1.2).
fn matches(tags: &[u8], etag: &str) -> bool {
    let Ok(tags) = std::str::from_utf8(tags) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Tells versions of a file apart, nothing more; the compiler works it out.
const fn fnv_1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        rest = after;
    }
    hash
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower_service::Service;

    use super::*;

    async fn ask(method: &str, path: &str, if_none_match: Option<&str>) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(tags) = if_none_match {
            request = request.header(IF_NONE_MATCH, tags);
        }
        let request = request.body(Body::empty()).expect("a request");
        Router::new().nest("/assets", routes()).call(request).await.expect("infallible")
    }

    fn header(response: &Response, name: http::HeaderName) -> String {
        response.headers()[name].to_str().expect("text").to_owned()
    }

    #[tokio::test]
    async fn each_file_is_served_whole_with_its_type() {
        for file in &FILES {
            let response = ask("GET", &format!("/assets{}", file.path), None).await;
            assert_eq!(response.status(), StatusCode::OK, "{}", file.path);
            assert_eq!(header(&response, CONTENT_TYPE), file.content_type);
            assert_eq!(header(&response, CACHE_CONTROL), "no-cache");
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
            assert_eq!(body, file.text);
        }
        assert_eq!(ask("GET", "/assets/sse-client.css", None).await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn every_file_that_a_script_loads_is_served() {
        let scripts = FILES.iter().filter(|file| file.content_type == SCRIPT);
        let quoted = scripts.flat_map(|file| file.text.split('"').skip(1).step_by(2));
        let loaded: Vec<_> = quoted.filter_map(|name| name.strip_prefix("./")).collect();
        assert!(loaded.contains(&"sse-client.worker.js"), "{loaded:?}");
        for name in loaded {
            assert!(FILES.iter().any(|file| file.path == format!("/{name}")), "{name}");
        }
    }

    #[tokio::test]
    async fn who_has_the_file_is_told_so_without_it() {
        let first = ask("GET", "/assets/sse-client.js", None).await;
        let etag = header(&first, ETAG);
        for tags in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
            let again = ask("GET", "/assets/sse-client.js", Some(&tags)).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{tags}");
            assert_eq!(header(&again, ETAG), etag);
            assert_eq!(to_bytes(again.into_body(), 1).await.expect("no body"), "");
        }
        let other = ask("GET", "/assets/sse-client.worker.js", Some(&etag)).await;
        assert_eq!(other.status(), StatusCode::OK, "another file, another tag");
        assert_eq!(ask("GET", "/assets/sse-client.js", Some("\"old\"")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_head_request_gets_the_head() {
        let response = ask("HEAD", "/assets/sse-client.js", None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, CONTENT_TYPE), SCRIPT);
        assert_eq!(to_bytes(response.into_body(), 1).await.expect("no body"), "");
    }
}
