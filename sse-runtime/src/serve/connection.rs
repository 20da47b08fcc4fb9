//! One accepted connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::lifecycle::{Connection, Shutdown};

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) app: Router,
    pub(super) shutdown: Shutdown,
    /// Cancelled when the drain's time is over.
    pub(super) cut: CancellationToken,
    pub(super) header_read_timeout: Duration,
}

/// Serves a connection until it ends, is cut by one of its streams, or the server has no more time for it.
pub(super) async fn drive(socket: TcpStream, peer: SocketAddr, settings: Settings) {
    let Settings { app, shutdown, cut, header_read_timeout } = settings;
    let connection = Connection::default();
    let service = {
        let (shutdown, connection) = (shutdown.clone(), connection.clone());
        service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            extensions.insert(shutdown.clone());
            extensions.insert(connection.clone());
            let mut app = app.clone();
            // A router is always ready, and its calls cannot fail.
            async move { Ok::<_, Infallible>(app.call(request).await.unwrap_or_else(|never| match never {})) }
        })
    };

    #[cfg(feature = "http2")]
    if matches!(tokio::time::timeout(header_read_timeout, speaks_http2(&socket)).await, Ok(true)) {
        let mut builder = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
        builder.timer(TokioTimer::new());
        let mut served = pin!(builder.serve_connection(TokioIo::new(socket), service));
        let mut draining = false;
        loop {
            tokio::select! {
                ended = served.as_mut() => return note(ended, peer),
                () = shutdown.begun(), if !draining => {
                    draining = true;
                    served.as_mut().graceful_shutdown();
                }
                () = cut.cancelled() => return,
                () = connection.was_cut() => return,
            }
        }
    }

    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_read_timeout);
    let mut served = pin!(builder.serve_connection(TokioIo::new(socket), service).with_upgrades());
    let mut draining = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => return note(ended, peer),
            () = shutdown.begun(), if !draining => {
                draining = true;
                served.as_mut().graceful_shutdown();
            }
            () = cut.cancelled() => return,
            () = connection.was_cut() => return,
        }
    }
}

fn note(ended: hyper::Result<()>, peer: SocketAddr) {
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended in an error");
    }
}

/// Whether the client begins with HTTP/2's preface (RFC 9113, section 3.4), without taking a byte from the socket.
/// Three bytes tell: no HTTP/1.1 method begins with `PRI`.
#[cfg(feature = "http2")]
async fn speaks_http2(socket: &TcpStream) -> bool {
    let mut start = [0; 3];
    loop {
        match socket.peek(&mut start).await {
            Ok(0) | Err(_) => return false,
            Ok(seen) if start.get(..seen) != b"PRI".get(..seen) => return false,
            Ok(3) => return true,
            // A part of it: `peek` returns at once as long as there is something to see.
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
