//! Asking the engine for what the hub does not hold: a few at a time, the others in turn.
//!
//! Each call is a task of its own. A stream is polled only when its client's connection takes data, so a client that
//! stops reading could otherwise keep its turn for as long as it likes, or be given one and not notice.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::engine::{Engine, EngineError, Page};

pub(super) struct Reads(Arc<Turns>);

struct Turns {
    free: Semaphore,
    waiting: AtomicUsize,
    reads: AtomicU64,
}

impl Reads {
    pub(super) fn new(at_once: usize) -> Self {
        let free = Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS));
        Self(Arc::new(Turns { free, waiting: AtomicUsize::new(0), reads: AtomicU64::new(0) }))
    }

    pub(super) async fn read(
        &self,
        engine: &Arc<dyn Engine>,
        topic: &Arc<str>,
        after: u64,
        until: u64,
    ) -> Result<Page, EngineError> {
        let (turns, engine, topic) = (Arc::clone(&self.0), Arc::clone(engine), Arc::clone(topic));
        let read = async move {
            let _turn = turns.turn().await;
            turns.reads.fetch_add(1, Ordering::Relaxed);
            engine.read(&topic, after, until).await
        };
        apart(read).await
    }

    pub(super) async fn top(&self, engine: &Arc<dyn Engine>) -> Result<u64, EngineError> {
        let (turns, engine) = (Arc::clone(&self.0), Arc::clone(engine));
        let top = async move {
            let _turn = turns.turn().await;
            engine.top().await
        };
        apart(top).await
    }

    /// Reads until now, and who waits for a turn.
    pub(super) fn counts(&self) -> (u64, usize) {
        (self.0.reads.load(Ordering::Relaxed), self.0.waiting.load(Ordering::Relaxed))
    }
}

impl Turns {
    /// In the order of the calls. `None` never: the semaphore is not closed.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.free.try_acquire() {
            return Some(turn);
        }
        let _waiting = Waiting::new(&self.waiting);
        self.free.acquire().await.ok()
    }
}

/// Counts for as long as it lives: who waits may leave.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs what must go on even if nobody polls who waits for it; but not when nobody waits any more.
pub(super) async fn apart<T: Send + 'static>(
    call: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, EngineError> {
    match AbortOnDropHandle::new(tokio::spawn(call.in_current_span())).await {
        Ok(answer) => answer,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(EngineError::new("the runtime shuts down")),
        },
    }
}
