//! The current state, for streams that begin anew.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use http::StatusCode;

use super::publishing::{PublishError, encode_without_id};
use crate::error::Error;
use crate::wire::Outgoing;

/// A topic's snapshot hook, erased: called with the most bytes that an event may have.
pub(super) type Hook =
    Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = Result<Snapshot, Error>> + Send>> + Send + Sync>;

/// A snapshot hook failed. As a handler's [`Error`], it keeps the status and the public text that the hook gave its own.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the snapshot of the topic \"{topic}\" failed: {text}")]
pub struct SnapshotError {
    topic: String,
    text: String,
    pub(crate) status: StatusCode,
    pub(crate) public: Option<String>,
}

impl SnapshotError {
    pub(super) fn new(topic: String, error: Error) -> Self {
        let text = error.to_string();
        let (status, public) = error.shown();
        Self { topic, text, status, public }
    }
}

/// Events of a snapshot, encoded.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) blocks: BytesMut,
    /// Where the last one begins.
    pub(super) last: usize,
    pub(super) events: u64,
}

impl Snapshot {
    /// Appends another one.
    pub(super) fn extend(&mut self, other: &Self) {
        if other.events > 0 {
            self.last = self.blocks.len() + other.last;
            self.events += other.events;
            self.blocks.extend_from_slice(&other.blocks);
        }
    }

    /// Gives the last event an id, and no other: until then, who loses the connection has to begin anew.
    pub(super) fn end_with_id(&mut self, id: &impl Display) {
        if self.events > 0 {
            let last = self.blocks.split_off(self.last);
            self.blocks.extend_from_slice(format!("id: {id}\n").as_bytes());
            self.blocks.extend_from_slice(&last);
        }
    }

    fn push<E, T: Outgoing<E>>(&mut self, event: &T, max_event: usize) -> Result<(), PublishError> {
        let start = self.blocks.len();
        encode_without_id::<E, T>(event, &mut self.blocks, max_event)?;
        self.last = start;
        self.events += 1;
        Ok(())
    }
}

pub(super) fn hook<E, F, Fut, I>(hook: F) -> Hook
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<I, Error>> + Send + 'static,
    I: IntoIterator,
    I::Item: Outgoing<E>,
{
    Arc::new(move |max_event| {
        let events = hook();
        Box::pin(async move {
            let mut snapshot = Snapshot::default();
            for event in events.await? {
                snapshot.push::<E, _>(&event, max_event)?;
            }
            Ok(snapshot)
        })
    })
}
