//! Replies through the log: to a stream of another node, and from other nodes to one of this.
//!
//! | topic | what |
//! |---|---|
//! | `sse-reply-stream:<token>` | the stream's node says that it is open, and that it is over |
//! | `sse-reply:<token>` | what was posted at other nodes |
//! | `sse-reply-answer:<token>` | the stream's node: what it has taken in, if its answer takes a while, and the answer |

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::answer::Answer;
use super::inbox::Inbox;
use crate::engine::EngineError;
use crate::runs::Owner;
use crate::token::Token;
use crate::topic::{Hub, Log, ReadError, Records};

/// How long an answer is waited for. Longer than the other node waits itself for its handler.
const PATIENCE: Duration = Duration::from_secs(12);
/// After which time the other node says that it is there, if there is no answer yet.
const TAKEN: Duration = Duration::from_secs(1);
/// How long it is waited for if it says nothing: it has that time to say so, and the log to bring it.
const SILENCE: Duration = Duration::from_secs(4);
/// How long after an error a log is tried again.
const RETRY: Duration = Duration::from_millis(200);

fn states(hub: &Hub, token: Token) -> Log {
    Log::new(hub, &format!("sse-reply-stream:{token}"))
}

fn posts(hub: &Hub, token: Token) -> Log {
    Log::new(hub, &format!("sse-reply:{token}"))
}

fn answers(hub: &Hub, token: Token) -> Log {
    Log::new(hub, &format!("sse-reply-answer:{token}"))
}

async fn say(log: &Log, value: &Value) -> Result<u64, EngineError> {
    log.append(format!("data: {value}\n\n").as_bytes(), None).await
}

fn heard(block: &[u8]) -> Option<Value> {
    serde_json::from_slice(block.strip_prefix(b"data: ")?).ok()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Takes in what is posted at other nodes, until what is returned is dropped.
pub(super) fn serve(hub: &Hub, token: Token, inbox: Arc<Inbox>) -> AbortOnDropHandle<()> {
    let closes = Closes { hub: hub.clone(), token };
    let hub = hub.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        let _closes = closes;
        let mut heard_until = None;
        loop {
            let Err(error) = listen(&hub, token, &inbox, &mut heard_until).await;
            tracing::warn!(%error, "a stream hears no replies from other nodes for a moment");
            sleep(RETRY).await;
        }
    }))
}

/// Says that the stream is over, when it is.
struct Closes {
    hub: Hub,
    token: Token,
}

impl Drop for Closes {
    fn drop(&mut self) {
        let log = states(&self.hub, self.token);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // If it cannot be said at all, other nodes wait in vain, and say so.
            drop(runtime.spawn(timeout(PATIENCE, async move {
                while say(&log, &json!({ "is": "closed" })).await.is_err() {
                    sleep(RETRY).await;
                }
            })));
        }
    }
}

/// Hears replies above the number `heard_until`; before the first, says that the stream is open.
async fn listen(
    hub: &Hub,
    token: Token,
    inbox: &Arc<Inbox>,
    heard_until: &mut Option<u64>,
) -> Result<Infallible, ReadError> {
    let (log, answers) = (posts(hub, token), answers(hub, token));
    let begun = match *heard_until {
        Some(number) => number,
        None => say(&states(hub, token), &json!({ "is": "open", "owner": inbox.owner.written() })).await?,
    };
    *heard_until = Some(begun);
    // What is gone before it was heard was not answered: its client has been told to try again.
    let mut records = log.read(begun).await?.passing_over_what_is_gone();
    loop {
        let entry = records.next().await?;
        *heard_until = Some(entry.seq);
        let Some(post) = heard(&entry.block) else { continue };
        let (inbox, answers) = (Arc::clone(inbox), answers.clone());
        // Each waits for the handler by itself; they are taken in in this order, for that does not wait.
        let (number, key) = (entry.seq, text(&post, "key").map(str::to_owned));
        let value = Bytes::copy_from_slice(text(&post, "value").unwrap_or_default().as_bytes());
        let taken = inbox.take(value, key.as_deref());
        drop(tokio::spawn(async move {
            let mut answer = pin!(Inbox::answer(taken));
            let answer = match timeout(TAKEN, &mut answer).await {
                Ok(answer) => answer,
                Err(_) => {
                    drop(say(&answers, &json!({ "to": number, "is": "taken" })).await);
                    answer.await
                }
            };
            let Answer { status, is_json, body } = answer;
            let body = String::from_utf8_lossy(&body);
            let answer = json!({ "to": number, "status": status.as_u16(), "json": is_json, "body": body });
            if let Err(error) = say(&answers, &answer).await {
                tracing::warn!(%error, "the answer to a reply is lost");
            }
        }));
    }
}

/// A stream of another node.
pub(super) struct Stream {
    posts: Log,
    answers: Records,
}

impl Stream {
    /// None if there is none that is open, or it is somebody else's.
    pub(super) async fn find(hub: &Hub, token: Token, owner: &Owner) -> Result<Option<Self>, EngineError> {
        let entries = match states(hub, token).read_kept().await?.until_now().await {
            Ok(entries) => entries,
            Err(ReadError::Evicted) => return Ok(None),
            Err(ReadError::Engine(error)) => return Err(error),
        };
        let said: Vec<Value> = entries.iter().filter_map(|entry| heard(&entry.block)).collect();
        let is = |what: &str| said.iter().find(|said| text(said, "is") == Some(what));
        if is("closed").is_some() || is("open").and_then(|open| text(open, "owner")) != Some(&owner.written())
        {
            return Ok(None);
        }
        let answers = answers(hub, token).read_on().await?;
        Ok(Some(Self { posts: posts(hub, token), answers }))
    }

    /// Hands a reply over, and waits for what comes back.
    pub(super) async fn post(mut self, value: &[u8], key: Option<&str>) -> Answer {
        let value = String::from_utf8_lossy(value);
        let number = match say(&self.posts, &json!({ "key": key, "value": value })).await {
            Ok(number) => number,
            Err(error) => {
                tracing::error!(%error, "a reply cannot be handed over");
                return Answer::unavailable();
            }
        };
        let begun = Instant::now();
        let mut until = begun + SILENCE;
        let answer = loop {
            let Ok(Ok(entry)) = timeout_at(until, self.answers.next()).await else {
                return Answer::unavailable();
            };
            let to_this = |said: &Value| said.get("to").and_then(Value::as_u64) == Some(number);
            match heard(&entry.block).filter(to_this) {
                None => {}
                Some(said) if text(&said, "is") == Some("taken") => until = begun + PATIENCE,
                Some(answer) => break answer,
            }
        };
        let status =
            answer.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else {
            return Answer::unavailable();
        };
        let is_json = answer.get("json").and_then(Value::as_bool).unwrap_or_default();
        let body = text(&answer, "body").unwrap_or_default().to_owned().into();
        Answer { status, is_json, body }
    }
}
