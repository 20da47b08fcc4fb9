//! Where publishers leave their records for the writer.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::error::RedisFailure;
use crate::engine::room::{Room, Taken};

/// What a record takes in memory beside its bytes.
const JOB: usize = 256;

/// A record that waits to be published.
pub(super) struct Job {
    /// The stream of its topic.
    pub(super) stream: String,
    /// The key of its dedupe key.
    pub(super) once: Option<String>,
    pub(super) value: Vec<u8>,
    /// When its publisher has waited for so long as it may.
    pub(super) expires: Instant,
    pub(super) answer: oneshot::Sender<Result<u64, RedisFailure>>,
    _room: Taken,
}

/// It has room for so many bytes, see [`Room`].
pub(super) struct Queue {
    jobs: UnboundedSender<Job>,
    room: Room,
}

impl Queue {
    pub(super) fn new(bytes: usize) -> (Self, UnboundedReceiver<Job>) {
        let (jobs, waiting) = unbounded_channel();
        (Self { jobs, room: Room::new(bytes) }, waiting)
    }

    /// Dropped, the record is published or not. None if there is no writer any more.
    pub(super) async fn publish(
        &self,
        stream: String,
        once: Option<String>,
        value: Vec<u8>,
        expires: Instant,
    ) -> Option<Result<u64, RedisFailure>> {
        let bytes = stream.len() + once.as_ref().map_or(0, String::len) + value.len() + JOB;
        let room = self.room.take(bytes).await;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { stream, once, value, expires, answer, _room: room }).ok()?;
        answered.await.ok()
    }
}
