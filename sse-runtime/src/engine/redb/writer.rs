//! The one thread that writes: what waits for it is one transaction, one wait for the disk.
//!
//! ```text
//!            +---------- jobs, or their time ----------+
//!            v                                         |
//!   open: append and evict, commit, deliver, answer ---+
//!            |  an error: the outcome is unknown, and the publishers are told so
//!            v
//!   broken: open the file again -- fails: publishers are told, tried again later
//!            |  what the log has and was not delivered is delivered
//!            v
//!          open
//! ```
//!
//! redb refuses to go on after an error, so it is opened again. A number is the next one of what the file says: one that
//! was given to a record which is not there is given again, and nobody has seen it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ::redb::Error as Failure;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::RedbError;
use super::reader::replay;
use super::retention::{evict, milliseconds};
use super::start::{self, LogFile, Opened};
use super::table::{Tables, Tail, about, decode, stamp, weight, without_sync};
use super::{Durability, Options};
use crate::engine::{EngineError, Feed, Log};

/// The most records of one transaction: it should not take longer than a publisher likes to wait.
const GROUP: usize = 4096;
/// How many events a transaction evicts that has little else to do.
const EVICTED_AT_ONCE: usize = 4096;
/// How long an error is left alone before the file is opened again.
const REST: Duration = Duration::from_secs(1);
/// What a record takes in memory beside its bytes.
const JOB: usize = 256;
/// How long the thread sleeps if nothing will ever happen by itself.
const LONG: Duration = Duration::from_secs(3600);

/// A record that waits to be written.
struct Job {
    value: Vec<u8>,
    answer: oneshot::Sender<Result<u64, EngineError>>,
    _room: OwnedSemaphorePermit,
}

/// Where publishers leave their records: as many bytes as it has room for, the others wait.
pub(super) struct Queue {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
    most: usize,
}

/// A log with a writer.
pub(super) struct Running {
    pub(super) queue: Queue,
    pub(super) file: Arc<LogFile>,
    /// The newest number that is in the log.
    pub(super) top: Arc<AtomicU64>,
}

impl Queue {
    /// Dropped, the record is written or not.
    pub(super) async fn publish(&self, value: Vec<u8>) -> Option<Result<u64, EngineError>> {
        let bytes = value.len().saturating_add(JOB).min(self.most);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(bytes).ok()?).await.ok()?;
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { value, answer, _room: room }).ok()?;
        answered.await.ok()
    }
}

/// Starts the thread, which opens the log.
pub(super) async fn run(options: &Options, feed: Feed) -> Result<(Running, Log), RedbError> {
    let path = options.path.clone();
    let most = options.queue.clamp(1, u32::MAX as usize >> 3);
    let (jobs, waiting) = channel();
    let (started, start) = oneshot::channel();
    let options = options.clone();
    // Its clock, too, which a test may have stopped.
    let runtime = Handle::try_current().ok();
    let thread = thread::Builder::new().name("sse-redb".to_owned()).spawn(move || {
        let _runtime = runtime.as_ref().map(Handle::enter);
        match Writer::open(options, feed, waiting) {
            Ok(writer) => {
                let log = Log { epoch: writer.epoch, top: writer.tail.top };
                let shared = (Arc::clone(&writer.file), Arc::clone(&writer.top), log);
                // Whoever asked may have gone: the queue is then closed already.
                drop(started.send(Ok(shared)));
                writer.run();
            }
            Err(error) => drop(started.send(Err(error))),
        }
    });
    thread.map_err(|source| RedbError::Io { path: path.clone(), source })?;
    let (file, top, log) = start.await.map_err(|_| RedbError::closed(&path))??;
    let queue = Queue { jobs, room: Arc::new(Semaphore::new(most)), most };
    Ok((Running { queue, file, top }, log))
}

struct Writer {
    options: Options,
    feed: Feed,
    jobs: Receiver<Job>,
    file: Arc<LogFile>,
    epoch: u64,
    top: Arc<AtomicU64>,
    tail: Tail,
    /// There is more to evict.
    behind: bool,
    /// Since when there is something that is not on the disk.
    ahead: Option<Instant>,
    /// Since when the file cannot be used, and why.
    broken: Option<(Instant, EngineError)>,
}

impl Writer {
    fn open(options: Options, feed: Feed, jobs: Receiver<Job>) -> Result<Self, RedbError> {
        let Opened { database, epoch, tail, .. } = start::open(&options)?;
        let file = Arc::new(LogFile::new(&options.path, database));
        file.with(|database| start::say_ahead(database, options.durability != Durability::EveryGroup))?;
        let top = Arc::new(AtomicU64::new(tail.top));
        let behind = true;
        Ok(Self { options, feed, jobs, file, epoch, top, tail, behind, ahead: None, broken: None })
    }

    fn run(mut self) {
        loop {
            match self.jobs.recv_timeout(self.rest()) {
                Ok(job) => self.publish(job),
                Err(RecvTimeoutError::Timeout) => self.tend(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.broken.is_none() && self.options.durability != Durability::EveryGroup {
            let said = self.file.with(|database| start::say_ahead(database, false));
            if let Err(error) = said {
                tracing::warn!(%error, "the log is not on the disk whole, and will begin anew");
            }
        }
        self.file.close();
    }

    /// How long there is nothing to do by itself.
    fn rest(&self) -> Duration {
        if let Some((since, _)) = &self.broken {
            return REST.saturating_sub(since.elapsed());
        }
        if self.behind {
            return Duration::ZERO;
        }
        let expires = self.options.limits.rest(&self.tail, now());
        let sync = self.ahead.map(|since| self.options.durability.within().saturating_sub(since.elapsed()));
        expires.into_iter().chain(sync).min().unwrap_or(LONG)
    }

    /// Writes this record and all that wait.
    fn publish(&mut self, first: Job) {
        let mut group = vec![first];
        group.extend(self.jobs.try_iter().take(GROUP - 1));
        if let Err(error) = self.mended() {
            return refuse(group, &error);
        }
        let before = self.tail.top;
        match self.append(&mut group) {
            Ok(()) => self.hand_out(group, before),
            Err(error) => refuse(group, &self.broke(error)),
        }
    }

    /// Says to the hub, then to the publishers, that they are in the log.
    fn hand_out(&self, group: Vec<Job>, before: u64) {
        for (job, seq) in group.into_iter().zip(before + 1..) {
            // It was encoded here.
            if let Ok(parts) = decode(&job.value) {
                drop(self.feed.deliver(parts.topic, seq, parts.record()));
            }
            // Nobody may wait for it any more.
            drop(job.answer.send(Ok(seq)));
        }
    }

    fn append(&mut self, group: &mut [Job]) -> Result<(), RedbError> {
        let most = (2 * group.len()).max(EVICTED_AT_ONCE / 8);
        self.write(most, |tables, tail, now| {
            tail.newest = now;
            for job in group {
                tail.top = tail.top.checked_add(1).ok_or_else(used_up)?;
                stamp(&mut job.value, now);
                let topic = decode(&job.value)?.topic;
                tables.events.insert(tail.top, job.value.as_slice())?;
                tables.index.insert((topic, tail.top), ())?;
                tail.bytes = tail.bytes.saturating_add(weight(&job.value, topic));
            }
            Ok(())
        })
    }

    /// One transaction: what `change` does, and eviction.
    fn write(
        &mut self,
        most: usize,
        change: impl FnOnce(&mut Tables<'_>, &mut Tail, u64) -> Result<(), Failure>,
    ) -> Result<(), RedbError> {
        // A clock that is set back does not bring the log out of order.
        let now = now().max(self.tail.newest);
        let within = self.options.durability.within();
        let sync = self.ahead.map_or(within.is_zero(), |since| since.elapsed() >= within);
        let (limits, mut tail) = (self.options.limits, self.tail);
        let behind = self.file.with(|database| {
            let mut transaction = database.begin_write()?;
            if !sync {
                without_sync(&mut transaction)?;
            }
            let mut tables = Tables::open(&transaction)?;
            change(&mut tables, &mut tail, now)?;
            let behind = evict(&mut tables, &limits, &mut tail, now, most)?;
            tables.about.insert(about::BYTES, tail.bytes)?;
            drop(tables);
            transaction.commit()?;
            Ok(behind)
        })?;
        (self.behind, self.tail) = (behind, tail);
        self.ahead = if sync { None } else { self.ahead.or_else(|| Some(Instant::now())) };
        self.top.store(tail.top, Ordering::Release);
        Ok(())
    }

    /// What is to be done without a publisher.
    fn tend(&mut self) {
        if self.broken.is_some() {
            return drop(self.mended());
        }
        if let Err(error) = self.write(EVICTED_AT_ONCE, |_, _, _| Ok(())) {
            self.broke(error);
        }
    }

    /// Makes sure that the file can be used, or says why it cannot.
    fn mended(&mut self) -> Result<(), EngineError> {
        match &self.broken {
            None => Ok(()),
            Some((since, error)) if since.elapsed() < REST => Err(error.clone()),
            Some(_) => self.mend(),
        }
    }

    /// After an error: redb does not go on with this file, but it may with the same one opened again.
    fn broke(&mut self, error: RedbError) -> EngineError {
        tracing::error!(%error, "the log could not be written");
        let error = EngineError::new(error);
        // What nobody was told of is delivered as soon as may be.
        drop(self.mend());
        error
    }

    fn mend(&mut self) -> Result<(), EngineError> {
        match self.open_again() {
            Ok(()) => {
                self.broken = None;
                tracing::info!(path = ?self.options.path, "the log can be used again");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the log could not be opened again; trying again in {REST:?}");
                let error = EngineError::new(error);
                self.broken = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn open_again(&mut self) -> Result<(), RedbError> {
        let path = &self.options.path;
        self.file.close();
        let Opened { database, epoch, mut tail, ahead } = start::open_again(&self.options)?;
        if epoch != self.epoch {
            return Err(RedbError::damaged(path, "another log has taken its place"));
        }
        let known = self.tail.top;
        if ahead {
            // Of what was not on the disk, nobody can say what is left. Numbers that were given out mean something else.
            tail = Tail { top: known, ..Tail::default() };
            start::empty(&database, epoch, known, true).map_err(|failure| RedbError::of(path, failure))?;
        } else if tail.top < known {
            let reason = format!("it ends at the number {}, though {known} was written", tail.top);
            return Err(RedbError::damaged(path, reason));
        }
        self.file.replace(database);
        if ahead {
            self.feed.lost(known);
        } else {
            self.catch_up(tail.top)?;
        }
        (self.tail, self.behind, self.ahead) = (tail, true, None);
        Ok(())
    }

    /// Delivers what is in the log up to `top`, but was not answered for.
    fn catch_up(&mut self, top: u64) -> Result<(), RedbError> {
        let mut passed = self.tail.top;
        let outcome = self.file.with(|database| {
            replay(database, passed, |seq, parts| {
                if seq > passed + 1 {
                    self.feed.lost(seq - 1);
                }
                drop(self.feed.deliver(parts.topic, seq, parts.record()));
                passed = seq;
            })
        });
        if outcome.is_ok() && passed < top {
            self.feed.lost(top);
            passed = top;
        }
        self.tail.top = passed;
        self.top.store(passed, Ordering::Release);
        outcome
    }
}

/// The publishers are told that nobody knows.
fn refuse(group: Vec<Job>, error: &EngineError) {
    for job in group {
        drop(job.answer.send(Err(error.clone())));
    }
}

fn used_up() -> Failure {
    Failure::Io(std::io::Error::other("it has used up its numbers"))
}

/// In milliseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, milliseconds)
}
