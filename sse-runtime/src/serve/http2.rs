//! HTTP/2: many streams on one connection, each of which can be told to end without the others.
//!
//! hyper does not poll a body whose client opens no window, so a stream cannot end itself then; and what it was given to
//! send stays in memory until the window opens. But hyper spawns every stream by an executor, which is ours: what it
//! spawns listens to a [`Connection`] of the stream's own, and drops the stream when that is cut. h2 then discards what
//! it had queued for it, and sends RST_STREAM. The request learns of its `Connection` by way of the task it is answered in.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use super::connection::{Answering, Limits, answer, attend};
use super::signs::Signs;
use super::socket::Socket;
use crate::lifecycle::{Carrier, Connection, Entry, Order, Place, SIGN_OF_LIFE};

/// How long the peer may be silent before it is asked for a sign of life.
const PING: Duration = Duration::from_secs(15);

/// How many streams a client may have open on one connection. It is hyper's default, too, which it may change.
const STREAMS: u32 = 200;

/// How much h2 takes from a stream beyond what it has sent. With hyper's default, 400 KiB, a client that opens all windows
/// and reads nothing would keep 80 MB with its streams.
const QUEUED: usize = 64 * 1024;

tokio::task_local! {
    /// The stream that this task answers.
    static STREAM: Arc<Connection>;
}

pub(super) fn over_http2(
    tcp: TcpStream,
    peer: SocketAddr,
    app: Router,
    entry: Entry,
    limits: Limits,
) -> impl Future<Output = ()> {
    let carrier = Carrier::new(Arc::clone(&entry.connection));
    let socket = Socket::new(tcp, Arc::clone(&entry.connection), limits.peer);
    let socket = TokioIo::new(Signs::new(socket, Arc::clone(&carrier)));
    let mut builder = http2::Builder::new(Streams(Arc::clone(&carrier)));
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(SIGN_OF_LIFE)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(QUEUED)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX));
    let service = service_fn(move |mut request: Request<Incoming>| -> Answering {
        carrier.connection.note_request();
        let (app, carrier) = (app.clone(), Arc::clone(&carrier));
        Box::pin(async move {
            // Not the connection's: one stream of many must not cut it for the others.
            let stream = STREAM.try_with(Arc::clone).unwrap_or_else(|_| carrier.stream());
            request.extensions_mut().insert(stream);
            answer(app, peer, request).await
        })
    });
    let served = builder.serve_connection(socket, service);
    attend(served, http2::Connection::graceful_shutdown, entry, peer, Some(limits.head))
}

/// Spawns the streams of one connection.
#[derive(Clone)]
struct Streams(Arc<Carrier>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let place = self.0.enter(self.0.stream());
        tokio::spawn(Stream { stream, place, begun: false, last: None });
    }
}

pin_project! {
    /// A stream that is listening to orders, from its request to the end of its response.
    struct Stream<F> {
        #[pin]
        stream: F,
        // After the stream: that it has left is said when it has.
        place: Place,
        begun: bool,
        last: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let connection = &this.place.stream;
        if connection.order(cx) == Order::Cut {
            return Poll::Ready(());
        }
        let polled = if std::mem::replace(this.begun, true) {
            this.stream.poll(cx)
        } else {
            // The request is asked what to make of it in the first poll.
            STREAM.sync_scope(Arc::clone(connection), || this.stream.poll(cx))
        };
        // One that is over has no deadline of its own any more, and may have a client that takes nothing.
        if let (Poll::Pending, Some(when)) = (polled, connection.given_up_at()) {
            let last = this.last.get_or_insert_with(|| Box::pin(sleep_until(when)));
            if last.deadline() != when {
                last.as_mut().reset(when);
            }
            return last.as_mut().poll(cx);
        }
        polled
    }
}
