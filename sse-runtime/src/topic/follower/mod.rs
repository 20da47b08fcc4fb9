//! What a following handler does: finds where to begin, says so, and keeps up.
//!
//! A stream that follows one topic and keeps up is served by its body alone, from the topic's ring, see `tap`. All else
//! happens here, in rounds: several topics, whose events have to be put into one order; what the ring has let go of and
//! the engine still has; and what is left for a client that was too slow.

mod begin;
mod rounds;
mod survey;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use super::beginning::Beginning;
use super::follow::{FollowError, Followed};
use super::hub::{Hub, HubState};
use super::place::Place;
use super::ring::{Pick, Token};
use super::snapshot::{Hook, Snapshot, SnapshotError};
use super::state::{Subscription, TopicState};
use super::tap::Tap;
use crate::engine::{Answer, EngineError, Page};
use crate::error::SendError;
use crate::stream::{Reached, Shared, Slow};
use survey::Survey;

pub(super) struct Follower<'a> {
    stream: &'a Shared,
    hub: Option<Hub>,
    topics: Vec<Branch>,
    /// Up to here everything was sent, of all topics.
    seen: u64,
    pick: Pick,
    /// The client begins: what it is not shown, it has not missed.
    anew: bool,
    /// It is the one that follows, of those that this stream may have.
    follows: bool,
    live: bool,
    /// The client was too slow, and its stream is about to end.
    ended: bool,
    /// It is through when everything up to here was sent.
    until: Option<u64>,
}

/// One of the topics.
struct Branch {
    followed: Followed,
    _subscription: Subscription,
    /// Ahead of the whole where something was skipped.
    seen: u64,
    /// The ordinal of the event it wants next, to count what it does not get.
    next: u64,
    token: Option<Token>,
    newest: u64,
    survey: Option<Box<Survey>>,
}

impl Branch {
    fn name(&self) -> String {
        self.followed.topic.name.to_string()
    }

    /// Whether there may be events for it up to the number `until`.
    fn lacks(&self, until: u64) -> bool {
        self.seen < until && self.seen < self.followed.topic.newest()
    }

    /// Whether the ring lacks something that the engine does not at once say to be gone.
    fn may_be_read(&self, hub: &HubState) -> bool {
        let topic = &self.followed.topic;
        let floor = topic.ring().floor();
        let is_gone = || {
            matches!(
                hub.engine.read(&topic.name, self.seen, floor),
                Answer::Now(Some(Ok(Page::Evicted { .. })))
            )
        };
        self.seen < floor && !is_gone()
    }

    fn failed(&self, source: EngineError) -> FollowError {
        FollowError::Engine { topic: self.name(), source }
    }
}

/// Where a follower left off, for the next one of the same stream.
struct Left {
    epoch: u64,
    seq: u64,
    /// [`Branch::next`] of each topic.
    next: Vec<(Weak<TopicState>, u64)>,
}

impl Left {
    fn next(&self, topic: &Arc<TopicState>) -> Option<u64> {
        self.next.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(topic)).map(|&(_, next)| next)
    }
}

impl<'a> Follower<'a> {
    pub(super) fn new(stream: &'a Shared, hub: Option<Hub>, followed: Vec<Followed>) -> Self {
        let branch = |followed: Followed| {
            let subscription = followed.topic.subscribe();
            let next = followed.topic.ring().base();
            Branch {
                followed,
                _subscription: subscription,
                seen: 0,
                next,
                token: None,
                newest: 0,
                survey: None,
            }
        };
        let topics = followed.into_iter().map(branch).collect();
        Self {
            stream,
            hub,
            topics,
            seen: 0,
            pick: Pick::All,
            anew: false,
            follows: false,
            live: false,
            ended: false,
            until: None,
        }
    }

    /// The same, which comes to an end when everything up to this number has been sent.
    pub(super) fn until(mut self, seq: u64) -> Self {
        self.until = Some(seq);
        self
    }

    pub(super) async fn run(&mut self) -> Result<(), SendError> {
        if !self.stream.begin_following() {
            return Err(FollowError::AlreadyFollowing.into());
        }
        self.follows = true;
        let Some(hub) = self.hub.clone() else {
            self.stream.open()?;
            return Err(poll_fn(|cx| self.stream.poll_over(cx)).await);
        };
        // In a box that is gone when this is done, as all that is seldom needed here: a stream spends its life in `news`,
        // or in its body.
        Box::pin(self.set_out(&hub.0)).await?;
        self.live = true;
        loop {
            if self.ended {
                return Err(poll_fn(|cx| self.stream.poll_over(cx)).await);
            }
            if self.until.is_some_and(|until| self.seen >= until) {
                return Ok(());
            }
            if self.pick == Pick::All && self.until.is_none() {
                if let Some(next) = self.next_in_ring() {
                    self.through_body(&hub, next).await?;
                    continue;
                }
            }
            poll_fn(|cx| self.stream.poll_room(cx)).await?;
            // Before the rings are read: what is below this number is in them.
            let until = hub.0.arrived();
            if self.seen >= until {
                self.news(&hub.0).await?;
            } else if !self.round(&hub.0, until) {
                Box::pin(self.round_with_engine(&hub.0, until)).await?;
            }
        }
    }

    /// An id of the stream. Only those of a single topic can be marked.
    fn place(&self, hub: &HubState, seq: u64) -> Place<'_> {
        let only = if let [only] = self.topics.as_slice() { Some(&*only.followed.topic.name) } else { None };
        Place::new(only, hub.position(seq))
    }

    /// Never back: a ring may be ahead of the number that the hub has noted as arrived.
    fn set_seen(&mut self, seq: u64) {
        self.seen = self.seen.max(seq);
        for branch in &mut self.topics {
            branch.seen = branch.seen.max(seq);
            branch.forget_sent();
        }
    }
}

async fn snapshot_of(hub: &HubState, branch: &Branch, hook: &Hook) -> Result<Snapshot, FollowError> {
    hook(hub.settings.max_event)
        .await
        .map_err(|error| FollowError::Snapshot(SnapshotError::new(branch.name(), error)))
}

/// One topic, from its ring.
impl Follower<'_> {
    /// Where the only topic's ring goes on, if it has all that is needed.
    fn next_in_ring(&self) -> Option<Reached> {
        let [branch] = self.topics.as_slice() else { return None };
        let next = branch.followed.topic.ring().locate(branch.seen)?;
        Some(Reached { seq: branch.seen, next })
    }

    /// Leaves the stream to its body, until that is behind.
    async fn through_body(&mut self, hub: &Hub, from: Reached) -> Result<(), SendError> {
        let [branch] = self.topics.as_slice() else { return Ok(()) };
        let tap = Tap::new(hub.clone(), Arc::clone(&branch.followed.topic), from);
        self.stream.attach(Box::new(tap))?;
        let reached = poll_fn(|cx| self.stream.poll_behind(cx)).await?;
        self.left_at(reached);
        Ok(())
    }

    fn left_at(&mut self, reached: Reached) {
        self.set_seen(reached.seq);
        for branch in &mut self.topics {
            branch.next = reached.next;
        }
    }
}

impl Follower<'_> {
    /// Whether it is so far behind that its topic's snapshot is due.
    fn is_to_be_shown_anew(&self, branch: &Branch) -> bool {
        self.stream.meta.slow == Slow::Latest
            && matches!(branch.followed.beginning, Beginning::Snapshot(_))
            && branch.seen < branch.followed.topic.ring().floor()
    }

    /// Sends what has been published until now and is still there, without waiting for room.
    fn flush(&mut self, hub: &HubState) {
        let until = hub.arrived();
        let later = |branch: &Branch| branch.may_be_read(hub) || self.is_to_be_shown_anew(branch);
        if !self.stream.has_room() || self.topics.iter().any(later) {
            // That would have to be waited for. Who follows again goes on here, and so does a client that comes back.
            return;
        }
        let mut events = Vec::new();
        for index in 0..self.topics.len() {
            // The second time with what is left, if something was not there any more.
            for _ in 0..2 {
                let Some(branch) = self.topics.get(index) else { break };
                let (seen, pick) = (branch.seen, self.pick);
                let singles = branch.followed.topic.ring().read_singles(seen, until, pick, usize::MAX);
                if let Some(singles) = singles {
                    events.extend(singles.events.into_iter().map(|event| (index, event)));
                    break;
                }
                self.behind(hub, index);
                if self.ended {
                    // Whatever came later, of another topic, would hide what is missing when the client comes back.
                    return;
                }
            }
        }
        self.send(hub, events, until, until);
    }
}

impl Drop for Follower<'_> {
    /// A handler that stops following goes on with its client knowing everything up to now: the last event, perhaps,
    /// because of which it stops.
    fn drop(&mut self) {
        if !self.follows {
            return;
        }
        for branch in &mut self.topics {
            if let Some(token) = branch.token.take() {
                let waker = branch.followed.topic.ring().forget(token);
                drop(waker);
            }
        }
        let source = self.stream.detach();
        if let (Some(hub), true) = (self.hub.clone(), self.live && !self.ended && !self.stream.is_closed()) {
            if let Some(source) = &source {
                self.left_at(source.reached());
            }
            self.flush(&hub.0);
            let next = |branch: &Branch| (Arc::downgrade(&branch.followed.topic), branch.next);
            let next = self.topics.iter().map(next).collect();
            let epoch = hub.0.position(0).epoch;
            self.stream.set_followed(Arc::new(Left { epoch, seq: self.seen, next }));
        }
        self.stream.end_following();
    }
}
