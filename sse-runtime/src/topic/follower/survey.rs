//! Whether a client can be given all that it missed, and may: judged before the first event is sent.
//!
//! What the rings hold is counted in a moment. What only the engine has is read for it, page by page; the first of what is
//! read is kept, so that it need not be read twice. What was counted the hub remembers, see [`surveys`](crate::topic::surveys):
//! a client comes back when a read has failed, and a handler may stop and follow again, more often than a long history can
//! be read. Who goes on with such a count has still to see that what comes first is there.

use std::sync::Arc;

use tokio::time::Instant;

use super::begin::Start;
use super::{Branch, Follower};
use crate::engine::Page;
use crate::error::SendError;
use crate::topic::hub::HubState;
use crate::topic::resume::ResetReason;
use crate::topic::ring::{Single, Singles};
use crate::topic::surveys::Counted;

/// What was read of one topic.
pub(super) struct Survey {
    /// From where the client needs it.
    after: u64,
    /// So much is counted. It may begin further back: then it is more than the client needs.
    counted: Counted,
    kept: Vec<Single>,
    kept_until: u64,
}

impl Survey {
    fn new(after: u64, known: Option<Counted>) -> Box<Self> {
        let counted = known.unwrap_or(Counted { after, until: after, bytes: 0 });
        Box::new(Self { after, counted, kept: Vec::new(), kept_until: after })
    }

    /// A page that was read when it was its turn to be sent: it may reach further than those of other topics.
    fn of_page(after: u64, page: &Singles) -> Box<Self> {
        let (kept, kept_until) = (page.events.clone(), page.covered);
        let counted = Counted { after, until: after, bytes: 0 };
        Box::new(Self { after, counted, kept, kept_until })
    }

    /// Whether what is counted is no more than the client needs.
    fn is_exact(&self) -> bool {
        self.counted.after == self.after
    }

    /// From where is to be read next: first the rest is counted, and then the beginning looked at.
    fn next(&self, until: u64) -> Option<u64> {
        if self.counted.until < until {
            return Some(self.counted.until);
        }
        (self.kept_until == self.after && self.after < until).then_some(self.after)
    }

    /// Takes a page of what follows a number.
    fn count(&mut self, from: u64, page: Singles, room: usize) {
        let size = |events: &[Single]| events.iter().map(|event| event.bytes.len()).sum::<usize>();
        let bytes = size(&page.events);
        if self.kept_until == from && (self.kept.is_empty() || size(&self.kept) < room) {
            self.kept.extend(page.events);
            self.kept_until = page.covered;
        }
        if self.counted.until == from {
            self.counted.bytes = self.counted.bytes.saturating_add(bytes);
            self.counted.until = page.covered;
        }
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

    /// Keeps what was read of the engine, as far as it goes beyond this number.
    pub(super) fn keep_beyond(&mut self, covered: u64, page: &Singles) {
        // What a ring has is found there again.
        let is_read = page.events.first().is_some_and(|event| event.ordinal.is_none());
        if is_read && page.covered > covered {
            self.survey = Some(Survey::of_page(self.seen, page));
        }
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
        let start = self.survey_all(hub, after, true).await?;
        if !matches!(start, Start::Reset(ResetReason::TooFar)) || !self.forget_more_than_needed() {
            return Ok(start);
        }
        self.survey_all(hub, after, false).await
    }

    /// The same. What is known of clients that are further back may be `enough`: it counts more than this one needs.
    async fn survey_all(&mut self, hub: &HubState, after: u64, enough: bool) -> Result<Start, SendError> {
        let mut total: usize = 0;
        for index in 0..self.topics.len() {
            let Some(branch) = self.topics.get(index) else { break };
            let topic = Arc::clone(&branch.followed.topic);
            hub.retention.change(&topic, |ring| ring.evict_aged(Instant::now()));
            match self.survey_topic(hub, index, after, enough).await? {
                Ok(bytes) => total = total.saturating_add(bytes),
                Err(reason) => return Ok(Start::Reset(reason)),
            }
            if total > self.most(hub) {
                return Ok(Start::Reset(ResetReason::TooFar));
            }
        }
        Ok(Start::After(after))
    }

    /// Lets go of what counts more than the client needs. Whether there was any.
    fn forget_more_than_needed(&mut self) -> bool {
        let mut any = false;
        for branch in &mut self.topics {
            any |= branch.survey.take_if(|survey| !survey.is_exact()).is_some();
        }
        any
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
        enough: bool,
    ) -> Result<Result<usize, ResetReason>, SendError> {
        let (most, room) = (self.most(hub), self.share());
        loop {
            let Some(branch) = self.topics.get_mut(index) else { return Ok(Ok(0)) };
            let topic = &branch.followed.topic;
            let until = {
                let ring = topic.ring();
                if let Some(next) = ring.locate(after) {
                    branch.next = next;
                    return Ok(Ok(ring.bytes_after(after)));
                }
                // What is above it is in the ring.
                ring.floor().min(hub.arrived())
            };
            let survey = branch.survey.get_or_insert_with(|| {
                let known = if most < usize::MAX { hub.surveys.known(&topic.name, after) } else { None };
                Survey::new(after, known.filter(|known| enough || known.after == after))
            });
            let from = survey.next(until);
            let bytes = match from {
                Some(_) => survey.counted.bytes,
                None => survey.counted.bytes.saturating_add(topic.ring().bytes_after(survey.counted.until)),
            };
            if bytes > most && survey.is_exact() {
                topic.set_too_far(after);
            }
            let Some(from) = from else { return Ok(Ok(bytes)) };
            if bytes > most || topic.is_too_far(after) {
                return Ok(Err(ResetReason::TooFar));
            }
            let read = hub.read(topic, from, until).await;
            match read.map_err(|error| branch.failed(error))? {
                Page::Evicted { .. } => return Ok(Err(ResetReason::Evicted)),
                Page::Records(records) => {
                    let page = Self::singles(hub, &topic.name, records, until);
                    if let Some(survey) = &mut branch.survey {
                        survey.count(from, page, room);
                        if most == usize::MAX {
                            // What is gone of the rest is said when it is its turn.
                            return Ok(Ok(0));
                        }
                        hub.surveys.note(&topic.name, survey.counted);
                    }
                }
            }
        }
    }
}
