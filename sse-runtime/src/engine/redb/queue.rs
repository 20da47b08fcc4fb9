//! Where publishers leave their records for the writer.

use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use crate::engine::EngineError;
use crate::engine::room::{Room, Taken};

/// What a record takes in memory beside its bytes.
const JOB: usize = 256;

/// A record that waits to be written.
pub(super) struct Job {
    pub(super) value: Vec<u8>,
    pub(super) dedupe: Option<Box<str>>,
    pub(super) answer: oneshot::Sender<Result<u64, EngineError>>,
    _room: Taken,
}

/// It has room for so many bytes, see [`Room`].
pub(super) struct Queue {
    jobs: Sender<Job>,
    room: Room,
}

impl Queue {
    pub(super) fn new(bytes: usize) -> (Self, Receiver<Job>) {
        let (jobs, waiting) = channel();
        (Self { jobs, room: Room::new(bytes) }, waiting)
    }

    /// Dropped, the record is written or not. None if there is no writer any more.
    pub(super) async fn publish(
        &self,
        value: Vec<u8>,
        dedupe: Option<Box<str>>,
    ) -> Option<Result<u64, EngineError>> {
        let bytes = value.len().saturating_add(dedupe.as_ref().map_or(JOB, |dedupe| JOB + dedupe.len()));
        let room = self.room.take(bytes).await;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { value, dedupe, answer, _room: room }).ok()?;
        answered.await.ok()
    }
}
