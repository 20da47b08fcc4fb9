//! Where publishers leave their records for the writer.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::table::Entry;
use crate::engine::EngineError;

/// What a record takes in memory beside its bytes.
const JOB: usize = 256;

/// A record that waits to be written.
pub(super) struct Job {
    pub(super) entry: Entry,
    pub(super) answer: oneshot::Sender<Result<u64, EngineError>>,
    _room: OwnedSemaphorePermit,
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

    /// Dropped, the record is written or not. None if there is no writer any more.
    pub(super) async fn publish(&self, entry: Entry) -> Option<Result<u64, EngineError>> {
        // One that is larger than all the room has all of it.
        let bytes = entry.bytes().saturating_add(JOB).min(self.most);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(bytes).ok()?).await.ok()?;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { entry, answer, _room: room }).ok()?;
        answered.await.ok()
    }
}
