//! What an attribute says about a route whose handler is a run.

use std::time::Duration;

use axum::routing::MethodFilter;

use crate::stream::Meta;

/// The options of a run, beside those of its route.
#[derive(Clone, Debug)]
pub struct RunMeta {
    /// Of the stream that the handler sends into, which no client reads itself.
    pub(crate) stream: Meta,
    pub(crate) time: Duration,
    pub(crate) idle: Option<Duration>,
    pub(crate) keep: Duration,
    pub(crate) most: Option<usize>,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

impl RunMeta {
    /// A run of this route, for so long at most.
    #[must_use]
    pub const fn new(route: Meta, time: Duration) -> Self {
        let mut stream = route;
        // Clients have connections of their own, and what is said there is said by their streams.
        stream.keep_alive = None;
        stream.send_timeout = None;
        stream.max_age = None;
        stream.max_streams = None;
        stream.retry = None;
        Self {
            stream,
            time,
            idle: Some(Duration::from_secs(60)),
            keep: Duration::from_secs(600),
            most: None,
            events: 100_000,
            bytes: 16 << 20,
        }
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn idle(mut self, idle: Option<Duration>) -> Self {
        self.idle = idle;
        self
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn most(mut self, runs: usize) -> Self {
        self.most = Some(runs);
        self
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn events(mut self, events: u64) -> Self {
        self.events = events;
        self
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Whether a GET begins a run, and does not only look for one.
    pub(crate) fn begins_by_get(&self) -> bool {
        self.stream.methods.or(MethodFilter::GET) == self.stream.methods
    }
}
