//! The process that is killed: many tasks publish, and it says what was acknowledged.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use sse_runtime::engine::Redb;
use sse_runtime::{Hub, Topic};
use tokio::task::JoinSet;

use crate::kept::{AGE, Kept};

pub(crate) const WORD: &str = "publish";
pub(crate) const TOPICS: u32 = 8;
const TASKS: u32 = 1000;
const TEXT: usize = 100;
/// What an event counts for, as `Redb::bytes` says.
pub(crate) const WEIGHT: u64 = 68 + ("data: \n\n".len() + TEXT + 2 * topic_len()) as u64;

const fn topic_len() -> usize {
    "topic 0".len()
}

pub(crate) fn topic(number: u32) -> String {
    format!("topic {number}")
}

/// What an event says: who published it, and which of that task's it is; and so much more that it has 100 bytes.
pub(crate) fn text(task: u32, n: u32) -> String {
    format!("{:<TEXT$}", format!("{task} {n} "))
}

/// An event that was acknowledged: its number, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) seq: u64,
    pub(crate) task: u32,
    pub(crate) n: u32,
}

const SIZE: usize = 16;

impl Acknowledged {
    fn bytes(self) -> [u8; SIZE] {
        let all = u128::from(self.seq) | u128::from(self.task) << 64 | u128::from(self.n) << 96;
        all.to_le_bytes()
    }

    fn from(bytes: [u8; SIZE]) -> Self {
        let all = u128::from_le_bytes(bytes);
        let part = |shift: u32| u32::try_from(all >> shift & u128::from(u32::MAX)).unwrap_or_default();
        Self { seq: u64::from(part(0)) | u64::from(part(32)) << 32, task: part(64), n: part(96) }
    }
}

/// Goes on until it is killed. Each start has tasks of its own, so that no text is there twice.
pub(crate) async fn publish_for_ever(engine: Redb, start: u32) {
    // Each as one write, which a pipe takes whole.
    let out = Arc::new(File::from(io::stdout().as_fd().try_clone_to_owned().expect("a pipe")));
    let hub = Hub::on(engine).start().await.expect("the log opens");
    let mut tasks = JoinSet::new();
    for task in start * TASKS..(start + 1) * TASKS {
        let (topic, out): (Topic, _) = (hub.topic(topic(task % TOPICS)), Arc::clone(&out));
        tasks.spawn(async move {
            for n in 0.. {
                let id = topic.publish(text(task, n)).await.expect("published");
                let acknowledged = Acknowledged { seq: number(id.as_str()), task, n };
                (&*out).write_all(&acknowledged.bytes()).expect("said");
            }
        });
    }
    tasks.join_all().await;
}

fn number(id: &str) -> u64 {
    id.split_once('-').and_then(|(_, number)| number.parse().ok()).expect("an id")
}

/// Starts the process, kills it once so many were acknowledged, and gives all that it had said until then.
pub(crate) fn kill_after(
    kept: Kept,
    file: &Path,
    start: usize,
    events: usize,
    busiest: &mut usize,
) -> Vec<Acknowledged> {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .arg(WORD)
        .arg(kept.to_string())
        .arg(file)
        .arg(start.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut pipe = BufReader::with_capacity(SIZE << 12, child.stdout.take().expect("a pipe"));
    let (mut said, mut recent, mut killed) = (Vec::with_capacity(events), VecDeque::new(), false);
    let mut bytes = [0; SIZE];
    while pipe.read_exact(&mut bytes).is_ok() {
        said.push(Acknowledged::from(bytes));
        let now = Instant::now();
        recent.push_back(now);
        while recent.front().is_some_and(|&then| now.duration_since(then) > AGE) {
            recent.pop_front();
        }
        *busiest = recent.len().max(*busiest);
        if said.len() >= events && !killed {
            // SIGKILL.
            child.kill().expect("it was running");
            killed = true;
        }
    }
    assert!(killed, "it ended by itself: {:?}", child.wait());
    child.wait().expect("it has ended");
    said
}
