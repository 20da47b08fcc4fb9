//! Asking the engine for what the hub does not hold: a few at a time, the others in turn.
//!
//! While the engine is down, each of those few waits for as long as the engine lets it, so the others would wait a multiple
//! of that, as many as they are. They are told after a while that it is down.
//!
//! Each call is a task of its own. A stream is polled only when its client's connection takes data, so a client that
//! stops reading could otherwise keep its turn for as long as it likes, or be given one and not notice.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::engine::{Engine, EngineError, Health, Page};

/// How long one waits for a turn while the engine is down.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Reads(Arc<Turns>);

struct Turns {
    free: Semaphore,
    waiting: AtomicUsize,
    reads: AtomicU64,
    health: watch::Receiver<Health>,
}

impl Reads {
    pub(super) fn new(at_once: usize, health: watch::Receiver<Health>) -> Self {
        let free = Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS));
        Self(Arc::new(Turns { free, waiting: AtomicUsize::new(0), reads: AtomicU64::new(0), health }))
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
            let _turn = turns.turn().await?;
            turns.reads.fetch_add(1, Ordering::Relaxed);
            engine.read(&topic, after, until).await
        };
        apart(read).await
    }

    pub(super) async fn top(&self, engine: &Arc<dyn Engine>) -> Result<u64, EngineError> {
        let (turns, engine) = (Arc::clone(&self.0), Arc::clone(engine));
        let top = async move {
            let _turn = turns.turn().await?;
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
    /// In the order of the calls.
    async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, EngineError> {
        if let Ok(turn) = self.free.try_acquire() {
            return Ok(Some(turn));
        }
        let _waiting = Waiting::new(&self.waiting);
        tokio::select! {
            biased;
            // It is not closed.
            turn = self.free.acquire() => Ok(turn.ok()),
            reason = self.stays_down() => Err(reason),
        }
    }

    async fn stays_down(&self) -> EngineError {
        let mut health = self.health.clone();
        loop {
            // Without a hub there is nobody who waits.
            let Ok(down) = health.wait_for(|health| !health.is_up()).await.map(|down| down.clone()) else {
                return std::future::pending().await;
            };
            let Health::Down { reason, .. } = down else { continue };
            match timeout(PATIENCE, health.wait_for(Health::is_up)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return reason,
            }
        }
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use futures_util::FutureExt as _;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_turn_for_long_while_the_engine_is_down() {
        let health = watch::Sender::new(Health::Up);
        let Reads(turns) = Reads::new(1, health.subscribe());
        let down = |reason: &str| Health::Down { since: SystemTime::now(), reason: EngineError::new(reason) };
        let first = turns.turn().await.expect("a turn");

        // A busy engine is waited for.
        let mut waiting = Box::pin(turns.turn());
        assert!(timeout(Duration::from_secs(3600), &mut waiting).await.is_err());
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 1);
        // One that is soon back, too.
        health.send_replace(down("away"));
        assert!(timeout(PATIENCE / 2, &mut waiting).await.is_err());
        health.send_replace(Health::Up);
        assert!(timeout(2 * PATIENCE, &mut waiting).await.is_err());

        health.send_replace(down("away"));
        let begun = Instant::now();
        assert!(timeout(PATIENCE / 2, &mut waiting).await.is_err());
        // What is heard of it meanwhile is no reason to wait for longer.
        health.send_replace(down("still away"));
        let told = timeout(2 * PATIENCE, waiting).await.expect("it is told");
        let error = told.expect_err("it is down");
        assert_eq!((error.to_string(), begun.elapsed()), ("away".to_owned(), PATIENCE));
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);

        drop(first);
        assert!(turns.turn().now_or_never().is_some_and(|turn| turn.is_ok()), "who need not wait may try");
    }
}
