//! One topic of a hub, and what its handles and subscribers share of it.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;
use tokio::sync::OnceCell;

use super::ring::Ring;
use crate::engine::GiveBack;

pub(super) struct TopicState {
    pub(super) name: Arc<str>,
    ring: Mutex<Ring>,
    /// The number of the newest event, to look at without the lock.
    newest: AtomicU64,
    subscribers: AtomicUsize,
    /// Set once the engine delivers this topic.
    pub(super) opened: OnceCell<()>,
    last_used: AtomicU64,
    /// More follows the numbers below this one than may be replayed.
    too_far: AtomicU64,
}

/// Counts the uses of topics, to tell which was used least recently.
static USES: AtomicU64 = AtomicU64::new(0);

impl TopicState {
    pub(super) fn new(name: &str, ring: Ring) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            newest: AtomicU64::new(ring.newest()),
            ring: Mutex::new(ring),
            subscribers: AtomicUsize::new(0),
            opened: OnceCell::new(),
            last_used: AtomicU64::new(0),
            too_far: AtomicU64::new(0),
        })
    }

    /// Nobody who holds it takes another lock, wakes or drops a waker, or runs anything of a user's.
    pub(super) fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// To be called under the ring's lock.
    pub(super) fn set_newest(&self, seq: u64) {
        self.newest.store(seq, Ordering::Release);
    }

    /// Whether it holds no event.
    pub(super) fn is_empty(&self) -> bool {
        self.ring().oldest().is_none()
    }

    pub(super) fn touch(&self) {
        self.last_used.store(USES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(super) fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// Notes that more follows this number than may be replayed, which will not become less.
    pub(super) fn set_too_far(&self, seq: u64) {
        self.too_far.fetch_max(seq.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn is_too_far(&self, seq: u64) -> bool {
        seq < self.too_far.load(Ordering::Relaxed)
    }

    pub(super) fn subscribers(&self) -> usize {
        self.subscribers.load(Ordering::Relaxed)
    }

    pub(super) fn subscribe(self: &Arc<Self>) -> Subscription {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
        Subscription(Arc::clone(self))
    }
}

impl GiveBack for TopicState {
    fn give_back(&self, emptied: Slab<Waker>) {
        self.ring().give_back(emptied);
    }
}

impl fmt::Debug for TopicState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicState").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Counts as a subscriber for as long as it lives.
pub(super) struct Subscription(Arc<TopicState>);

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.subscribers.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}
