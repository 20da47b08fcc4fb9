//! What stands behind a hub: the log that puts the events of all its topics into one order, and may keep them.
//!
//! A hub holds the newest events of each topic in a ring of its own and serves its subscribers from there, whatever
//! its engine. So an engine is small: it numbers what is published, hands it back to every hub that listens, in that
//! order, and reads out what has left a hub's ring, if it has it still. [`Memory`] does no more than number.
//!
//! Which one to take is in [the guide](crate::guide::topics_and_resume#engines); [`from_url`] makes one from a line of a
//! program's configuration.

mod answer;
mod error;
mod feed;
mod health;
mod memory;
#[cfg(feature = "nats")]
mod nats;
mod once;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "postgres", feature = "redb", feature = "redis"))]
mod room;
#[cfg(any(feature = "nats", feature = "postgres", feature = "redb", feature = "redis"))]
mod started;
mod trace;
mod url;

use std::fmt;

pub use answer::Answer;
pub use error::EngineError;
pub(crate) use feed::GiveBack;
pub use feed::{Delivered, Feed, Receiver};
pub use health::Health;
pub use memory::Memory;
#[cfg(feature = "nats")]
pub use nats::{Nats, NatsError, Storage};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresError};
#[cfg(feature = "redb")]
pub use redb::{Durability, Redb, RedbError};
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisFailure};
pub use trace::{InvalidTraceParent, TraceParent};
pub use url::{UrlError, from_url};

/// The log behind a [`Hub`](crate::Hub).
///
/// # Contract
///
/// 1. **One order.** All topics share one log. Every record gets a number, higher than all before it; numbers begin at
///    1 and may skip. [`top`](Self::top) is never lower than a number that any node of the log was answered, or has
///    delivered.
/// 2. **One epoch.** The log's [`epoch`](Log::epoch) stays the same for as long as its numbers mean the same records, over
///    restarts as well; a log that begins anew has another one. Under a hub that has started it cannot change: if
///    records are lost there, the log goes on above every number that was given out, and the engine says
///    [`Feed::lost`].
/// 3. **Delivery.** From [`start`](Self::start) on, every record of an open topic above [`Log::top`] is handed to the
///    [`Feed`], exactly once, in the order of the numbers over all topics, by one caller at a time, and nothing at or
///    below `Log::top`. When `publish` answers, that record may still be under way.
/// 4. **Opening.** `open` answers with a number; every record of the topic above it is delivered, and everything up to
///    it, of the topics that were open before, has been. A topic is open or not: to open it twice, or to close what is
///    not open, changes nothing. What is delivered of topics that are not open does no harm, so an engine that delivers
///    whatever there is answers 0.
/// 5. **Reading.** `read` answers with every record of the topic above `after` up to `until`, in order, or with the
///    first part of them; or with [`Page::Evicted`], if one of them may not be there any more. Never with a part that
///    has a hole, and never with an empty part unless there is nothing. What has been delivered here can be read here.
///    Who reads on from the number that `Evicted` names finds what is left, unless more has gone meanwhile.
///    `until` may be any number, also one that the log has not reached.
/// 6. **Failure.** An error of `publish` leaves open whether the record is in the log, unless it is
///    [`EngineError::refused`]. After a lost connection, delivery
///    goes on where it stopped, or the engine says [`Feed::lost`] first and goes on above that number. It connects again
///    by itself, says [`Feed::down`] and [`Feed::up`], and keeps nobody waiting for ever meanwhile.
/// 7. **Waiting.** No method blocks its thread; what has to wait is an [`Answer::Later`], and dropping that is allowed
///    at any time. What it would have done is then done whole, or not at all.
/// 8. **Text.** Any text is a topic's name or a key: the empty one, one of 300 bytes, one with wildcards, spaces or a
///    NUL. Two names are one topic only if they are the same bytes. Blocks and keys come back byte for byte, and so does
///    the trace of a record that has one.
/// 9. **Once.** An engine that [`deduplicates`](Self::deduplicates) does not append a record whose
///    [`dedupe`](Record::dedupe) key a record of the same topic had that was appended a short while ago: `publish` answers
///    with the number of that one, and nothing is delivered. How long that while is, is the engine's to say; two minutes are
///    usual. This holds over restarts of the process, if the log does.
///
/// An engine belongs to one hub: `start` is called once.
///
/// The feature `testing` has a module `testing::engine_contract` that checks all of it, as far as it can be seen from
/// outside.
///
/// # Example
#[doc = include_str!("example.md")]
pub trait Engine: Send + Sync + fmt::Debug + 'static {
    /// Begins delivery to the hub. Called once, before anything else.
    fn start(&self, feed: Feed) -> Answer<'_, Log>;

    /// Makes sure that the topic's records are delivered, all those above the number that is the answer.
    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64>;

    /// The hub has let go of the topic: its records need not be delivered any more. Never called while an
    /// [`open`](Self::open) of the same topic waits for its answer.
    fn close(&self, topic: &str);

    /// Appends a record; answers with its number. What is needed of the record later has to be copied.
    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64>;

    /// Whether it knows records by their [`Record::dedupe`] keys. If not, the hub refuses to publish events that have one.
    fn deduplicates(&self) -> bool {
        false
    }

    /// The number of the newest record in the log.
    fn top(&self) -> Answer<'_, u64>;

    /// Reads what the hub does not hold any more.
    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page>;
}

/// A log's identity, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// Which log this is: the first part of every id.
    pub epoch: u64,
    /// The number of the newest record; 0 if there is none.
    pub top: u64,
}

/// One published event, as an engine stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The event on the wire, without an id: the hub puts it in front, from the record's number.
    pub block: &'a [u8],
    /// What the event is about: a later event with the same key makes this one stale for a subscriber who wants the
    /// newest only.
    pub key: &'a str,
    /// The span that published it; most have none.
    pub trace: Option<&'a TraceParent>,
    /// What the publisher calls it, so that publishing it again does not make two of it; most have none. It need not come
    /// back.
    pub dedupe: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// A record of a block and a key.
    #[must_use]
    pub fn new(block: &'a [u8], key: &'a str) -> Self {
        Self { block, key, trace: None, dedupe: None }
    }

    /// The same record, published by this span.
    #[must_use]
    pub fn traced(self, trace: Option<&'a TraceParent>) -> Self {
        Self { trace, ..self }
    }

    /// The same record, which is published once however often it is tried.
    #[must_use]
    pub fn deduped(self, dedupe: Option<&'a str>) -> Self {
        Self { dedupe, ..self }
    }
}

/// One published event, as an engine reads it out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub seq: u64,
    /// [`Record::block`].
    pub block: bytes::Bytes,
    /// [`Record::key`].
    pub key: String,
    /// [`Record::trace`]. As text, it has 55 characters.
    pub trace: Option<TraceParent>,
}

/// What [`Engine::read`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The records asked for, or the first of them; empty if there are none at all.
    Records(Vec<Stored>),
    /// At least one of them is gone, or may be.
    Evicted {
        /// What the topic has above this number is there: always a larger one than was asked from.
        until: u64,
    },
}

/// An engine that was chosen at run time.
impl Engine for Box<dyn Engine> {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        (**self).start(feed)
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        (**self).open(topic)
    }

    fn close(&self, topic: &str) {
        (**self).close(topic);
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        (**self).publish(topic, record)
    }

    fn deduplicates(&self) -> bool {
        (**self).deduplicates()
    }

    fn top(&self) -> Answer<'_, u64> {
        (**self).top()
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        (**self).read(topic, after, until)
    }
}

/// The epoch of a log that begins. 48 bits: a client that comes back meets its old epoch on another log once in 2^48
/// times, and the ids stay short.
fn fresh_epoch() -> u64 {
    fastrand::u64(1..1 << 48)
}
