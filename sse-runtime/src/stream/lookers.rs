//! Those who look on while events leave, whichever stream's they are.
//!
//! While nobody looks, a frame costs one load. While somebody does, it is pushed by reference count onto a queue that is
//! short: what does not fit is counted and left out, and no stream ever waits for who looks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;

use super::{Meta, Shared};
use crate::lifecycle::Registry;

/// How much waits for a looker.
const MOST_FRAMES: usize = 256;
const MOST_BYTES: usize = 1024 * 1024;

static ANYBODY: AtomicBool = AtomicBool::new(false);
static LOOKERS: RwLock<Vec<Arc<Inner>>> = RwLock::new(Vec::new());

/// A frame that has left.
pub(crate) struct Shown {
    pub(crate) stream: Arc<Shared>,
    pub(crate) frame: Bytes,
}

/// Sees what leaves, for as long as it lives.
pub(crate) struct Looker(Arc<Inner>);

struct Inner {
    registry: Registry,
    /// The number of one stream, or all.
    only: Option<u64>,
    /// Whether a route is the one by which the looker itself is shown what it sees.
    is_own: fn(&Meta) -> bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    frames: VecDeque<Shown>,
    bytes: usize,
    left_out: u64,
}

impl Looker {
    pub(crate) fn new(registry: Registry, only: Option<u64>, is_own: fn(&Meta) -> bool) -> Self {
        let looker = Arc::new(Inner { registry, only, is_own, seen: Mutex::default() });
        let mut lookers = LOOKERS.write().unwrap_or_else(PoisonError::into_inner);
        lookers.push(Arc::clone(&looker));
        ANYBODY.store(true, Ordering::Relaxed);
        Self(looker)
    }

    /// What has left since it was last asked, oldest first, and how many events there was no room for.
    pub(crate) fn take(&self) -> (VecDeque<Shown>, u64) {
        let Seen { frames, left_out, .. } = std::mem::take(&mut *self.0.seen());
        (frames, left_out)
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        let mut lookers = LOOKERS.write().unwrap_or_else(PoisonError::into_inner);
        lookers.retain(|looker| !Arc::ptr_eq(looker, &self.0));
        ANYBODY.store(!lookers.is_empty(), Ordering::Relaxed);
    }
}

impl Inner {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, shown: Shown, events: u64) {
        let mut seen = self.seen();
        // One alone is shown, however large.
        let is_full = seen.frames.len() >= MOST_FRAMES || seen.bytes + shown.frame.len() > MOST_BYTES;
        if is_full && !seen.frames.is_empty() {
            seen.left_out += events;
            return;
        }
        seen.bytes += shown.frame.len();
        seen.frames.push_back(shown);
    }
}

/// Whether anybody looks.
#[inline]
pub(super) fn anybody() -> bool {
    ANYBODY.load(Ordering::Relaxed)
}

/// A stream hands out a frame of so many events. To be called under no lock.
#[cold]
pub(super) fn show(stream: &Arc<Shared>, frame: &Bytes, events: u64) {
    let lookers = LOOKERS.read().unwrap_or_else(PoisonError::into_inner);
    for looker in lookers.iter() {
        let wanted = looker.only.is_none_or(|only| only == stream.id().get());
        if wanted
            && !(looker.is_own)(stream.meta)
            && stream.is_of(&looker.registry)
            // It leaves by the streams of its clients.
            && !stream.is_a_run()
        {
            looker.push(Shown { stream: Arc::clone(stream), frame: frame.clone() }, events);
        }
    }
}
