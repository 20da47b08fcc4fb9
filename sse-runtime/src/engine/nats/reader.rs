//! Reads of one topic: a consumer of its subject, which lives for one page.
//!
//! A consumer that begins behind what has been evicted says nothing of it, so the stream is asked afterwards what it has
//! still: eviction takes the oldest records of the whole stream, so all above `after` are there if the oldest is at or
//! before the next one. What was in between may have been other topics' records; that is not known, and taken for a loss.
//!
//! In a cluster, a consumer may be on a server that is behind. The newest are asked of the leader then.

use std::time::Duration;

use async_nats::{StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::api::{code, number};
use super::delivery::{nanoseconds, place};
use super::error::NatsError;
use super::message::decode;
use super::session::{Session, Shared};
use super::{stream, subject};
use crate::engine::{Page, Stored};

/// How much one page has at most.
///
/// To make a consumer takes the server longer than to read some hundreds of records: with many events behind them, up to
/// seconds.
const RECORDS: u64 = 2048;
const BYTES: u64 = 1 << 20;
/// How long the next record of a page is waited for.
const NEXT: Duration = Duration::from_secs(3);
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

/// What a consumer gave.
struct Part {
    records: Vec<Stored>,
    /// Up to this sequence, all were looked at.
    passed: u64,
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
    let until = session.seq(until).unwrap_or_default();
    let mut passed = from;
    loop {
        let part = part(session, &subject, topic, passed, until).await?;
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
            if found.replicas <= 1 || !is_more(session, &subject, part.passed, until).await? {
                return Ok(Page::Records(Vec::new()));
            }
            sleep(AGAIN).await;
        }
        // Else all of this part were other topics', whose names have the same hash.
        passed = part.passed;
    }
}

/// Reads above the sequence `after`, from any server that has the stream.
async fn part(
    session: &Session,
    subject: &str,
    topic: &str,
    after: u64,
    until: u64,
) -> Result<Part, NatsError> {
    let api = &session.api;
    let inbox = api.client.new_inbox();
    let mut messages = api.client.subscribe(inbox.clone()).await.map_err(|error| api.lost(error))?;
    let config = json!({
        "stream_name": session.stream,
        "config": {
            "filter_subject": subject,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": after + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": nanoseconds(READ),
            "mem_storage": true,
            "num_replicas": 1,
        },
    });
    let made = api.ask("read", "CONSUMER.CREATE", &config).await?;
    let name = made.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pending = number(&made, "num_pending").unwrap_or_default();
    let part = take(session, &mut messages, &inbox, &name, pending, topic, after, until).await;
    // Without waiting for the answer. If it does not arrive, the server forgets the consumer by itself.
    let delete = format!("$JS.API.CONSUMER.DELETE.{}.{name}", session.stream);
    api.client.publish(delete, Bytes::new()).await.map_err(|error| api.lost(error))?;
    part
}

/// Takes a page of what the consumer has.
#[allow(clippy::too_many_arguments)]
async fn take(
    session: &Session,
    messages: &mut Subscriber,
    inbox: &str,
    consumer: &str,
    pending: u64,
    topic: &str,
    after: u64,
    until: u64,
) -> Result<Part, NatsError> {
    let mut part = Part { records: Vec::new(), passed: after, is_last: pending == 0 };
    let mut wanted = pending.min(RECORDS).min(until.saturating_sub(after));
    // A first record that is larger than a page is asked for alone.
    let mut bytes = Some(BYTES);
    let mut taken = 0;
    while taken < wanted && !part.is_last {
        let mut request = json!({ "batch": wanted - taken, "no_wait": true });
        if let Some(bytes) = bytes {
            request["max_bytes"] = bytes.into();
        }
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{consumer}", session.stream);
        let asked = session.api.client.publish_with_reply(next, inbox.to_owned(), request.to_string().into());
        asked.await.map_err(|error| session.api.lost(error))?;
        loop {
            let message = match timeout(NEXT, messages.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(NatsError::lost(&session.api.server)),
                Err(_) => return Err(NatsError::TimedOut { doing: "read", after: NEXT }),
            };
            match message.status {
                None => {}
                // The bytes are used up.
                Some(status) if status.as_u16() == 409 && bytes.is_some() => {
                    if taken > 0 {
                        return Ok(part);
                    }
                    (wanted, bytes) = (1, None);
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
            if seq > until {
                part.is_last = true;
                return Ok(part);
            }
            taken += 1;
            if seq > part.passed {
                part.passed = seq;
                let ours = decode(&message.payload).filter(|parts| parts.topic == topic);
                part.records.extend(ours.map(|parts| parts.stored(session.number(seq), &message.payload)));
            }
            if taken == wanted {
                part.is_last = (bytes.is_some() && pending == taken) || part.passed >= until;
                return Ok(part);
            }
        }
    }
    Ok(part)
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
