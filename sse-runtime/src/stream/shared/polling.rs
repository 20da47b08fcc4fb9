//! The transport's side: the phase before the head, then the body.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use axum::response::Response;
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::ending::{drop_quietly, log_failure, log_panic};
use super::following::Pulled;
use super::state::{Course, Phase, State};
use super::{HandlerFuture, Shared};
use crate::stream::disconnect::DisconnectReason;
use crate::stream::source::Leftover;
use crate::wire::KEEP_ALIVE;

/// How the head phase ended.
pub(crate) enum Opened {
    /// The stream begins; the body follows.
    Stream,
    /// Nothing was sent: the handler's error is the response, or what it answered in place of a stream.
    Response(Box<Response>),
    /// Nothing was sent, and the handler panicked.
    Panicked,
    /// Nothing was sent, and the server ends the stream; the client may come back after that time.
    Ended(Duration),
}

/// What the body hands to the transport next.
pub(crate) enum Next {
    Frame(Bytes),
    /// The last bytes, possibly none.
    Last(Bytes),
    Cut,
}

/// What became of the handler.
pub(super) enum Finished {
    Done,
    Failed(Box<Response>),
    Panicked,
}

impl Finished {
    pub(super) fn reason(&self) -> DisconnectReason {
        match self {
            Self::Done => DisconnectReason::Completed,
            Self::Failed(_) => DisconnectReason::HandlerError,
            Self::Panicked => DisconnectReason::HandlerPanic,
        }
    }
}

impl Shared {
    /// Gives the stream its handler; before the first poll.
    pub(crate) fn start(&self, handler: HandlerFuture) {
        let handler = self.in_span(handler);
        *self.handler.lock().unwrap_or_else(PoisonError::into_inner) = Some(handler);
        self.meter.opened(|| self.state().begin());
    }

    /// Runs the handler until it is known what the response is.
    pub(crate) fn poll_head(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Opened> {
        let ending = {
            let mut state = self.state();
            state.polling = true;
            state.pace.begin();
            state.ending
        };
        let finished = if ending.is_none() { self.poll_handler(cx) } else { Poll::Pending };
        // Outlives the lock: a response's parts are foreign code when they are dropped.
        let mut _done_with = None;
        let mut state = self.state();
        state.polling = false;
        if let Poll::Ready(finished) = finished {
            if !state.opened && state.ending.is_none() && !matches!(finished, Finished::Done) {
                drop(state);
                self.conclude(finished.reason());
                return Poll::Ready(match finished {
                    Finished::Failed(response) => Opened::Response(response),
                    Finished::Done | Finished::Panicked => Opened::Panicked,
                });
            }
            self.settle(&mut state, &finished);
            _done_with = Some(finished);
        }
        // Also if the server ends the stream now: what was to be said has been said.
        if let Some(answer) = state.ending.is_some().then(|| state.take_answer()).flatten() {
            drop(state);
            self.conclude(DisconnectReason::Completed);
            return Poll::Ready(Opened::Response(Box::new(answer)));
        }
        if state.ending.is_some() && !state.said && self.meta.bare && !state.opened {
            // A foreign protocol has no word for "come back": say it in HTTP.
            let come_back_after = state.come_back_after;
            drop(state);
            self.conclude(DisconnectReason::ServerShutdown);
            return Poll::Ready(Opened::Ended(come_back_after));
        }
        if state.opened || state.ending.is_some() {
            self.begin_streaming(state);
            return Poll::Ready(Opened::Stream);
        }
        state.task = Some(cx.waker().clone());
        drop(state);
        self.keep_ticking();
        Poll::Pending
    }

    /// Leaves the head phase whatever the handler does: its route's `open_after` is over. Returns whether it did: not if the
    /// request is answered by a response that is no stream.
    pub(crate) fn open_now(self: &Arc<Self>) -> bool {
        // Under one lock, because a clone of the handle may be answering at this moment.
        let state = self.state();
        if state.is_answered() {
            return false;
        }
        self.begin_streaming(state);
        true
    }

    fn begin_streaming(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.opened = true;
        state.phase = Phase::Streaming;
        // From here on it is the transport's turn: a body that is never polled is a client that does not read.
        state.blocked_since = Some(Instant::now());
        let is_over_soon = state.ending.is_some();
        drop(state);
        if !is_over_soon {
            self.keep_ticking();
        }
    }

    /// Runs the handler and hands out everything that is queued as one frame.
    pub(crate) fn poll_body(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<Next> {
        // These outlive the lock: a waker is foreign code when it is dropped, and so are a response's parts.
        let (mut leftover, mut stale) = (Leftover::default(), None);
        let mut _done_with = None;
        let mut state = self.state();
        if state.course != Course::Flows {
            return self.poll_off_course(state, cx);
        }
        state.blocked_since = None;
        if !self.handler_sleeps(&state) {
            let (may_go_on, live) = (state.ending.is_none() && !state.rests, state.is_live());
            state.apart |= live;
            let apart = state.apart;
            state.polling = true;
            state.pace.begin();
            drop(state);
            let finished = match (may_go_on, live) {
                (true, false) => {
                    if apart {
                        self.handler_woken.swap(false, Ordering::Acquire);
                    }
                    self.poll_handler(cx)
                }
                (true, true) => self.poll_handler_apart(cx),
                (false, _) => Poll::Pending,
            };
            state = self.state();
            state.polling = false;
            if state.course == Course::Cut {
                // Given up while the handler was polled.
                drop(state);
                self.drop_handler();
                return Poll::Ready(Next::Cut);
            }
            if let Poll::Ready(finished) = finished {
                self.settle(&mut state, &finished);
                _done_with = Some(finished);
            }
        }
        if state.ending.is_some() && state.following {
            // One that follows topics leaves what was published until now; then the last word.
            drop(state);
            self.drop_handler();
            state = self.state();
            if state.course == Course::Cut {
                return Poll::Ready(Next::Cut);
            }
        }
        if let Some(reason) = state.ending {
            return self.poll_last(state, reason, cx);
        }
        // By turns, where both have something: neither keeps the other waiting.
        let source_first = std::mem::take(&mut state.source_next);
        let mut pulled = if source_first { state.poll_source(cx, &mut leftover) } else { Pulled::Nothing };
        let has_nothing = matches!(pulled, Pulled::Nothing);
        if has_nothing && !state.buffer.is_empty() {
            #[cfg(feature = "inspector")]
            let events = state.events_queued - state.events_handed;
            let frame = state.take();
            state.source_next = true;
            self.note_handed();
            let senders = std::mem::take(&mut state.senders);
            let ticking = state.ticking.is_some();
            drop(state);
            #[cfg(feature = "inspector")]
            self.show(&frame, events);
            senders.into_iter().for_each(Waker::wake);
            if !ticking {
                self.keep_ticking();
            }
            return Poll::Ready(Next::Frame(frame));
        }
        if has_nothing && state.rests {
            // hyper writes to the socket, and looks at it, when a body has nothing more.
            state.rests = false;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !source_first {
            pulled = state.poll_source(cx, &mut leftover);
        }
        match pulled {
            Pulled::Frame(frame) => {
                self.note_handed();
                let ticking = state.ticking.is_some();
                drop(state);
                #[cfg(feature = "inspector")]
                self.show(&frame.bytes, frame.events);
                if !ticking {
                    self.keep_ticking();
                }
                return Poll::Ready(Next::Frame(frame.bytes));
            }
            Pulled::Behind => {
                let follower = state.follower.take();
                state.wait_for_task(cx, &mut stale);
                drop(state);
                self.handler_task.register(cx.waker());
                if let Some(follower) = follower {
                    follower.wake();
                }
                return Poll::Pending;
            }
            Pulled::Nothing => {}
        }
        if state.ping_due {
            // Silent for a whole interval: a good moment to give the memory of past bursts back.
            state.buffer = BytesMut::new();
            let frame = Bytes::from_static(KEEP_ALIVE);
            state.note_handed(frame.len());
            state.tally.note_keep_alive();
            return Poll::Ready(Next::Frame(frame));
        }
        let is_another = state.wait_for_task(cx, &mut stale);
        let (ticking, apart) = (state.ticking.is_some(), state.apart);
        drop(state);
        if apart && is_another {
            // Perhaps than the one that polled the handler.
            self.handler_task.register(cx.waker());
            if self.handler_woken.load(Ordering::Acquire) {
                cx.waker().wake_by_ref();
            }
        }
        if !ticking {
            self.keep_ticking();
        }
        Poll::Pending
    }

    /// Hands out the last bytes, and the end.
    #[cold]
    fn poll_last(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        reason: DisconnectReason,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        let source = state.drain_source();
        Self::say_bye(&mut state, reason);
        #[cfg(feature = "inspector")]
        let events = state.events_queued - state.events_handed;
        let last = state.take();
        let misleads = state.would_mislead(reason);
        if misleads {
            state.course = Course::CutLater;
        }
        drop(state);
        drop(source);
        #[cfg(feature = "inspector")]
        self.show(&last, events);
        self.conclude(reason);
        match (misleads, last.is_empty()) {
            (false, _) => Poll::Ready(Next::Last(last)),
            (true, false) => Poll::Ready(Next::Frame(last)),
            (true, true) => self.poll_off_course(self.state(), cx),
        }
    }

    #[cold]
    fn poll_off_course(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        match state.course {
            #[cfg(feature = "inspector")]
            Course::Stalled => self.poll_stalled(state, cx),
            Course::CutLater => {
                state.course = Course::Cut;
                drop(state);
                // hyper writes to the socket when a body has nothing more; an error at once would take it along.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Course::Flows | Course::Cut => Poll::Ready(Next::Cut),
        }
    }

    /// The number of bytes still to come, once it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        let state = self.state();
        let is_whole = state.said && !state.ending.is_some_and(|reason| state.would_mislead(reason));
        is_whole.then_some(state.buffer.len() as u64)
    }

    /// Tells the connection that the stream has just noted the time.
    #[inline]
    fn note_handed(&self) {
        if let Some(connection) = &self.connection {
            connection.note_handed();
        }
    }

    /// Whether progress within a frame is to be seen here, because nothing else shows it.
    #[cfg(feature = "http2")]
    pub(crate) fn is_handed_out_in_pieces(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.is_stream())
    }

    /// The transport has taken a piece of a frame, and asks for the next.
    #[cfg(feature = "http2")]
    pub(crate) fn note_piece(&self) {
        let mut state = self.state();
        if state.over.is_none() {
            state.blocked_since = Some(Instant::now());
        } else {
            drop(state);
            self.note_last();
        }
    }

    /// The stream is over: what is left of it has its time, too.
    pub(super) fn note_last(&self) {
        #[cfg(feature = "http2")]
        if let (Some(connection), Some(limit)) = (&self.connection, self.meta.send_timeout) {
            if connection.is_stream() {
                connection.give_up_after(limit);
            }
        }
    }

    /// Whether only the source can have something new: then the handler, which follows it, need not be polled.
    #[inline]
    fn handler_sleeps(&self, state: &State) -> bool {
        state.is_live() && state.ending.is_none() && !self.handler_woken.load(Ordering::Acquire)
    }

    /// Polls the handler with a waker that tells its wake-ups from those of the source.
    fn poll_handler_apart(self: &Arc<Self>, cx: &Context<'_>) -> Poll<Finished> {
        self.handler_task.register(cx.waker());
        self.handler_woken.swap(false, Ordering::Acquire);
        let waker = Waker::from(Arc::clone(self));
        self.poll_handler(&mut Context::from_waker(&waker))
    }

    fn poll_handler(&self, cx: &mut Context<'_>) -> Poll<Finished> {
        let mut slot = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(handler) = slot.as_mut() else { return Poll::Pending };
        let finished = match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => Finished::Done,
            Ok(Poll::Ready(Err(response))) => {
                // Not in one line: the guard would live as long as the call, and a subscriber is foreign code.
                let opened = self.state().opened;
                log_failure(self.meta, &response, opened);
                Finished::Failed(response)
            }
            Err(panic) => {
                log_panic(self.meta, &*panic);
                Finished::Panicked
            }
        };
        drop_quietly(slot.take());
        Poll::Ready(finished)
    }
}

/// The waker of a handler whose stream takes its events from a source.
///
/// It takes no lock: it may be called from anywhere, from an event's own `Serialize` under this very stream's lock, too.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // First: the poll that follows looks at it.
        self.handler_woken.store(true, Ordering::Release);
        self.handler_task.wake();
    }
}

impl State {
    /// Notes the task that polls; whether it may be another one than before.
    #[inline]
    pub(super) fn wait_for_task(&mut self, cx: &Context<'_>, stale: &mut Option<Waker>) -> bool {
        match &mut self.task {
            Some(task) if task.will_wake(cx.waker()) => false,
            slot => {
                *stale = slot.replace(cx.waker().clone());
                true
            }
        }
    }
}
