//! Requests to an application in the same process.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_service::Service;

use super::stream::TestStream;

/// Sends requests to a router, in-process.
///
/// See the [module](super) for an example.
#[derive(Clone)]
pub struct TestClient {
    app: Router,
    pub(super) limit: Duration,
}

impl TestClient {
    /// A client of `app`, whose waits are limited to 60 s of tokio's clock each.
    pub fn new(app: impl Into<Router>) -> Self {
        Self { app: app.into(), limit: Duration::from_secs(60) }
    }

    /// Limits every wait (for a response head, for the next event) to `limit` of tokio's clock.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// A POST request, without a body until it is given one.
    pub fn post(&self, path: &str) -> TestRequest {
        self.request(Method::POST, path)
    }

    /// A request of any method.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        TestRequest { client: self.clone(), method, path: path.to_owned(), headers, body: Bytes::new() }
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A request that is being put together.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until `stream` or `response` is awaited"]
pub struct TestRequest {
    pub(super) client: TestClient,
    pub(super) method: Method,
    pub(super) path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl TestRequest {
    /// Sets a header, in place of one of the same name. The default is `accept: text/event-stream` alone.
    ///
    /// # Panics
    /// If the name or the value is not one.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::from_bytes(value.as_ref()).ok());
        let Some((name, value)) = parsed else {
            panic!("not a header: {name:?}: {:?}", String::from_utf8_lossy(value.as_ref()))
        };
        self.headers.insert(name, value);
        self
    }

    /// Sets `Last-Event-ID`, as a reconnecting client does.
    ///
    /// # Panics
    /// If the id cannot be a header's value.
    pub fn last_event_id(self, id: impl AsRef<[u8]>) -> Self {
        self.header("last-event-id", id)
    }

    /// What it says it saw last.
    pub(super) fn asked(&self) -> String {
        let id = self.headers.get("last-event-id").map(HeaderValue::as_bytes).unwrap_or_default();
        String::from_utf8_lossy(id).into_owned()
    }

    pub(super) fn without_last_event_id(mut self) -> Self {
        self.headers.remove("last-event-id");
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value's JSON, and the content type to `application/json`.
    ///
    /// # Panics
    /// If the value cannot be serialized.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header(CONTENT_TYPE.as_str(), "application/json").body(body),
            Err(error) => panic!("the request's body cannot be serialized: {error}"),
        }
    }

    /// Sends the request and expects a stream.
    ///
    /// # Panics
    /// If the answer is not a success (2xx) with `text/event-stream`, or no head comes within the client's limit.
    pub async fn stream(self) -> TestStream {
        let response = self.send().await;
        let (status, headers) = (response.status(), response.headers().clone());
        let is_stream = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"text/event-stream");
        if !status.is_success() || !is_stream {
            let answer = TestResponse::read(response, self.client.limit).await;
            panic!("{} {}: expected a stream, got {answer:?}", self.method, self.path);
        }
        TestStream::new(self, headers, response.into_body())
    }

    /// Sends the request and reads the whole answer: for errors, and for streams that end by themselves.
    ///
    /// # Panics
    /// If the head, or the end of the body, does not come within the client's limit.
    pub async fn response(self) -> TestResponse {
        let response = self.send().await;
        TestResponse::read(response, self.client.limit).await
    }

    async fn send(&self) -> Response {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        match self.path.parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => panic!("{:?} is not a request target: {error}", self.path),
        }
        let mut app = self.client.app.clone();
        match tokio::time::timeout(self.client.limit, app.call(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                panic!("{} {}: no response head within {:?}", self.method, self.path, self.client.limit)
            }
        }
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct TestResponse {
    /// The status; it compares with numbers too: `assert_eq!(response.status, 404)`.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as text (what is not UTF-8 is replaced).
    pub text: String,
}

impl TestResponse {
    async fn read(response: Response, limit: Duration) -> Self {
        let (head, body) = response.into_parts();
        let text = match tokio::time::timeout(limit, axum::body::to_bytes(body, usize::MAX)).await {
            Ok(Ok(body)) => String::from_utf8_lossy(&body).into_owned(),
            Ok(Err(error)) => panic!("the body of a {} response broke off: {error}", head.status),
            Err(_) => panic!("the body of a {} response did not end within {limit:?}", head.status),
        };
        Self { status: head.status, headers: head.headers, text }
    }

    /// The body, parsed from JSON.
    ///
    /// # Panics
    /// If it is not the JSON of a `T`.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_str(&self.text) {
            Ok(value) => value,
            Err(error) => panic!("the body {:?} is not the expected JSON: {error}", self.text),
        }
    }
}
