//! The accept loop: what plain `axum::serve` does, and what long-lived streams need besides.

mod accept;
mod connection;
#[cfg(feature = "http2")]
mod http2;
mod listen;
#[cfg(feature = "http2")]
mod signs;
mod socket;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::sleep;

use accept::Accepting;
use connection::Limits;
pub use listen::listen;
use socket::PEER_TIMEOUT;
pub use socket::prepare_socket;

use crate::lifecycle::{Connections, LAST_GRACE, Order, Rate, Shutdown, signal};

/// How large a request head may be.
const HEAD_SIZE: usize = 64 * 1024;
/// As good as never.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// Serves `app` on `listener` until Ctrl-C or, on Unix, SIGTERM, then ends every stream and returns.
///
/// Over plain `axum::serve` it
/// - **ends**: the listener closes, every stream gets its last event with its own `retry`, and once the disconnect
///   hooks have finished the future returns, at the latest a second after [`drain_timeout`](Serve::drain_timeout)
///   (default 5 s). A second signal while it waits ends it at once;
/// - sets `TCP_NODELAY`, without which the last chunk of a short stream waits some 40 ms for an acknowledgement;
/// - keeps little in the kernel for a client that does not read (`TCP_NOTSENT_LOWAT`, on Linux), so that it is noticed,
///   and drops its connection when the socket has taken nothing for the route's `send_timeout`. Over HTTP/2 it is the
///   stream that is reset, if its window does not open, and the others on its connection go on;
/// - notices peers that vanish without a word ([`peer_timeout`](Serve::peer_timeout), default 30 s, on Linux);
/// - drops a connection that does not complete a request head in
///   [`header_read_timeout`](Serve::header_read_timeout) (default 10 s);
/// - knows the peer: `ConnectInfo<SocketAddr>` can be extracted.
///
/// ```no_run
/// use sse_runtime::{Result, Sse, routes, serve, sse_route};
///
/// #[sse_route("/hello")]
/// async fn hello(sse: Sse) -> Result<()> {
///     sse.send("hello").await?;
///     Ok(())
/// }
///
/// # async fn run() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// serve(listener, routes![hello]).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// None at present: errors of single connections are theirs alone, and accepting goes on after a pause. The type
/// leaves room for listeners that can fail for good.
pub fn serve(listener: TcpListener, app: Router) -> Serve {
    Serve {
        listener,
        app,
        shutdown: Shutdown::new(),
        until: None,
        drain_timeout: Duration::from_secs(5),
        drain_over: Duration::ZERO,
        accepting: Accepting::default(),
        limits: Limits { head: Duration::from_secs(10), head_size: HEAD_SIZE, peer: Some(PEER_TIMEOUT) },
    }
}

/// The future behind [`serve`], with its options.
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve {
    listener: TcpListener,
    app: Router,
    shutdown: Shutdown,
    until: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    drain_timeout: Duration,
    drain_over: Duration,
    accepting: Accepting,
    limits: Limits,
}

impl Serve {
    /// Ends when `signal` completes, instead of on Ctrl-C and SIGTERM.
    pub fn with_graceful_shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.until = Some(Box::pin(signal));
        self
    }

    /// Uses this [`Shutdown`], so that other parts of the program can begin it or watch it; the server ends when it
    /// begins.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// How long requests, streams and disconnect hooks may take to finish once the shutdown has begun. Default 5 s.
    /// Connections that are still open then are cut, and the hooks of their streams get one more second.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain_timeout = limit;
        self
    }

    /// Spreads the goodbyes over this time when the shutdown begins, instead of saying them all at once: see
    /// [`Shutdown::drain`]. [`drain_timeout`](Self::drain_timeout) begins after it. Default 0.
    ///
    /// For deploys with many clients, where another process has the listening socket already (see [`listen`]): this one
    /// accepts no more, and its streams move over one by one. Whoever stops the program has to wait for as long: systemd's
    /// `TimeoutStopSec`, Kubernetes' `terminationGracePeriodSeconds`.
    pub fn drain_over(mut self, window: Duration) -> Self {
        self.drain_over = window;
        self
    }

    /// How many connections may be open at a time. While that many are, none is accepted: clients wait in the listening
    /// socket's queue. No limit by default, so that the limit is the process's number of file descriptors; keep it below
    /// that, or what else the program opens is refused with them.
    ///
    /// # Panics
    /// If `connections` is 0.
    pub fn max_connections(mut self, connections: usize) -> Self {
        assert!(connections > 0, "a server without connections serves nobody");
        self.accepting.max_open = connections;
        self
    }

    /// `connections` are accepted at once, and on average no more in each `per`; others wait in the listening socket's queue, and nobody is
    /// refused. Against storms, as when all clients of a server that restarted come back at once: what they ask for is then
    /// spread over time. No limit by default.
    ///
    /// # Panics
    /// If `connections` is 0.
    pub fn accept_rate(mut self, connections: u32, per: Duration) -> Self {
        self.accepting.rate = Some(Rate::new(connections, per));
        self
    }

    /// How long a client may take to send a request head, and how long a connection may stay open without one.
    /// Default 10 s.
    pub fn header_read_timeout(mut self, limit: Duration) -> Self {
        // hyper adds it to the time of day: a limit beyond any uptime is the same as none, and cannot overflow.
        self.limits.head = limit.min(FAR);
        self
    }

    /// How many bytes a request head may have: its first line and all headers, cookies among them. Default 64 KiB; a larger one
    /// is answered 431, as is one of more than 100 headers over HTTP/1.1. (There it is the size of hyper's buffers, which
    /// double as they grow: up to twice as much passes if it comes at once. A connection that sends faster than its client
    /// reads holds as much, too.)
    ///
    /// # Panics
    /// If `bytes` is below 8192, which is as little as hyper can work with.
    pub fn max_head_size(mut self, bytes: usize) -> Self {
        assert!(bytes >= 8192, "a request head of {bytes} bytes: at least 8192 have to be allowed");
        self.limits.head_size = bytes;
        self
    }

    /// How long a peer may acknowledge nothing of what was sent to it, before its connection counts as gone
    /// ([`PeerVanished`](crate::DisconnectReason::PeerVanished)). Default 30 s. So a client whose network disappears without
    /// a word is noticed at most that long after the next keep-alive or event, where the system itself waits a quarter
    /// of an hour. `None` leaves it to the system.
    ///
    /// It is Linux's `TCP_USER_TIMEOUT`, and without effect elsewhere. While a client acknowledges and does not read, the
    /// route's `send_timeout` (and 5 s) counts, if that is longer. Over HTTP/2 the peer is asked for a sign of life besides, after 15 s
    /// of silence, and given up 25 s later, on every system; one that reads nothing of its connection cannot answer.
    pub fn peer_timeout(mut self, limit: Option<Duration>) -> Self {
        self.limits.peer = limit;
        self
    }

    async fn run(self) -> io::Result<()> {
        let Self { listener, app, shutdown, until, drain_timeout, drain_over, mut accepting, limits } = self;
        let connections = Arc::new(Connections::default());

        let by_signal = until.is_none();
        let mut until = until.unwrap_or_else(|| Box::pin(signal()));
        loop {
            tokio::select! {
                // The signals first: from the first connection on, one that comes must not end the process unheard.
                biased;
                () = &mut until => break,
                () = shutdown.begun() => break,
                accepted = accepting.next(&listener, &connections) => match accepted {
                    Ok((socket, peer)) => {
                        socket::set_up(&socket, limits.peer);
                        let entry = connections.enter(shutdown.clone());
                        tokio::spawn(connection::drive(socket, peer, app.clone(), entry, limits));
                    }
                    Err(error) => accepting.rest_after(&error),
                },
            }
        }

        drop(listener);
        if !shutdown.has_begun() {
            shutdown.drain(drain_over);
        }
        connections.tell_all(Order::Drain);
        let window = shutdown.window();
        let drained = async {
            connections.none_left().await;
            shutdown.drained(Duration::MAX).await;
        };
        tokio::select! {
            () = drained => return Ok(()),
            () = sleep(window.saturating_add(drain_timeout)) => {}
            () = signal(), if by_signal => {
                tracing::warn!("a second signal: cutting {} connections", connections.count());
                // Those whose turn has not come yet are to know why.
                shutdown.begin();
                connections.tell_all(Order::Cut);
                return Ok(());
            }
        }
        tracing::warn!("cutting {} connections that did not end in {drain_timeout:?}", connections.count());
        connections.tell_all(Order::Cut);
        let cut = async {
            connections.none_left().await;
            shutdown.drained(Duration::MAX).await;
        };
        // The hooks that do not finish in this time are left to the runtime.
        drop(tokio::time::timeout(LAST_GRACE, cut).await);
        Ok(())
    }
}

impl IntoFuture for Serve {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("drain_timeout", &self.drain_timeout)
            .field("drain_over", &self.drain_over)
            .field("accepting", &self.accepting)
            .field("header_read_timeout", &self.limits.head)
            .field("peer_timeout", &self.limits.peer)
            .finish_non_exhaustive()
    }
}
