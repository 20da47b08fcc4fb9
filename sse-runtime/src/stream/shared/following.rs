//! The side of a handler that follows topics: a source of shared frames in place of events of its own.

use std::any::Any;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::Shared;
use super::sending::HIGH_WATER;
use super::state::{State, wake};
use crate::error::SendError;
use crate::stream::source::{Leftover, Reached, SharedFrame, Source};

/// A source, and who attached it.
pub(super) struct Attached {
    pub(super) source: Box<dyn Source>,
    /// The source has nothing more to give as things stand.
    pub(super) behind: bool,
}

/// What the source has.
pub(super) enum Pulled {
    Frame(SharedFrame),
    Behind,
    Nothing,
}

impl Shared {
    /// Has the body take frames from `source` whenever its own buffer is empty.
    pub(crate) fn attach(&self, source: Box<dyn Source>) -> Result<(), SendError> {
        let mut state = self.state();
        if let Some(over) = state.is_over() {
            drop(state);
            return Err(over);
        }
        state.opened = true;
        // What is queued already comes before it.
        state.source_next = false;
        state.source = Some(Attached { source, behind: false });
        // Its wakers are the task's, so far: at the next poll it gets those that tell whose they are.
        self.handler_woken.store(true, Ordering::Release);
        wake(state);
        Ok(())
    }

    /// Waits until the source is behind, and takes it away then. `follower` is woken, whichever task it is.
    pub(crate) fn poll_behind(&self, cx: &mut Context<'_>) -> Poll<Result<Reached, SendError>> {
        let left = {
            let mut state = self.state();
            if state.source.is_some() && !state.is_live() { state.leave_source() } else { None }
        };
        match left {
            Some(source) => Poll::Ready(Ok(source.reached())),
            None => self.poll_over(cx).map(Err),
        }
    }

    /// Waits until nothing can be sent any more; says why.
    pub(crate) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<SendError> {
        let mut state = self.state();
        if let Some(over) = state.is_over() {
            return Poll::Ready(over);
        }
        let replaced = state.follow_waits(cx);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Takes the source away, wherever it is; none if there is none, or the stream is over.
    pub(crate) fn detach(&self) -> Option<Box<dyn Source>> {
        self.state().leave_source()
    }

    /// Whether there is room in the buffer for more.
    pub(crate) fn has_room(&self) -> bool {
        self.state().buffer.len() < HIGH_WATER
    }

    /// Appends events that were encoded before, whatever is queued already. `last` is the id of the last of them. Whether
    /// it did: not if nothing can be sent any more.
    pub(crate) fn forward(&self, blocks: &[u8], events: u64, last: Option<&dyn Display>) -> bool {
        let mut state = self.state();
        if state.is_over().is_some() {
            return false;
        }
        state.forward(blocks, events, last);
        state.opened = true;
        wake(state);
        true
    }

    /// Whether a follower may begin: there is one at most. `true` says so.
    pub(crate) fn begin_following(&self) -> bool {
        !std::mem::replace(&mut self.state().following, true)
    }

    pub(crate) fn end_following(&self) {
        self.state().following = false;
    }

    /// What the last follower of this stream left for the next.
    pub(crate) fn followed(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.state().followed.clone()
    }

    pub(crate) fn set_followed(&self, left: Arc<dyn Any + Send + Sync>) {
        let replaced = self.state().followed.replace(left);
        drop(replaced);
    }
}

impl State {
    /// Asks the source for its next frame.
    #[inline]
    pub(super) fn poll_source(&mut self, cx: &mut Context<'_>, leftover: &mut Leftover) -> Pulled {
        let Some(attached) = self.source.as_mut().filter(|attached| !attached.behind) else {
            return Pulled::Nothing;
        };
        match attached.source.poll_frame(cx, leftover) {
            Poll::Ready(Some(frame)) => {
                self.note_handed(frame.bytes.len());
                self.events_queued += frame.events;
                self.events_handed += frame.events;
                self.source_spoke = true;
                Pulled::Frame(frame)
            }
            Poll::Ready(None) => {
                attached.behind = true;
                Pulled::Behind
            }
            Poll::Pending => Pulled::Nothing,
        }
    }

    /// Whether there is a source that has, or will have, frames.
    #[inline]
    pub(super) fn is_live(&self) -> bool {
        self.source.as_ref().is_some_and(|attached| !attached.behind)
    }

    /// Why nothing can be sent any more, if nothing can.
    pub(super) fn is_over(&self) -> Option<SendError> {
        match (self.over.is_some() || self.said, self.finished) {
            (true, _) => Some(SendError::Closed),
            (false, true) => Some(SendError::Finished),
            (false, false) => None,
        }
    }

    /// Takes the source away, with what it has now queued behind what is queued already. What is returned is to be
    /// dropped without the lock: it is foreign code.
    #[must_use]
    pub(super) fn drain_source(&mut self) -> Option<(Box<dyn Source>, Vec<Leftover>)> {
        let mut source = self.leave_source()?;
        let mut leftovers = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        let mut events = 0;
        loop {
            let mut leftover = Leftover::default();
            let frame = source.poll_frame(&mut cx, &mut leftover);
            if !leftover.is_empty() {
                leftovers.push(leftover);
            }
            let Poll::Ready(Some(frame)) = frame else { break };
            self.buffer.extend_from_slice(&frame.bytes);
            events += frame.events;
        }
        if events > 0 {
            self.forward(&[], events, Some(&source.last_id()));
        }
        Some((source, leftovers))
    }

    /// Notes the follower's waker; returns the one to drop.
    #[must_use]
    fn follow_waits(&mut self, cx: &Context<'_>) -> Option<Waker> {
        match &mut self.follower {
            Some(known) if known.will_wake(cx.waker()) => None,
            slot => slot.replace(cx.waker().clone()),
        }
    }

    /// Takes the source away, and keeps what is to be known of it.
    pub(super) fn leave_source(&mut self) -> Option<Box<dyn Source>> {
        let Attached { source, .. } = self.source.take()?;
        if std::mem::take(&mut self.source_spoke) {
            self.id_handed.known = true;
            self.id_handed.text = source.last_id();
        }
        Some(source)
    }

    pub(super) fn forward(&mut self, blocks: &[u8], events: u64, last: Option<&dyn Display>) {
        self.buffer.extend_from_slice(blocks);
        self.events_queued += events;
        if let Some(last) = last {
            self.id_queued.known = true;
            self.id_queued.text = last.to_string();
        }
    }
}
