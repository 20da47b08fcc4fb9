//! From a request to a response: the checks before the handler runs, the phase before the first event, the headers.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::{Sleep, sleep};

use super::Rejection;
use super::accept::accepts_event_stream;
use super::full::{refuse, unavailable};
use crate::lifecycle::{Admission, Connection, Mounted, Permit, Shutdowns};
use crate::stream::{self, Arrival, Asked, END_ID, Guard, HandlerFuture, Opened, Shared};
use crate::wire::last_event_id;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What a request says about the stream it asks for.
pub(crate) struct Ask {
    pub(crate) head_only: bool,
    pub(crate) arrival: Arrival,
}

impl Ask {
    /// Reads the request; an answer for those that will get no stream.
    pub(crate) fn read(route: &Arc<Mounted>, request: &Request) -> Result<Self, Rejection> {
        let meta = route.meta;
        let headers = request.headers();
        // Foreign protocols have clients that ask for JSON and mean a stream.
        if !meta.bare && !accepts_event_stream(headers) {
            let text = "this route answers with text/event-stream, which the Accept header refuses";
            return Err(Rejection::new((StatusCode::NOT_ACCEPTABLE, text).into_response()));
        }
        let asked = asked(request);
        if asked.id() == Some(END_ID) {
            // The client has seen the end; 204 is what makes an EventSource stop (WHATWG HTML, 9.2.3).
            return Err(Rejection::new(StatusCode::NO_CONTENT.into_response()));
        }
        let head_only = request.method() == Method::HEAD;
        let extensions = request.extensions();
        let admission: Option<&Admission> = extensions.get();
        let client = client(request, admission);
        let permit = || Permit::take(route, admission, client).map_err(|full| refuse(route, &full, request));
        let permit = if head_only { None } else { Some(permit()?) };
        let connection: Option<&Arc<Connection>> = extensions.get();
        let server = connection.map(|connection| &connection.shutdown);
        let shutdowns = Shutdowns::new(extensions.get(), server);
        let arrival = Arrival {
            asked,
            shutdowns,
            connection: connection.cloned(),
            client,
            permit,
            #[cfg(feature = "inspector")]
            path: path(request),
        };
        Ok(Self { head_only, arrival })
    }
}

/// Where the request comes from.
fn client(request: &Request, admission: Option<&Admission>) -> Option<IpAddr> {
    let ConnectInfo(peer): &ConnectInfo<SocketAddr> = request.extensions().get()?;
    let peer = peer.ip().to_canonical();
    Some(admission.map_or(peer, |admission| admission.client(peer, request.headers())))
}

/// The path as the client wrote it, with what routers around the route have taken away; not its query, where secrets are.
#[cfg(feature = "inspector")]
fn path(request: &Request) -> Box<str> {
    const SHOWN: usize = 256;
    let original: Option<&axum::extract::OriginalUri> = request.extensions().get();
    let path = original.map_or(request.uri(), |original| &original.0).path();
    path.chars().take(SHOWN).collect::<String>().into()
}

/// What the request says that its client saw last: in the header, which an `EventSource` sends when it reconnects, or,
/// on a first connection, in the query. The header is the newer one.
pub(super) fn asked(request: &Request) -> Asked {
    let read = |id: &[u8]| match last_event_id(id) {
        Some(id) => Asked::Id(id.into_boxed_str()),
        None if id.is_empty() => Asked::Nothing,
        None => Asked::Malformed,
    };
    let in_header = request.headers().get(LAST_EVENT_ID).map_or(Asked::Nothing, |id| read(id.as_bytes()));
    if in_header != Asked::Nothing {
        return in_header;
    }
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "last_event_id")
        .map_or(Asked::Nothing, |(_, id)| read(id.as_bytes()))
}

/// Runs a handler until its response is known.
pub(crate) fn respond(shared: Arc<Shared>, handler: HandlerFuture) -> Respond {
    let limit = shared.meta.open_after;
    shared.start(handler);
    Respond { guard: Some(Guard(shared)), limit, open_after: None }
}

/// The phase before the first event.
pub(crate) struct Respond {
    /// Taken by the response's body; until then, dropping this future (the client left) ends the stream.
    guard: Option<Guard>,
    limit: Option<Duration>,
    open_after: Option<Pin<Box<Sleep>>>,
}

impl Respond {
    /// Leaves so much time to somebody else, who has the same limit, and opens the stream then.
    pub(crate) fn with_grace(mut self, grace: Duration) -> Self {
        self.limit = self.limit.map(|limit| limit + grace);
        self
    }
}

impl Future for Respond {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let Some(guard) = &self.guard else { return Poll::Pending };
        let shared = Arc::clone(&guard.0);
        let opened = match shared.poll_head(cx) {
            Poll::Ready(opened) => opened,
            Poll::Pending => {
                let Some(limit) = self.limit else { return Poll::Pending };
                let timer = self.open_after.get_or_insert_with(|| Box::pin(sleep(limit)));
                std::task::ready!(timer.as_mut().poll(cx));
                if !shared.open_now() {
                    return Poll::Pending;
                }
                Opened::Stream
            }
        };
        Poll::Ready(match opened {
            Opened::Stream => match self.guard.take() {
                Some(guard) => {
                    let head = shared.take_head();
                    let mut response = streaming(Body::new(stream::Body::new(guard)));
                    if let Some(head) = head {
                        head.apply(&mut response);
                    }
                    response
                }
                None => return Poll::Pending,
            },
            Opened::Response(response) => *response,
            Opened::Panicked => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Opened::Ended(come_back_after) => unavailable(come_back_after, ""),
        })
    }
}

/// The head of a stream, for HEAD.
pub(crate) fn head_only() -> Response {
    // A body of unknown length, so that no `content-length: 0` is announced for what GET would stream.
    streaming(Body::from_stream(futures_util::stream::empty::<std::io::Result<bytes::Bytes>>()))
}

/// No `connection` header: it is illegal on HTTP/2, and HTTP/1.1 does not need it. No charset: a stream is UTF-8 by
/// definition, and some clients compare the content type as a whole.
pub(super) fn streaming(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(4);
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    // `no-transform` keeps proxies from compressing, and so from buffering.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
