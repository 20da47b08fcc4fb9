//! Whether a client can be given all that it missed, and may: judged before the first event is sent.
//!
//! What the rings hold is counted in a moment. What only the engine has is read for it, page by page; the first of what is
//! read is kept, so that it need not be read twice.

use std::sync::{Arc, Weak};

use tokio::time::Instant;

use super::begin::Start;
use super::{Branch, Follower};
use crate::engine::Page;
use crate::error::SendError;
use crate::topic::hub::HubState;
use crate::topic::resume::ResetReason;
use crate::topic::ring::{Single, Singles};
use crate::topic::state::TopicState;

/// What was read of one topic.
pub(super) struct Survey {
    /// Everything from here..
    after: u64,
    /// ..up to here is counted.
    until: u64,
    bytes: usize,
    kept: Vec<Single>,
    kept_until: u64,
}

/// How far a follower got that was dropped meanwhile, for the next one of the same stream: a handler may stop and follow
/// again more often than a long history can be read.
pub(super) struct Surveyed {
    after: u64,
    topics: Vec<(Weak<TopicState>, u64, usize)>,
}

impl Survey {
    fn new(after: u64, known: Option<(u64, usize)>) -> Box<Self> {
        let (until, bytes) = known.unwrap_or((after, 0));
        Box::new(Self { after, until, bytes, kept: Vec::new(), kept_until: after })
    }

    fn count(&mut self, page: Singles, room: usize) {
        let size = |events: &[Single]| events.iter().map(|event| event.bytes.len()).sum::<usize>();
        self.bytes = self.bytes.saturating_add(size(&page.events));
        if self.kept_until == self.until && size(&self.kept) < room {
            self.kept.extend(page.events);
            self.kept_until = page.covered;
        }
        self.until = page.covered;
    }

    /// What was kept of what follows this number.
    fn kept(&self, after: u64) -> Option<Singles> {
        if after < self.after || self.kept_until <= after {
            return None;
        }
        let events = self.kept.iter().filter(|event| event.seq > after).cloned().collect();
        Some(Singles { events, covered: self.kept_until })
    }
}

impl Branch {
    pub(super) fn kept(&self) -> Option<Singles> {
        self.survey.as_ref()?.kept(self.seen)
    }

    /// Lets go of what was kept, once it has been sent.
    pub(super) fn forget_sent(&mut self) {
        if self.survey.as_ref().is_some_and(|survey| survey.kept_until <= self.seen) {
            self.survey = None;
        }
    }
}

impl Follower<'_> {
    /// Where a stream begins whose client has seen everything up to the number `after`.
    pub(super) async fn survey(&mut self, hub: &HubState, after: u64) -> Result<Start, SendError> {
        let known = self.stream.followed().and_then(|known| known.downcast::<Surveyed>().ok());
        let known = known.filter(|known| known.after == after);
        let mut total: usize = 0;
        for index in 0..self.topics.len() {
            let Some(branch) = self.topics.get(index) else { break };
            let topic = Arc::clone(&branch.followed.topic);
            let known = known.as_ref().and_then(|known| known.of(&topic));
            hub.retention.change(&topic, |ring| ring.evict_aged(Instant::now()));
            match self.survey_topic(hub, index, after, known).await? {
                Ok(bytes) => total = total.saturating_add(bytes),
                Err(reason) => return Ok(Start::Reset(reason)),
            }
            if total > self.most(hub) {
                return Ok(Start::Reset(ResetReason::TooFar));
            }
        }
        Ok(Start::After(after))
    }

    /// How much a client may be sent again. What has a beginning is limited where it is written.
    fn most(&self, hub: &HubState) -> usize {
        let has_beginning = |branch: &Branch| branch.followed.beginning.number().is_some();
        if self.topics.iter().any(has_beginning) { usize::MAX } else { hub.settings.replay_bytes }
    }

    /// How many bytes of one topic the client needs, if it can have them.
    async fn survey_topic(
        &mut self,
        hub: &HubState,
        index: usize,
        after: u64,
        known: Option<(u64, usize)>,
    ) -> Result<Result<usize, ResetReason>, SendError> {
        let (most, room) = (self.most(hub), self.share());
        loop {
            let Some(branch) = self.topics.get_mut(index) else { return Ok(Ok(0)) };
            let topic = &branch.followed.topic;
            let (from, bytes) =
                branch.survey.as_ref().map_or((after, 0), |survey| (survey.until, survey.bytes));
            let until = {
                let ring = topic.ring();
                if let Some(next) = ring.locate(after) {
                    branch.next = next;
                    return Ok(Ok(ring.bytes_after(after)));
                }
                // What is above it is in the ring.
                let until = ring.floor().min(hub.arrived());
                if from >= until {
                    let bytes = bytes.saturating_add(ring.bytes_after(from));
                    if bytes > most {
                        topic.set_too_far(after);
                    }
                    return Ok(Ok(bytes));
                }
                until
            };
            if bytes > most {
                topic.set_too_far(after);
            }
            if topic.is_too_far(after) {
                return Ok(Err(ResetReason::TooFar));
            }
            let survey = branch.survey.get_or_insert_with(|| Survey::new(after, known));
            let from = survey.until;
            let read = hub.read(topic, from, until).await;
            match read.map_err(|error| branch.failed(error))? {
                Page::Evicted { .. } => return Ok(Err(ResetReason::Evicted)),
                Page::Records(records) => {
                    let page = Self::singles(hub, &topic.name, records, until);
                    if let Some(survey) = &mut branch.survey {
                        survey.count(page, room);
                    }
                }
            }
            if most == usize::MAX {
                // What is gone of the rest is said when it is its turn.
                return Ok(Ok(0));
            }
        }
    }

    /// What the next follower of the stream may use, if this one has not come to an end with it.
    pub(super) fn surveyed(&self) -> Option<Surveyed> {
        let known = |branch: &Branch| {
            let survey = branch.survey.as_ref()?;
            Some((Arc::downgrade(&branch.followed.topic), survey.until, survey.bytes))
        };
        let after = self.topics.iter().find_map(|branch| branch.survey.as_ref())?.after;
        Some(Surveyed { after, topics: self.topics.iter().filter_map(known).collect() })
    }
}

impl Surveyed {
    fn of(&self, topic: &Arc<TopicState>) -> Option<(u64, usize)> {
        let known = self.topics.iter().find(|(known, ..)| known.as_ptr() == Arc::as_ptr(topic));
        known.map(|&(_, until, bytes)| (until, bytes))
    }
}
