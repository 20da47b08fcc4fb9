//! What arrives: one consumer of the whole stream for each node that has a topic open. It lives as long as its connection,
//! or until the last topic is closed.
//!
//! The server pushes every record, of all topics, in the order of the sequence; nothing is acknowledged. Whatever does not
//! fit ends it, and `mend` goes on behind the last record that came:
//!
//! | what is seen | what it means |
//! |---|---|
//! | a hole in the consumer's own count | messages were lost on the way, or dropped |
//! | no heartbeat for [`SILENCE`] | server or network are gone, or the consumer is |
//! | a hole in the stream's sequence | records were evicted before they came: the hub is told, and it goes on |

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use async_nats::{Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::error::NatsError;
use super::message::decode;
use super::session::{Session, Shared};
use super::stream;

/// How often the server says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Who is silent for longer is gone.
const SILENCE: Duration = Duration::from_millis(2500);
/// How long the server keeps a consumer that nobody listens to.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// Delivers on a connection whenever a topic is open, until it cannot go on, and says why. `first` is there if delivery was
/// under way before.
pub(super) async fn run(shared: &Shared, session: &Session, mut first: Option<Consumer>) -> NatsError {
    loop {
        let turn = tokio::select! {
            turn = shared.opened.wanted() => turn,
            error = watch(shared, session) => return error,
        };
        let consumer = match first.take().filter(|consumer| consumer.turn == turn) {
            Some(consumer) => consumer,
            None => match Consumer::at_the_end(shared, session, turn).await {
                Ok(consumer) => consumer,
                Err(error) => return error,
            },
        };
        shared.delivered_up_to(session.number(consumer.passed));
        shared.opened.begun(turn, session.number(consumer.passed));
        tokio::select! {
            error = consumer.run(shared, session) => return error,
            () = shared.opened.over(turn) => {}
        }
    }
}

/// Looks at the log now and then, as long as nothing is delivered that would tell: it may be gone, or the server silent, or
/// others may have come further, whose numbers are not to be used again if the server loses them. Ends if something is wrong.
async fn watch(shared: &Shared, session: &Session) -> NatsError {
    loop {
        sleep(HEARTBEAT).await;
        // Before it is asked: more are published meanwhile.
        let known = shared.known();
        match timeout(SILENCE, last(shared, session)).await {
            Ok(Ok(last)) if session.number(last) < known => return refused("the newest events are gone"),
            Ok(Ok(last)) => shared.passed_by(session.number(last)),
            Ok(Err(error)) => return error,
            Err(_) => return NatsError::TimedOut { doing: "say what the stream has", after: SILENCE },
        }
    }
}

/// The last sequence of the log.
async fn last(shared: &Shared, session: &Session) -> Result<u64, NatsError> {
    match stream::find(&session.api, &shared.options).await? {
        Some(found) if found.identity == session.identity => Ok(found.last),
        _ => Err(refused("the stream is gone")),
    }
}

fn refused(reason: &str) -> NatsError {
    NatsError::Refused { doing: "deliver", code: 0, reason: reason.to_owned() }
}

/// A consumer that has been made.
pub(super) struct Consumer {
    /// For which turn.
    turn: u64,
    messages: Subscriber,
    /// Sequence of the newest record that came, or was before.
    passed: u64,
}

impl Consumer {
    /// Delivers what comes from now on.
    async fn at_the_end(shared: &Shared, session: &Session, turn: u64) -> Result<Self, NatsError> {
        let known = shared.known();
        let last = last(shared, session).await?;
        if session.number(last) < known {
            return Err(refused("the newest events are gone"));
        }
        Self::new(session, turn, last).await
    }

    /// Delivers what is behind the sequence `passed`.
    pub(super) async fn new(session: &Session, turn: u64, passed: u64) -> Result<Self, NatsError> {
        let api = &session.api;
        let inbox = api.client.new_inbox();
        // Before the consumer, which does not wait for it.
        let messages = api.client.subscribe(inbox.clone()).await.map_err(|error| api.lost(error))?;
        let config = json!({
            "stream_name": session.stream,
            "config": {
                "deliver_subject": inbox,
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": passed + 1,
                "ack_policy": "none",
                "max_deliver": 1,
                "replay_policy": "instant",
                "flow_control": true,
                "idle_heartbeat": nanoseconds(HEARTBEAT),
                "inactive_threshold": nanoseconds(FORGOTTEN),
                "mem_storage": true,
                "num_replicas": 1,
            },
        });
        api.ask("deliver", "CONSUMER.CREATE", &config).await?;
        Ok(Self { turn, messages, passed })
    }

    /// Delivers until it cannot go on, and says why.
    async fn run(mut self, shared: &Shared, session: &Session) -> NatsError {
        let lost = || NatsError::lost(&session.api.server);
        let mut received = 0;
        loop {
            let message = match timeout(SILENCE, self.messages.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return lost(),
                Err(_) => return NatsError::TimedOut { doing: "deliver", after: SILENCE },
            };
            match message.status {
                None => {
                    let Some((count, seq)) = place(message.reply.as_ref()) else { continue };
                    received += 1;
                    if count != received {
                        return interrupted(&format!("message {received} is missing"));
                    }
                    self.take(shared, session, seq, &message.payload);
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {
                    if let Some(subject) = asks_for_more(&message) {
                        let said = session.api.client.publish(subject, Bytes::new());
                        if !matches!(timeout(SILENCE, said).await, Ok(Ok(()))) {
                            return lost();
                        }
                    } else if header(&message, "Nats-Last-Consumer").is_some_and(|count| count != received) {
                        return interrupted("the last messages are missing");
                    } else if let Some(seq) = header(&message, "Nats-Last-Stream") {
                        self.skip(shared, session, seq);
                    }
                }
                Some(status) => {
                    return interrupted(&format!("{status} {}", message.description.unwrap_or_default()));
                }
            }
        }
    }

    fn take(&mut self, shared: &Shared, session: &Session, seq: u64, payload: &Bytes) {
        // From a server of a cluster that was behind when the consumer was made.
        if seq <= self.passed {
            return;
        }
        self.skip(shared, session, seq - 1);
        self.passed = seq;
        let number = session.number(seq);
        shared.delivered_up_to(number);
        // What is no record was not written by this library.
        let Some(parts) = decode(payload) else { return };
        let delivered =
            catch_unwind(AssertUnwindSafe(|| drop(shared.feed.deliver(parts.topic, number, parts.record()))));
        // A waker is foreign code. The others are to be woken all the same, and the next event delivered.
        if delivered.is_err() {
            tracing::error!(number, "a waker panicked when an event was delivered");
        }
    }

    /// What is up to this sequence does not come any more.
    fn skip(&mut self, shared: &Shared, session: &Session, seq: u64) {
        if seq > self.passed {
            self.passed = seq;
            shared.lost(session.number(seq));
        }
    }
}

fn interrupted(why: &str) -> NatsError {
    refused(&format!("delivery was interrupted: {why}"))
}

/// Of a message: which one it is for the consumer, and its sequence in the stream.
///
/// `$JS.ACK.<stream>.<consumer>.<times>.<stream's>.<consumer's>.<time>.<pending>`, or with two more before the stream.
pub(super) fn place(reply: Option<&Subject>) -> Option<(u64, u64)> {
    let tokens = reply?.strip_prefix("$JS.ACK.")?.split('.');
    let skip = if tokens.clone().count() > 7 { 5 } else { 3 };
    let mut numbers = tokens.skip(skip).map(|token| token.parse::<u64>().ok());
    let (seq, count) = (numbers.next()??, numbers.next()??);
    Some((count, seq))
}

/// The server waits for an answer before it sends more.
fn asks_for_more(message: &Message) -> Option<Subject> {
    let stalled =
        || message.headers.as_ref()?.get("Nats-Consumer-Stalled").map(|subject| subject.as_str().into());
    message.reply.clone().or_else(stalled)
}

fn header(message: &Message, name: &str) -> Option<u64> {
    message.headers.as_ref()?.get(name)?.as_str().parse().ok()
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_place() {
        let place = |reply: &str| place(Some(&reply.into()));
        assert_eq!(place("$JS.ACK.sse.abc.1.17.3.1700000000000000000.0"), Some((3, 17)));
        assert_eq!(place("$JS.ACK._.hash.sse.abc.1.17.3.1700000000000000000.0"), Some((3, 17)));
        assert_eq!(place("$JS.ACK._.hash.sse.abc.1.17.3.1700000000000000000.0.random"), Some((3, 17)));
        assert_eq!(place("_INBOX.x"), None);
        assert_eq!(place("$JS.ACK.sse.abc.1"), None);
    }
}
