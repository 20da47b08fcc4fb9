//! Where publishers leave their records for the writer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::NatsError;
use crate::engine::EngineError;

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
    _room: OwnedSemaphorePermit,
}

impl Job {
    pub(super) fn answer(self, outcome: Result<u64, NatsError>) {
        // Nobody may wait for it any more.
        drop(self.answer.send(outcome.map_err(NatsError::of_publish)));
    }
}

/// It has room for so many bytes; who has more waits, in the order of the calls.
pub(super) struct Queue {
    jobs: UnboundedSender<Job>,
    room: Arc<Semaphore>,
    most: usize,
}

impl Queue {
    pub(super) fn new(bytes: usize) -> (Self, UnboundedReceiver<Job>) {
        let most = bytes.clamp(1, u32::MAX as usize >> 3);
        let (jobs, waiting) = unbounded_channel();
        (Self { jobs, room: Arc::new(Semaphore::new(most)), most }, waiting)
    }

    /// Dropped, the record is published or not. None if there is no writer any more.
    pub(super) async fn publish(
        &self,
        token: String,
        payload: Bytes,
        id: Option<String>,
    ) -> Option<Result<u64, EngineError>> {
        // One that is larger than all the room has all of it.
        let bytes = payload.len().saturating_add(JOB).min(self.most);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(bytes).ok()?).await.ok()?;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { token, payload, id, answer, _room: room }).ok()?;
        answered.await.ok()
    }
}
