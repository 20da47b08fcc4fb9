//! Publishing: many records are under way at once, each with an answer of its own.
//!
//! A record stays here until the server has said what became of it. Over a connection that is lost they are sent again on
//! the next one, in their order, before anything new. Each has an id by which the server knows it again, so that what
//! had arrived is not doubled; the first time that any of two connections brings a record is in that order too.
//!
//! Whoever waits for the answer waits for [`Nats::publish_timeout`](super::Nats::publish_timeout) at most; a record that
//! nobody waits for any more is not sent again.

use std::collections::VecDeque;
use std::num::NonZero;
use std::time::{Duration, Instant};

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{HeaderMap, Message, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::api::code;
use super::error::NatsError;
use super::queue::Job;
use super::session::{Session, Shared};

/// How many are under way at most: the answers have to fit into what the client holds for us.
pub(super) const UNDER_WAY: usize = 4096;
/// A server that has not answered for so long has not got it, or never will.
pub(super) const ANSWER: Duration = Duration::from_secs(4);
/// Before a record is sent again with which the server has not done.
const AGAIN: Duration = Duration::from_millis(10);
/// How many answers are taken before anything else is looked at.
const AT_ONCE: usize = 64;
/// What headers take beside the id.
const HEADERS: usize = "NATS/1.0\r\nNats-Msg-Id: \r\n\r\n".len();

/// Records whose answers are not known, in the order in which they were published.
pub(super) struct Pending {
    /// The node, for ids.
    node: String,
    /// Which record the first of them is.
    first: u64,
    jobs: VecDeque<Option<Sent>>,
    /// Those that are to be sent again soon: the server had not done with what came first under their ids.
    again: Vec<u64>,
}

struct Sent {
    job: Job,
    at: Instant,
    /// How often that was so.
    refusals: u32,
}

impl Pending {
    pub(super) fn new() -> Self {
        let node = format!("{:x}", fastrand::u64(..));
        Self { node, first: 0, jobs: VecDeque::new(), again: Vec::new() }
    }

    pub(super) fn room(&self) -> usize {
        UNDER_WAY.saturating_sub(self.jobs.len())
    }

    /// Adds a record, which is to be sent; answers which one it is.
    pub(super) fn push(&mut self, job: Job) -> u64 {
        self.jobs.push_back(Some(Sent { job, at: Instant::now(), refusals: 0 }));
        self.first + self.jobs.len() as u64 - 1
    }

    /// Which ones are to be sent again.
    pub(super) fn all(&mut self) -> Vec<u64> {
        self.again.clear();
        for slot in &mut self.jobs {
            slot.take_if(|sent| sent.job.answer.is_closed());
        }
        self.forget();
        let numbered = (self.first..).zip(&self.jobs);
        numbered.filter_map(|(which, slot)| slot.as_ref().map(|_| which)).collect()
    }

    /// After which time they are to be sent again, if there are any: twice as long each time.
    pub(super) fn pause(&self) -> Option<Duration> {
        let refusals = self.again.iter().filter_map(|&which| {
            let slot = self.jobs.get(usize::try_from(which.checked_sub(self.first)?).ok()?)?;
            Some(slot.as_ref()?.refusals)
        });
        refusals.min().map(|refusals| AGAIN * 2_u32.pow(refusals.min(6)))
    }

    fn later(&mut self, which: u64) {
        if let Some(Some(sent)) = self.get(which) {
            sent.refusals += 1;
            self.again.push(which);
        }
    }

    pub(super) fn take_again(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.again)
    }

    /// Whether one of them has waited for too long.
    pub(super) fn is_stuck(&self) -> bool {
        self.jobs.iter().flatten().any(|sent| sent.at.elapsed() > ANSWER)
    }

    fn get(&mut self, which: u64) -> Option<&mut Option<Sent>> {
        self.jobs.get_mut(usize::try_from(which.checked_sub(self.first)?).ok()?)
    }

    fn take(&mut self, which: u64) -> Option<Job> {
        let sent = self.get(which)?.take();
        self.forget();
        sent.map(|sent| sent.job)
    }

    fn forget(&mut self) {
        while let Some(None) = self.jobs.front() {
            self.jobs.pop_front();
            self.first += 1;
        }
    }
}

/// Sends records on one connection.
pub(super) struct Writer<'a> {
    shared: &'a Shared,
    session: &'a Session,
    inbox: String,
    pub(super) answers: Subscriber,
}

impl<'a> Writer<'a> {
    pub(super) async fn new(shared: &'a Shared, session: &'a Session) -> Result<Self, NatsError> {
        let client = &session.api.client;
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await;
        let answers = answers.map_err(|error| session.api.lost(error))?;
        Ok(Self { shared, session, inbox, answers })
    }

    /// Sends a record. Dropped, it was sent or not.
    pub(super) async fn send(&self, pending: &mut Pending, which: u64) -> Result<(), NatsError> {
        let client = &self.session.api.client;
        let default = format!("{}.{which:x}", pending.node);
        let Some(Some(sent)) = pending.get(which) else { return Ok(()) };
        sent.at = Instant::now();
        let Job { token, payload, id, answer, .. } = &sent.job;
        if answer.is_closed() {
            pending.take(which);
            return Ok(());
        }
        let id = id.as_deref().unwrap_or(&default);
        let (size, most) = (payload.len() + id.len() + HEADERS, client.max_payload());
        if size > most {
            if let Some(job) = pending.take(which) {
                job.answer(Err(NatsError::TooLarge { size, most }));
            }
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        let subject = format!("{}{token}", self.session.prefix);
        let reply = format!("{}.{which:x}", self.inbox);
        let published = client.publish_with_reply_and_headers(subject, reply, headers, payload.clone());
        published.await.map_err(|error| self.session.api.lost(error))
    }

    /// Takes an answer of the server, and those that are there already. An error if the connection is of no use any more.
    pub(super) fn answered_all(
        &mut self,
        pending: &mut Pending,
        mut answer: Option<Message>,
    ) -> Result<(), NatsError> {
        for _ in 0..AT_ONCE {
            let Some(message) = answer else { return Err(NatsError::lost(&self.session.api.server)) };
            self.answered(pending, &message)?;
            match self.answers.next().now_or_never() {
                Some(next) => answer = next,
                None => return Ok(()),
            }
        }
        answer.map_or(Ok(()), |message| self.answered(pending, &message))
    }

    /// Takes an answer of the server. An error if the connection is of no use any more.
    fn answered(&self, pending: &mut Pending, answer: &Message) -> Result<(), NatsError> {
        let Some((_, which)) = answer.subject.rsplit_once('.') else { return Ok(()) };
        let Ok(which) = u64::from_str_radix(which, 16) else { return Ok(()) };
        let outcome = match stored(answer) {
            Some(seq) => Ok(self.known(seq)),
            None => match self.refused(pending, which, answer)? {
                Some(error) => Err(error),
                None => return Ok(()),
            },
        };
        if let Some(job) = pending.take(which) {
            job.answer(outcome);
        }
        Ok(())
    }

    /// An answer that is no number; none if another one is to be had, later. An error if the connection is of no use any more.
    #[cold]
    fn refused(
        &self,
        pending: &mut Pending,
        which: u64,
        answer: &Message,
    ) -> Result<Option<NatsError>, NatsError> {
        Ok(match self.session.api.understood("publish", answer) {
            // The stream is gone, or JetStream is about to begin.
            Err(error @ NatsError::NoJetStream { .. }) => return Err(error),
            Err(NatsError::TooLarge { .. }) => {
                let sent = pending.get(which).and_then(|slot| slot.as_ref());
                Some(NatsError::TooLarge { size: sent.map_or(0, |sent| sent.job.payload.len()), most: 0 })
            }
            // Somebody else's with this id, or this one when it was sent before, waits for the other servers of a cluster.
            Err(NatsError::Refused { code: code::IN_PROCESS, .. }) => {
                pending.later(which);
                None
            }
            // So servers of 2.10 say it: one that is there, without its number.
            Ok(answer) if answer.get("duplicate").and_then(Value::as_bool) == Some(true) => {
                pending.later(which);
                None
            }
            Err(error) => Some(error),
            Ok(_) => {
                let reason = "its answer has no number".to_owned();
                Some(NatsError::Refused { doing: "publish", code: 0, reason })
            }
        })
    }

    fn known(&self, seq: NonZero<u64>) -> u64 {
        let number = self.session.number(seq.get());
        self.shared.know(number);
        number
    }
}

/// The sequence, if the record is in the stream.
fn stored(answer: &Message) -> Option<NonZero<u64>> {
    #[derive(Deserialize)]
    struct Stored {
        seq: NonZero<u64>,
        error: Option<IgnoredAny>,
    }
    let stored: Stored = serde_json::from_slice(&answer.payload).ok()?;
    stored.error.is_none().then_some(stored.seq)
}

#[cfg(test)]
mod tests {
    use super::super::queue::Queue;
    use super::*;

    #[test]
    fn what_the_server_has_not_done_with_is_sent_again_after_ever_longer_times() {
        let mut pending = Pending::new();
        let (queue, mut jobs) = Queue::new(1 << 20);
        let publish = || Box::pin(queue.publish("t".to_owned(), "x".into(), None));
        let mut publishing = [publish(), publish()];
        for one in &mut publishing {
            assert!(one.now_or_never().is_none());
        }
        let mut push = || pending.push(jobs.try_recv().expect("it waits"));
        let (first, second) = (push(), push());
        assert_eq!(pending.pause(), None);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pending.later(first);
            pauses.push(pending.pause().expect("one is to be sent again").as_millis());
            assert_eq!(pending.take_again(), [first]);
        }
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 640, 640]);
        // The one that has waited for the shortest time does not wait for the others.
        pending.later(first);
        pending.later(second);
        assert_eq!(pending.pause().expect("two are").as_millis(), 20);
        // Over another connection, all are sent anyway.
        assert_eq!(pending.all(), [first, second]);
        assert_eq!(pending.pause(), None);
        // Nobody waits for an answer that was given meanwhile.
        pending.later(second);
        pending.take(second);
        assert_eq!(pending.pause(), None);
    }
}
