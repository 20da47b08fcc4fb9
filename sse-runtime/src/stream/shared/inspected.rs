//! What the inspector sees of a stream, and does to one.

use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::Shared;
use super::polling::Next;
use super::sending::HIGH_WATER;
use super::state::{Course, Phase, State, wake};
use crate::lifecycle::{Mounted, Registry, StreamId};
use crate::stream::lookers;
use crate::wire::{Event, EventError, Message, encode};

/// Why an event did not get into a stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    #[error("the stream is over, or about to be")]
    Over,
    #[error("the stream has not begun: its handler has sent nothing yet")]
    NotBegun,
    #[error("{HIGH_WATER} bytes wait in the stream's buffer already")]
    Full,
    #[error(transparent)]
    Event(#[from] EventError),
}

impl Shared {
    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    /// The route that it is on, as long as it is open.
    pub(crate) fn mounted(&self) -> Option<Arc<Mounted>> {
        self.state().permit.as_ref().map(|permit| Arc::clone(permit.route()))
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether its handler is a run: no client reads it itself.
    pub(crate) fn is_a_run(&self) -> bool {
        self.state().run.is_some()
    }

    pub(crate) fn is_of(&self, registry: &Registry) -> bool {
        registry.has(&self.shutdowns)
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.state().course == Course::Stalled
    }

    /// Has the body hand out nothing more, as if the network took nothing; whether it did until now.
    pub(crate) fn stall(&self) -> bool {
        let mut state = self.state();
        let flows = state.course == Course::Flows && state.ending.is_none() && state.over.is_none();
        if flows {
            state.course = Course::Stalled;
        }
        flows
    }

    /// Ends that.
    pub(crate) fn release(&self) -> bool {
        let mut state = self.state();
        let stalled = state.course == Course::Stalled;
        if stalled {
            state.course = Course::Flows;
            wake(state);
        }
        stalled
    }

    /// As a transport that takes nothing: what waits is not looked at, and waits since then. But whoever ends the stream
    /// is not kept waiting.
    #[cold]
    pub(super) fn poll_stalled(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        if state.ending.is_some() {
            state.course = Course::Flows;
            drop(state);
            return self.poll_body(cx);
        }
        // It is polled because there is something, if only a keep-alive.
        state.blocked_since.get_or_insert_with(Instant::now);
        let mut stale = None;
        state.wait_for_task(cx, &mut stale);
        drop(state);
        self.handler_task.register(cx.waker());
        Poll::Pending
    }

    /// Sends an event that the stream's handler knows nothing of.
    pub(crate) fn inject(&self, event: &Event) -> Result<(), NotSent> {
        let mut state = self.state();
        if state.is_over().is_some() || state.ending.is_some() {
            return Err(NotSent::Over);
        }
        if state.phase == Phase::Head {
            return Err(NotSent::NotBegun);
        }
        if state.buffer.len() >= HIGH_WATER {
            return Err(NotSent::Full);
        }
        let limits = state.limits();
        let encoded = encode::<Message, Event>(event, &mut state.buffer, &limits)?;
        state.refuse_reserved(&encoded)?;
        state.note_queued(&encoded);
        wake(state);
        Ok(())
    }

    /// Shows a frame that leaves to those who look on.
    #[inline]
    pub(super) fn show(self: &Arc<Self>, frame: &Bytes, events: u64) {
        if events > 0 && lookers::anybody() {
            lookers::show(self, frame, events);
        }
    }
}
