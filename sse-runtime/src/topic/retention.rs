//! What all topics of a hub hold together, and what has to go when it is too much.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::ring::Ring;
use super::settings::Settings;
use super::state::TopicState;

/// How often events that are too old are looked for, in milliseconds.
const SWEEP: u64 = 1000;

pub(super) struct Retention {
    events: AtomicUsize,
    bytes: AtomicUsize,
    settings: Settings,
    /// Topics that hold events, by the number of their oldest. A number here may be too low, never too high: it is put
    /// right when its turn comes.
    oldest: Mutex<BTreeMap<u64, Weak<TopicState>>>,
    origin: Instant,
    /// When to look for old events next, in milliseconds from `origin`.
    sweep_at: AtomicU64,
}

impl Retention {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            events: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            settings,
            oldest: Mutex::default(),
            origin: Instant::now(),
            sweep_at: AtomicU64::new(SWEEP),
        }
    }

    /// Events and bytes held, by all topics.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.events.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Changes a topic's ring, and keeps the sums right. Every change goes through here.
    pub(super) fn change<T>(&self, topic: &TopicState, change: impl FnOnce(&mut Ring) -> T) -> T {
        let mut ring = topic.ring();
        let before = ring.size();
        let result = change(&mut ring);
        let after = ring.size();
        // Under the ring's lock, so that no sum is ever below what it will become and wraps.
        adjust(&self.events, before.0, after.0);
        adjust(&self.bytes, before.1, after.1);
        result
    }

    /// Notes that a topic holds events, which was not on the list.
    pub(super) fn enlist(&self, topic: &Arc<TopicState>, oldest: u64) {
        self.oldest().insert(oldest, Arc::downgrade(topic));
    }

    /// Empties a topic that is let go, and takes it off the list.
    pub(super) fn delist(&self, topic: &TopicState) {
        let mut by_age = self.oldest();
        let listed = self.change(topic, |ring| {
            while ring.oldest().is_some() {
                ring.evict_one();
            }
            ring.listed.take()
        });
        if let Some(listed) = listed {
            by_age.remove(&listed);
        }
    }

    /// Evicts what is too much, or too old, oldest first; but not what has just arrived, for its size.
    pub(super) fn enforce(&self, now: Instant, newest: u64) {
        let elapsed = u64::try_from(now.duration_since(self.origin).as_millis()).unwrap_or(u64::MAX);
        let sweeps = self.settings.topic.age.is_some() && elapsed >= self.sweep_at.load(Ordering::Relaxed);
        if sweeps {
            self.sweep_at.store(elapsed.saturating_add(SWEEP), Ordering::Relaxed);
        }
        if !sweeps && !self.is_over() {
            return;
        }
        let mut by_age = self.oldest();
        while let Some((oldest, topic)) = by_age.pop_first() {
            let Some(state) = topic.upgrade() else { continue };
            let (remains, done) = self.change(&state, |ring| {
                let up_to_date = ring.oldest() == Some(oldest);
                let goes = up_to_date && (ring.has_aged(now) || (self.is_over() && oldest != newest));
                if goes {
                    ring.evict_one();
                }
                let remains = ring.oldest();
                ring.listed = remains;
                (remains, up_to_date && !goes)
            });
            if let Some(oldest) = remains {
                by_age.insert(oldest, topic);
            }
            if done {
                break;
            }
        }
    }

    fn is_over(&self) -> bool {
        let (events, bytes) = self.held();
        events > self.settings.events || bytes > self.settings.bytes
    }

    fn oldest(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<TopicState>>> {
        self.oldest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn adjust(sum: &AtomicUsize, before: usize, after: usize) {
    if after >= before {
        sum.fetch_add(after - before, Ordering::Relaxed);
    } else {
        sum.fetch_sub(before - after, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
