//! Ending every open stream, politely and in bounded time.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower_layer::Layer;

use super::{Registry, signal};
use crate::stream::{DisconnectReason, Shared};

/// When clients are told to come back, unless the user chose otherwise.
const RETRY: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_millis(3000);

/// How long the hooks of streams that had to be given up may run.
pub(crate) const LAST_GRACE: Duration = Duration::from_secs(1);

/// Ends all streams of an application when the server shuts down.
///
/// [`serve`](crate::serve) brings its own. In an application that runs on plain `axum::serve`, whose graceful shutdown
/// would wait for ever for the first idle stream, add it as a layer:
///
/// ```no_run
/// use std::time::Duration;
/// use axum::Router;
/// use sse_runtime::{Result, Shutdown, Sse, routes, sse_route};
///
/// #[sse_route("/ticks")]
/// async fn ticks(sse: Sse) -> Result<()> {
///     loop {
///         sse.send("tick").await?;
///         tokio::time::sleep(Duration::from_secs(1)).await;
///     }
/// }
///
/// # async fn run() -> std::io::Result<()> {
/// let shutdown = Shutdown::new();
/// let app: Router = routes![ticks].layer(shutdown.clone());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().on_signal());
/// // At most five seconds after Ctrl-C or SIGTERM, even if a client does not read; then the hooks.
/// shutdown.bound(server, Duration::from_secs(5)).await.transpose()?;
/// # Ok(())
/// # }
/// ```
///
/// Every stream gets a last event, `sse-bye`, with a `retry` of its own (so that its clients do not all come back in
/// the same moment; none on `bare` routes), and ends cleanly. A stream that begins after that gets the same at once.
///
/// With thousands of streams, [`drain`](Self::drain) spreads that over a while: who takes over has as long to take them in.
#[derive(Clone)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

struct Inner {
    begun: CancellationToken,
    /// Counts open streams and running hooks.
    tracker: TaskTracker,
    streams: Mutex<Streams>,
    retry: RangeInclusive<Duration>,
}

#[derive(Default)]
struct Streams {
    open: Slab<Weak<Shared>>,
    /// Set when the shutdown has begun: by then, every stream has been told to end.
    until: Option<Instant>,
}

impl Streams {
    fn upgrade(&self) -> Vec<Arc<Shared>> {
        self.open.iter().filter_map(|(_, stream)| stream.upgrade()).collect()
    }
}

impl Shutdown {
    /// A shutdown that has not begun. Clients will be told to reconnect after 0.5 to 3 s.
    #[must_use]
    pub fn new() -> Self {
        Self::with_retry(RETRY)
    }

    /// As [`new`](Self::new); each client is told to reconnect after a time of its own within `retry`.
    #[must_use]
    pub fn with_retry(retry: RangeInclusive<Duration>) -> Self {
        Self {
            inner: Arc::new(Inner {
                begun: CancellationToken::new(),
                tracker: TaskTracker::new(),
                streams: Mutex::default(),
                retry,
            }),
        }
    }

    /// Ends every open stream, and every stream that begins from now on. Returns at once; calling it again does
    /// nothing. After [`drain`](Self::drain), it ends those that are left.
    pub fn begin(&self) {
        for stream in self.begin_until(Duration::ZERO) {
            stream.end(DisconnectReason::ServerShutdown);
        }
        self.inner.tracker.close();
    }

    /// As [`begin`](Self::begin), but spreads the goodbyes evenly over the time `over`, in no order: a deploy then looks to
    /// whoever takes over like any other minute. Each client is told a `retry` of its own besides. Streams that begin
    /// meanwhile end at once. Returns at once, too; [`drained`](Self::drained) waits, for longer than `over` at best.
    ///
    /// For [`serve`](crate::serve) it is [`Serve::drain_over`](crate::Serve::drain_over) that says how long.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use sse_runtime::Shutdown;
    ///
    /// # async fn run() {
    /// let shutdown = Shutdown::new();
    /// // ...
    /// shutdown.drain(Duration::from_secs(30));
    /// shutdown.drained(Duration::from_secs(35)).await;
    /// # }
    /// ```
    pub fn drain(&self, over: Duration) {
        if over.is_zero() {
            return self.begin();
        }
        let now = Instant::now();
        let mut open = self.begin_until(over);
        fastrand::shuffle(&mut open);
        let share = over.div_f64(open.len().max(1) as f64);
        for (place, stream) in open.iter().enumerate() {
            // Each somewhere within its own share of the time.
            let after = share.mul_f64(place as f64 + fastrand::f64());
            stream.leave_at(now + after.min(over));
        }
        self.inner.tracker.close();
    }

    /// Notes that all streams will have been told to end `over` from now, or earlier if that was said before; returns them.
    fn begin_until(&self, over: Duration) -> Vec<Arc<Shared>> {
        let until = Instant::now() + over;
        let mut streams = self.inner.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.until = Some(streams.until.map_or(until, |known| known.min(until)));
        self.inner.begun.cancel();
        streams.upgrade()
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.inner.begun.is_cancelled()
    }

    /// How long it still takes until every stream has been told to end; nothing, if that has not begun.
    pub(crate) fn window(&self) -> Duration {
        let until = self.inner.streams.lock().unwrap_or_else(PoisonError::into_inner).until;
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// The open streams: lists them, ends some.
    #[must_use]
    pub fn registry(&self) -> Registry {
        Registry::new(self.clone())
    }

    pub(super) fn open(&self) -> Vec<Arc<Shared>> {
        self.inner.streams.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Completes when the shutdown begins. Cancel safe.
    pub async fn begun(&self) {
        self.inner.begun.cancelled().await;
    }

    /// Waits for Ctrl-C or, on Unix, SIGTERM, then [begins](Self::begin). For `with_graceful_shutdown`.
    pub async fn on_signal(self) {
        signal().await;
        self.begin();
    }

    /// Waits for Ctrl-C or, on Unix, SIGTERM, then [drains](Self::drain). For `with_graceful_shutdown`.
    pub async fn drain_on_signal(self, over: Duration) {
        signal().await;
        self.drain(over);
    }

    /// Waits until every stream has ended and every disconnect hook has finished, at most for `limit`. Returns
    /// whether all did. Before the shutdown begins, this waits for it to begin.
    pub async fn drained(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.inner.tracker.wait()).await.is_ok()
    }

    /// Runs a server to its end, which once the shutdown has begun (or, after [`drain`](Self::drain), once every stream has
    /// been told to end) is at most `limit` away; then waits for the disconnect
    /// hooks, at most for `limit` again. `None`: the server had not ended in time. It was dropped, its streams were given
    /// up, and their hooks got a second.
    ///
    /// Plain `axum::serve` needs this: it waits for each connection for as long as that takes, and one whose client does
    /// not read never ends. (A stream's `send_timeout` then drops its handler and runs its hooks, but only
    /// [`serve`](crate::serve) can close the connection too.)
    ///
    /// When the server ends by itself, the shutdown begins then.
    pub async fn bound<F: IntoFuture>(&self, server: F, limit: Duration) -> Option<F::Output> {
        let deadline = async {
            self.begun().await;
            tokio::time::sleep(self.window() + limit).await;
        };
        let output = tokio::select! {
            output = server.into_future() => Some(output),
            () = deadline => None,
        };
        self.begin();
        if output.is_some() {
            self.drained(limit).await;
        } else {
            self.open().iter().for_each(Shared::give_up);
            self.drained(LAST_GRACE).await;
        }
        output
    }

    /// The number of open streams.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.inner.streams.lock().unwrap_or_else(PoisonError::into_inner).open.len()
    }

    /// Takes note of a stream until the registration is dropped. `None`: the shutdown has begun.
    pub(crate) fn register(&self, stream: &Arc<Shared>) -> Option<Registration> {
        let token = self.inner.tracker.token();
        let mut streams = self.inner.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.until.is_some() {
            return None;
        }
        let key = streams.open.insert(Arc::downgrade(stream));
        drop(streams);
        Some(Registration { shutdown: self.clone(), key, _token: token })
    }
}

/// Some time within a range.
pub(crate) fn pick(range: &RangeInclusive<Duration>) -> Duration {
    let width = range.end().saturating_sub(*range.start());
    *range.start() + width.mul_f64(fastrand::f64())
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("begun", &self.inner.begun.is_cancelled())
            .field("open_streams", &self.open_streams())
            .finish()
    }
}

/// Lets the routes below know of the shutdown.
impl<S> Layer<S> for Shutdown {
    type Service = axum::middleware::AddExtension<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        axum::Extension(self.clone()).layer(inner)
    }
}

/// The shutdowns that one stream heeds: one given as a layer, one of the server, both, or none.
#[derive(Clone, Default)]
pub(crate) struct Shutdowns {
    layer: Option<Shutdown>,
    server: Option<Shutdown>,
}

impl Shutdowns {
    pub(crate) fn new(layer: Option<&Shutdown>, server: Option<&Shutdown>) -> Self {
        let is_layer =
            |server: &&Shutdown| layer.is_some_and(|layer| Arc::ptr_eq(&layer.inner, &server.inner));
        Self { layer: layer.cloned(), server: server.filter(|server| !is_layer(server)).cloned() }
    }

    /// Asks each, in places of their own.
    pub(crate) fn each<T>(&self, ask: impl Fn(&Shutdown) -> Option<T>) -> [Option<T>; 2] {
        [self.layer.as_ref().and_then(&ask), self.server.as_ref().and_then(&ask)]
    }

    fn iter(&self) -> impl Iterator<Item = &Shutdown> {
        self.layer.iter().chain(&self.server)
    }

    /// Whether `shutdown` is one of them.
    #[cfg(feature = "inspector")]
    pub(super) fn has(&self, shutdown: &Shutdown) -> bool {
        self.iter().any(|known| Arc::ptr_eq(&known.inner, &shutdown.inner))
    }

    /// Held by what a drain has to wait for.
    pub(crate) fn tokens(&self) -> Vec<TaskTrackerToken> {
        self.iter().map(|shutdown| shutdown.inner.tracker.token()).collect()
    }

    /// When one client is to come back: what the shutdown that has begun says, or any, or the default.
    pub(crate) fn retry(&self) -> Duration {
        let begun = self.iter().find(|shutdown| shutdown.inner.begun.is_cancelled());
        begun
            .or_else(|| self.iter().next())
            .map_or_else(|| pick(&RETRY), |shutdown| pick(&shutdown.inner.retry))
    }
}

/// An open stream's entry; leaves when dropped.
pub(crate) struct Registration {
    shutdown: Shutdown,
    key: usize,
    _token: TaskTrackerToken,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut streams = self.shutdown.inner.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.open.try_remove(self.key);
    }
}
