//! Keeping up in rounds: the next events of all topics, put into one order.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use bytes::BytesMut;

use super::{Branch, Follower, snapshot_of};
use crate::engine::{Page, Stored};
use crate::error::SendError;
use crate::stream::{DisconnectReason, Slow};
use crate::topic::beginning::Beginning;
use crate::topic::delivery;
use crate::topic::hub::HubState;
use crate::topic::place::Place;
use crate::topic::ring::{Pick, Single, Singles};
use crate::topic::words::Gap;

/// How many bytes go into one round, about: each topic has its share, and one event at least.
const ROUND: usize = 32 * 1024;

impl Follower<'_> {
    /// Sends the next events of all topics up to the number `until`, or the first part of them, in the order of their
    /// numbers. Not if a ring does not have them any more; then it says so.
    pub(super) fn round(&mut self, hub: &HubState, until: u64) -> bool {
        let mut covered = until;
        let mut events: Vec<(usize, Single)> = Vec::new();
        for (index, branch) in self.topics.iter().enumerate().filter(|(_, branch)| branch.lacks(until)) {
            let singles =
                branch.followed.topic.ring().read_singles(branch.seen, until, self.pick, self.share());
            let Some(singles) = singles else { return false };
            covered = covered.min(singles.covered);
            events.extend(singles.events.into_iter().map(|event| (index, event)));
        }
        self.send(hub, events, covered, until);
        true
    }

    pub(super) fn share(&self) -> usize {
        ROUND / self.topics.len().max(1)
    }

    /// The same, with what the engine still has; if it has not either, the client is behind.
    pub(super) async fn round_with_engine(&mut self, hub: &HubState, until: u64) -> Result<(), SendError> {
        let mut covered = until;
        let mut pages: Vec<(usize, Singles)> = Vec::new();
        for index in 0..self.topics.len() {
            let Some(branch) = self.topics.get(index).filter(|branch| branch.lacks(until)) else { continue };
            let singles = match branch.kept() {
                Some(kept) => Some(kept),
                None => self.read(hub, branch, until).await?,
            };
            let Some(singles) = singles else {
                let pick = self.pick;
                self.behind(hub, index);
                return self.show_anew(hub, index, pick).await;
            };
            covered = covered.min(singles.covered);
            pages.push((index, singles));
        }
        let mut events = Vec::new();
        for (index, page) in pages {
            if let Some(branch) = self.topics.get_mut(index) {
                branch.keep_beyond(covered, &page);
            }
            events.extend(page.events.into_iter().map(|event| (index, event)));
        }
        self.send(hub, events, covered, until);
        for branch in &mut self.topics {
            let ring = branch.followed.topic.ring();
            branch.next = ring.locate(branch.seen).unwrap_or_else(|| branch.next.min(ring.base()));
        }
        Ok(())
    }

    /// For a client that wants the newest only, and has just been told that it is behind: the current state, if the topic
    /// can show it. What it holds of each key, and the newest event of that may be gone.
    async fn show_anew(&mut self, hub: &HubState, index: usize, pick: Pick) -> Result<(), SendError> {
        let only = self.topics.len() == 1;
        let Some(branch) = self.topics.get(index).filter(|_| self.pick == Pick::Newest) else {
            return Ok(());
        };
        let Beginning::Snapshot(hook) = &branch.followed.beginning else { return Ok(()) };
        let until = hub.arrived();
        let mut snapshot = snapshot_of(hub, branch, hook).await?;
        let Some(branch) = self.topics.get_mut(index) else { return Ok(()) };
        let next = branch.followed.topic.ring().locate(until).unwrap_or(branch.next);
        let missed = next.saturating_sub(branch.next);
        hub.counters.missed(missed);
        self.stream.meter.missed(missed);
        (branch.seen, branch.next) = (until, next);
        // With that, it has caught up.
        self.pick = pick;
        if only {
            self.seen = until;
        }
        if only && snapshot.events > 0 {
            let at = self.place(hub, until);
            snapshot.end_with_id(&at);
            self.stream.forward(&snapshot.blocks, snapshot.events, Some(&at));
        } else {
            // Other topics may have events before it.
            self.stream.forward(&snapshot.blocks, snapshot.events, None);
        }
        Ok(())
    }

    /// Sends events of several topics, those up to the number `covered`, in the order of their numbers.
    pub(super) fn send(
        &mut self,
        hub: &HubState,
        mut events: Vec<(usize, Single)>,
        covered: u64,
        until: u64,
    ) {
        let skips = self.pick == Pick::Newest && !self.anew;
        if covered == until {
            // It has caught up, and keeps up until further notice.
            self.pick = Pick::All;
            self.anew = false;
        }
        events.retain(|(_, event)| event.seq <= covered);
        events.sort_unstable_by_key(|(_, event)| event.seq);
        self.set_seen(covered);
        let Some((_, last)) = events.last() else { return };
        let last = last.seq;
        let mut blocks = BytesMut::with_capacity(events.iter().map(|(_, event)| event.bytes.len()).sum());
        let mut missed = 0;
        for (index, event) in &events {
            blocks.extend_from_slice(&event.bytes);
            let Some(branch) = self.topics.get_mut(*index) else { continue };
            // From the engine, it is one of those that have left the ring.
            let ordinal = event.ordinal.unwrap_or(branch.next);
            if skips {
                missed += ordinal.saturating_sub(branch.next);
            }
            branch.next = ordinal + 1;
        }
        hub.counters.missed(missed);
        self.stream.meter.missed(missed);
        let last = self.place(hub, last);
        let forwarded = self.stream.forward(&blocks, events.len() as u64, Some(&last));
        if forwarded && events.iter().any(|(_, event)| event.trace.is_some()) {
            self.tell(hub, &events);
        }
    }

    #[cold]
    fn tell(&self, hub: &HubState, events: &[(usize, Single)]) {
        for (index, event) in events {
            if let (Some(branch), Some(trace)) = (self.topics.get(*index), &event.trace) {
                delivery::tell(&branch.followed.topic, hub.position(event.seq), trace);
            }
        }
    }

    /// Events of one topic, from its ring, or else from the engine. None if they are not kept any more.
    async fn read(&self, hub: &HubState, branch: &Branch, until: u64) -> Result<Option<Singles>, SendError> {
        let topic = &branch.followed.topic;
        let until = {
            let mut ring = topic.ring();
            if let Some(singles) = ring.read_singles(branch.seen, until, self.pick, self.share()) {
                return Ok(Some(singles));
            }
            // What is above it is in the ring.
            ring.floor().min(until)
        };
        let page = hub.read(topic, branch.seen, until).await;
        Ok(match page.map_err(|error| branch.failed(error))? {
            Page::Evicted { .. } => None,
            Page::Records(records) => Some(Self::singles(hub, &topic.name, records, until)),
        })
    }

    /// What the engine has read: all there is up to the number `until`, or the first part of it.
    pub(super) fn singles(hub: &HubState, topic: &str, records: Vec<Stored>, until: u64) -> Singles {
        let covered = records.last().map_or(until, |record| record.seq);
        let events = records.into_iter().map(|record| {
            let place = Place::new(Some(topic), hub.position(record.seq));
            let mut bytes = BytesMut::from(format!("id: {place}\n").as_bytes());
            bytes.extend_from_slice(&record.block);
            let trace = record.trace.filter(|_| delivery::may_be_wanted()).map(Box::new);
            Single { seq: record.seq, ordinal: None, bytes: bytes.freeze(), trace }
        });
        Singles { events: events.collect(), covered }
    }

    /// The client was too slow for one of the topics: does what its route says.
    pub(super) fn behind(&mut self, hub: &HubState, index: usize) {
        let only = self.topics.len() == 1;
        let Some(branch) = self.topics.get_mut(index) else { return };
        hub.counters.fell_behind();
        self.stream.meter.fell_behind();
        let (until, base) = {
            let ring = branch.followed.topic.ring();
            (ring.floor(), ring.base())
        };
        let missed = base.saturating_sub(branch.next);
        hub.counters.missed(missed);
        self.stream.meter.missed(missed);
        let slow = if self.stream.meta.bare { Slow::Disconnect } else { self.stream.meta.slow };
        if slow == Slow::Disconnect {
            self.stream.end(DisconnectReason::SlowClient);
            self.ended = true;
            return;
        }
        let after = branch.seen;
        branch.seen = until;
        branch.next = base;
        let snapshot = slow == Slow::Latest && matches!(branch.followed.beginning, Beginning::Snapshot(_));
        if only {
            self.seen = until;
        }
        // With an id only if no other topic can have events before it, and not in front of a snapshot: who loses the
        // connection within that has to get it again.
        let (after, until) = (self.place(hub, after), self.place(hub, until));
        self.stream.say(&Gap { missed, after, until, with_id: only && !snapshot });
        if slow == Slow::Latest {
            self.pick = Pick::Newest;
        }
    }

    /// Waits for the next event of any of the topics.
    pub(super) async fn news(&mut self, hub: &HubState) -> Result<(), SendError> {
        let mut waker: Option<Waker> = None;
        poll_fn(|cx| {
            if let Poll::Ready(over) = self.stream.poll_over(cx) {
                return Poll::Ready(Err(over));
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
                any |= branch.followed.topic.newest() > branch.seen && hub.arrived() > self.seen;
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
