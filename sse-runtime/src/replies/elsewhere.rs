//! Replies through the log: to a stream of another node, and from other nodes to one of this.
//!
//! In one topic the stream's node says that it is open, and other nodes put what was posted to them; in a second one it
//! answers them. Both have the token in their names.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::answer::Answer;
use super::inbox::Inbox;
use crate::engine::EngineError;
use crate::runs::Owner;
use crate::token::Token;
use crate::topic::{Hub, Log, ReadError, Records};

/// How long another node is waited for. Longer than it waits itself for its handler.
const PATIENCE: Duration = Duration::from_secs(12);

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
        if let Err(error) = listen(&hub, token, &inbox).await {
            tracing::error!(%error, "a stream hears no replies from other nodes");
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
        let log = posts(&self.hub, self.token);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // If that fails, other nodes wait in vain, and say so.
            drop(runtime.spawn(async move { drop(say(&log, &json!({ "is": "closed" })).await) }));
        }
    }
}

async fn listen(hub: &Hub, token: Token, inbox: &Arc<Inbox>) -> Result<(), ReadError> {
    let (log, answers) = (posts(hub, token), answers(hub, token));
    let begun = say(&log, &json!({ "is": "open", "owner": inbox.owner.written() })).await?;
    let mut records = log.read(begun).await?;
    loop {
        let entry = records.next().await?;
        let Some(post) = heard(&entry.block).filter(|post| text(post, "is") == Some("post")) else {
            continue;
        };
        let (inbox, answers) = (Arc::clone(inbox), answers.clone());
        // Each waits for the handler by itself; they are taken in in this order, for that does not wait.
        let (number, key) = (entry.seq, text(&post, "key").map(str::to_owned));
        let value = Bytes::copy_from_slice(text(&post, "value").unwrap_or_default().as_bytes());
        let taken = inbox.take(value, key.as_deref());
        drop(tokio::spawn(async move {
            let Answer { status, is_json, body } = Inbox::answer(taken).await;
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
        let posts = posts(hub, token);
        let entries = match posts.read(0).await?.until_now().await {
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
        Ok(Some(Self { posts, answers }))
    }

    /// Hands a reply over, and waits for what comes back.
    pub(super) async fn post(mut self, value: &[u8], key: Option<&str>) -> Answer {
        let value = String::from_utf8_lossy(value);
        let number = match say(&self.posts, &json!({ "is": "post", "key": key, "value": value })).await {
            Ok(number) => number,
            Err(error) => {
                tracing::error!(%error, "a reply cannot be handed over");
                return Answer::unavailable();
            }
        };
        let answered = async {
            loop {
                let entry = self.answers.next().await?;
                let Some(answer) = heard(&entry.block) else { continue };
                if answer.get("to").and_then(Value::as_u64) == Some(number) {
                    return Ok::<_, ReadError>(answer);
                }
            }
        };
        let Ok(Ok(answer)) = timeout(PATIENCE, answered).await else { return Answer::unavailable() };
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
