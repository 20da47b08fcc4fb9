//! The handle of one topic.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use super::beginning::Beginning;
use super::hub::Hub;
use super::publishing::Publishing;
use super::snapshot;
use super::state::TopicState;
use crate::wire::{AsJson, EventId, Message, Outgoing, SseEvent};

/// One topic of a [`Hub`]: publish on it from anywhere, follow it from a route.
///
/// `Topic` alone is `Topic<Message>`, for text and [`Event`](crate::Event)s; `Topic<E>` takes values of `E` only. A
/// clone is cheap and the same topic. Publishing and following need nobody on the other side.
///
/// ```
/// use sse_runtime::{Event, Hub, Result, Topic};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let hub = Hub::in_memory().build();
/// let news: Topic = hub.topic("news");
/// let first = news.publish("it works").await?;
/// let second = news.publish(Event::new("headline").data("it works twice")).await?;
/// assert_ne!(first, second);
/// assert_eq!(news.position(), second);
/// # Ok(())
/// # }
/// ```
pub struct Topic<E = Message> {
    pub(super) hub: Hub,
    pub(super) state: Arc<TopicState>,
    pub(super) beginning: Beginning,
    // `fn`: the handle takes values of E and owns none, so it is Send and Sync whatever E is.
    events: PhantomData<fn(E)>,
}

impl<E> Topic<E> {
    pub(super) fn new(hub: Hub, state: Arc<TopicState>) -> Self {
        Self { hub, state, beginning: Beginning::Next, events: PhantomData }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Publishes one event: all streams that follow the topic get it, now or, within what the hub keeps, when they come
    /// back. Returns its id, which is its place in the hub's log.
    ///
    /// It never waits for a subscriber; a task that publishes many events in a row lets others run now and then. In
    /// memory it waits for nothing else, so that `futures::executor::block_on(topic.publish(..))` is fine in a thread
    /// outside of any runtime.
    ///
    /// # Errors
    /// - [`PublishError::Event`](crate::PublishError::Event): the event cannot be written. Nobody gets it.
    /// - [`PublishError::OwnId`](crate::PublishError::OwnId): it has an id; a topic gives its events their ids.
    /// - [`PublishError::Refused`](crate::PublishError::Refused): the engine takes no such event. Nobody gets it.
    /// - [`PublishError::Engine`](crate::PublishError::Engine): not in memory. The outcome is unknown: the event may
    ///   have been published.
    ///
    /// # Cancel safety
    /// If the future is dropped before it was polled, nothing is published. If it is dropped later, the outcome is
    /// unknown; in memory, a future that has not been ready has published nothing.
    pub fn publish<T: Outgoing<E>>(&self, event: T) -> Publishing<'_, T> {
        Publishing::new::<E>(&self.hub, &self.state, event)
    }

    /// How many streams of this process follow the topic now.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.state.subscribers()
    }

    /// Where the hub's log stands: the id to begin with for someone who knows everything up to now. A page that is rendered
    /// with the current state takes it along, and connects with `?last_event_id=`:
    ///
    /// ```
    /// # use sse_runtime::{Hub, Topic};
    /// # let topic: Topic = Hub::in_memory().build().topic("prices");
    /// let position = topic.position(); // before the state is read: what comes in between is then seen twice, not never
    /// let page = format!("<script>new EventSource('/prices?last_event_id={position}')</script>");
    /// # let _ = page;
    /// ```
    #[must_use]
    pub fn position(&self) -> EventId {
        self.hub.0.position(self.hub.0.arrived()).id()
    }
}

impl<E: SseEvent> Topic<E> {
    /// Gives streams that begin anew the current state first: those that come without an id, and those that come with one
    /// that cannot be served any more. `hook` is called for each of them, and the events it returns go before the live
    /// ones.
    ///
    /// The hook has to show everything that was published before it was called. What is published while it runs is sent
    /// after it, even if it shows it already: so events should carry new values, not changes of values.
    ///
    /// It belongs to this handle and its clones, not to the topic: keep the handle in the application's state, or make
    /// one in the route, with what only that client may see.
    ///
    /// If the hook fails, so does [`Sse::follow`](crate::Sse::follow).
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use sse_runtime::{Event, Hub, Topic};
    ///
    /// let scores = Arc::new(Mutex::new(vec![3, 1]));
    /// let hub = Hub::in_memory().build();
    /// let topic: Topic = hub.topic("scores").snapshot(move || {
    ///     let scores = Arc::clone(&scores);
    ///     async move {
    ///         let now = scores.lock().map(|scores| scores.clone()).unwrap_or_default();
    ///         Ok([Event::new("scores").json(&now)])
    ///     }
    /// });
    /// # let _ = topic;
    /// ```
    #[must_use = "the snapshot belongs to the handle that is returned"]
    pub fn snapshot<F, Fut, I>(mut self, hook: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = crate::Result<I>> + Send + 'static,
        I: IntoIterator,
        I::Item: Outgoing<E>,
    {
        self.beginning = Beginning::Snapshot(snapshot::hook::<E, _, _, _>(hook));
        self
    }

    /// Gives streams that begin anew the newest events that are kept, up to so many, before what comes next: the last
    /// messages of a chat, for instance. Each with its id, as if the stream had come back. In place of a
    /// [`snapshot`](Self::snapshot); it belongs to this handle and its clones, too. A topic
    /// that a stream takes up later, after others, begins with what comes next.
    ///
    /// ```
    /// # use sse_runtime::{Hub, Topic};
    /// # let hub = Hub::in_memory().build();
    /// let room: Topic = hub.topic("room").recent(20);
    /// # let _ = room;
    /// ```
    #[must_use = "it belongs to the handle that is returned"]
    pub fn recent(mut self, events: usize) -> Self {
        self.beginning = Beginning::Recent(events);
        self
    }

    /// Gives streams that begin anew the newest event of each [key](Publishing::key) that is kept, before what comes
    /// next: the current prices, for instance, if each stock's last one is still there. In place of a
    /// [`snapshot`](Self::snapshot); it belongs to this handle and its clones, too. A topic
    /// that a stream takes up later, after others, begins with what comes next.
    ///
    /// ```
    /// # use sse_runtime::{Hub, Topic};
    /// # let hub = Hub::in_memory().build();
    /// let prices: Topic = hub.topic("prices").latest();
    /// # let _ = prices;
    /// ```
    #[must_use = "it belongs to the handle that is returned"]
    pub fn latest(mut self) -> Self {
        self.beginning = Beginning::Newest;
        self
    }
}

impl Topic {
    /// Publishes `value` as JSON: an event without a name, its data the compact JSON text. For a name, publish
    /// [`Event::json`](crate::Event::json).
    ///
    /// # Errors and cancel safety
    /// As for [`publish`](Self::publish); also if `value` cannot be serialized.
    pub fn publish_json<T: Serialize>(&self, value: T) -> Publishing<'_, AsJson<T>> {
        self.publish(AsJson(value))
    }
}

impl<E> Clone for Topic<E> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            state: Arc::clone(&self.state),
            beginning: self.beginning.clone(),
            events: PhantomData,
        }
    }
}

impl<E> fmt::Debug for Topic<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("name", &self.name())
            .field("subscribers", &self.subscribers())
            .finish_non_exhaustive()
    }
}
