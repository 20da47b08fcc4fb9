//! One accepted connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

#[cfg(feature = "http2")]
use super::http2::over_http2;
use super::socket::{Socket, no_answer};
use crate::lifecycle::{Connection, Entry, Order};

/// How long to wait before another look at a socket on which the beginning of HTTP/2's preface has come: at first, and at
/// most.
#[cfg(feature = "http2")]
const FIRST_PAUSE: Duration = Duration::from_millis(5);
#[cfg(feature = "http2")]
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// How long a draining server waits for the first request of a connection that it has accepted.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(100);

/// How long the server waits for a peer.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// For a request head.
    pub(super) head: Duration,
    /// How many bytes that may have.
    pub(super) head_size: usize,
    /// For an acknowledgement.
    pub(super) peer: Option<Duration>,
}

/// What a request becomes. In a box of its own, which is gone when the response begins: hyper keeps the place of it for as
/// long as the connection lives.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Serves a connection until it ends, or is told to.
#[cfg(not(feature = "http2"))]
pub(super) fn drive(
    tcp: TcpStream,
    peer: SocketAddr,
    app: Router,
    entry: Entry,
    limits: Limits,
) -> impl Future<Output = ()> {
    over_http1(tcp, peer, app, entry, limits)
}

/// Serves a connection until it ends, or is told to.
#[cfg(feature = "http2")]
pub(super) async fn drive(tcp: TcpStream, peer: SocketAddr, app: Router, entry: Entry, limits: Limits) {
    // Boxed: the task would have room for both, and for what only the question needs.
    match Box::pin(speaks_http2(&tcp, &entry.connection, limits.head)).await {
        Some(true) => Box::pin(over_http2(tcp, peer, app, entry, limits)).await,
        Some(false) => Box::pin(over_http1(tcp, peer, app, entry, limits)).await,
        // Before its entry: whoever is accepted in its place must not be one too many.
        None => drop(tcp),
    }
}

fn over_http1(
    tcp: TcpStream,
    peer: SocketAddr,
    app: Router,
    entry: Entry,
    limits: Limits,
) -> impl Future<Output = ()> {
    let connection = Arc::clone(&entry.connection);
    let service = service_fn(move |mut request: Request<Incoming>| -> Answering {
        connection.note_request();
        request.extensions_mut().insert(Arc::clone(&connection));
        Box::pin(answer(app.clone(), peer, request))
    });
    let socket = TokioIo::new(Socket::new(tcp, Arc::clone(&entry.connection), limits.peer));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(limits.head_size);
    let served = builder.serve_connection(socket, service).with_upgrades();
    // hyper sees to it that a request head is complete in time.
    attend(served, http1::UpgradeableConnection::graceful_shutdown, entry, peer, None)
}

pub(super) fn answer(
    mut app: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
    request.extensions_mut().insert(ConnectInfo(peer));
    // A router is always ready, and its calls cannot fail.
    app.call(request.map(Body::new))
}

/// Polls a connection, and passes on what it is told from outside. Without a request for so long as `limit`, it ends.
pub(super) fn attend<C>(
    served: C,
    drain: fn(Pin<&mut C>),
    entry: Entry,
    peer: SocketAddr,
    limit: Option<Duration>,
) -> Attended<C> {
    Attended { served, drain, entry, peer, limit, idle: None, grace: None, draining: false }
}

pin_project! {
    /// A connection that is listening to orders. A type of its own, because ten thousand of them lie in memory: an
    /// `async fn` keeps room for its arguments beside what it made of them.
    pub(super) struct Attended<C> {
        #[pin]
        served: C,
        drain: fn(Pin<&mut C>),
        entry: Entry,
        peer: SocketAddr,
        limit: Option<Duration>,
        idle: Option<Pin<Box<Sleep>>>,
        grace: Option<Pin<Box<Sleep>>>,
        draining: bool,
    }
}

impl<C: Future<Output = hyper::Result<()>>> Future for Attended<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let connection = &this.entry.connection;
        loop {
            let mut order = connection.order(cx);
            if order == Order::Cut {
                return Poll::Ready(());
            }
            if let Poll::Ready(ended) = this.served.as_mut().poll(cx) {
                if let Err(error) = ended {
                    if peer_is_gone(&error) {
                        // Before the streams are dropped, which then know why.
                        connection.note_vanished();
                    }
                    tracing::debug!(peer = %this.peer, %error, "connection ended in an error");
                }
                return Poll::Ready(());
            }
            if is_too_long_idle(connection, *this.limit, this.idle, cx) {
                if !connection.has_asked() {
                    return Poll::Ready(());
                }
                order = Order::Drain;
            }
            if *this.draining || order == Order::Serve {
                return Poll::Pending;
            }
            // hyper closes a connection on which nothing was asked yet. Its request may be on the way, from a client
            // that was just accepted and has done nothing wrong; but what has not come by then is not waited for.
            if !connection.has_asked() {
                let grace = this.grace.get_or_insert_with(|| Box::pin(sleep(FIRST_REQUEST_GRACE)));
                return grace.as_mut().poll(cx);
            }
            *this.draining = true;
            (this.drain)(this.served.as_mut());
        }
    }
}

/// Whether an HTTP/2 connection has been without a request for as long as it may. (hyper sees to those of HTTP/1.1, which
/// have no `limit` here.)
fn is_too_long_idle(
    connection: &Connection,
    limit: Option<Duration>,
    idle: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> bool {
    #[cfg(feature = "http2")]
    if let Some(limit) = limit.filter(|_| connection.is_idle()) {
        return idle.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx).is_ready();
    }
    let _ = (connection, limit, cx);
    *idle = None;
    false
}

/// Whether the kernel has given the peer up. In time for HTTP/1.1, whose streams are dropped with the connection; those of
/// HTTP/2 may be gone by now.
fn peer_is_gone(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(no_answer)
}

/// Whether the client begins with HTTP/2's preface (RFC 9113, section 3.4), without taking a byte from the socket.
/// Three bytes tell: no HTTP/1.1 method begins with `PRI`. `None`: the client has said nothing in time.
#[cfg(feature = "http2")]
async fn speaks_http2(socket: &TcpStream, connection: &Connection, limit: Duration) -> Option<bool> {
    let preface = async {
        let (mut start, mut pause) = ([0; 3], FIRST_PAUSE);
        loop {
            match socket.peek(&mut start).await {
                Ok(0) | Err(_) => return false,
                Ok(seen) if start.get(..seen) != b"PRI".get(..seen) => return false,
                Ok(3) => return true,
                // A part of it: `peek` returns at once as long as there is something to see. A client that leaves it at
                // that must not cost a look every few milliseconds.
                Ok(_) => {
                    sleep(pause).await;
                    pause = (2 * pause).min(LAST_PAUSE);
                }
            }
        }
    };
    tokio::select! {
        speaks = tokio::time::timeout(limit, preface) => speaks.ok(),
        // To drain: as on any connection, a request may be on its way.
        () = connection.ordered() => Some(false),
    }
}
