//! Reading a topic within the program, record by record: what is there, then what comes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::hub::Hub;
use super::ring::{Pick, Token};
use super::state::{Subscription, TopicState};
use crate::engine::{EngineError, Page};

/// How many bytes are taken from the ring at a time.
const TAKE: usize = 32 * 1024;

/// A reader of one topic.
pub(crate) struct Records {
    hub: Hub,
    topic: Arc<TopicState>,
    _subscription: Subscription,
    seen: u64,
    found: VecDeque<Entry>,
    /// What is gone from the beginning is not missed.
    passes_over: bool,
    token: Option<Token>,
}

/// One record: its number, and the event without its id.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) block: Bytes,
}

/// Why there is nothing more to read.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("what comes next is not kept any more")]
    Evicted,
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Records {
    pub(super) async fn open(hub: Hub, topic: Arc<TopicState>, after: u64) -> Result<Self, EngineError> {
        hub.0.open(&topic).await?;
        let subscription = topic.subscribe();
        Ok(Self {
            hub,
            topic,
            _subscription: subscription,
            seen: after,
            found: VecDeque::new(),
            passes_over: false,
            token: None,
        })
    }

    /// Begins with the oldest record that is there. What comes before it is not missed: it is gone, or there never was any.
    pub(crate) fn passing_over_what_is_gone(mut self) -> Self {
        self.passes_over = true;
        self
    }

    /// The next one, which may have to be waited for. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Entry, ReadError> {
        loop {
            if let Some(entry) = self.found.pop_front() {
                return Ok(entry);
            }
            let arrived = self.hub.0.arrived();
            if !self.take(arrived) {
                // What is above it is in the ring.
                let floor = self.topic.ring().floor();
                self.read(floor.min(arrived)).await?;
            }
            if self.found.is_empty() {
                self.wait().await;
            }
        }
    }

    /// All that are in the log now, also what has not arrived here yet.
    pub(crate) async fn until_now(&mut self) -> Result<Vec<Entry>, ReadError> {
        let top = self.hub.0.top().await?;
        while self.seen < top {
            let before = self.seen;
            if self.hub.0.arrived() < top || !self.take(top) {
                self.read(top).await?;
            }
            if self.seen == before {
                break;
            }
        }
        Ok(std::mem::take(&mut self.found).into())
    }

    /// Takes what the ring has up to a number; whether it has all that is wanted.
    fn take(&mut self, until: u64) -> bool {
        let singles = self.topic.ring().read_singles(self.seen, until, Pick::All, TAKE);
        let Some(singles) = singles else { return false };
        self.seen = self.seen.max(singles.covered);
        self.passes_over &= singles.events.is_empty();
        self.found.extend(singles.events.into_iter().map(|event| {
            // In the ring, it begins with its id.
            let line = memchr::memchr(b'\n', &event.bytes).map_or(0, |end| end + 1);
            Entry { seq: event.seq, block: event.bytes.slice(line..) }
        }));
        true
    }

    /// The same, from the engine: a part of it, or nothing if there is nothing.
    async fn read(&mut self, until: u64) -> Result<(), ReadError> {
        match self.hub.0.read(&self.topic, self.seen, until).await? {
            // Not beyond what was asked for: an engine that says that everything is gone means what there is now.
            Page::Evicted { until: gone } if self.passes_over && gone.min(until) > self.seen => {
                self.seen = gone.min(until);
            }
            Page::Evicted { .. } => return Err(ReadError::Evicted),
            Page::Records(records) => {
                self.passes_over &= records.is_empty();
                self.seen = records.last().map_or(until, |last| last.seq).max(self.seen);
                let entries =
                    records.into_iter().map(|stored| Entry { seq: stored.seq, block: stored.block });
                self.found.extend(entries);
            }
        }
        Ok(())
    }

    async fn wait(&mut self) {
        poll_fn(|cx| {
            let replaced = self.topic.ring().wait(&mut self.token, cx.waker());
            drop(replaced);
            // Looked at after the waker is in its place.
            if self.topic.newest() > self.seen && self.hub.0.arrived() > self.seen {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            let waker = self.topic.ring().forget(token);
            drop(waker);
        }
    }
}
