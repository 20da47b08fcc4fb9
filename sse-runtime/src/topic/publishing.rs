//! Publishing one event: encode it once, and hand it to the engine.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use pin_project_lite::pin_project;

use super::delivery::valid;
use super::hub::Hub;
use super::state::TopicState;
use crate::engine::{Answer, EngineError, Record, TraceParent};
use crate::wire::{Encoded, EventError, EventId, Limits, Outgoing, encode};

/// Why an event was not published, or may not have been.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event cannot be written to the wire. Nobody gets it.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The event has an id of its own. Nobody gets it.
    #[error(
        "the event has the id \"{id}\"; a topic gives its events their ids, by which clients resume: leave it out"
    )]
    OwnId {
        /// The id.
        id: String,
    },
    /// The event has a [`dedupe`](Publishing::dedupe) key, and the engine knows no such keys. Nobody gets it.
    #[error(
        "the event has the dedupe key \"{dedupe}\", and the engine behind the topic \"{topic}\" knows none: leave it out, or take another engine"
    )]
    NoDedupe {
        /// The topic's name.
        topic: String,
        /// The key.
        dedupe: String,
    },
    /// The engine does not take the event, because it is too large for it, for instance. Nobody gets it.
    #[error("the engine behind the topic \"{topic}\" refused the event, and nothing was published: {source}")]
    Refused {
        /// The topic's name.
        topic: String,
        /// What the engine said.
        source: EngineError,
    },
    /// The engine failed. The outcome is unknown: the event may have been published.
    #[error(
        "the engine behind the topic \"{topic}\" failed, so the event may or may not have been published: {source}"
    )]
    Engine {
        /// The topic's name.
        topic: String,
        /// What the engine said.
        source: EngineError,
    },
}

pin_project! {
    /// Publishes one event; see [`Topic::publish`](super::Topic::publish).
    #[must_use = "nothing is published unless this is awaited"]
    pub struct Publishing<'a, T> {
        hub: &'a Hub,
        topic: &'a TopicState,
        event: T,
        // A function, so that an event which cannot be published is one error at the call, and none at the `.await`.
        encode: Encode<T>,
        key: Option<Cow<'a, str>>,
        trace: Option<TraceParent>,
        dedupe: Option<Cow<'a, str>>,
        answer: Option<Answer<'a, u64>>,
    }
}

type Encode<T> = fn(&T, &mut BytesMut, usize) -> Result<Encoded, PublishError>;

/// Appends an event to `out`, which must have no id of its own.
pub(super) fn encode_without_id<E, T: Outgoing<E>>(
    event: &T,
    out: &mut BytesMut,
    max_event: usize,
) -> Result<Encoded, PublishError> {
    let start = out.len();
    let encoded = encode::<E, T>(event, out, &Limits { max_event, retry: None, end_id: None })?;
    if let Some(id) = encoded.id {
        let id = out.get(start + id.start..start + id.end).unwrap_or_default();
        return Err(PublishError::OwnId { id: String::from_utf8_lossy(id).into_owned() });
    }
    Ok(encoded)
}

impl<'a, T> Publishing<'a, T> {
    pub(super) fn new<E>(hub: &'a Hub, topic: &'a TopicState, event: T) -> Self
    where
        T: Outgoing<E>,
    {
        let encode = encode_without_id::<E, T>;
        Self { hub, topic, event, encode, key: None, trace: None, dedupe: None, answer: None }
    }

    /// Says what the event is about, for routes with `slow = "latest"`: a client that has fallen behind gets the newest
    /// event of each key only. Without this, the key is the event's name.
    ///
    /// ```
    /// # use sse_runtime::{Event, Hub, Result, Topic};
    /// # async fn example(prices: Topic) -> Result<()> {
    /// prices.publish(Event::new("price").data("AAPL 251.30")).key("AAPL").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn key(mut self, key: impl Into<Cow<'a, str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Gives the event a name by which the engine knows it again: if an event of this topic with the same name was
    /// published a short while ago, this one is not, and the answer is the id of that one. So an event whose publishing
    /// has failed, which leaves its outcome open, can be published again, and is there once. How short that while is, is
    /// the engine's to say: two minutes by default, for those of this crate, unless what it keeps is younger, or its keys
    /// take more room than it has for them.
    ///
    /// ```
    /// # use sse_runtime::{Result, Topic};
    /// # async fn example(orders: Topic, order: u64) -> Result<()> {
    /// let shipped = format!("order {order} shipped");
    /// for attempt in 0.. {
    ///     match orders.publish(shipped.as_str()).dedupe(shipped.as_str()).await {
    ///         Ok(_) => break,
    ///         Err(error) if attempt == 3 => return Err(error.into()),
    ///         Err(_) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn dedupe(mut self, dedupe: impl Into<Cow<'a, str>>) -> Self {
        self.dedupe = Some(dedupe.into());
        self
    }

    /// Says which span publishes, as W3C Trace Context writes it, in place of what
    /// [`HubBuilder::trace_context`](super::HubBuilder::trace_context) would: each delivery of the event is in the log
    /// with it, see [the guide](crate::guide::topics_and_resume#tracing). What is no `traceparent` is left out, and a
    /// debug line says so.
    ///
    /// ```
    /// # use sse_runtime::{Hub, Result, Topic};
    /// # async fn example(orders: Topic, headers: http::HeaderMap) -> Result<()> {
    /// let caller = headers.get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    /// orders.publish("17 shipped").traceparent(caller).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn traceparent(mut self, traceparent: impl AsRef<str>) -> Self {
        self.trace = valid(traceparent.as_ref());
        self
    }
}

impl<T> Future for Publishing<'_, T> {
    type Output = Result<EventId, PublishError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.answer {
            Some(answer) => answer,
            None => {
                // Lets others run now and then: a long burst, in a loop that waits for nothing else, would outrun subscribers
                // who had no chance to read.
                ready!(tokio::task::coop::poll_proceed(cx)).made_progress();
                let (hub, topic) = (*this.hub, *this.topic);
                let mut block = BytesMut::new();
                // Not under any lock: an event's own `Serialize` may take its time, or publish something itself.
                let encoded = (this.encode)(this.event, &mut block, hub.0.settings.max_event)?;
                let name = || encoded.name.and_then(|name| std::str::from_utf8(block.get(name)?).ok());
                let key = this.key.as_deref().or_else(name).unwrap_or_default();
                let trace = this.trace.or_else(|| hub.0.context.as_ref()?.current());
                let dedupe = this.dedupe.as_deref();
                if let Some(dedupe) = dedupe.filter(|_| !hub.0.engine.deduplicates()) {
                    let (topic, dedupe) = (topic.name.to_string(), dedupe.to_owned());
                    return Poll::Ready(Err(PublishError::NoDedupe { topic, dedupe }));
                }
                let record = Record::new(&block, key).traced(trace.as_ref()).deduped(dedupe);
                this.answer.insert(hub.0.engine.publish(&topic.name, record))
            }
        };
        let published = ready!(Pin::new(answer).poll(cx));
        Poll::Ready(match published {
            Ok(seq) => Ok(this.hub.0.position(seq).id()),
            Err(source) => {
                let topic = this.topic.name.to_string();
                Err(if source.is_refusal() {
                    PublishError::Refused { topic, source }
                } else {
                    PublishError::Engine { topic, source }
                })
            }
        })
    }
}

impl<T> fmt::Debug for Publishing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishing").field("topic", &self.topic.name).finish_non_exhaustive()
    }
}
