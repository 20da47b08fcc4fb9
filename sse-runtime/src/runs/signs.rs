//! What a node with runs says of itself, and what it is told by the nodes that follow them.
//!
//! | topic | who writes | who reads |
//! |---|---|---|
//! | `sse-run-node:<node>` | the node: that it is there; a follower that hears nothing of that: a question | followers |
//! | `sse-run-followed:<node>` | nodes with clients that follow a run of that node: of which | the node |
//!
//! A question is not answered. But when it comes back, and no sign was before it, there was none: and not only a log that
//! did not bring it. All of this is in topics of its own, however much it is: a run's topics are for the run.

use std::time::Duration;

use tokio::time::{Instant, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::id::RunId;
use super::runs::Runs;
use crate::engine::EngineError;
use crate::topic::{Log, ReadError, Records};

const SIGN: &[u8] = b"data:\n\n";
const QUESTION: &[u8] = b"data: ?\n\n";
/// How long after an error a log is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// Says at intervals that this node is there, as long as it has runs, and hears meanwhile which are followed elsewhere.
pub(super) async fn give_signs(runs: Runs) {
    tokio::select! {
        () = say_so(&runs) => {}
        () = hear_of_followers(&runs) => {}
    }
}

async fn say_so(runs: &Runs) {
    let log = signs(runs, runs.node());
    let mut moments = interval(runs.lease_time() / 3);
    loop {
        moments.tick().await;
        if !runs.is_needed() {
            return;
        }
        // At once again: who has heard nothing for a lease takes it for gone.
        while let Err(error) = log.append(SIGN, None).await {
            tracing::debug!(%error, "other nodes are not told that this one is there");
            sleep(RETRY).await;
        }
    }
}

async fn hear_of_followers(runs: &Runs) {
    let log = followed(runs, runs.node());
    loop {
        if let Ok(mut records) = log.read_on().await {
            while let Ok(entry) = records.next().await {
                let id = entry.block.strip_prefix(b"data: ").and_then(|id| std::str::from_utf8(id).ok());
                let run = id.and_then(|id| RunId::parse(id.trim_end())).and_then(|id| runs.get(id));
                if let Some(run) = run {
                    run.0.attached_elsewhere(Instant::now() + runs.lease_time());
                }
            }
        }
        // What was said meanwhile is said again.
        sleep(RETRY).await;
    }
}

fn signs(runs: &Runs, node: u64) -> Log {
    Log::new(runs.hub(), &format!("sse-run-node:{node:x}"))
}

fn followed(runs: &Runs, node: u64) -> Log {
    Log::new(runs.hub(), &format!("sse-run-followed:{node:x}"))
}

/// The signs of another node, from now on.
pub(super) struct Signs {
    log: Log,
    records: Records,
    /// The number of a question that has not come back, and when it was asked.
    asked: Option<(u64, Instant)>,
}

/// What has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    There,
    /// No sign was before this number since the question was due.
    Silence(u64),
}

impl Signs {
    pub(super) async fn of(runs: &Runs, node: u64) -> Result<Self, EngineError> {
        let log = signs(runs, node);
        Ok(Self { records: log.read_on().await?, log, asked: None })
    }

    /// Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Sign, ReadError> {
        loop {
            let entry = self.records.next().await?;
            if &*entry.block == SIGN {
                self.asked = None;
                return Ok(Sign::There);
            }
            if self.asked.is_some_and(|(asked, _)| entry.seq >= asked) {
                return Ok(Sign::Silence(entry.seq));
            }
        }
    }

    /// Whether a question may still come back. One that the log has lost never does.
    pub(super) fn waits(&self, lease: Duration) -> bool {
        self.asked.is_some_and(|(_, at)| at.elapsed() < lease)
    }

    pub(super) async fn ask(&mut self) -> Result<(), EngineError> {
        self.asked = Some((self.log.append(QUESTION, None).await?, Instant::now()));
        Ok(())
    }
}

/// A client of this node that follows a run of another.
pub(super) struct Follower {
    runs: Runs,
    id: RunId,
}

/// All of one run. That they are there is said once for all, and however slowly they read: so by a task.
pub(super) struct Followers {
    count: usize,
    _says_so: AbortOnDropHandle<()>,
}

impl Follower {
    pub(super) fn new(runs: &Runs, id: RunId, node: u64) -> Self {
        let log = followed(runs, node);
        let begin = || {
            let says_so = tokio::spawn(say_at_intervals(log, id, runs.lease_time() / 3));
            Followers { count: 0, _says_so: AbortOnDropHandle::new(says_so) }
        };
        runs.table().followed.entry(id).or_insert_with(begin).count += 1;
        Self { runs: runs.clone(), id }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let last = {
            let mut table = self.runs.table();
            let is_last = table.followed.get_mut(&self.id).is_some_and(|followers| {
                followers.count -= 1;
                followers.count == 0
            });
            is_last.then(|| table.followed.remove(&self.id))
        };
        drop(last);
    }
}

async fn say_at_intervals(log: Log, id: RunId, between: Duration) {
    let word = format!("data: {id}\n\n");
    let mut moments = interval(between);
    loop {
        moments.tick().await;
        while log.append(word.as_bytes(), None).await.is_err() {
            sleep(RETRY).await;
        }
    }
}
