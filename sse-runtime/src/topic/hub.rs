//! The hub: its topics, and what goes to its engine.

mod arriving;
mod named;

use std::fmt;
use std::hash::RandomState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, watch};

use self::named::Topics;
use super::delivery::TraceContext;
use super::handle::Topic;
use super::position::Position;
use super::reads::{Reads, apart};
use super::retention::Retention;
use super::ring::Ring;
use super::settings::{HubBuilder, Settings};
use super::state::TopicState;
use super::stats::{Counters, HubStats};
use super::surveys::Surveys;
use crate::engine::{
    self, Delivered, Engine, EngineError, Feed, Health, Log, Memory, Page, Receiver, UrlError,
};
use crate::wire::SseEvent;

/// Topics, under their names: what is published on one goes to all who follow it, and is kept for a while for those who
/// come back.
///
/// A hub is made once and cloned into the application's state; clones are cheap and the same hub.
///
/// ```
/// use axum::extract::State;
/// use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route};
///
/// #[sse_route("/rooms/{room}")]
/// async fn room(sse: Sse, room: String, State(hub): State<Hub>) -> Result<()> {
///     sse.follow(&hub.topic(room)).await?;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let hub = Hub::in_memory().build();
/// let lobby: Topic = hub.topic("lobby");
/// let app: axum::Router = routes![room].with_state(hub);
///
/// lobby.publish("welcome").await?;
/// # let _ = app;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Hub(pub(super) Arc<HubState>);

pub(super) struct HubState {
    pub(super) engine: Arc<dyn Engine>,
    reads: Reads,
    /// The engine answers at once, and its answers need no turn.
    in_process: bool,
    epoch: OnceLock<u64>,
    /// The number of the newest record that has arrived: whatever is below it, of open topics, is in the rings.
    arrived: AtomicU64,
    topics: Mutex<Topics>,
    /// Some of the topics that were let go are closed now.
    closed: Notify,
    hasher: RandomState,
    pub(super) settings: Settings,
    pub(super) context: Option<TraceContext>,
    pub(super) retention: Retention,
    pub(super) surveys: Surveys,
    pub(super) counters: Counters,
    health: watch::Sender<Health>,
}

impl Hub {
    /// A hub that keeps its events in this process's memory. See [`HubBuilder`] for how many.
    pub fn in_memory() -> HubBuilder<Memory> {
        HubBuilder::new(Memory::new())
    }

    /// A hub on an engine of its own.
    pub fn on<E: Engine>(engine: E) -> HubBuilder<E> {
        HubBuilder::new(engine)
    }

    /// A hub on the engine that a text names, as a program's configuration has it: `memory:`, or with the features of these
    /// names `redb:events.redb`, `nats://..`, `redis://..`, `postgres://..`. See [`from_url`](crate::engine::from_url).
    ///
    /// ```
    /// use sse_runtime::Hub;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> sse_runtime::Result<()> {
    /// let url = std::env::var("EVENTS").unwrap_or("memory:".to_owned());
    /// let hub = Hub::connect(&url)?.topic_events(200).start().await?;
    /// # let _ = hub;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If it names none; the error says which there are.
    pub fn connect(url: &str) -> Result<HubBuilder<Box<dyn Engine>>, UrlError> {
        Ok(HubBuilder::new(engine::from_url(url)?))
    }

    /// The topic of this name, which need not exist yet. Any text is a name.
    ///
    /// `E` is the type of its events, as for [`Sse`](crate::Sse): `Topic` alone is a topic of text and
    /// [`Event`](crate::Event)s. A topic does not remember it; ask for it with the same type everywhere. Where nothing
    /// else says which, write it: `let lobby: Topic = hub.topic("lobby");`
    pub fn topic<E: SseEvent>(&self, name: impl AsRef<str>) -> Topic<E> {
        Topic::new(self.clone(), self.0.topic(name.as_ref()))
    }

    /// What the hub holds, and what it has done since it began.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        let (topics, subscribers) = {
            let topics = self.0.topics();
            (topics.by_name.len(), topics.by_name.values().map(|topic| topic.subscribers()).sum())
        };
        self.0.counters.stats(topics, subscribers, self.0.retention.held(), self.0.reads.counts())
    }

    /// Whether the engine may have other hubs on it, or have them later.
    pub(crate) fn is_shared(&self) -> bool {
        !self.0.in_process
    }

    /// Whether the engine works: for a readiness check, or a page that says so. An engine that cannot reach its server
    /// tries again by itself.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.health.borrow().clone()
    }

    pub(super) fn in_process(
        engine: &Arc<Memory>,
        settings: Settings,
        context: Option<TraceContext>,
    ) -> Self {
        let state = HubState::new(Arc::clone(engine) as Arc<dyn Engine>, true, settings, context);
        state.begun(engine.begin(Feed::new(&(Arc::clone(&state) as Arc<dyn Receiver>))));
        Self(state)
    }

    pub(super) async fn start(
        engine: Arc<dyn Engine>,
        settings: Settings,
        context: Option<TraceContext>,
    ) -> Result<Self, EngineError> {
        let state = HubState::new(engine, false, settings, context);
        let log = state.engine.start(Feed::new(&(Arc::clone(&state) as Arc<dyn Receiver>))).await?;
        state.begun(log);
        Ok(Self(state))
    }
}

impl HubState {
    fn new(
        engine: Arc<dyn Engine>,
        in_process: bool,
        settings: Settings,
        context: Option<TraceContext>,
    ) -> Arc<Self> {
        let health = watch::Sender::new(Health::Up);
        Arc::new(Self {
            engine,
            reads: Reads::new(settings.concurrent_reads, health.subscribe()),
            in_process,
            epoch: OnceLock::new(),
            arrived: AtomicU64::new(0),
            topics: Mutex::new(Topics::new(&settings)),
            closed: Notify::new(),
            hasher: RandomState::new(),
            settings,
            context,
            retention: Retention::new(settings),
            surveys: Surveys::default(),
            counters: Counters::default(),
            health,
        })
    }

    fn begun(&self, log: Log) {
        let _ = self.epoch.set(log.epoch);
        self.note_arrived(log.top);
        let mut topics = self.topics();
        topics.forgotten = topics.forgotten.max(log.top);
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All topics, in no order.
    pub(super) fn all(&self) -> Vec<Arc<TopicState>> {
        self.topics().by_name.values().map(Arc::clone).collect()
    }

    pub(super) fn position(&self, seq: u64) -> Position {
        Position { epoch: self.epoch.get().copied().unwrap_or_default(), seq }
    }

    pub(super) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Acquire)
    }

    /// To be called when an event is in its ring: who reads this number finds everything up to it.
    pub(super) fn note_arrived(&self, seq: u64) {
        // It may be higher already, by what `open` answered.
        self.arrived.fetch_max(seq, Ordering::AcqRel);
    }

    fn topic(&self, name: &str) -> Arc<TopicState> {
        let mut let_go = Vec::new();
        let found = {
            let mut topics = self.topics();
            if let Some(found) = topics.by_name.get(name) {
                Arc::clone(found)
            } else {
                if topics.by_name.len() >= topics.sweep_at || topics.names >= topics.sweep_names_at {
                    let_go = topics.sweep(self.settings.topics);
                    for topic in &let_go {
                        let newest = topic.newest();
                        topics.forgotten = topics.forgotten.max(newest);
                        *topics.closing.entry(topic.name.clone()).or_default() += 1;
                    }
                }
                let topic = TopicState::new(name, Ring::new(self.settings.topic, topics.forgotten));
                topics.by_name.insert(Arc::clone(&topic.name), Arc::clone(&topic));
                topics.names += name.len();
                topic
            }
        };
        found.touch();
        if !let_go.is_empty() {
            self.let_go(&let_go);
        }
        found
    }

    fn let_go(&self, let_go: &[Arc<TopicState>]) {
        for topic in let_go {
            self.retention.delist(topic);
            // A topic whose closing never ends could never be opened again.
            if catch_unwind(AssertUnwindSafe(|| self.engine.close(&topic.name))).is_err() {
                tracing::error!(topic = &*topic.name, "the engine panicked when it was to close a topic");
            }
        }
        let mut topics = self.topics();
        for topic in let_go {
            if let Some(left) = topics.closing.get_mut(&topic.name) {
                *left -= 1;
                if *left == 0 {
                    topics.closing.remove(&topic.name);
                }
            }
        }
        drop(topics);
        self.closed.notify_waiters();
    }

    /// Makes sure that a topic's events arrive.
    pub(super) async fn open(self: &Arc<Self>, topic: &Arc<TopicState>) -> Result<(), EngineError> {
        if topic.opened.initialized() {
            return Ok(());
        }
        if self.in_process {
            return self.open_once(topic).await;
        }
        // Others wait for the same answer, so it must not depend on how fast this client reads.
        let (hub, topic) = (Arc::clone(self), Arc::clone(topic));
        apart(async move { hub.open_once(&topic).await }).await
    }

    async fn open_once(&self, topic: &TopicState) -> Result<(), EngineError> {
        let open = || async {
            // One that is wanted again at once must not be closed after it was opened.
            loop {
                let closed = self.closed.notified();
                if !self.topics().closing.contains_key(&topic.name) {
                    break;
                }
                closed.await;
            }
            let above = self.engine.open(&topic.name).await?;
            self.note_arrived(above);
            drop(self.raise_floor(topic, above));
            Ok(())
        };
        topic.opened.get_or_try_init(open).await?;
        Ok(())
    }

    /// [`Engine::read`], when it is its turn.
    pub(super) async fn read(&self, topic: &TopicState, after: u64, until: u64) -> Result<Page, EngineError> {
        if self.in_process {
            return self.engine.read(&topic.name, after, until).await;
        }
        self.reads.read(&self.engine, &topic.name, after, until).await
    }

    /// [`Engine::top`], when it is its turn.
    pub(super) async fn top(&self) -> Result<u64, EngineError> {
        if self.in_process {
            return self.engine.top().await;
        }
        self.reads.top(&self.engine).await
    }

    fn raise_floor(&self, topic: &TopicState, seq: u64) -> Delivered {
        let wakers = self.retention.change(topic, |ring| {
            let wakers = ring.raise_floor(seq);
            topic.set_newest(ring.newest());
            wakers
        });
        Delivered { wakers, give_back: None }
    }
}

/// A hub in memory, with every limit at its default.
impl Default for Hub {
    fn default() -> Self {
        Self::in_memory().build()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("engine", &self.0.engine)
            .field("position", &format_args!("{}", self.0.position(self.0.arrived())))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
