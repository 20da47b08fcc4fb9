//! How much a hub keeps.

use std::sync::Arc;
use std::time::Duration;

use super::delivery::TraceContext;
use super::hub::Hub;
use super::ring::Limits;
use crate::engine::{Engine, EngineError, Memory};
use crate::wire::DEFAULT_MAX_EVENT;

/// Builds a [`Hub`]: how much of its topics it keeps for clients that come back. From [`Hub::in_memory`], or
/// [`Hub::on`] for another engine.
///
/// What exceeds a limit is evicted, oldest first, and a client that comes back for it is told so. An event that has just
/// been published stays, however large it is, until the next one.
///
/// | limit | default |
/// |---|---|
/// | [`topic_events`](Self::topic_events) | 1024 |
/// | [`topic_bytes`](Self::topic_bytes) | 1 MiB |
/// | [`events`](Self::events), all topics together | none |
/// | [`bytes`](Self::bytes), all topics together | 256 MiB |
/// | [`age`](Self::age) | 1 h |
/// | [`topics`](Self::topics) that nobody uses | 10,000 |
/// | [`max_event`](Self::max_event) | 256 KiB |
/// | [`replay_bytes`](Self::replay_bytes), to one client that comes back | 16 MiB |
/// | [`concurrent_reads`](Self::concurrent_reads) of the engine | 16 |
///
/// ```
/// use std::time::Duration;
/// use sse_runtime::Hub;
///
/// let hub = Hub::in_memory().topic_events(200).age(Duration::from_secs(600)).build();
/// # let _ = hub;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct HubBuilder<E = Memory> {
    engine: E,
    settings: Settings,
    context: Option<TraceContext>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) topic: Limits,
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) topics: usize,
    pub(super) max_event: usize,
    pub(super) replay_bytes: usize,
    pub(super) concurrent_reads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            topic: Limits { events: 1024, bytes: 1 << 20, age: Some(Duration::from_secs(3600)) },
            events: usize::MAX,
            bytes: 256 << 20,
            topics: 10_000,
            max_event: DEFAULT_MAX_EVENT,
            replay_bytes: 16 << 20,
            concurrent_reads: 16,
        }
    }
}

impl<E> HubBuilder<E> {
    pub(super) fn new(engine: E) -> Self {
        Self { engine, settings: Settings::default(), context: None }
    }

    /// How many events of one topic are kept.
    pub fn topic_events(mut self, events: usize) -> Self {
        self.settings.topic.events = events;
        self
    }

    /// How many bytes of one topic are kept: what its events have on the wire, and 96 for each, 160 with a trace.
    pub fn topic_bytes(mut self, bytes: usize) -> Self {
        self.settings.topic.bytes = bytes;
        self
    }

    /// How many events are kept, of all topics together. The oldest go first, whatever their topic.
    pub fn events(mut self, events: usize) -> Self {
        self.settings.events = events;
        self
    }

    /// How many bytes are kept, of all topics together, counted as for [`topic_bytes`](Self::topic_bytes).
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.settings.bytes = bytes;
        self
    }

    /// How long an event can be resumed from. Its memory is given back up to a second later, by an event of any topic.
    pub fn age(mut self, age: Duration) -> Self {
        self.settings.topic.age = Some(age);
        self
    }

    /// How many topics are kept that have neither a [`Topic`](super::Topic) handle nor a subscriber. When there are more,
    /// those that were used least recently are let go, with their events, until an eighth of the number is free again.
    pub fn topics(mut self, topics: usize) -> Self {
        self.settings.topics = topics;
        self
    }

    /// The most bytes that an event may have on the wire, without its id.
    pub fn max_event(mut self, bytes: usize) -> Self {
        self.settings.max_event = bytes;
        self
    }

    /// The most bytes that a client which comes back is sent again, of all topics that its stream follows. One that would
    /// need more gets none of it: it begins anew, after `sse-reset` with the reason `too_far`. `usize::MAX` for no limit.
    ///
    /// What it needs is counted before the first event is sent. That takes no time for what the hub holds itself, but what
    /// only the engine has must be read for it, and, beyond the first 32 KiB, once more when it is sent.
    pub fn replay_bytes(mut self, bytes: usize) -> Self {
        self.settings.replay_bytes = bytes;
        self
    }

    /// How many times the engine may be asked at once for what the hub does not hold any more, by clients that come back
    /// or have fallen behind; at least one. When a server is replaced, all its clients come back in the same moment:
    /// those for whom it is not their turn yet wait, in the order in which they came, and lose nothing. A client of
    /// whom all is held by the hub does not wait.
    ///
    /// One turn is one call of [`Engine::read`], so a long history is read in many turns, and nobody waits for the whole
    /// of another's. A client that reads slowly holds no turn. An engine whose `read` may be without an answer for long
    /// should give it a time limit of its own.
    pub fn concurrent_reads(mut self, reads: usize) -> Self {
        self.settings.concurrent_reads = reads;
        self
    }

    /// Says which span publishes, for those who trace: `current` is called at each `publish`, in the task that publishes,
    /// and gives the W3C `traceparent` of the span that is current there, if there is one. Each delivery of the event is
    /// then in the log, with it; see [the guide](crate::guide::topics_and_resume#tracing). What is no `traceparent` is left
    /// out, and a debug line says so.
    ///
    /// ```
    /// use sse_runtime::Hub;
    ///
    /// tokio::task_local! {
    ///     static TRACEPARENT: String; // set by a middleware, from the request's header
    /// }
    ///
    /// let hub = Hub::in_memory().trace_context(|| TRACEPARENT.try_with(Clone::clone).ok()).build();
    /// # let _ = hub;
    /// ```
    pub fn trace_context<T: AsRef<str>>(
        mut self,
        current: impl Fn() -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        self.context = Some(TraceContext::new(current));
        self
    }
}

impl HubBuilder<Memory> {
    /// The hub.
    #[must_use]
    pub fn build(self) -> Hub {
        Hub::in_process(&Arc::new(self.engine), self.settings, self.context)
    }
}

impl<E: Engine> HubBuilder<E> {
    /// The hub, once its engine has answered.
    ///
    /// # Errors
    /// The engine's, if it cannot begin.
    pub async fn start(self) -> Result<Hub, EngineError> {
        Hub::start(Arc::new(self.engine), self.settings, self.context).await
    }
}
