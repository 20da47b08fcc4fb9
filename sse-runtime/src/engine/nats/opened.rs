//! Which topics are open: as long as there is none, nothing is delivered, and a node that only publishes receives nothing.
//!
//! Delivery is that of the whole stream, or none at all. Whenever the first topic is opened, it begins at the stream's end;
//! `open` waits for that. Each such turn has a number, so that what still goes on of the one before is not taken for it.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

#[derive(Default)]
pub(super) struct Opened {
    topics: Mutex<HashSet<String>>,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    turn: u64,
    wanted: bool,
    /// The number above which everything is delivered in this turn; none, if that is not known yet.
    above: Option<u64>,
}

impl Opened {
    /// The topic is open from now on; answers with the number above which its records are delivered. None if they never
    /// will be.
    pub(super) async fn open(&self, topic: &str) -> Option<u64> {
        let mut state = {
            let mut topics = self.topics();
            if topics.is_empty() {
                self.state
                    .send_modify(|state| *state = State { turn: state.turn + 1, wanted: true, above: None });
            }
            topics.insert(topic.to_owned());
            self.state.subscribe()
        };
        let begun = state.wait_for(|state| state.above.is_some() || !state.wanted).await.ok()?;
        begun.above
    }

    pub(super) fn close(&self, topic: &str) {
        let mut topics = self.topics();
        if topics.remove(topic) && topics.is_empty() {
            topics.shrink_to_fit();
            self.state
                .send_modify(|state| *state = State { turn: state.turn + 1, wanted: false, above: None });
        }
    }

    /// Waits for a turn in which something is to be delivered: which one it is.
    pub(super) async fn wanted(&self) -> u64 {
        // An error would be that it is gone, and it is ours.
        self.state.subscribe().wait_for(|state| state.wanted).await.map_or(0, |state| state.turn)
    }

    /// Everything above this number is delivered. Not, if the turn is over meanwhile.
    pub(super) fn begun(&self, turn: u64, above: u64) {
        let _topics = self.topics();
        self.state.send_if_modified(|state| {
            let is_ours = state.turn == turn;
            if is_ours {
                state.above = Some(above);
            }
            is_ours
        });
    }

    /// The turn in which delivery has begun, and is to go on where it stopped.
    pub(super) fn under_way(&self) -> Option<u64> {
        let state = *self.state.borrow();
        state.above.map(|_| state.turn)
    }

    /// Waits until the turn is over.
    pub(super) async fn over(&self, turn: u64) {
        // An error would be that it is gone, and it is ours.
        drop(self.state.subscribe().wait_for(|state| state.turn != turn).await);
    }

    fn topics(&self) -> MutexGuard<'_, HashSet<String>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn delivery_begins_with_the_first_topic_and_ends_with_the_last() {
        let opened = Opened::default();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(opened.wanted()).poll(&mut cx).is_pending());
        {
            let mut first = pin!(opened.open("a"));
            assert!(first.as_mut().poll(&mut cx).is_pending(), "nothing has begun");
            let turn = opened.wanted().await;
            assert_eq!(opened.under_way(), None);
            opened.begun(turn, 7);
            assert_eq!(first.await, Some(7));
        }
        assert_eq!(opened.open("b").await, Some(7));
        opened.close("a");
        opened.close("a");
        let turn = opened.wanted().await;
        assert_eq!(opened.under_way(), Some(turn));
        assert!(pin!(opened.over(turn)).poll(&mut cx).is_pending());

        // Closed and opened again at once: not the turn before, and what that one says does not count.
        opened.close("b");
        assert_eq!(opened.under_way(), None);
        let mut again = pin!(opened.open("b"));
        assert!(again.as_mut().poll(&mut cx).is_pending());
        opened.over(turn).await;
        opened.begun(turn, 8);
        assert!(again.as_mut().poll(&mut cx).is_pending());
        let turn = opened.wanted().await;
        opened.begun(turn, 9);
        assert_eq!(again.await, Some(9));
    }
}
