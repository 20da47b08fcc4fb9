//! The task of a run: polls the handler as the body of a stream does, and writes its events into the run's log.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Runs;
use super::blocks;
use super::course::Course;
use super::elsewhere::{hear, milliseconds, now};
use super::run::{End, Phase, RunState};
use crate::engine::EngineError;
use crate::stream::{DisconnectReason, Guard, Next, Opened};

/// How long after an error a log is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Runs it from its beginning to the end of what is kept of it.
pub(super) async fn drive(runs: Runs, run: Arc<RunState>) {
    let keep = Keep { runs: &runs, run: &run };
    // Whatever may happen, the handler is dropped and its hooks run.
    let guard = Guard(Arc::clone(&run.stream));
    let noted = run.stream.shutdown_tokens();
    let heard = runs
        .hub()
        .is_shared()
        .then(|| AbortOnDropHandle::new(tokio::spawn(hear(runs.clone(), Arc::clone(&run)))));
    let mut watch = Watch::new(&run);
    if let Some(first) = open(&runs, &run, &mut watch).await {
        let writer = Writer { runs: &runs, run: &run, first, last: first, written: 0, events: 0, bytes: 0 };
        writer.run(&mut watch).await;
    }
    drop(watch);
    drop((guard, heard, noted));
    if run.phase.borrow().end().is_some() {
        sleep(run.meta.keep).await;
    }
    drop(keep);
}

/// Forgets the run when it is dropped.
struct Keep<'a> {
    runs: &'a Runs,
    run: &'a RunState,
}

impl Drop for Keep<'_> {
    fn drop(&mut self) {
        self.runs.forget(self.run);
    }
}

/// Waits for what the handler begins with; the number before its first event, if it is a stream.
async fn open(runs: &Runs, run: &RunState, watch: &mut Watch<'_>) -> Option<u64> {
    let refuse = |answer| {
        run.opening().answer = Some(answer);
        run.phase.send_replace(Phase::Refused);
        None
    };
    match watch.during(poll_fn(|cx| run.stream.poll_head(cx))).await {
        Opened::Response(answer) => return refuse(*answer),
        Opened::Panicked => return refuse(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Opened::Ended(_) => return refuse(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Opened::Stream => {}
    }
    run.opening().head = run.stream.take_head();
    let begun = Course::Begun {
        route: run.owner.route.to_string(),
        path: run.owner.path.to_string(),
        principal: run.owner.principal.as_ref().map(|principal| principal.name().to_owned()),
        node: runs.node(),
        keep: milliseconds(run.meta.keep),
    };
    match runs.say(run.id, &begun).await {
        Ok(first) => {
            run.phase.send_replace(Phase::Runs { first });
            Some(first)
        }
        Err(error) => {
            tracing::error!(run = %run.id, %error, "a run cannot begin, because its log cannot be written");
            refuse(StatusCode::SERVICE_UNAVAILABLE.into_response())
        }
    }
}

/// Ends the run when it is time for that, while the handler is waited for.
struct Watch<'a> {
    run: &'a RunState,
    overstays: Pin<Box<dyn Future<Output = DisconnectReason> + Send + 'a>>,
    ended: bool,
}

impl<'a> Watch<'a> {
    fn new(run: &'a RunState) -> Self {
        Self { run, overstays: Box::pin(run.overstays()), ended: false }
    }

    async fn during<T>(&mut self, waited_for: impl Future<Output = T>) -> T {
        let mut waited_for = pin!(waited_for);
        loop {
            tokio::select! {
                biased;
                output = &mut waited_for => return output,
                reason = &mut self.overstays, if !self.ended => {
                    self.ended = true;
                    self.run.end(reason);
                }
            }
        }
    }
}

struct Writer<'a> {
    runs: &'a Runs,
    run: &'a RunState,
    first: u64,
    last: u64,
    /// How many events were written: the next one's dedupe key.
    written: u64,
    events: u64,
    bytes: u64,
}

impl Writer<'_> {
    async fn run(mut self, watch: &mut Watch<'_>) {
        let stream = &self.run.stream;
        loop {
            let next = watch.during(poll_fn(|cx| stream.poll_body(cx))).await;
            let (frame, is_last) = match next {
                Next::Frame(frame) => (frame, false),
                Next::Last(frame) => (frame, true),
                Next::Cut => break,
            };
            if !self.write(&frame, is_last).await {
                stream.give_up();
                break;
            }
            if is_last {
                break;
            }
        }
        let reason = stream.reason().unwrap_or(DisconnectReason::ServerShutdown);
        let end = End { first: self.first, last: self.last, reason };
        let said = Course::Ended { last: end.last, reason: reason.as_str().to_owned(), at: now() };
        if let Err(error) = self.runs.say(self.run.id, &said).await {
            tracing::warn!(run = %self.run.id, %error, "other nodes are not told that a run is over");
        }
        self.run.phase.send_replace(Phase::Ended(end));
    }

    /// Writes the events of a frame; whether it could.
    async fn write(&mut self, frame: &Bytes, is_last: bool) -> bool {
        let mut blocks: Vec<Bytes> = blocks::events(frame).collect();
        for block in &blocks {
            self.events += 1;
            self.bytes = self.bytes.saturating_add(block.len() as u64);
        }
        if self.events > self.run.meta.events || self.bytes > self.run.meta.bytes {
            self.run.end(DisconnectReason::RunFull);
            // The last word is said all the same.
            let last = blocks.pop().filter(|_| is_last);
            blocks = last.into_iter().collect();
        }
        for block in blocks {
            match self.append(&block).await {
                Ok(number) => self.last = number,
                Err(error) => {
                    tracing::error!(run = %self.run.id, %error, "a run ends, because its log cannot be written");
                    return false;
                }
            }
        }
        true
    }

    /// Tries for as long as other nodes believe that this one is there.
    async fn append(&mut self, block: &[u8]) -> Result<u64, EngineError> {
        let dedupe = format!("{}:{}", self.run.id, self.written);
        self.written += 1;
        let until = Instant::now() + self.runs.lease_time();
        loop {
            match self.run.log.append(block, Some(&dedupe)).await {
                Ok(number) => return Ok(number),
                // Without keys, to try again might write it twice.
                Err(error) if Instant::now() >= until || !self.run.log.deduplicates() => return Err(error),
                Err(_) => sleep(RETRY).await,
            }
        }
    }
}
