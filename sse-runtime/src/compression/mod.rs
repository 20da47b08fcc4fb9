//! Compression of event streams, for those who ask for it.
//!
//! A layer of our own, and not one that compresses files: here each frame of the stream becomes one frame, flushed, and
//! nothing is asked of the stream ahead of that. So an event never waits for the next one, a handler is slowed down by a
//! slow client as before, and what comes before a stream that is broken off still arrives.

mod body;
mod gzip;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, Request};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::accept_encoding::accepts_gzip;
use body::Gzipped;

/// Compresses event streams, with gzip, for clients that accept it: a layer.
///
/// ```
/// use axum::Router;
/// use sse_runtime::{Compression, Result, Sse, routes, sse_route};
///
/// #[sse_route("/prices")]
/// async fn prices(sse: Sse) -> Result<()> {
///     sse.send(r#"{"symbol":"ACME","bid":101.5}"#).await?;
///     Ok(())
/// }
///
/// let app: Router = routes![prices].layer(Compression::new());
/// ```
///
/// Each event is flushed: it can be read when it arrives, without the next one. So are keep-alives, and the last event.
/// Nothing else about a stream changes; the bytes that its hook is told of are those before compression.
///
/// It looks at responses of the type `text/event-stream` that have no `content-encoding` yet, axum's own `Sse` among them,
/// and leaves all others alone; `tower_http`'s `CompressionLayer`, which by default leaves event streams alone, can stand
/// beside it. `cache-control: no-transform` stays, and is true: it is addressed to proxies. A client whose
/// `Accept-Encoding` does not name gzip gets the stream as it is.
///
/// # What it costs
/// Events of one kind, some 100 bytes of JSON each, become a third, in a microsecond each; a topic's event is
/// compressed for every subscriber. A stream that is busy needs 220 KB for its compressor; one that says little, or was
/// silent until its keep-alive, needs none: the first KiB after a silence goes out as it is. (Without keep-alives it is not
/// known to be silent, and keeps it.) 10 000 busy streams are
/// 2 GB. Where that is too much, leave it off, which is the default, or let a proxy do it.
///
/// # Secrets
/// Where somebody can write into the same stream as a secret and can see how long the encrypted packets are, compression
/// tells them about the secret (the attack is known as BREACH). Do not compress streams that mix the two.
#[derive(Clone, Debug, Default)]
pub struct Compression(());

impl Compression {
    /// The layer.
    #[must_use = "a layer does nothing until it is added to a router"]
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for Compression {
    type Service = Compressed<S>;

    fn layer(&self, inner: S) -> Compressed<S> {
        Compressed { inner }
    }
}

/// What [`Compression`] makes of a service.
///
/// ```
/// use axum::Router;
/// use sse_runtime::{Compressed, Compression};
/// use tower_layer::Layer;
///
/// let app: Router = Router::new();
/// let service: Compressed<Router> = Compression::new().layer(app);
/// ```
#[derive(Clone, Debug)]
pub struct Compressed<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Compressed<S>
where
    S: Service<Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Responding<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_wanted = accepts_gzip(request.headers());
        let head_only = request.method() == Method::HEAD;
        Responding { inner: self.inner.call(request), is_wanted, head_only }
    }
}

pin_project! {
    /// The response to come.
    #[derive(Debug)]
    pub struct Responding<F> {
        #[pin]
        inner: F,
        is_wanted: bool,
        head_only: bool,
    }
}

impl<F, E> Future for Responding<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if !is_event_stream(response.headers()) || response.headers().contains_key(CONTENT_ENCODING) {
            return Poll::Ready(Ok(response));
        }
        note_variant(response.headers_mut());
        if !*this.is_wanted {
            return Poll::Ready(Ok(response));
        }
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response.headers_mut().remove(CONTENT_LENGTH);
        if *this.head_only {
            return Poll::Ready(Ok(response));
        }
        Poll::Ready(Ok(response.map(|body| Body::new(Gzipped::new(body)))))
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(Ok(content_type)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/event-stream")
}

/// Says that another client may get another variant, unless that is said.
fn note_variant(headers: &mut HeaderMap) {
    let named = headers.get_all(VARY).iter().filter_map(|names| names.to_str().ok());
    let mut names = named.flat_map(|names| names.split(',')).map(str::trim);
    if !names.any(|name| name == "*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str())) {
        headers.append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    }
}
