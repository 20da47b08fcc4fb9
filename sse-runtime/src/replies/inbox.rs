//! What waits for a handler: in the order in which it came, each reply once, and no more than so many.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::answer::Answer;
use crate::runs::Owner;
use crate::token::Token;

/// How many keys of a stream's clients are known.
const KEYS: usize = 256;
/// How long a client waits for what the handler says.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reply on its way to the handler. When the answer's sender is dropped without one, there is nobody who will give it.
pub(super) struct Posted {
    pub(super) value: Bytes,
    pub(super) answer: watch::Sender<Option<Answer>>,
}

/// The answer of a reply, which others may wait for as well: those that are the same one again.
pub(super) type Answering = watch::Receiver<Option<Answer>>;

pub(super) struct Inbox {
    pub(super) owner: Owner,
    sender: mpsc::Sender<Posted>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    answers: HashMap<Box<str>, Answering>,
    by_age: VecDeque<Box<str>>,
}

impl Inbox {
    pub(super) fn new(owner: Owner, size: usize) -> (Arc<Self>, mpsc::Receiver<Posted>) {
        let (sender, receiver) = mpsc::channel(size.max(1));
        (Arc::new(Self { owner, sender, known: Mutex::default() }), receiver)
    }

    /// Takes a reply in, and answers when the handler has, or after a while.
    pub(super) async fn post(&self, value: Bytes, key: Option<&str>) -> Answer {
        Self::answer(self.take(value, key)).await
    }

    /// What becomes of a reply that was taken in, or not.
    pub(super) async fn answer(taken: Result<Answering, Answer>) -> Answer {
        match taken {
            Ok(answering) => wait(answering).await,
            Err(refusal) => refusal,
        }
    }

    pub(super) fn take(&self, value: Bytes, key: Option<&str>) -> Result<Answering, Answer> {
        // Held until it is in the inbox: of two that are the same, the second finds the first.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answering) = key.and_then(|key| known.answers.get(key)) {
            // Who was told to try again does, and the handler may have made up its mind.
            if !answering.borrow().as_ref().is_some_and(Answer::is_for_now) {
                return Ok(answering.clone());
            }
        }
        let (answer, answering) = watch::channel(None);
        self.sender.try_send(Posted { value, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Answer::full(),
            mpsc::error::TrySendError::Closed(_) => Answer::unknown(),
        })?;
        if let Some(key) = key {
            if known.answers.insert(key.into(), answering.clone()).is_none() {
                known.by_age.push_back(key.into());
            }
            if known.by_age.len() > KEYS {
                if let Some(oldest) = known.by_age.pop_front() {
                    known.answers.remove(&oldest);
                }
            }
        }
        Ok(answering)
    }
}

async fn wait(mut answering: Answering) -> Answer {
    match timeout(PATIENCE, answering.wait_for(Option::is_some)).await {
        Ok(Ok(answer)) => answer.clone().unwrap_or_else(Answer::accepted),
        // The stream was over before the handler took it.
        Ok(Err(_)) => Answer::unknown(),
        // It is still in the inbox.
        Err(_) => Answer::accepted(),
    }
}

/// The streams of this process that take replies.
static OPEN: Mutex<Open> = Mutex::new(BTreeMap::new());

/// By the node that this process is to others, if it is one: it may be several.
type Open = BTreeMap<(Option<u64>, Token), Arc<Inbox>>;

fn open() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Can be found for as long as it lives.
pub(super) struct Findable(Option<u64>, Token);

impl Findable {
    pub(super) fn new(node: Option<u64>, token: Token, inbox: Arc<Inbox>) -> Self {
        open().insert((node, token), inbox);
        Self(node, token)
    }
}

impl Drop for Findable {
    fn drop(&mut self) {
        let inbox = open().remove(&(self.0, self.1));
        drop(inbox);
    }
}

pub(super) fn find(node: Option<u64>, token: Token) -> Option<Arc<Inbox>> {
    open().get(&(node, token)).cloned()
}
