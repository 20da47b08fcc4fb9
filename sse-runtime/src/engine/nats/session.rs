//! What lives as long as the engine, and what lives as long as one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::Options;
use super::api::Api;
use super::opened::Opened;
use super::stream::{Found, Identity};
use crate::engine::Feed;

/// What the tasks of an engine know together.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) feed: Feed,
    pub(super) epoch: u64,
    pub(super) opened: Opened,
    /// The highest number that was delivered, or left out.
    delivered: AtomicU64,
    /// The highest number that anybody here was told of.
    known: AtomicU64,
    /// The connection, if there is one.
    pub(super) session: watch::Sender<Option<Arc<Session>>>,
}

/// A connection to a server that has the log.
pub(super) struct Session {
    pub(super) api: Api,
    pub(super) stream: String,
    pub(super) identity: Identity,
    /// What the subject of a record begins with.
    pub(super) prefix: String,
    offset: u64,
}

impl Shared {
    pub(super) fn new(options: Options, feed: Feed, epoch: u64, top: u64) -> Self {
        let (delivered, known) = (AtomicU64::new(top), AtomicU64::new(top));
        let opened = Opened::default();
        Self { options, feed, epoch, opened, delivered, known, session: watch::Sender::new(None) }
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    pub(super) fn delivered_up_to(&self, number: u64) {
        self.know(number);
        self.delivered.store(number, Ordering::Release);
    }

    /// Tells the hub that what is up to this number does not come any more.
    pub(super) fn lost(&self, number: u64) {
        self.delivered_up_to(number);
        self.feed.lost(number);
    }

    /// What is up to this number was not delivered, because no topic was open.
    pub(super) fn passed_by(&self, number: u64) {
        if number > self.delivered() {
            self.lost(number);
        }
    }

    pub(super) fn known(&self) -> u64 {
        self.known.load(Ordering::Acquire)
    }

    /// Somebody is told of this number.
    pub(super) fn know(&self, number: u64) {
        self.known.fetch_max(number, Ordering::AcqRel);
    }

    /// The connection, as soon as there is one. None if there will be none.
    pub(super) async fn session(&self) -> Option<Arc<Session>> {
        let mut session = self.session.subscribe();
        let session = session.wait_for(Option::is_some).await.ok()?;
        session.clone()
    }
}

impl Session {
    pub(super) fn new(api: Api, stream: &str, found: &Found, epoch: u64) -> Self {
        let identity = found.identity;
        let (prefix, offset) = (identity.prefix(stream), identity.offset(epoch));
        Self { api, stream: stream.to_owned(), identity, prefix, offset }
    }

    /// The number of the record with this sequence.
    pub(super) fn number(&self, seq: u64) -> u64 {
        seq.saturating_add(self.offset)
    }

    /// The sequence of the record with this number; none, if that was in another stream.
    pub(super) fn seq(&self, number: u64) -> Option<u64> {
        number.checked_sub(self.offset)
    }
}
