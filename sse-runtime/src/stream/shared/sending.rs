//! The handle's side: room, and what is written there.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::Shared;
use super::state::{Phase, State, wake};
use tracing::Span;

use crate::error::SendError;
use crate::stream::hook::Hook;
use crate::stream::words::{END, LastWord};
use crate::wire::{Encoded, EventError, Outgoing, SseEvent, encode, encode_comment};

/// `send` waits while this many bytes are queued: enough for one large write, little enough for ten thousand streams.
pub(super) const HIGH_WATER: usize = 32 * 1024;

impl Shared {
    /// Room in the buffer, or the reason why there will never be any; else the caller is woken when there is.
    #[inline]
    pub(crate) fn poll_admit(&self, cx: &mut Context<'_>) -> Poll<Result<Admitted<'_>, SendError>> {
        let mut state = self.state();
        if state.over.is_some() || state.said {
            return Poll::Ready(Err(SendError::Closed));
        }
        if state.finished {
            return Poll::Ready(Err(SendError::Finished));
        }
        if state.buffer.len() >= HIGH_WATER {
            state.wait_for_room(cx);
            return Poll::Pending;
        }
        if state.polling && !state.buffer.is_empty() && (state.rests || state.pace.is_over()) {
            state.rests = true;
            // Woken like any sender, when what is queued is handed over: at the end of this very poll.
            state.wait(cx);
            return Poll::Pending;
        }
        Poll::Ready(Ok(Admitted(state)))
    }

    /// Waits for room in the buffer.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_admit(cx).map_ok(drop)
    }

    /// Writes an event of the runtime's own, whatever is queued already.
    pub(crate) fn say<T: SseEvent>(&self, word: &T) {
        let mut state = self.state();
        if state.is_over().is_none() && !self.meta.bare {
            state.say(word);
            state.opened = true;
            wake(state);
        }
    }

    /// Writes an event of the runtime's own in front of all others: it leaves with the first of them.
    pub(crate) fn announce<T: SseEvent>(&self, word: &T) {
        let mut state = self.state();
        if state.is_over().is_none() && !self.meta.bare {
            state.say(word);
        }
    }

    /// Has the head sent now; returns whether it is out already.
    pub(crate) fn open(&self) -> Result<bool, SendError> {
        let mut state = self.state();
        if state.over.is_some() {
            return Err(SendError::Closed);
        }
        if state.is_answered() {
            return Err(SendError::Finished);
        }
        state.opened = true;
        let is_out = state.phase == Phase::Streaming;
        wake(state);
        Ok(is_out)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) async fn closed(&self) {
        let closing = self.closing.notified();
        let mut closing = std::pin::pin!(closing);
        closing.as_mut().enable();
        if !self.is_closed() {
            closing.await;
        }
    }

    pub(crate) fn add_hook(&self, hook: Hook) {
        let mut state = self.state();
        match state.over.clone() {
            None => state.hooks.push(hook),
            Some(disconnect) => {
                drop(state);
                hook.run(*disconnect, &self.shutdowns, Span::current());
            }
        }
    }
}

/// The right to append to the buffer. One lock guard and no more, so that it travels in registers.
pub(crate) struct Admitted<'a>(MutexGuard<'a, State>);

impl Admitted<'_> {
    #[inline]
    pub(crate) fn send<E, T: Outgoing<E> + ?Sized>(mut self, event: &T) -> Result<(), SendError> {
        let limits = self.0.limits();
        let encoded = encode(event, &mut self.0.buffer, &limits)?;
        self.0.refuse_reserved(&encoded)?;
        self.commit_event(&encoded);
        Ok(())
    }

    /// Sends unless the last event of this name that was sent this way carried the same data.
    pub(crate) fn send_changed<E, T: Outgoing<E> + ?Sized>(mut self, event: &T) -> Result<bool, SendError> {
        let limits = self.0.limits();
        let encoded = encode(event, &mut self.0.buffer, &limits)?;
        self.0.refuse_reserved(&encoded)?;
        if !self.0.is_change(&encoded) {
            return Ok(false);
        }
        self.commit_event(&encoded);
        Ok(true)
    }

    pub(crate) fn finish(mut self) {
        let name = self.0.meta.end.unwrap_or(END);
        let source = self.0.drain_source();
        self.0.say(&LastWord::End { name });
        self.end();
        // Only now that the lock is free: a waker is foreign code.
        drop(source);
    }

    pub(crate) fn comment(mut self, text: &str) -> Result<(), SendError> {
        let max = self.0.meta.max_event;
        if text.len() > max {
            return Err(EventError::TooLarge { size: text.len(), max }.into());
        }
        encode_comment(text, &mut self.0.buffer);
        self.commit();
        Ok(())
    }

    #[inline]
    fn commit_event(mut self, encoded: &Encoded) {
        if encoded.terminal {
            return self.commit_last(encoded);
        }
        self.0.note_queued(encoded);
        self.commit();
    }

    #[inline]
    fn commit(mut self) {
        self.0.opened = true;
        wake(self.0);
    }

    /// The event just written is the last: what a topic has published until now comes before it.
    #[cold]
    fn commit_last(mut self, encoded: &Encoded) {
        let start = self.0.buffer.len() - encoded.len;
        let block = self.0.buffer.split_off(start);
        let source = self.0.drain_source();
        self.0.buffer.extend_from_slice(&block);
        self.0.note_queued(encoded);
        self.end();
        // Only now that the lock is free: a waker is foreign code.
        drop(source);
    }

    fn end(mut self) {
        self.0.opened = true;
        self.0.finished = true;
        let follower = self.0.follower.take();
        wake(self.0);
        // Only now that the lock is free: a waker is foreign code.
        if let Some(follower) = follower {
            follower.wake();
        }
    }
}
