//! The thread that delivers what has been written, and then answers the publishers: while it does, the next group is
//! written.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use tokio::runtime::Handle;

use super::queue::Job;
use super::table::decode;
use crate::engine::{EngineError, Feed};

/// How many groups may wait to be delivered. Then the writer does, and in the end the publishers.
const GROUPS: usize = 4;
/// Up to so many records are delivered by the writer itself, if nothing is before them.
const SMALL: usize = 16;

/// What is handed to that thread, in the order of the numbers.
pub(super) enum Parcel {
    /// Records that are in the log, above this number.
    Written(Vec<Job>, u64),
    /// Records that were in the log before, each under this number.
    Known(Vec<(Job, u64)>),
    /// Records of which nobody knows.
    Refused(Vec<Job>, EngineError),
    /// An event that was found in the log after an error.
    Found(u64, Vec<u8>),
    /// Whatever has a number up to this one may be missing.
    Lost(u64),
}

/// The writer's end of it.
pub(super) struct Delivery {
    pub(super) feed: Feed,
    parcels: SyncSender<Parcel>,
    /// How many have been handed over and are not delivered yet.
    under_way: Arc<AtomicUsize>,
}

impl Delivery {
    /// Starts the thread; it ends when this is dropped.
    pub(super) fn start(feed: Feed, runtime: Option<Handle>) -> io::Result<Self> {
        let (sender, parcels) = sync_channel(GROUPS);
        let under_way = Arc::<AtomicUsize>::default();
        let delivery = Self { feed: feed.clone(), parcels: sender, under_way: Arc::clone(&under_way) };
        let named = thread::Builder::new().name("sse-redb-feed".to_owned());
        named.spawn(move || {
            let _runtime = runtime.as_ref().map(Handle::enter);
            for parcel in parcels {
                unpack(&feed, parcel);
                under_way.fetch_sub(1, Ordering::Release);
            }
        })?;
        Ok(delivery)
    }

    pub(super) fn hand_over(&self, parcel: Parcel) {
        let is_small = !matches!(&parcel, Parcel::Written(jobs, _) if jobs.len() > SMALL);
        // To wake that thread takes longer than to do it. Nothing is handed over but here, so the order is kept.
        if is_small && self.under_way.load(Ordering::Acquire) == 0 {
            return unpack(&self.feed, parcel);
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        // That thread ends after this one.
        drop(self.parcels.send(parcel));
    }
}

fn unpack(feed: &Feed, parcel: Parcel) {
    match parcel {
        Parcel::Written(jobs, before) => {
            for (job, seq) in jobs.into_iter().zip(before + 1..) {
                deliver(feed, seq, &job.value);
                // Nobody may wait for it any more.
                drop(job.answer.send(Ok(seq)));
            }
        }
        Parcel::Known(jobs) => {
            for (job, seq) in jobs {
                drop(job.answer.send(Ok(seq)));
            }
        }
        Parcel::Refused(jobs, error) => {
            for job in jobs {
                drop(job.answer.send(Err(error.clone())));
            }
        }
        Parcel::Found(seq, value) => deliver(feed, seq, &value),
        Parcel::Lost(top) => feed.lost(top),
    }
}

fn deliver(feed: &Feed, seq: u64, value: &[u8]) {
    let delivered = catch_unwind(AssertUnwindSafe(|| match decode(value) {
        Ok(parts) => drop(feed.deliver(parts.topic, seq, parts.record())),
        // It was read, or encoded, before.
        Err(_) => feed.lost(seq),
    }));
    // A waker is foreign code. The others are to be woken all the same, and the next event delivered.
    if delivered.is_err() {
        tracing::error!(seq, "a waker panicked when an event was delivered");
    }
}
