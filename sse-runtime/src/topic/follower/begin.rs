//! Where a following stream begins: from what its client says and what is kept.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Branch, Follower, Left, snapshot_of};
use crate::engine::EngineError;
use crate::error::SendError;
use crate::topic::beginning::Beginning;
use crate::topic::follow::FollowError;
use crate::topic::hub::HubState;
use crate::topic::place;
use crate::topic::resume::{ResetReason, Wish};
use crate::topic::ring::Pick;
use crate::topic::snapshot::Snapshot;
use crate::topic::words::{Open, Reset};

/// Where a stream begins.
pub(super) enum Start {
    /// Where the last follower of this very stream left off.
    Again(Arc<Left>),
    New,
    After(u64),
    Reset(ResetReason),
    /// The same, and all that follows a number is shown.
    Whole(ResetReason, u64),
}

impl Follower<'_> {
    pub(super) async fn set_out(&mut self, hub: &Arc<HubState>) -> Result<(), SendError> {
        for branch in &self.topics {
            hub.open(&branch.followed.topic).await.map_err(|error| branch.failed(error))?;
        }
        let start = self.start(hub).await?;
        self.begin(hub, start).await
    }

    /// From what the client says and what is kept, to where the stream begins.
    pub(super) async fn start(&mut self, hub: &HubState) -> Result<Start, SendError> {
        let epoch = hub.position(0).epoch;
        let left = self.stream.followed().and_then(|left| left.downcast::<Left>().ok());
        if let Some(left) = left.filter(|left| left.epoch == epoch) {
            for branch in &mut self.topics {
                branch.next = left.next(&branch.followed.topic).unwrap_or(branch.next);
            }
            return Ok(Start::Again(left));
        }
        let (mark, from) = match self.topics.as_slice() {
            [only] => (place::mark_of(&only.followed.topic.name), only.followed.beginning.number()),
            _ => (None, None),
        };
        let after = match Wish::read(&self.stream.asked, epoch, mark) {
            Wish::New => match from {
                Some(after) => after,
                None => return Ok(Start::New),
            },
            Wish::Reset(reason) => return self.reset(hub, reason, from).await,
            Wish::After(after) => after,
        };
        if after > hub.arrived() {
            // It may have come from another node, which is ahead of this one.
            let top = hub.top().await.map_err(|source| self.failed(source))?;
            if after > top {
                return self.reset(hub, ResetReason::Ahead, from).await;
            }
        }
        self.survey(hub, after).await
    }

    /// Begins anew: with the whole of what has a beginning, if that is kept.
    async fn reset(
        &mut self,
        hub: &HubState,
        reason: ResetReason,
        from: Option<u64>,
    ) -> Result<Start, SendError> {
        let Some(after) = from else { return Ok(Start::Reset(reason)) };
        Ok(match self.survey(hub, after).await? {
            Start::After(after) => Start::Whole(reason, after),
            other => other,
        })
    }

    /// Says where the stream begins, and shows the current state if it begins anew.
    pub(super) async fn begin(&mut self, hub: &HubState, start: Start) -> Result<(), SendError> {
        let (resumed, reset) = match start {
            Start::Again(left) => {
                poll_fn(|cx| self.stream.poll_room(cx)).await?;
                return self.begin_again(hub, &left).await;
            }
            Start::After(seq) => {
                self.begin_at(seq);
                (true, None)
            }
            Start::New => {
                self.begin_anew(hub);
                (false, None)
            }
            Start::Reset(reason) => {
                self.begin_anew(hub);
                (false, Some(reason))
            }
            Start::Whole(reason, after) => {
                self.begin_at(after);
                (false, Some(reason))
            }
        };
        if let (Some(reason), true) = (reset, self.stream.meta.bare) {
            self.stream.meter.began_to_follow(resumed, reset);
            return Err(FollowError::Reset(reason).into());
        }
        let mut snapshot = if resumed { Snapshot::default() } else { self.snapshots(hub).await? };
        let (at, now) = (self.place(hub, self.seen), self.place(hub, hub.arrived().max(self.seen)));
        let with_id = snapshot.events == 0;
        poll_fn(|cx| self.stream.poll_room(cx)).await?;
        if let Some(reason) = reset {
            hub.counters.reset();
            if reason == ResetReason::TooFar {
                hub.counters.too_far();
            }
            let oldest = self.topics.iter().map(|branch| branch.followed.topic.ring().floor()).max();
            let oldest = self.place(hub, oldest.unwrap_or_default());
            self.stream.say(&Reset {
                reason,
                asked: self.stream.asked.id(),
                oldest,
                now,
                at: with_id.then_some(at),
            });
        }
        if resumed {
            hub.counters.resumed();
        }
        self.stream.meter.began_to_follow(resumed, reset);
        self.stream.say(&Open { at, resumed, heartbeat: self.stream.meta.keep_alive, with_id });
        if snapshot.events > 0 {
            snapshot.end_with_id(&at);
            self.stream.forward(&snapshot.blocks, snapshot.events, Some(&at));
        }
        // On a bare route, nothing has done so yet.
        self.stream.open()?;
        Ok(())
    }

    async fn snapshots(&self, hub: &HubState) -> Result<Snapshot, SendError> {
        let mut all = Snapshot::default();
        for branch in &self.topics {
            if let Beginning::Snapshot(hook) = &branch.followed.beginning {
                all.extend(&snapshot_of(hub, branch, hook).await?);
            }
        }
        Ok(all)
    }

    fn begin_at(&mut self, seq: u64) {
        self.set_seen(seq);
        for branch in &mut self.topics {
            // Otherwise it is behind from the beginning, and what is known of its place tells by how much.
            branch.next = branch.followed.topic.ring().locate(seq).unwrap_or(branch.next);
        }
    }

    /// Goes on for the topics that were followed before; of the others, shows the snapshot. Recent events they cannot begin
    /// with: their ids lie behind the client's.
    async fn begin_again(&mut self, hub: &HubState, left: &Left) -> Result<(), SendError> {
        let now = hub.arrived();
        self.begin_at(left.seq);
        for index in 0..self.topics.len() {
            let Some(branch) = self.topics.get(index) else { break };
            if left.next(&branch.followed.topic).is_some() {
                continue;
            }
            if let Beginning::Snapshot(hook) = &branch.followed.beginning {
                let snapshot = snapshot_of(hub, branch, hook).await?;
                // Without an id: the topics from before may have events in front of it.
                self.stream.forward(&snapshot.blocks, snapshot.events, None);
            }
            let Some(branch) = self.topics.get_mut(index) else { break };
            branch.seen = branch.seen.max(now);
            branch.next = branch.followed.topic.ring().locate(branch.seen).unwrap_or(branch.next);
        }
        Ok(())
    }

    /// With what comes next, or as much before that as each topic's handle says.
    fn begin_anew(&mut self, hub: &HubState) {
        self.begin_at(hub.arrived());
        for branch in &mut self.topics {
            let topic = &branch.followed.topic;
            let events = match branch.followed.beginning {
                Beginning::Next | Beginning::Snapshot(_) | Beginning::After(_) => continue,
                Beginning::Recent(events) => events,
                Beginning::Newest => {
                    self.pick = Pick::Newest;
                    self.anew = true;
                    usize::MAX
                }
            };
            let (seen, next) = hub.retention.change(topic, |ring| {
                ring.evict_aged(Instant::now());
                ring.before_the_last(events)
            });
            // Never after what has been found to have arrived: the ring may be ahead.
            branch.seen = seen.min(branch.seen);
            branch.next = next.min(branch.next);
            self.seen = self.seen.min(branch.seen);
        }
    }

    fn failed(&self, source: EngineError) -> FollowError {
        let topic = self.topics.first().map(Branch::name).unwrap_or_default();
        FollowError::Engine { topic, source }
    }
}
