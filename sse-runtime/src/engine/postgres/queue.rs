//! Where publishers leave their records for the writer.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::table::Entry;
use crate::engine::EngineError;
use crate::engine::room::{Room, Taken};

/// What a record takes in memory beside its bytes.
const JOB: usize = 256;

/// A record that waits to be written.
pub(super) struct Job {
    pub(super) entry: Entry,
    pub(super) answer: oneshot::Sender<Result<u64, EngineError>>,
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

    /// Dropped, the record is written or not. None if there is no writer any more.
    pub(super) async fn publish(&self, entry: Entry) -> Option<Result<u64, EngineError>> {
        let bytes = entry.bytes().saturating_add(JOB);
        let room = self.room.take(bytes).await;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { entry, answer, _room: room }).ok()?;
        answered.await.ok()
    }
}
