//! A topic as the log of something: what is appended is bytes, whoever reads it is told in which order, and a stream that
//! follows it comes to an end with it.

use std::fmt;

use super::beginning::Beginning;
use super::follow::Followed;
use super::follower::Follower;
use super::handle::Topic;
use super::hub::Hub;
use super::records::Records;
use crate::engine::{EngineError, Record};
use crate::error::SendError;
use crate::stream::Sse;
use crate::wire::Message;

/// One topic. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Log(Topic<Message>);

impl Log {
    pub(crate) fn new(hub: &Hub, name: &str) -> Self {
        Self(hub.topic(name))
    }

    /// Appends one event, encoded and without an id; answers with its number. With a dedupe key it is there once, however
    /// often this is tried; only where the engine [knows such keys](Self::deduplicates).
    pub(crate) async fn append(&self, block: &[u8], dedupe: Option<&str>) -> Result<u64, EngineError> {
        self.0.hub.0.engine.publish(&self.0.state.name, Record::new(block, "").deduped(dedupe)).await
    }

    /// Whether the outcome of appending may be unknown, and a dedupe key helps.
    pub(crate) fn deduplicates(&self) -> bool {
        self.0.hub.is_shared() && self.0.hub.0.engine.deduplicates()
    }

    /// Lets go of what this process holds of it.
    pub(crate) fn forget(&self) {
        let hub = &self.0.hub.0;
        hub.retention.change(&self.0.state, |ring| {
            while ring.oldest().is_some() {
                ring.evict_one();
            }
        });
    }

    /// Sends what is appended after a number, or after what the stream's client has seen, until the stream is over.
    pub(crate) async fn follow<E>(&self, stream: &Sse<E>, after: u64) -> Result<(), SendError> {
        self.follower(stream, after).run().await
    }

    /// The same, until everything up to the number `until` was sent.
    pub(crate) async fn follow_until<E>(
        &self,
        stream: &Sse<E>,
        after: u64,
        until: u64,
    ) -> Result<(), SendError> {
        self.follower(stream, after).until(until).run().await
    }

    fn follower<'a, E>(&self, stream: &'a Sse<E>, after: u64) -> Follower<'a> {
        let followed = Followed { topic: self.0.state.clone(), beginning: Beginning::After(after) };
        Follower::new(stream.hidden().shared(), Some(self.0.hub.clone()), vec![followed])
    }

    /// Reads what was appended after a number.
    pub(crate) async fn read(&self, after: u64) -> Result<Records, EngineError> {
        Records::open(self.0.hub.clone(), self.0.state.clone(), after).await
    }

    /// Reads what there is of it. A log has forgotten what came before it, of whatever topics: so nothing is missing if its
    /// first record is what it has to be.
    pub(crate) async fn read_kept(&self) -> Result<Records, EngineError> {
        Ok(self.read(0).await?.passing_over_what_is_gone())
    }

    /// Reads what is appended from now on.
    pub(crate) async fn read_on(&self) -> Result<Records, EngineError> {
        let now = self.0.hub.0.arrived();
        self.read(now).await
    }

    /// The number of a position in this log that a client names; none if it is none of this log.
    pub(crate) fn number_of(&self, id: &str) -> Option<u64> {
        let (mark, position) = super::place::split(id);
        let position = super::position::Position::parse(position)?;
        let is_of_this = mark == super::place::mark_of(&self.0.state.name)
            && position.epoch == self.0.hub.0.position(0).epoch;
        is_of_this.then_some(position.seq)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.0.name()).finish()
    }
}
