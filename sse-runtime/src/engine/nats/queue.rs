//! Where publishers leave their records for the writer.

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::error::NatsError;
use crate::engine::EngineError;
use crate::engine::room::{Room, Taken};

/// What a record takes in memory beside its bytes.
const JOB: usize = 512;

/// A record that waits to be published, or for the server's answer.
pub(super) struct Job {
    /// What stands for the topic in the subject.
    pub(super) token: String,
    pub(super) payload: Bytes,
    /// By what the server knows it again, if its publisher said so.
    pub(super) id: Option<String>,
    pub(super) answer: oneshot::Sender<Result<u64, EngineError>>,
    _room: Taken,
}

impl Job {
    pub(super) fn answer(self, outcome: Result<u64, NatsError>) {
        // Nobody may wait for it any more.
        drop(self.answer.send(outcome.map_err(NatsError::of_publish)));
    }
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
        token: String,
        payload: Bytes,
        id: Option<String>,
    ) -> Option<Result<u64, EngineError>> {
        let bytes = payload.len().saturating_add(JOB);
        let room = self.room.take(bytes).await;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { token, payload, id, answer, _room: room }).ok()?;
        answered.await.ok()
    }
}
