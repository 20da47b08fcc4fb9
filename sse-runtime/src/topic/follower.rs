//! What a following handler does: finds where to begin, says so, and keeps up.
//!
//! A stream that follows one topic and keeps up is served by its body alone, from the topic's ring, see `tap`. All else
//! happens here, in rounds: several topics, whose events have to be put into one order; what the ring has let go of and
//! the engine still has; and what is left for a client that was too slow.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use bytes::BytesMut;
use tokio::time::Instant;

use super::follow::{FollowError, Followed};
use super::hub::{Hub, HubState};
use super::resume::{ResetReason, Wish};
use super::ring::{Pick, Single, Singles, Token};
use super::snapshot::Snapshot;
use super::state::{Subscription, TopicState};
use super::tap::Tap;
use super::words::{Gap, Open, Reset};
use crate::engine::{EngineError, Page};
use crate::error::SendError;
use crate::stream::{DisconnectReason, Reached, Shared, Slow};

/// How many bytes of each topic go into one round.
const ROUND: usize = 16 * 1024;

pub(super) struct Follower<'a> {
    stream: &'a Shared,
    hub: Option<Hub>,
    topics: Vec<Branch>,
    /// Up to here everything was sent, of all topics.
    seen: u64,
    pick: Pick,
    live: bool,
    /// The client was too slow, and its stream is about to end.
    ended: bool,
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
}

impl Branch {
    fn name(&self) -> String {
        self.followed.topic.name.to_string()
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

/// Where a stream begins.
enum Start {
    /// Where the last follower of this very stream left off.
    Again(u64),
    New,
    After(u64),
    Reset(ResetReason),
}

impl<'a> Follower<'a> {
    pub(super) fn new(stream: &'a Shared, hub: Option<Hub>, followed: Vec<Followed>) -> Self {
        let branch = |followed: Followed| {
            let subscription = followed.topic.subscribe();
            let next = followed.topic.ring().base();
            Branch { followed, _subscription: subscription, seen: 0, next, token: None, newest: 0 }
        };
        let topics = followed.into_iter().map(branch).collect();
        Self { stream, hub, topics, seen: 0, pick: Pick::All, live: false, ended: false }
    }

    pub(super) async fn run(mut self) -> Result<(), SendError> {
        let Some(hub) = self.hub.clone() else {
            self.stream.open()?;
            poll_fn(|cx| self.stream.poll_over(cx)).await;
            return Err(SendError::Closed);
        };
        for branch in &self.topics {
            hub.0.open(&branch.followed.topic).await.map_err(|error| branch.failed(error))?;
        }
        let start = self.start(&hub.0).await?;
        self.begin(&hub.0, start).await?;
        self.live = true;
        loop {
            if self.ended {
                poll_fn(|cx| self.stream.poll_over(cx)).await;
                return Err(SendError::Closed);
            }
            if self.pick == Pick::All {
                if let Some(next) = self.next_in_ring() {
                    self.from_ring(&hub, next).await?;
                    continue;
                }
            }
            if !self.round(&hub.0).await? {
                self.news().await?;
            }
        }
    }

    /// From what the client says and what is kept, to where the stream begins.
    async fn start(&mut self, hub: &HubState) -> Result<Start, SendError> {
        let epoch = hub.position(0).epoch;
        let left = self.stream.followed().and_then(|left| left.downcast::<Left>().ok());
        if let Some(left) = left.filter(|left| left.epoch == epoch) {
            for branch in &mut self.topics {
                branch.next = left.next(&branch.followed.topic).unwrap_or(branch.next);
            }
            return Ok(Start::Again(left.seq));
        }
        let after = match Wish::read(&self.stream.asked, epoch) {
            Wish::New => return Ok(Start::New),
            Wish::Reset(reason) => return Ok(Start::Reset(reason)),
            Wish::After(after) => after,
        };
        if after > hub.arrived() {
            // It may have come from another node, which is ahead of this one.
            let top = hub.engine.top().await.map_err(|source| self.failed(source))?;
            if after > top {
                return Ok(Start::Reset(ResetReason::Ahead));
            }
        }
        for index in 0..self.topics.len() {
            let Some(branch) = self.topics.get_mut(index) else { break };
            let topic = &branch.followed.topic;
            hub.retention.change(topic, |ring| ring.evict_aged(Instant::now()));
            let located = topic.ring().locate(after);
            if let Some(next) = located {
                branch.next = next;
                continue;
            }
            let Some(branch) = self.topics.get(index) else { break };
            if self.read(hub, branch, after, hub.arrived(), Pick::All).await?.is_none() {
                return Ok(Start::Reset(ResetReason::Evicted));
            }
        }
        Ok(Start::After(after))
    }

    /// Says where the stream begins, and shows the current state if it begins anew.
    async fn begin(&mut self, hub: &HubState, start: Start) -> Result<(), SendError> {
        let (resumed, reset) = match start {
            Start::Again(seq) => {
                self.begin_at(seq);
                return Ok(());
            }
            Start::After(seq) => {
                self.begin_at(seq);
                (true, None)
            }
            Start::New => {
                self.begin_at(hub.arrived());
                (false, None)
            }
            Start::Reset(reason) => {
                self.begin_at(hub.arrived());
                (false, Some(reason))
            }
        };
        if let (Some(reason), true) = (reset, self.stream.meta.bare) {
            return Err(FollowError::Reset(reason).into());
        }
        let snapshot = if resumed { Snapshot::default() } else { self.snapshots(hub).await? };
        let at = hub.position(self.seen);
        let with_id = snapshot.events == 0;
        poll_fn(|cx| self.stream.poll_room(cx)).await?;
        if let Some(reason) = reset {
            hub.counters.reset();
            let oldest = self.topics.iter().map(|branch| branch.followed.topic.ring().floor()).max();
            let oldest = hub.position(oldest.unwrap_or_default());
            self.stream.say(&Reset { reason, asked: self.stream.asked.id(), oldest, now: at, with_id });
        }
        if resumed {
            hub.counters.resumed();
        }
        self.stream.say(&Open { at, resumed, heartbeat: self.stream.meta.keep_alive, with_id });
        if let (Some(before), Some(last)) =
            (snapshot.blocks.get(..snapshot.last), snapshot.blocks.get(snapshot.last..))
        {
            if snapshot.events > 0 {
                // Only the last one has an id: until then, who loses the connection has to begin anew.
                let mut blocks = BytesMut::from(before);
                blocks.extend_from_slice(format!("id: {at}\n").as_bytes());
                blocks.extend_from_slice(last);
                self.stream.forward(&blocks, snapshot.events, Some(&at));
            }
        }
        if self.stream.is_head() {
            self.stream.open()?;
        }
        Ok(())
    }

    async fn snapshots(&self, hub: &HubState) -> Result<Snapshot, SendError> {
        let mut all = Snapshot::default();
        for branch in &self.topics {
            if let Some(hook) = &branch.followed.snapshot {
                let snapshot = hook(hub.settings.max_event).await.map_err(|error| FollowError::Snapshot {
                    topic: branch.name(),
                    error: error.to_string(),
                })?;
                all.extend(&snapshot);
            }
        }
        Ok(all)
    }

    /// Never back: a ring may be ahead of the number that the hub has noted as arrived.
    fn set_seen(&mut self, seq: u64) {
        self.seen = self.seen.max(seq);
        for branch in &mut self.topics {
            branch.seen = branch.seen.max(seq);
        }
    }

    fn begin_at(&mut self, seq: u64) {
        self.set_seen(seq);
        for branch in &mut self.topics {
            // Otherwise it is behind from the beginning, and what is known of its place tells by how much.
            branch.next = branch.followed.topic.ring().locate(seq).unwrap_or(branch.next);
        }
    }

    fn failed(&self, source: EngineError) -> FollowError {
        let topic = self.topics.first().map(Branch::name).unwrap_or_default();
        FollowError::Engine { topic, source }
    }
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
    async fn from_ring(&mut self, hub: &Hub, from: Reached) -> Result<(), SendError> {
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

/// In rounds.
impl Follower<'_> {
    /// Sends the next events of all topics, in the order of their numbers. Whether there were any.
    async fn round(&mut self, hub: &HubState) -> Result<bool, SendError> {
        poll_fn(|cx| self.stream.poll_room(cx)).await?;
        // Before the rings are read: what is below this number is in them.
        let until = hub.arrived();
        if self.seen >= until {
            self.pick = Pick::All;
            return Ok(false);
        }
        let mut covered = until;
        let mut events: Vec<(usize, Single)> = Vec::new();
        for index in 0..self.topics.len() {
            let Some(branch) = self.topics.get(index) else { break };
            if branch.seen >= until || branch.followed.topic.newest() <= branch.seen {
                continue;
            }
            match self.read(hub, branch, branch.seen, until, self.pick).await? {
                Some(singles) => {
                    covered = covered.min(singles.covered);
                    events.extend(singles.events.into_iter().map(|event| (index, event)));
                }
                None => {
                    self.behind(hub, index);
                    return Ok(true);
                }
            }
        }
        self.send(hub, events, covered);
        Ok(true)
    }

    /// Sends events of several topics, those up to the number `covered`, in the order of their numbers.
    fn send(&mut self, hub: &HubState, mut events: Vec<(usize, Single)>, covered: u64) {
        events.retain(|(_, event)| event.seq <= covered);
        events.sort_unstable_by_key(|(_, event)| event.seq);
        self.set_seen(covered);
        let Some((_, last)) = events.last() else { return };
        let last = hub.position(last.seq);
        let mut blocks = BytesMut::with_capacity(events.iter().map(|(_, event)| event.bytes.len()).sum());
        for (index, event) in &events {
            blocks.extend_from_slice(&event.bytes);
            let (Some(branch), Some(ordinal)) = (self.topics.get_mut(*index), event.ordinal) else {
                continue;
            };
            // More than none if only the newest of each key are picked.
            hub.counters.missed(ordinal.saturating_sub(branch.next));
            branch.next = ordinal + 1;
        }
        self.stream.forward(&blocks, events.len() as u64, Some(&last));
    }

    /// Events of one topic, from its ring, or else from the engine. None if they are not kept any more.
    async fn read(
        &self,
        hub: &HubState,
        branch: &Branch,
        after: u64,
        until: u64,
        pick: Pick,
    ) -> Result<Option<Singles>, SendError> {
        let topic = &branch.followed.topic;
        let floor = {
            let mut ring = topic.ring();
            if let Some(singles) = ring.read_singles(after, until, pick, ROUND) {
                return Ok(Some(singles));
            }
            ring.floor()
        };
        let page = hub.engine.read(&topic.name, after, floor.min(until)).await;
        let records = match page.map_err(|error| branch.failed(error))? {
            Page::Evicted => return Ok(None),
            Page::Records(records) => records,
        };
        let covered = records.last().map_or(floor.min(until), |record| record.seq);
        let events = records.into_iter().map(|record| {
            let mut bytes = BytesMut::from(format!("id: {}\n", hub.position(record.seq)).as_bytes());
            bytes.extend_from_slice(&record.block);
            Single { seq: record.seq, ordinal: None, bytes: bytes.freeze() }
        });
        Ok(Some(Singles { events: events.collect(), covered }))
    }

    /// The client was too slow for one of the topics: does what its route says.
    fn behind(&mut self, hub: &HubState, index: usize) {
        let only = self.topics.len() == 1;
        let Some(branch) = self.topics.get_mut(index) else { return };
        hub.counters.fell_behind();
        let (until, base) = {
            let ring = branch.followed.topic.ring();
            (ring.floor(), ring.base())
        };
        let missed = base.saturating_sub(branch.next);
        hub.counters.missed(missed);
        let slow = if self.stream.meta.bare { Slow::Disconnect } else { self.stream.meta.slow };
        if slow == Slow::Disconnect {
            self.stream.end(DisconnectReason::SlowClient);
            self.ended = true;
            return;
        }
        // With an id only if no other topic can have events before it.
        let (after, until_id) = (hub.position(branch.seen), hub.position(until));
        branch.seen = until;
        branch.next = base;
        if only {
            self.seen = until;
        }
        self.stream.say(&Gap { missed, after, until: until_id, with_id: only });
        if slow == Slow::Latest {
            self.pick = Pick::Newest;
        }
    }

    /// Waits for the next event of any of the topics.
    async fn news(&mut self) -> Result<(), SendError> {
        let mut waker: Option<Waker> = None;
        poll_fn(|cx| {
            if self.stream.poll_over(cx).is_ready() {
                return Poll::Ready(Err(SendError::Closed));
            }
            let same = waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
            let mut any = false;
            for branch in &mut self.topics {
                let newest = branch.followed.topic.newest();
                if !same || branch.token.is_none() || newest != branch.newest {
                    let replaced = branch.followed.topic.ring().wait(&mut branch.token, cx.waker());
                    drop(replaced);
                    branch.newest = newest;
                }
                // Looked at after the waker is in its place.
                any |= branch.followed.topic.newest() > branch.seen;
            }
            if any {
                return Poll::Ready(Ok(()));
            }
            if !same {
                waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

impl Follower<'_> {
    /// Sends what has been published until now and is still there, without waiting for room.
    fn flush(&mut self, hub: &HubState) {
        let until = hub.arrived();
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
        self.send(hub, events, until);
    }
}

impl Drop for Follower<'_> {
    /// A handler that stops following goes on with its client knowing everything up to now: the last event, perhaps,
    /// because of which it stops.
    fn drop(&mut self) {
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

#[cfg(test)]
mod tests;
