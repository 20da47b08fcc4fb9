//! The engine on a file of this machine, by redb: one process, history that survives it.
//!
//! Other engines have the same files: what users see is here, the rest is
//!
//! ```text
//! error      what can go wrong
//! start      opening or connecting: which log it is, where it stands
//! table      what is stored how
//! queue      publishers wait here
//! writer     publishing
//! mend       the same after an error
//! delivery   to the hub, and answers to the publishers
//! reader     history
//! retention  what is kept
//! ```
//!
//! Dedupe keys are in a table of their own, written with their events, and in memory, where they are looked up (`once`,
//! which all engines share that have no server to do it).

mod delivery;
mod error;
#[cfg(test)]
mod faults;
mod mend;
mod queue;
mod reader;
mod retention;
mod start;
mod table;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::spawn_blocking;

pub use error::RedbError;

use self::retention::Limits;
use self::writer::Running;
use super::once::{self, Once};
use super::started::Started;
use super::{Answer, Engine, EngineError, Feed, Log, Page, Record};

/// A log in one file of this machine: embedded, durable, for one process.
///
/// What `publish` has answered for is on the disk and survives the process, also one that is killed, and a loss of power.
/// After a restart the log goes on: clients come back with the ids that they have and get what they missed, as if
/// the hub had been there all the time. What `publish` was not answered for may be there or not.
///
/// ```
/// use std::time::Duration;
/// use sse_runtime::{Hub, Topic, engine::Redb};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> sse_runtime::Result<()> {
/// # let file = std::env::temp_dir().join(format!("sse-example-{}.redb", std::process::id()));
/// let engine = Redb::open(&file).age(Duration::from_secs(7 * 24 * 3600));
/// let hub = Hub::on(engine).start().await?;
/// let news: Topic = hub.topic("news");
/// let id = news.publish("kept").await?;
/// # drop((news, hub));
///
/// // Later, in another process perhaps:
/// let hub = Hub::on(Redb::open(&file)).start().await?;
/// let news: Topic = hub.topic("news");
/// assert_eq!(news.position().as_str(), id.as_str());
/// # std::fs::remove_file(file).map_err(sse_runtime::Error::from)
/// # }
/// ```
///
/// # What is kept
///
/// | limit | default |
/// |---|---|
/// | [`age`](Self::age) | one day |
/// | [`bytes`](Self::bytes) | 1 GiB |
/// | [`events`](Self::events) | none |
///
/// Of all topics together, the oldest events go first. The hub's own limits say what it holds in memory, no more. Of 65,536
/// topics it is known exactly what they have lost; of the others, a client whose id is old may be told to begin anew though
/// it has missed nothing.
///
/// An event's [`dedupe`](crate::Publishing::dedupe) key is stored with it, in the same transaction: it is known
/// after a crash if the event is there, and only then. For how long, and how many of them, is set by
/// [`dedupe_window`](Self::dedupe_window) and [`dedupe_bytes`](Self::dedupe_bytes), whatever becomes of the event itself. An
/// event that is published again is answered at once, without a wait for the disk, if the first one is there.
///
/// The file does not become smaller: room of what was evicted is used again. It takes about twice [`bytes`](Self::bytes)
/// with events of 100 bytes on a thousand topics, less with larger ones or fewer topics. After a crash it is read through
/// before it is opened: half a second for a million such events, 5 to 26 ms for twenty thousand, whatever was published
/// before (`cargo bench -p sse-benches --features redb --bench killed`, in the repository: a million events, ten times
/// `kill -9`).
///
/// # Speed
///
/// One thread writes, and everything that waits for it is one transaction, with one wait for the disk. So publishing one
/// event after the other is as slow as the disk (a thousand a second on a common SSD), and many tasks that publish at
/// once are not; nor is one that has many futures of `publish` under way.
///
/// # When something fails
///
/// Opening fails with a [`RedbError`], see [`EngineError::downcast_ref`]: if the file belongs to another process or is not
/// a log, for instance. Nothing is ever begun anew in place of a file that cannot be read.
///
/// If the disk is full, or fails, `publish` is an error and the outcome is unknown. The file is opened again, once a
/// second if need be; streams stay open meanwhile, and get what is published when it works again.
///
/// # The file
///
/// It is locked, and not for network file systems. To copy it, stop the process: a copy of a file in use may be damaged.
/// Of a file that was deleted while it is open, nothing remains. Needs Rust 1.90.
#[must_use = "nothing is opened before a hub starts on it: `Hub::on(..).start().await`"]
pub struct Redb {
    options: Options,
    running: Started<Running>,
}

/// When what was published is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Before `publish` answers.
    #[default]
    EveryGroup,
    /// So long after `publish` has answered, at the latest, and when the hub is dropped. `publish` then waits for no disk.
    ///
    /// If the process does not end properly, events may be missing that clients have seen. So the log then begins anew,
    /// empty, and clients get `sse-reset` with the reason `epoch`. Zero is the same as [`EveryGroup`](Self::EveryGroup).
    Within(Duration),
}

impl Durability {
    fn within(self) -> Duration {
        match self {
            Self::EveryGroup => Duration::ZERO,
            Self::Within(time) => time,
        }
    }
}

#[derive(Clone, Debug)]
struct Options {
    path: PathBuf,
    limits: Limits,
    durability: Durability,
    cache: usize,
    queue: usize,
    dedupe_window: Duration,
    dedupe_bytes: usize,
    lock_timeout: Duration,
    #[cfg(test)]
    faults: Arc<faults::Faults>,
}

impl Options {
    fn once(&self) -> Once {
        Once::new(self.dedupe_window, self.dedupe_bytes)
    }
}

impl Redb {
    /// A log in this file, which is begun if it does not exist; its folder has to. It is opened when the hub starts.
    pub fn open(path: impl AsRef<Path>) -> Self {
        let options = Options {
            path: path.as_ref().to_owned(),
            limits: Limits::default(),
            durability: Durability::default(),
            cache: 64 << 20,
            queue: 16 << 20,
            dedupe_window: once::WINDOW,
            dedupe_bytes: once::BYTES,
            lock_timeout: Duration::from_secs(1),
            #[cfg(test)]
            faults: Arc::default(),
        };
        Self { options, running: Started::not_yet() }
    }

    /// How long an event is kept, by the system's clock.
    pub fn age(mut self, age: Duration) -> Self {
        self.options.limits.age = Some(age);
        self
    }

    /// How many bytes are kept: what the events have on the wire, twice their topics' names, their keys, and 68 for each,
    /// 123 with a trace.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.options.limits.bytes = bytes;
        self
    }

    /// How many events are kept.
    pub fn events(mut self, events: u64) -> Self {
        self.options.limits.events = events;
        self
    }

    /// When an event is on the disk: before `publish` answers, by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = match durability {
            Durability::Within(Duration::ZERO) => Durability::EveryGroup,
            other => other,
        };
        self
    }

    /// How many bytes of the file are held in memory, at most. 64 MiB by default.
    pub fn cache(mut self, bytes: usize) -> Self {
        self.options.cache = bytes;
        self
    }

    /// How many bytes of events may wait to be written, in memory; then `publish` waits before it hands them over. 16 MiB
    /// by default.
    pub fn queue(mut self, bytes: usize) -> Self {
        self.options.queue = bytes;
        self
    }

    /// For how long an event is known by its [`dedupe`](crate::Publishing::dedupe) key, by the system's clock. Two
    /// minutes by default. With zero, events that have such a key are refused.
    pub fn dedupe_window(mut self, window: Duration) -> Self {
        self.options.dedupe_window = window;
        self
    }

    /// How many bytes of such keys are kept, at most, in memory and in the file: theirs, those of their topics' names, and
    /// 160 for each. Beyond that, the oldest are forgotten earlier. 64 MiB by default: some 350,000 keys.
    pub fn dedupe_bytes(mut self, bytes: usize) -> Self {
        self.options.dedupe_bytes = bytes;
        self
    }

    /// How long the start waits for the file if another process has it open, which may be about to end. One second by
    /// default.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.options.lock_timeout = timeout;
        self
    }

    fn running(&self) -> Result<&Running, EngineError> {
        self.running.get().ok_or_else(|| self.closed())
    }

    fn closed(&self) -> EngineError {
        EngineError::new(RedbError::closed(&self.options.path))
    }
}

impl Engine for Redb {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        Answer::later(self.running.start(writer::run(&self.options, feed)))
    }

    fn open<'a>(&'a self, _: &'a str) -> Answer<'a, u64> {
        // Whatever is published is delivered.
        Answer::now(Ok(0))
    }

    fn close(&self, _: &str) {}

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        let (value, dedupe) = (table::encode(topic, record), record.dedupe.map(Box::from));
        Answer::later(async move {
            let value =
                value.ok_or_else(|| EngineError::new("a topic's name or a key of more than 4 GiB"))?;
            self.running()?.queue.publish(value, dedupe).await.unwrap_or_else(|| Err(self.closed()))
        })
    }

    fn deduplicates(&self) -> bool {
        !self.options.dedupe_window.is_zero()
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::now(self.running().map(|running| running.top.load(Ordering::Acquire)))
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        Answer::later(async move {
            let (file, topic) = (Arc::clone(&self.running()?.file), topic.to_owned());
            let read =
                spawn_blocking(move || file.with(|database| reader::read(database, &topic, after, until)));
            read.await.map_err(EngineError::new)?.map_err(EngineError::new)
        })
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let top = self.running.get().map(|running| running.top.load(Ordering::Relaxed));
        f.debug_struct("Redb").field("path", &self.options.path).field("top", &top).finish_non_exhaustive()
    }
}
