//! The engine that keeps nothing: the hub's own rings are all the history there is.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::once::{BYTES, Once, WINDOW};
use super::{Answer, Engine, EngineError, Feed, Log, Page, Record, fresh_epoch};

/// Numbers events, in this process. What a hub's rings have let go of is gone.
///
/// Keys of [`dedupe`](crate::Topic::publish) are known for two minutes, and as long as they take no more than 64 MiB.
///
/// ```
/// use sse_runtime::Hub;
///
/// let hub = Hub::in_memory().build(); // a hub on this engine
/// # let _ = hub;
/// ```
pub struct Memory {
    epoch: u64,
    begun: Instant,
    // Held while a record is delivered: that is what keeps the order over all topics.
    log: Mutex<Tail>,
}

struct Tail {
    top: u64,
    feed: Option<Feed>,
    once: Once,
}

impl Memory {
    /// An empty log with an epoch of its own.
    #[must_use]
    pub fn new() -> Self {
        let tail = Tail { top: 0, feed: None, once: Once::new(WINDOW, BYTES) };
        Self { epoch: fresh_epoch(), begun: Instant::now(), log: Mutex::new(tail) }
    }

    /// [`start`](Engine::start), for a hub that need not wait for it.
    pub(crate) fn begin(&self, feed: Feed) -> Log {
        let mut log = self.log();
        log.feed = Some(feed);
        Log { epoch: self.epoch, top: log.top }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine for Memory {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        Answer::now(Ok(self.begin(feed)))
    }

    fn open<'a>(&'a self, _: &'a str) -> Answer<'a, u64> {
        // Whatever is published is delivered.
        Answer::now(Ok(0))
    }

    fn close(&self, _: &str) {}

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        let mut log = self.log();
        let dedupe = record.dedupe.map(|dedupe| (dedupe, self.begun.elapsed()));
        if let Some(before) = dedupe.and_then(|(dedupe, now)| log.once.find(topic, dedupe, now)) {
            return Answer::now(Ok(before));
        }
        let Some(seq) = log.top.checked_add(1) else {
            return Answer::now(Err(EngineError::new("the log has used up its numbers")));
        };
        log.top = seq;
        if let Some((dedupe, now)) = dedupe {
            log.once.note(topic, dedupe, seq, now);
            log.once.forget(now, usize::MAX);
        }
        let delivered = log.feed.as_ref().map(|feed| feed.deliver(topic, seq, record));
        drop(log);
        drop(delivered);
        Answer::now(Ok(seq))
    }

    fn deduplicates(&self) -> bool {
        true
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::now(Ok(self.log().top))
    }

    fn read<'a>(&'a self, _: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        let top = self.log().top;
        let is_empty = after >= until.min(top);
        Answer::now(Ok(if is_empty { Page::Records(Vec::new()) } else { Page::Evicted { until: top } }))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("epoch", &format_args!("{:x}", self.epoch))
            .field("top", &self.log().top)
            .finish_non_exhaustive()
    }
}
