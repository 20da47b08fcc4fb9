//! The task of a run: polls the handler as the body of a stream does, and writes its events into the run's log.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};

use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Runs;
use super::blocks;
use super::course::Course;
use super::elsewhere::{CUT, hear, milliseconds, now};
use super::id::RunId;
use super::run::{End, Phase, RunState};
use super::signs::RETRY;
use crate::engine::EngineError;
use crate::stream::{DisconnectReason, Guard, Next, Opened};

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
    let mut untold = None;
    if let Some(first) = open(&runs, &run, &mut watch).await {
        untold = Writer::new(&runs, &run, first).run(&mut watch).await;
    } else if let Some(key) = run.key.as_deref().filter(|_| runs.hub().is_shared()) {
        runs.release(&run.owner, key, run.id);
    }
    drop(watch);
    drop((guard, heard, noted));
    if run.phase.borrow().end().is_some() {
        tokio::select! {
            () = sleep(run.meta.keep) => {}
            () = tell(&runs, run.id, untold) => {}
        }
    }
    drop(keep);
}

/// Tells other nodes what they could not be told before, for as long as it takes: they wait for it.
async fn tell(runs: &Runs, id: RunId, untold: Option<Course>) {
    if let Some(said) = untold {
        while runs.say(id, &said).await.is_err() {
            sleep(RETRY).await;
        }
    }
    std::future::pending::<()>().await;
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
    // A handler that thinks, or waits for a reply, is a run all the same: its clients have to be told which.
    let mut opens = run.stream.meta.open_after.map(|after| Box::pin(sleep(after)));
    let opened = poll_fn(|cx| {
        if let Poll::Ready(opened) = run.stream.poll_head(cx) {
            return Poll::Ready(opened);
        }
        if let Some(after) = &mut opens {
            ready!(after.as_mut().poll(cx));
            opens = None;
            if run.stream.open_now() {
                return Poll::Ready(Opened::Stream);
            }
        }
        Poll::Pending
    });
    match watch.during(opened).await {
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
    /// It has as much as it may have.
    is_full: bool,
    /// And the handler ended with more than that.
    is_short: bool,
}

impl<'a> Writer<'a> {
    fn new(runs: &'a Runs, run: &'a RunState, first: u64) -> Self {
        Self {
            runs,
            run,
            first,
            last: first,
            written: 0,
            events: 0,
            bytes: 0,
            is_full: false,
            is_short: false,
        }
    }

    /// Writes until the run is over; what other nodes are still to be told of that.
    async fn run(mut self, watch: &mut Watch<'_>) -> Option<Course> {
        let stream = &self.run.stream;
        let mut is_cut = false;
        loop {
            let next = watch.during(poll_fn(|cx| stream.poll_body(cx))).await;
            let (frame, is_last) = match next {
                Next::Frame(frame) => (frame, false),
                Next::Last(frame) => (frame, true),
                Next::Cut => break,
            };
            if !self.write(&frame, is_last).await {
                stream.give_up();
                is_cut = true;
                break;
            }
            if is_last {
                break;
            }
        }
        let reason = stream.reason().unwrap_or(DisconnectReason::ServerShutdown);
        // The handler may have been through before it was known that not everything fits.
        let reason = if self.is_short { DisconnectReason::RunFull } else { reason };
        let end = End { first: self.first, last: self.last, reason, is_cut };
        self.run.phase.send_replace(Phase::Ended(end));
        let how = if is_cut { CUT } else { reason.as_str() };
        let said = Course::Ended { last: end.last, reason: how.to_owned(), at: now() };
        let error = self.runs.say(self.run.id, &said).await.err()?;
        tracing::warn!(run = %self.run.id, %error, "other nodes are not told yet that a run is over");
        Some(said)
    }

    /// Writes the events of a frame; whether it could.
    async fn write(&mut self, frame: &Bytes, is_last: bool) -> bool {
        let mut blocks: Vec<Bytes> = blocks::events(frame).collect();
        // The last word is said whatever there is.
        let mut word = blocks.last().filter(|last| is_last && blocks::is_word(last)).cloned();
        if word.is_some() {
            blocks.pop();
        }
        let fitting = blocks.iter().take_while(|block| self.takes(block)).count();
        if fitting < blocks.len() {
            blocks.truncate(fitting);
            self.is_full = true;
            self.run.end(DisconnectReason::RunFull);
            self.is_short = is_last;
            if is_last && !self.run.meta.stream.bare {
                // It has ended as if all of it were here.
                word = Some(blocks::bye(DisconnectReason::RunFull));
            }
        }
        blocks.extend(word);
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

    /// Whether there is room for one more event, which is counted then.
    fn takes(&mut self, block: &Bytes) -> bool {
        let (events, bytes) = (self.events + 1, self.bytes.saturating_add(block.len() as u64));
        let fits = !self.is_full && events <= self.run.meta.events && bytes <= self.run.meta.bytes;
        if fits {
            (self.events, self.bytes) = (events, bytes);
        }
        fits
    }

    /// Tries for as long as other nodes believe that this one is there.
    async fn append(&mut self, block: &[u8]) -> Result<u64, EngineError> {
        if !self.run.log.deduplicates() {
            // Without keys, to try again might write it twice. In memory there is nothing to be tried again.
            return self.run.log.append(block, None).await;
        }
        let dedupe = format!("{}:{}", self.run.id, self.written);
        self.written += 1;
        let until = Instant::now() + self.runs.lease_time();
        loop {
            match self.run.log.append(block, Some(&dedupe)).await {
                Err(_) if Instant::now() < until => sleep(RETRY).await,
                outcome => return outcome,
            }
        }
    }
}
