//! One topic, as the body of a stream takes frames from it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tracing::Span;

use super::delivery;
use super::hub::Hub;
use super::place::Place;
use super::ring::{Found, Token};
use super::state::TopicState;
use crate::stream::{Leftover, Reached, SharedFrame, Source};

/// A subscriber: where it stands in the ring, and its waker there. No queue, no task, no timer.
pub(super) struct Tap {
    hub: Hub,
    topic: Arc<TopicState>,
    reached: Reached,
    token: Option<Token>,
    waits: Option<Waits>,
    /// What the handler runs in. Shared, because to clone a span itself is the log's own code.
    span: Option<Arc<Span>>,
}

/// What was true when the waker was last put into the ring. As long as it is, there is nothing new, and the waker is
/// there: an event would have made the topic's newest another one, and taken the waker out to wake it.
#[derive(PartialEq, Eq)]
struct Waits {
    newest: u64,
    // The addresses tell wakers apart, because the one in the ring keeps its own from being used again.
    waker: (usize, usize),
}

impl Waits {
    fn new(newest: u64, waker: &Waker) -> Self {
        let address = (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr());
        Self { newest, waker: address }
    }
}

impl Tap {
    pub(super) fn new(hub: Hub, topic: Arc<TopicState>, reached: Reached) -> Self {
        let span = Some(Span::current()).filter(|span| !span.is_none()).map(Arc::new);
        Self { hub, topic, reached, token: None, waits: None, span }
    }
}

impl Source for Tap {
    fn poll_frame(&mut self, cx: &mut Context<'_>, leftover: &mut Leftover) -> Poll<Option<SharedFrame>> {
        // A body is asked once more after its frame was written: without the lock, for that.
        if self.waits.as_ref().is_some_and(|waits| *waits == Waits::new(self.topic.newest(), cx.waker())) {
            return Poll::Pending;
        }
        let mut ring = self.topic.ring();
        match ring.read(&mut self.reached.next, self.reached.seq) {
            Found::Frame { bytes, events, last } => {
                self.reached.seq = last;
                if ring.has_traces() && delivery::may_be_wanted() {
                    let next = self.reached.next;
                    leftover.tells = delivery::of_frame(
                        &self.hub.0,
                        &self.topic,
                        &ring,
                        next - events..next,
                        self.span.as_ref(),
                    );
                }
                Poll::Ready(Some(SharedFrame { bytes, events }))
            }
            Found::Behind => Poll::Ready(None),
            Found::Nothing => {
                leftover.waker = ring.wait(&mut self.token, cx.waker());
                self.waits = Some(Waits::new(self.topic.newest(), cx.waker()));
                Poll::Pending
            }
        }
    }

    fn reached(&self) -> Reached {
        self.reached
    }

    fn last_id(&self) -> String {
        Place::new(Some(&self.topic.name), self.hub.0.position(self.reached.seq)).to_string()
    }

    fn behind(&self) -> u64 {
        self.topic.ring().after(self.reached.next)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            let waker = self.topic.ring().forget(token);
            // Not under the ring's lock: dropping a waker may drop a task, and with it another subscriber.
            drop(waker);
        }
    }
}
