//! The open streams, one by one: to list them, and to end some.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Shutdown;
use crate::stream::{DisconnectReason, Shared};

/// The number of a stream: no other of this process has it, before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

impl StreamId {
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An open stream at one moment; from [`Registry::streams`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its number.
    pub id: StreamId,
    /// The path of its route, with parameters as they are declared: `/jobs/{id}`.
    pub route: &'static str,
    /// Where its client connects from, if that is known. Behind a proxy, what an [`Admission`](crate::Admission) with
    /// [trusted proxies](crate::Admission::trusted_proxies) makes of it.
    pub client: Option<IpAddr>,
    /// Whose it is, by [`Sse::set_principal`](crate::Sse::set_principal).
    pub principal: Option<String>,
    /// Since its handler's request began.
    pub age: Duration,
    /// Events handed to the connection.
    pub events: u64,
    /// Bytes of body handed to the connection.
    pub bytes: u64,
    /// Bytes that wait in the stream's buffer.
    pub queued: usize,
    /// Events of the topic it follows that it has still to hand to the connection; `None` if it follows none, or several.
    pub behind: Option<u64>,
    /// For how long the connection has taken nothing that was there for it; `None` if nothing waits.
    pub blocked: Option<Duration>,
    /// What its client would name if it reconnected now.
    pub last_event_id: Option<String>,
}

/// The open streams of a server: lists them, and ends some. From [`Shutdown::registry`]; cheap to clone, made to be a part
/// of the application's state.
///
/// ```
/// use axum::Router;
/// use axum::extract::{Path, State};
/// use axum::routing::{delete, get};
/// use sse_runtime::{Registry, Result, Shutdown, Sse, routes, sse_route};
///
/// #[sse_route("/inbox/{user}")]
/// async fn inbox(sse: Sse, user: String) -> Result<()> {
///     sse.set_principal(user);
///     sse.open().await?;
///     std::future::pending().await
/// }
///
/// async fn log_out(State(streams): State<Registry>, Path(user): Path<String>) -> String {
///     let ended = streams.kick(|stream| stream.principal.as_deref() == Some(&user), "logged out");
///     format!("{ended} streams ended")
/// }
///
/// async fn count(State(streams): State<Registry>) -> String {
///     streams.streams().len().to_string()
/// }
///
/// let shutdown = Shutdown::new();
/// let app: Router = routes![inbox]
///     .route("/users/{user}/session", delete(log_out))
///     .route("/count", get(count))
///     .with_state(shutdown.registry());
/// // serve(listener, app).shutdown(shutdown).await
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct Registry {
    shutdown: Shutdown,
}

impl Registry {
    pub(super) fn new(shutdown: Shutdown) -> Self {
        Self { shutdown }
    }

    /// The open streams themselves.
    #[cfg(feature = "inspector")]
    pub(crate) fn open(&self) -> Vec<Arc<Shared>> {
        self.shutdown.open()
    }

    /// Whether a stream is among those of this registry.
    #[cfg(feature = "inspector")]
    pub(crate) fn has(&self, shutdowns: &super::Shutdowns) -> bool {
        shutdowns.has(&self.shutdown)
    }

    /// All open streams, each as it is now, oldest first.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamInfo> {
        let mut streams: Vec<_> =
            self.shutdown.open().iter().filter_map(|stream| Shared::info(stream)).collect();
        streams.sort_by_key(|stream| stream.id);
        streams
    }

    /// Ends the streams for which `filter` says so: each gets a last event, `sse-bye` with data
    /// `{"reason":"Kicked","message":why}` (none on `bare` routes, which are cut), and its reason is
    /// [`Kicked`](DisconnectReason::Kicked). Returns how many.
    ///
    /// Their clients reconnect after a while, each at its own time, and then meet what every request meets: whoever may not
    /// come back is for the route's extractors to refuse, and an `EventSource` that is answered 401 or 403 stops.
    pub fn kick(&self, mut filter: impl FnMut(&StreamInfo) -> bool, why: impl Into<String>) -> usize {
        let why: Arc<str> = why.into().into();
        let mut ended = 0;
        for stream in self.shutdown.open() {
            // The user's code runs under no lock.
            if Shared::info(&stream).is_some_and(|info| filter(&info))
                && stream.end_because(DisconnectReason::Kicked, Some(Arc::clone(&why)))
            {
                ended += 1;
            }
        }
        ended
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("open_streams", &self.shutdown.open_streams()).finish()
    }
}
