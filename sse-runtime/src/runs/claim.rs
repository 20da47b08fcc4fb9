//! The key of a request, claimed in the log: of several requests that have it, on whatever nodes, one begins a run.
//!
//! The log puts the claims into one order, which is the same for all. A claim is given up when no run comes of it, so that
//! the same request can be made again.

use std::time::Duration;

use tokio::time::sleep;

use super::elsewhere::{milliseconds, now};
use super::id::RunId;
use super::meta::RunMeta;
use super::owner::Owner;
use super::runs::Runs;
use super::signs::{Sign, Signs};
use crate::engine::EngineError;
use crate::topic::{Log, ReadError};

/// A key that this request has. Dropped, it is given up, unless a run [has begun](Self::keep) with it.
pub(crate) struct Claim {
    log: Log,
    pub(crate) id: RunId,
    is_kept: bool,
}

impl Claim {
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_kept {
            give_up(self.log.clone(), self.id);
        }
    }
}

/// Lets others have it; in a task, for who gives up may be gone.
fn give_up(log: Log, id: RunId) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    drop(runtime.spawn(async move {
        if let Err(error) = log.append(Word { id, until: 0, node: 0 }.block().as_bytes(), None).await {
            tracing::warn!(run = %id, %error, "the key of a run that has not begun cannot be given up");
        }
    }));
}

/// Another request has the key.
pub(crate) struct Holder {
    log: Log,
    pub(crate) id: RunId,
    node: u64,
}

impl Holder {
    /// No run has come of it, or it is gone.
    pub(crate) fn let_go(&self) {
        give_up(self.log.clone(), self.id);
    }
}

/// What becomes of a run whose key another request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    Begun,
    GivenUp,
    /// Its node is there, and its handler takes its time.
    Slow,
}

/// A claim as it is written, until when it holds, in milliseconds since 1970; 0 gives it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    id: RunId,
    until: u64,
    node: u64,
}

impl Word {
    fn block(self) -> String {
        format!("data: {} {} {:x}\n\n", self.id, self.until, self.node)
    }

    fn read(block: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(block).ok()?.strip_prefix("data: ")?.trim_end().split(' ');
        let (id, until) = (RunId::parse(words.next()?)?, words.next()?.parse().ok()?);
        let node = u64::from_str_radix(words.next()?, 16).ok()?;
        Some(Self { id, until, node })
    }
}

/// The first claim that holds.
fn holder(words: impl Iterator<Item = Word>, now: u64) -> Option<Word> {
    let mut claims: Vec<Word> = Vec::new();
    for word in words {
        if word.until == 0 {
            claims.retain(|claim| claim.id != word.id);
        } else {
            claims.push(word);
        }
    }
    claims.into_iter().find(|claim| claim.until > now)
}

impl Runs {
    fn claims(&self, owner: &Owner, key: &str) -> Log {
        Log::new(self.hub(), &owner.claims(key))
    }

    /// Claims a key for a run that is about to begin, unless another request has it.
    pub(crate) async fn claim(
        &self,
        owner: &Owner,
        key: &str,
        id: RunId,
        meta: &RunMeta,
    ) -> Result<Result<Claim, Holder>, EngineError> {
        let log = self.claims(owner, key);
        let until = now().saturating_add(milliseconds(meta.time)).saturating_add(milliseconds(meta.keep));
        let claim = Claim { log: log.clone(), id, is_kept: false };
        log.append(Word { id, until, node: self.node() }.block().as_bytes(), None).await?;
        let entries = match log.read_kept().await?.until_now().await {
            Ok(entries) => entries,
            // So many have claimed it that the first of them is forgotten.
            Err(ReadError::Evicted) => return Ok(Ok(claim)),
            Err(ReadError::Engine(error)) => return Err(error),
        };
        let words = entries.iter().filter_map(|entry| Word::read(&entry.block));
        Ok(match holder(words, now()) {
            Some(first) if first.id != id => Err(Holder { log, id: first.id, node: first.node }),
            _ => Ok(claim),
        })
    }

    /// Gives up the key of a run that has not begun.
    pub(super) fn release(&self, owner: &Owner, key: &str, id: RunId) {
        give_up(self.claims(owner, key), id);
    }

    /// Waits until the run has begun whose key another request has, or it is known that it will not.
    pub(crate) async fn awaited(&self, holder: &Holder) -> Result<Awaited, EngineError> {
        match self.what_becomes_of(holder).await {
            Ok(awaited) => Ok(awaited),
            Err(ReadError::Evicted) => Ok(Awaited::GivenUp),
            Err(ReadError::Engine(error)) => Err(error),
        }
    }

    async fn what_becomes_of(&self, holder: &Holder) -> Result<Awaited, ReadError> {
        let mut course = Log::new(self.hub(), &holder.id.course()).read_kept().await?;
        let mut claims = holder.log.read_kept().await?;
        let mut signs = Signs::of(self, holder.node).await?;
        let mut is_there = false;
        // A node that begins its first run says only then that it is there.
        let mut limit = std::pin::pin!(sleep(self.lease_time().max(Duration::from_millis(1))));
        loop {
            tokio::select! {
                entry = course.next() => return entry.map(|_| Awaited::Begun),
                entry = claims.next() => {
                    let word = Word::read(&entry?.block);
                    if word.is_some_and(|word| word.id == holder.id && word.until == 0) {
                        return Ok(Awaited::GivenUp);
                    }
                }
                sign = signs.next() => {
                    is_there |= sign? == Sign::There;
                }
                () = &mut limit => {
                    if is_there {
                        return Ok(Awaited::Slow);
                    }
                    holder.let_go();
                    return Ok(Awaited::GivenUp);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_holds_that_is_not_given_up_and_not_over() {
        let id = |letter: &str| RunId::parse(&letter.repeat(26)).expect("an id");
        let word = |letter: &str, until| Word { id: id(letter), until, node: 7 };
        let first = |words: &[Word]| holder(words.iter().copied(), 10).map(|word| word.id);
        assert_eq!(first(&[]), None);
        assert_eq!(first(&[word("a", 20), word("b", 20)]), Some(id("a")));
        assert_eq!(first(&[word("a", 10), word("b", 20)]), Some(id("b")), "its time is over");
        assert_eq!(first(&[word("a", 20), word("b", 20), word("a", 0)]), Some(id("b")));
        assert_eq!(first(&[word("a", 20), word("a", 0), word("b", 20)]), Some(id("b")));
        assert_eq!(first(&[word("a", 20), word("a", 0)]), None);
        let word = Word { id: id("a"), until: u64::MAX, node: u64::MAX };
        assert_eq!(Word::read(word.block().as_bytes()), Some(word));
        assert_eq!(Word::read(b"data: x 1 1\n\n"), None);
    }
}
