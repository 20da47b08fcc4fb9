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

use crate::asset::Asset;

const SCRIPT: &str = "text/javascript; charset=utf-8";
/// What servers guess for `.ts` is a video.
const TYPES: &str = "text/plain; charset=utf-8";

/// Path, type and text. The scripts import one another by these names.
const FILES: [(&str, &str, &str); 5] = [
    ("/sse-client.js", SCRIPT, include_str!("../client/sse-client.js")),
    ("/sse-client.connection.js", SCRIPT, include_str!("../client/sse-client.connection.js")),
    ("/sse-client.parser.js", SCRIPT, include_str!("../client/sse-client.parser.js")),
    ("/sse-client.worker.js", SCRIPT, include_str!("../client/sse-client.worker.js")),
    ("/sse-client.d.ts", TYPES, include_str!("../client/sse-client.d.ts")),
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
    FILES.iter().fold(Router::new(), |router, (path, content_type, text)| {
        Asset::new(content_type, *text).mount(router, path)
    })
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::response::Response;
    use http::Request;
    use http::header::CONTENT_TYPE;
    use tower_service::Service;

    use super::*;

    async fn ask(path: &str) -> Response {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        Router::new().nest("/assets", routes()).call(request).await.expect("infallible")
    }

    #[tokio::test]
    async fn each_file_is_served_whole_with_its_type() {
        for (path, content_type, text) in &FILES {
            let response = ask(&format!("/assets{path}")).await;
            assert_eq!(response.headers()[CONTENT_TYPE], *content_type, "{path}");
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
            assert_eq!(body, *text);
        }
        assert_eq!(ask("/assets/sse-client.css").await.status(), 404);
    }

    #[test]
    fn every_file_that_a_script_loads_is_served() {
        let scripts = FILES.iter().filter(|(_, content_type, _)| *content_type == SCRIPT);
        let quoted = scripts.flat_map(|(_, _, text)| text.split('"').skip(1).step_by(2));
        let loaded: Vec<_> = quoted.filter_map(|name| name.strip_prefix("./")).collect();
        assert!(loaded.contains(&"sse-client.worker.js"), "{loaded:?}");
        for name in loaded {
            assert!(FILES.iter().any(|(path, _, _)| *path == format!("/{name}")), "{name}");
        }
    }
}
