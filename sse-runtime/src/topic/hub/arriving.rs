//! What the engine tells the hub: what has arrived, what is lost, and how it is.

use std::hash::BuildHasher as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::HubState;
use crate::engine::{Delivered, EngineError, Health, Receiver, Record};
use crate::topic::place::Place;

impl Receiver for HubState {
    fn deliver(&self, topic: &str, seq: u64, record: Record<'_>) -> Delivered {
        let now = Instant::now();
        let found = {
            let mut topics = self.topics();
            let found = topics.by_name.get(topic).map(Arc::clone);
            if found.is_none() {
                // In this order, so that no new topic begins above what has arrived.
                self.note_arrived(seq);
                topics.forgotten = topics.forgotten.max(seq);
            }
            found
        };
        let delivered = found.map_or_else(Delivered::default, |topic| {
            let place = Place::new(Some(&topic.name), self.position(seq));
            let key = self.hasher.hash_one(record.key);
            let (wakers, unlisted) = self.retention.change(&topic, |ring| {
                let wakers = ring.append(place, key, record.block, now);
                if let Some(trace) = record.trace {
                    ring.trace_newest(trace);
                }
                topic.set_newest(seq);
                // Under the ring's lock, so that who waits in vain for an event that it has seen there waits for this too.
                self.note_arrived(seq);
                let unlisted = if ring.listed.is_none() { ring.oldest() } else { None };
                ring.listed = ring.listed.or(unlisted);
                (wakers, unlisted)
            });
            if let Some(oldest) = unlisted {
                self.retention.enlist(&topic, oldest);
            }
            Delivered { give_back: (wakers.capacity() > 0).then_some(topic), wakers }
        });
        self.counters.published();
        self.retention.enforce(now, seq);
        delivered
    }

    fn lost(&self, top: u64) {
        let all: Vec<_> = {
            let mut topics = self.topics();
            topics.forgotten = topics.forgotten.max(top);
            topics.by_name.values().map(Arc::clone).collect()
        };
        let woken: Vec<_> = all.iter().map(|topic| self.raise_floor(topic, top)).collect();
        // After the floors: who reads this number finds that something is missing, and does not take it for silence.
        self.note_arrived(top);
        woken.into_iter().for_each(|woken| guarded(|| drop(woken)));
        // Whoever came to wait between its floor and that number has seen that there is something, but not yet that it has
        // arrived, and nobody else would tell.
        for topic in self.all() {
            let waiting = topic.ring().waiting();
            waiting.into_iter().for_each(|waker| guarded(|| waker.wake()));
        }
    }

    /// Nothing is logged under the lock: a log may ask how the engine is.
    fn health(&self, outcome: Result<(), EngineError>) {
        let Err(reason) = outcome else {
            if let Health::Down { since, .. } = self.health.send_replace(Health::Up) {
                let after = since.elapsed().unwrap_or_default();
                tracing::info!(engine = ?self.engine, ?after, "the engine behind a hub is up again");
            }
            return;
        };
        let mut was_up = false;
        self.health.send_modify(|health| {
            let since = match health {
                Health::Up => {
                    was_up = true;
                    SystemTime::now()
                }
                Health::Down { since, .. } => *since,
            };
            *health = Health::Down { since, reason: reason.clone() };
        });
        if was_up {
            self.counters.outage();
            tracing::warn!(engine = ?self.engine, %reason, "the engine behind a hub is down, and tries again");
        } else {
            tracing::debug!(engine = ?self.engine, %reason, "the engine behind a hub is still down");
        }
    }
}

/// A waker is foreign code. The others are to be woken all the same.
fn guarded(wake: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(wake)).is_err() {
        tracing::error!("a waker panicked when events were lost");
    }
}
