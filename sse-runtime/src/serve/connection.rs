//! One accepted connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::socket::Socket;
use crate::lifecycle::{Connection, Entry, Order, ServerShutdown};

/// How long an HTTP/2 connection may be silent before the peer is asked for a sign of life.
#[cfg(feature = "http2")]
const PING: Duration = Duration::from_secs(20);

/// How long a draining server waits for the first request of a connection that it has accepted.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(100);

/// Serves a connection until it ends, or is told to.
pub(super) async fn drive(
    tcp: TcpStream,
    peer: SocketAddr,
    app: Router,
    entry: Entry,
    header_read_timeout: Duration,
) {
    #[cfg(feature = "http2")]
    let Some(is_http2) = speaks_http2(&tcp, &entry.connection, header_read_timeout).await else { return };
    #[cfg(not(feature = "http2"))]
    let is_http2 = false;

    let connection = Arc::clone(&entry.connection);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(peer));
        connection.note_request();
        if is_http2 {
            // One stream of many must not cut the connection for the others.
            extensions.insert(ServerShutdown(connection.shutdown.clone()));
        } else {
            extensions.insert(Arc::clone(&connection));
        }
        let mut app = app.clone();
        // A router is always ready, and its calls cannot fail.
        async move { Ok::<_, Infallible>(app.call(request).await.unwrap_or_else(|never| match never {})) }
    });

    let socket = TokioIo::new(Socket { tcp, connection: Arc::clone(&entry.connection) });
    #[cfg(feature = "http2")]
    if is_http2 {
        let mut builder = http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(PING);
        let served = pin!(builder.serve_connection(socket, service));
        let limit = Some(header_read_timeout);
        return attend(served, http2::Connection::graceful_shutdown, &entry.connection, peer, limit).await;
    }

    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_read_timeout);
    let served = pin!(builder.serve_connection(socket, service).with_upgrades());
    // hyper sees to it that a request head is complete in time.
    attend(served, http1::UpgradeableConnection::graceful_shutdown, &entry.connection, peer, None).await;
}

/// Polls a connection, and passes on what it is told from outside. Without a request in `limit` it ends.
async fn attend<C>(
    mut served: Pin<&mut C>,
    drain: fn(Pin<&mut C>),
    connection: &Connection,
    peer: SocketAddr,
    limit: Option<Duration>,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut first_request = limit.map(|limit| Box::pin(sleep(limit)));
    let mut grace: Option<Pin<Box<Sleep>>> = None;
    let mut draining = false;
    let ended = poll_fn(|cx| {
        loop {
            let order = connection.order(cx);
            if order == Order::Cut {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(ended) = served.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if connection.has_asked() {
                first_request = None;
            } else if let Some(limit) = &mut first_request {
                if limit.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
            }
            if draining || order == Order::Serve {
                return Poll::Pending;
            }
            // hyper closes a connection on which nothing was asked yet. Its request may be on the way, from a client
            // that was just accepted and has done nothing wrong; but what has not come by then is not waited for.
            if !connection.has_asked() {
                let grace = grace.get_or_insert_with(|| Box::pin(sleep(FIRST_REQUEST_GRACE)));
                return grace.as_mut().poll(cx).map(Ok);
            }
            draining = true;
            drain(served.as_mut());
        }
    });
    if let Err(error) = ended.await {
        tracing::debug!(%peer, %error, "connection ended in an error");
    }
}

/// Whether the client begins with HTTP/2's preface (RFC 9113, section 3.4), without taking a byte from the socket.
/// Three bytes tell: no HTTP/1.1 method begins with `PRI`. `None`: the client has said nothing in time.
#[cfg(feature = "http2")]
async fn speaks_http2(socket: &TcpStream, connection: &Connection, limit: Duration) -> Option<bool> {
    let preface = async {
        let mut start = [0; 3];
        loop {
            match socket.peek(&mut start).await {
                Ok(0) | Err(_) => return false,
                Ok(seen) if start.get(..seen) != b"PRI".get(..seen) => return false,
                Ok(3) => return true,
                // A part of it: `peek` returns at once as long as there is something to see.
                Ok(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::select! {
        speaks = tokio::time::timeout(limit, preface) => speaks.ok(),
        // To drain: as on any connection, a request may be on its way.
        () = connection.ordered() => Some(false),
    }
}
