//! Where an engine delivers to.

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::Waker;

use slab::Slab;

use super::{EngineError, Record};

/// The receiving end of a feed: a hub, or the recorder of the contract's tests.
pub trait Receiver: Send + Sync + 'static {
    /// Takes one record.
    fn deliver(&self, topic: &str, seq: u64, record: Record<'_>) -> Delivered;

    /// Records up to `top` may be missing in every topic.
    fn lost(&self, top: u64);

    /// The engine works again, or, with an error, does not.
    fn health(&self, outcome: Result<(), EngineError>) {
        let _ = outcome;
    }
}

/// A hub, as its engine sees it: where the records of open topics go.
///
/// It does not keep the hub alive; once that is gone, what is delivered goes nowhere.
#[derive(Clone)]
pub struct Feed(Weak<dyn Receiver>);

impl Feed {
    /// A feed into `receiver`.
    pub fn new(receiver: &Arc<dyn Receiver>) -> Self {
        Self(Arc::downgrade(receiver))
    }

    /// Delivers one record. The subscribers are woken when the answer is dropped, so an engine that holds a lock while
    /// it delivers lets go of the lock first.
    ///
    /// If the hub's last handle goes away meanwhile, the hub is dropped here, and with it the engine: its destructor
    /// must not wait for the task that delivers.
    pub fn deliver(&self, topic: &str, seq: u64, record: Record<'_>) -> Delivered {
        self.0.upgrade().map_or_else(Delivered::default, |receiver| receiver.deliver(topic, seq, record))
    }

    /// Says that delivery had to leave something out: records up to the number `top`, of whatever topics. The hub then
    /// reads them, or tells its subscribers. What is delivered next has to be above `top`. Subscribers are woken within
    /// the call: not to be made with a lock held.
    pub fn lost(&self, top: u64) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.lost(top);
        }
    }

    /// Says that the engine cannot do its work, for instance because its connection is lost, and tries again. May be said
    /// again with each attempt that fails: the log and [`Hub::health`](crate::Hub::health) then have the newest error.
    pub fn down(&self, error: EngineError) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.health(Err(error));
        }
    }

    /// Says that it works again. A hub takes an engine that has started for one that works.
    pub fn up(&self) {
        if let Some(receiver) = self.0.upgrade() {
            receiver.health(Ok(()));
        }
    }

    /// Whether the hub is gone, so that delivery can end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("closed", &self.is_closed()).finish()
    }
}

/// Wakes the subscribers of a record when it is dropped.
#[must_use = "the subscribers are woken when this is dropped"]
#[derive(Default)]
pub struct Delivered {
    pub(crate) wakers: Slab<Waker>,
    /// Takes the emptied slab back: its memory is used again for the next record.
    pub(crate) give_back: Option<Arc<dyn GiveBack>>,
}

pub(crate) trait GiveBack: Send + Sync {
    fn give_back(&self, emptied: Slab<Waker>);
}

impl Drop for Delivered {
    fn drop(&mut self) {
        for waker in self.wakers.drain() {
            waker.wake();
        }
        if let Some(owner) = self.give_back.take() {
            owner.give_back(std::mem::take(&mut self.wakers));
        }
    }
}

impl fmt::Debug for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivered").field("subscribers", &self.wakers.len()).finish_non_exhaustive()
    }
}
