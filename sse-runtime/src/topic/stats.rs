//! What a hub holds and has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// A hub in numbers; from [`Hub::stats`](super::Hub::stats). The counts begin at 0 with the hub and only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Topics known now.
    pub topics: usize,
    /// Streams that follow a topic now, counted once for each topic.
    pub subscribers: usize,
    /// Events kept now.
    pub events: usize,
    /// Bytes kept now: events on the wire, and 96 for each.
    pub bytes: usize,
    /// Events that have arrived.
    pub published: u64,
    /// Streams that went on from the id they came with.
    pub resumed: u64,
    /// Streams that could not, and were told so by `sse-reset`.
    pub reset: u64,
    /// Of these, streams that would have been sent more again than
    /// [`replay_bytes`](super::HubBuilder::replay_bytes).
    pub too_far: u64,
    /// Times that the engine was asked for what the hub does not hold any more; see
    /// [`concurrent_reads`](super::HubBuilder::concurrent_reads).
    pub reads: u64,
    /// Streams that wait for their turn to do so now.
    pub reads_waiting: usize,
    /// Streams that fell behind what is kept: they were ended, or told so by `sse-gap`.
    pub fell_behind: u64,
    /// Events that such streams did not get.
    pub missed: u64,
    /// Times that the engine went down; see [`Hub::health`](super::Hub::health).
    pub outages: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    published: AtomicU64,
    resumed: AtomicU64,
    reset: AtomicU64,
    too_far: AtomicU64,
    fell_behind: AtomicU64,
    missed: AtomicU64,
    outages: AtomicU64,
}

impl Counters {
    pub(super) fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn resumed(&self) {
        self.resumed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reset(&self) {
        self.reset.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn too_far(&self) {
        self.too_far.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fell_behind(&self) {
        self.fell_behind.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn missed(&self, events: u64) {
        self.missed.fetch_add(events, Ordering::Relaxed);
    }

    pub(super) fn outage(&self) {
        self.outages.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(
        &self,
        topics: usize,
        subscribers: usize,
        held: (usize, usize),
        (reads, reads_waiting): (u64, usize),
    ) -> HubStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HubStats {
            topics,
            subscribers,
            events: held.0,
            bytes: held.1,
            published: read(&self.published),
            resumed: read(&self.resumed),
            reset: read(&self.reset),
            too_far: read(&self.too_far),
            reads,
            reads_waiting,
            fell_behind: read(&self.fell_behind),
            missed: read(&self.missed),
            outages: read(&self.outages),
        }
    }
}
