//! Reads of one topic: a consumer, which lives for one page.
//!
//! | the server | the consumer is one of |
//! |---|---|
//! | 2.10 and later | the topic's subject |
//! | 2.9 | the whole stream, from which the topic's records are picked out here |
//! | 2.9, when there was little of the topic for a while | the topic's subject, for a few records |
//!
//! With each record of a subject, a server of 2.9 says how many are left, and as long as that is more than half of them, counts
//! them anew: it reads what is before the record in its file. That is milliseconds for each record, in which the file is
//! locked, so that nobody can publish; all records of the stream cost it microseconds each.
//!
//! A consumer that begins behind what has been evicted says nothing of it, so the stream is asked afterwards what it has
//! still: eviction takes the oldest records of the whole stream, so all above `after` are there if the oldest is at or
//! before the next one. What was in between may have been other topics' records; that is not known, and taken for a loss.
//!
//! In a cluster, a consumer may be on a server that is behind. The newest are asked of the leader then.

use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::api::{code, number};
use super::delivery::{nanoseconds, place};
use super::error::NatsError;
use super::message::decode;
use super::session::{Session, Shared};
use super::{stream, subject};
use crate::engine::{Page, Stored};

/// How much is asked for at once. To make a consumer for some hundreds takes the server longer than to give them.
const RECORDS: u64 = 2048;
const BYTES: u64 = 1 << 20;
/// A page of so many is sent on its way, before more is asked for.
const ENOUGH: usize = 1024;
/// A topic with fewer records than this in a whole page of the stream is found faster by its subject.
const SPARSE: usize = 16;
/// How long the next record of a page is waited for.
const NEXT: Duration = Duration::from_secs(3);
/// After so long, a page is what is there of it. It would be read anew from its beginning, if it took too long as a whole.
const PAGE: Duration = Duration::from_secs(2);
/// How long a read may take, with all attempts.
const READ: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);

/// Reads, on this connection or the next.
pub(super) async fn read(shared: &Shared, topic: &str, after: u64, until: u64) -> Result<Page, NatsError> {
    if after >= until {
        return Ok(Page::Records(Vec::new()));
    }
    let attempts = async {
        loop {
            let session = shared.session().await.ok_or(NatsError::Closed)?;
            match page(shared, &session, topic, after, until).await {
                Ok(page) => return Ok(page),
                Err(error) => tracing::debug!(%error, "a read is tried again"),
            }
            sleep(AGAIN).await;
        }
    };
    timeout(READ, attempts).await.unwrap_or(Err(NatsError::TimedOut { doing: "read", after: READ }))
}

/// The number of the newest record, as the server has it.
pub(super) async fn top(shared: &Shared) -> Result<u64, NatsError> {
    let attempts = async {
        loop {
            let session = shared.session().await.ok_or(NatsError::Closed)?;
            match stream::find(&session.api, &shared.options).await {
                Ok(Some(found)) if found.identity == session.identity => {
                    return Ok(session.number(found.last).max(shared.known()));
                }
                outcome => tracing::debug!(?outcome, "it is asked again where the log ends"),
            }
            sleep(AGAIN).await;
        }
    };
    timeout(READ, attempts)
        .await
        .unwrap_or(Err(NatsError::TimedOut { doing: "say where the log ends", after: READ }))
}

/// Which records a consumer gives, and how many of them are looked at for one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All of the stream.
    Whole,
    /// The topic's.
    Subject,
    /// The same, from a server to which each of them is much work.
    Few,
}

impl Way {
    fn of(session: &Session) -> Self {
        let version = session.api.client.try_server_info().map(|info| info.version).unwrap_or_default();
        if counts_at_each(&version) { Self::Whole } else { Self::Subject }
    }

    /// How many times something is asked for, and how many records in all.
    fn most(self) -> (usize, u64) {
        match self {
            Self::Whole => (4, 4 * RECORDS),
            Self::Subject => (1, RECORDS),
            Self::Few => (1, 64),
        }
    }
}

/// Whether a server of this version counts what is left at each record that it gives.
fn counts_at_each(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) < (Some(2), Some(10))
}

/// Of which topic is read what.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    topic: &'a str,
    subject: &'a str,
    until: u64,
}

/// What a consumer gave.
struct Part {
    records: Vec<Stored>,
    /// Up to this sequence, all were looked at.
    passed: u64,
    /// How many these were, of all topics.
    looked_at: u64,
    /// There is nothing behind them.
    is_last: bool,
}

async fn page(
    shared: &Shared,
    session: &Session,
    topic: &str,
    after: u64,
    until: u64,
) -> Result<Page, NatsError> {
    // Of a stream that is gone.
    let Some(from) = session.seq(after) else { return Ok(Page::Evicted { until: session.number(0) }) };
    let subject = format!("{}{}", session.prefix, subject::token(topic));
    let wanted = Wanted { topic, subject: &subject, until: session.seq(until).unwrap_or_default() };
    let mut passed = from;
    let way = Way::of(session);
    loop {
        let mut part = part_of(session, wanted, passed, way).await?;
        if way == Way::Whole && !part.is_last && part.looked_at >= RECORDS && part.records.len() < SPARSE {
            // That is only faster. If it is too much for the server, the page is what there is.
            if let Ok(more) = part_of(session, wanted, part.passed, Way::Few).await {
                part.records.extend(more.records);
                (part.passed, part.is_last) = (more.passed, more.is_last);
            }
        }
        let gone = NatsError::Refused { doing: "read", code: 0, reason: "the stream is gone".to_owned() };
        let found = stream::find(&session.api, &shared.options).await?;
        // It is read again when the connection knows of the new one.
        let found = found.filter(|found| found.identity == session.identity).ok_or(gone)?;
        if found.first > from.saturating_add(1) {
            return Ok(Page::Evicted { until: session.number(found.first - 1) });
        }
        if !part.records.is_empty() {
            return Ok(Page::Records(part.records));
        }
        if part.is_last {
            if found.replicas <= 1 || !is_more(session, &subject, part.passed, wanted.until).await? {
                return Ok(Page::Records(Vec::new()));
            }
            sleep(AGAIN).await;
        }
        // Else all of this part were other topics'.
        passed = part.passed;
    }
}

/// Reads above the sequence `after`, from any server that has the stream.
async fn part_of(session: &Session, wanted: Wanted<'_>, after: u64, way: Way) -> Result<Part, NatsError> {
    let api = &session.api;
    let inbox = api.client.new_inbox();
    let messages = api.client.subscribe(inbox.clone()).await.map_err(|error| api.lost(error))?;
    let mut config = json!({
        "stream_name": session.stream,
        "config": {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": after + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": nanoseconds(READ),
            "mem_storage": true,
            "num_replicas": 1,
        },
    });
    if way != Way::Whole {
        config["config"]["filter_subject"] = wanted.subject.into();
    }
    let made = api.ask("read", "CONSUMER.CREATE", &config).await?;
    let name = made.get("name").and_then(Value::as_str).unwrap_or_default();
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{name}", session.stream);
    let pending = number(&made, "num_pending").unwrap_or_default();
    let mut consumer = Consumer { session, messages, inbox, next, pending };
    let part = consumer.take(wanted, after, way).await;
    // Without waiting for the answer. If it does not arrive, the server forgets the consumer by itself.
    let delete = format!("$JS.API.CONSUMER.DELETE.{}.{name}", session.stream);
    api.client.publish(delete, Bytes::new()).await.map_err(|error| api.lost(error))?;
    part
}

/// A consumer that has been made.
struct Consumer<'a> {
    session: &'a Session,
    messages: Subscriber,
    inbox: String,
    /// Where it is asked for more.
    next: String,
    /// How many it has.
    pending: u64,
}

impl Consumer<'_> {
    /// Takes a page of what it has.
    async fn take(&mut self, wanted: Wanted<'_>, after: u64, way: Way) -> Result<Part, NatsError> {
        let mut part = Part { records: Vec::new(), passed: after, looked_at: 0, is_last: self.pending == 0 };
        let end = Instant::now() + PAGE;
        let (mut times, most) = way.most();
        let most = most.min(self.pending).min(wanted.until.saturating_sub(after));
        let mut taken = 0;
        // A record that is larger than what is asked for at once is asked for alone.
        let mut alone = false;
        while times > 0 && taken < most && !part.is_last && part.records.len() < ENOUGH {
            times -= 1;
            let before = taken;
            let batch = if alone { 1 } else { RECORDS.min(most - taken) };
            self.ask(batch, if alone { None } else { Some(BYTES) }).await?;
            while taken < before + batch {
                let until = if taken == 0 { None } else { Some(end) };
                // What has come in time is a page, too.
                let Some(message) = self.next(until).await? else { return Ok(part) };
                match message.status {
                    None => {}
                    // The bytes are used up.
                    Some(status) if status.as_u16() == 409 && !alone => {
                        if taken == before {
                            (alone, times) = (true, times + 1);
                        }
                        break;
                    }
                    // There were fewer than it said: they have been evicted meanwhile.
                    Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => {
                        part.is_last = true;
                        break;
                    }
                    Some(status) => {
                        let reason = format!("{status} {}", message.description.unwrap_or_default());
                        return Err(NatsError::Refused { doing: "read", code: 0, reason });
                    }
                }
                let Some((_, seq)) = place(message.reply.as_ref()) else { continue };
                if seq > wanted.until {
                    part.is_last = true;
                    return Ok(part);
                }
                taken += 1;
                part.looked_at = taken;
                // It may be from a server that was behind when the consumer was made.
                if seq > part.passed {
                    part.passed = seq;
                    part.records.extend(self.of_topic(wanted, seq, &message));
                }
            }
            alone &= taken == before;
        }
        part.is_last |= taken == self.pending || part.passed >= wanted.until;
        Ok(part)
    }

    async fn ask(&self, batch: u64, bytes: Option<u64>) -> Result<(), NatsError> {
        let mut request = json!({ "batch": batch, "no_wait": true });
        if let Some(bytes) = bytes {
            request["max_bytes"] = bytes.into();
        }
        let (to, answers) = (self.next.clone(), self.inbox.clone());
        let client = &self.session.api.client;
        let asked = client.publish_with_reply(to, answers, request.to_string().into());
        asked.await.map_err(|error| self.session.api.lost(error))
    }

    /// The next message. None if there is none until this time.
    async fn next(&mut self, until: Option<Instant>) -> Result<Option<Message>, NatsError> {
        let end = Instant::now() + NEXT;
        match timeout_at(until.map_or(end, |until| until.min(end)), self.messages.next()).await {
            Ok(Some(message)) => Ok(Some(message)),
            Ok(None) => Err(NatsError::lost(&self.session.api.server)),
            Err(_) if until.is_some() => Ok(None),
            Err(_) => Err(NatsError::TimedOut { doing: "read", after: NEXT }),
        }
    }

    fn of_topic(&self, wanted: Wanted<'_>, seq: u64, message: &Message) -> Option<Stored> {
        if message.subject.as_str() != wanted.subject {
            return None;
        }
        let parts = decode(&message.payload).filter(|parts| parts.topic == wanted.topic)?;
        Some(parts.stored(self.session.number(seq), &message.payload))
    }
}

/// Whether the leader has one above the sequence `after`.
async fn is_more(session: &Session, subject: &str, after: u64, until: u64) -> Result<bool, NatsError> {
    let which = json!({ "seq": after + 1, "next_by_subj": subject });
    match session.api.ask("read", "STREAM.MSG.GET", &which).await {
        Ok(found) => Ok(found
            .get("message")
            .and_then(|message| number(message, "seq"))
            .is_some_and(|seq| seq <= until)),
        Err(NatsError::Refused { code: code::NO_MESSAGE, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_says_whether_a_server_counts_at_each_record() {
        for counts in ["2.9.10", "2.9.25", "2.8.4", "2.9.0-beta.1", "", "unknown"] {
            assert!(counts_at_each(counts), "{counts}");
        }
        for does_not in ["2.10.0", "2.10.27", "2.12.1-preview.2", "3.0.0"] {
            assert!(!counts_at_each(does_not), "{does_not}");
        }
    }
}
