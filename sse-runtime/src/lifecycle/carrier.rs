//! One HTTP/2 connection, as its streams see it.
//!
//! Each stream has a [`Connection`] of its own, so that what ends one, ends that one; the carrier is what they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Connection;

/// How long the peer may take to answer when it is asked for a sign of life. Longer than the silence after which it is
/// asked: a peer that was silent for so long has not answered.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(25);

pub(crate) struct Carrier {
    pub(crate) connection: Arc<Connection>,
    opened: Instant,
    /// When the peer was last heard of, in nanoseconds after `opened`.
    heard: AtomicU64,
}

impl Carrier {
    pub(crate) fn new(connection: Arc<Connection>) -> Arc<Self> {
        Arc::new(Self { connection, opened: Instant::now(), heard: AtomicU64::new(0) })
    }

    /// What a stream of it is told by.
    pub(crate) fn stream(self: &Arc<Self>) -> Arc<Connection> {
        let mut stream = Connection::new(self.connection.shutdown.clone());
        stream.carrier = Some(Arc::clone(self));
        Arc::new(stream)
    }

    /// Takes note of a stream, until what is returned is dropped.
    pub(crate) fn enter(self: &Arc<Self>, stream: Arc<Connection>) -> Place {
        self.connection.answering.fetch_add(1, Ordering::AcqRel);
        Place { carrier: Arc::clone(self), stream }
    }

    /// Notes a sign of life.
    pub(crate) fn note_heard(&self) {
        let nanos = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.heard.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn has_vanished(&self) -> bool {
        let silent =
            || self.opened.elapsed().saturating_sub(Duration::from_nanos(self.heard.load(Ordering::Relaxed)));
        self.connection.has_vanished() || silent() >= SIGN_OF_LIFE
    }
}

/// A stream's place on its connection; leaves when dropped.
pub(crate) struct Place {
    carrier: Arc<Carrier>,
    pub(crate) stream: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let connection = &self.carrier.connection;
        let was_last = connection.answering.fetch_sub(1, Ordering::AcqRel) == 1;
        // A client that reads nothing of the connection at all, which no other stream needs: not even a reset would leave.
        let is_lost = || self.stream.is_cut() || self.carrier.has_vanished();
        if was_last && connection.is_blocked() && is_lost() {
            connection.cut();
        } else if was_last {
            connection.note_idle();
        }
    }
}
