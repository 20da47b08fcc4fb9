//! The connections of one server, and what can be told to them from outside while hyper drives them.
//!
//! An order is one atomic number that a connection's task looks at whenever it runs: with ten thousand connections, a
//! shared lock at every wake-up (as a cancellation token takes it) is what all cores would meet at.

#[cfg(feature = "http2")]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Shutdown;
#[cfg(feature = "http2")]
use super::carrier::Carrier;

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Order {
    /// Go on.
    Serve = 0,
    /// Finish what is under way, and take no further request.
    Drain = 1,
    /// End now.
    Cut = 2,
}

/// One connection; over HTTP/2, one stream of it is as good as one. Its requests carry it, as an extension.
pub(crate) struct Connection {
    pub(crate) shutdown: Shutdown,
    order: AtomicU8,
    has_asked: AtomicBool,
    task: AtomicWaker,
    opened: Instant,
    /// When the socket last took bytes, in nanoseconds after `opened`.
    last_write: AtomicU64,
    /// A stream has handed over bytes, and noted the time: the write that follows at once need not.
    timed: AtomicBool,
    /// The socket takes nothing now.
    blocked: AtomicBool,
    vanished: AtomicBool,
    /// How long the streams on it wait for a client that takes nothing, in milliseconds: the longest; 0 for none so far.
    patience: AtomicU64,
    /// How many requests of an HTTP/2 connection are being answered.
    #[cfg(feature = "http2")]
    pub(super) answering: AtomicUsize,
    /// When a stream is given up that is over, but whose last bytes its client does not take: in nanoseconds after `opened`;
    /// 0 if it is not over.
    #[cfg(feature = "http2")]
    given_up: AtomicU64,
    /// What it is one stream of.
    #[cfg(feature = "http2")]
    pub(super) carrier: Option<Arc<Carrier>>,
}

impl Connection {
    pub(super) fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            order: AtomicU8::new(Order::Serve as u8),
            has_asked: AtomicBool::new(false),
            task: AtomicWaker::new(),
            opened: Instant::now(),
            last_write: AtomicU64::new(0),
            timed: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            vanished: AtomicBool::new(false),
            patience: AtomicU64::new(0),
            #[cfg(feature = "http2")]
            answering: AtomicUsize::new(0),
            #[cfg(feature = "http2")]
            given_up: AtomicU64::new(0),
            #[cfg(feature = "http2")]
            carrier: None,
        }
    }

    /// Notes that the socket has taken bytes.
    pub(crate) fn note_write(&self) {
        if self.timed.load(Ordering::Relaxed) {
            self.timed.store(false, Ordering::Relaxed);
            return;
        }
        let nanos = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last_write.store(nanos, Ordering::Relaxed);
    }

    /// Notes that the socket takes no bytes now: the next write is later than what was noted so far.
    pub(crate) fn note_blocked(&self) {
        self.timed.store(false, Ordering::Relaxed);
        self.blocked.store(true, Ordering::Relaxed);
    }

    /// Notes that the socket takes bytes again.
    pub(crate) fn note_room(&self) {
        self.blocked.store(false, Ordering::Relaxed);
    }

    /// Whether the socket takes nothing now.
    #[cfg(feature = "http2")]
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Notes that bytes for the socket have been handed over, at a time that their stream knows.
    pub(crate) fn note_handed(&self) {
        self.timed.store(true, Ordering::Relaxed);
    }

    /// When the socket last took bytes, as far as [`note_handed`](Self::note_handed) does not tell.
    pub(crate) fn last_write(&self) -> Instant {
        self.opened + Duration::from_nanos(self.last_write.load(Ordering::Relaxed))
    }

    /// Notes that the peer has not acknowledged anything for so long that the kernel has given up.
    pub(crate) fn note_vanished(&self) {
        self.vanished.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_vanished(&self) -> bool {
        #[cfg(feature = "http2")]
        if self.carrier.as_ref().is_some_and(|carrier| carrier.has_vanished()) {
            return true;
        }
        self.vanished.load(Ordering::Relaxed)
    }

    /// A stream on it waits so long for a client that takes nothing; for ever, if `None`.
    pub(crate) fn wait_for_client(&self, limit: Option<Duration>) {
        #[cfg(feature = "http2")]
        if let Some(carrier) = &self.carrier {
            return carrier.connection.wait_for_client(limit);
        }
        let millis = limit.map_or(u64::MAX, |limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        self.patience.fetch_max(millis, Ordering::Relaxed);
    }

    /// How long the most patient stream on it waits for a client that takes nothing; for ever, if `None`.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self.patience.load(Ordering::Relaxed) {
            u64::MAX => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }

    /// Notes that a request has come.
    pub(crate) fn note_request(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    /// Whether a request has come yet.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Ends the connection now. A body is not polled while its socket is blocked, so a stream that waits for a client
    /// that no longer reads cannot end its connection by ending itself.
    pub(crate) fn cut(&self) {
        self.tell(Order::Cut);
    }

    /// Whether it is one stream of several on a connection.
    #[cfg(feature = "http2")]
    pub(crate) fn is_stream(&self) -> bool {
        self.carrier.is_some()
    }

    /// Whether no request on it is being answered now.
    #[cfg(feature = "http2")]
    pub(crate) fn is_idle(&self) -> bool {
        self.answering.load(Ordering::Acquire) == 0
    }

    /// The last request that was being answered has been.
    #[cfg(feature = "http2")]
    pub(super) fn note_idle(&self) {
        self.task.wake();
    }

    /// The stream is over; its client has so long to take what is left of it.
    #[cfg(feature = "http2")]
    pub(crate) fn give_up_after(&self, limit: Duration) {
        let when = self.opened.elapsed().saturating_add(limit);
        self.given_up.store(u64::try_from(when.as_nanos()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// When it is given up, though it is over.
    #[cfg(feature = "http2")]
    pub(crate) fn given_up_at(&self) -> Option<Instant> {
        match self.given_up.load(Ordering::Acquire) {
            0 => None,
            nanos => self.opened.checked_add(Duration::from_nanos(nanos)),
        }
    }

    /// Whether it was told to end.
    #[cfg(feature = "http2")]
    pub(super) fn is_cut(&self) -> bool {
        self.order.load(Ordering::Acquire) == Order::Cut as u8
    }

    fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.task.wake();
    }

    /// The order in force; the task is woken when it changes.
    pub(crate) fn order(&self, cx: &Context<'_>) -> Order {
        self.task.register(cx.waker());
        match self.order.load(Ordering::Acquire) {
            0 => Order::Serve,
            1 => Order::Drain,
            _ => Order::Cut,
        }
    }

    /// Completes at the first order.
    #[cfg(feature = "http2")]
    pub(crate) async fn ordered(&self) {
        use std::task::Poll;
        std::future::poll_fn(|cx| match self.order(cx) {
            Order::Serve => Poll::Pending,
            Order::Drain | Order::Cut => Poll::Ready(()),
        })
        .await;
    }
}

/// All connections of one server.
#[derive(Default)]
pub(crate) struct Connections {
    open: Mutex<Slab<Arc<Connection>>>,
    left: Notify,
}

impl Connections {
    /// Takes note of a connection, until what is returned is dropped.
    pub(crate) fn enter(self: &Arc<Self>, shutdown: Shutdown) -> Entry {
        let connection = Arc::new(Connection::new(shutdown));
        let key = self.open().insert(Arc::clone(&connection));
        Entry { connections: Arc::clone(self), connection, key }
    }

    pub(crate) fn tell_all(&self, order: Order) {
        let open: Vec<_> = self.open().iter().map(|(_, connection)| Arc::clone(connection)).collect();
        for connection in open {
            connection.tell(order);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.open().len()
    }

    /// Completes when none is open.
    pub(crate) async fn none_left(&self) {
        self.fewer_than(1).await;
    }

    /// Completes when fewer than so many are open.
    pub(crate) async fn fewer_than(&self, limit: usize) {
        loop {
            let left = self.left.notified();
            if self.count() < limit {
                return;
            }
            left.await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Slab<Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among all; leaves when dropped.
pub(crate) struct Entry {
    connections: Arc<Connections>,
    pub(crate) connection: Arc<Connection>,
    key: usize,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.try_remove(self.key);
        drop(open);
        // Cheap while nobody waits, as hardly ever: the accept loop at its limit, or a drain.
        self.connections.left.notify_waiters();
    }
}
