//! The one thread that writes: what waits for it is one transaction, one wait for the disk.
//!
//! ```text
//!            +---------- jobs, or their time ----------+
//!            v                                         |
//!   open: append and evict, commit, deliver, answer ---+
//!            |  an error: the outcome is unknown, and the publishers are told so; the engine is down
//!            v
//!   broken: open the file again -- fails: publishers are told, tried again later
//!            |  what the log has and was not delivered is delivered
//!            v
//!          open, and up when something was written
//! ```
//!
//! redb refuses to go on after an error, so it is opened again. A number is the next one of what the file says: one that
//! was given to a record which is not there is given again, and nobody has seen it.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ::redb::Error as Failure;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::delivery::{Delivery, Parcel};
use super::error::RedbError;
use super::queue::{Job, Queue};
use super::retention::{evict, milliseconds};
use super::start::{self, LogFile, Opened};
use super::table::{Tables, Tail, decode, stamp, weight, without_sync};
use super::{Durability, Options};
use crate::engine::once::Once;
use crate::engine::{EngineError, Feed, Log};

/// The most records of one transaction: it should not take longer than a publisher likes to wait.
const GROUP: usize = 4096;
/// How many events a transaction evicts that has little else to do.
const EVICTED_AT_ONCE: usize = 4096;
/// How long an error is left alone before the file is opened again.
pub(super) const REST: Duration = Duration::from_secs(1);
/// How long the thread sleeps if nothing will ever happen by itself.
const LONG: Duration = Duration::from_secs(3600);

/// A log with a writer.
pub(super) struct Running {
    pub(super) queue: Queue,
    pub(super) file: Arc<LogFile>,
    /// The newest number that is in the log.
    pub(super) top: Arc<AtomicU64>,
}

/// Starts the thread, which opens the log.
pub(super) async fn run(options: &Options, feed: Feed) -> Result<(Running, Log), RedbError> {
    let path = options.path.clone();
    let (queue, jobs) = Queue::new(options.queue);
    let (started, start) = oneshot::channel();
    let options = options.clone();
    let io = |source| RedbError::Io { path: path.clone(), source };
    // Its clock, which a test may have stopped, for what is delivered.
    let runtime = Handle::try_current().ok();
    let delivery = Delivery::start(feed, runtime.clone()).map_err(io)?;
    let thread = thread::Builder::new().name("sse-redb".to_owned()).spawn(move || {
        let _runtime = runtime.as_ref().map(Handle::enter);
        match Writer::open(options, jobs, delivery) {
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
    thread.map_err(io)?;
    let (file, top, log) = start.await.map_err(|_| RedbError::closed(&path))??;
    Ok((Running { queue, file, top }, log))
}

pub(super) struct Writer {
    pub(super) options: Options,
    jobs: Receiver<Job>,
    pub(super) delivery: Delivery,
    pub(super) file: Arc<LogFile>,
    pub(super) epoch: u64,
    pub(super) top: Arc<AtomicU64>,
    pub(super) tail: Tail,
    /// The dedupe keys: those in the log, and, until it is written, those of this group.
    pub(super) once: Once,
    /// There is more to evict.
    pub(super) behind: bool,
    /// Since when there is something that is not on the disk.
    pub(super) ahead: Option<Instant>,
    /// Since when the file cannot be used, and why.
    pub(super) broken: Option<(Instant, EngineError)>,
    /// When the last error was, if nothing was written since.
    pub(super) down: Option<Instant>,
}

impl Writer {
    fn open(options: Options, jobs: Receiver<Job>, delivery: Delivery) -> Result<Self, RedbError> {
        let Opened { database, epoch, tail, once, .. } = start::open(&options)?;
        let file = Arc::new(LogFile::new(&options.path, database));
        file.with(|database| start::say_ahead(database, options.durability != Durability::EveryGroup))?;
        let top = Arc::new(AtomicU64::new(tail.top));
        let (behind, ahead, broken, down) = (true, None, None, None);
        Ok(Self { options, jobs, delivery, file, epoch, top, tail, once, behind, ahead, broken, down })
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
        if let Some(since) = self.down {
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
        let mut group = self.gather(first);
        if let Err(error) = self.mended() {
            return self.delivery.hand_over(Parcel::Refused(group, error));
        }
        let now = self.now();
        let known = self.known(&mut group, now);
        if group.is_empty() {
            return self.delivery.hand_over(Parcel::Known(known));
        }
        let before = self.tail.top;
        match self.append(&mut group, now) {
            Ok(()) => {
                self.up();
                self.delivery.hand_over(Parcel::Written(group, before));
                if !known.is_empty() {
                    self.delivery.hand_over(Parcel::Known(known));
                }
            }
            Err(error) => {
                let error = self.failed(error);
                group.extend(known.into_iter().map(|(job, _)| job));
                self.delivery.hand_over(Parcel::Refused(group, error));
                // What nobody was told of is delivered as soon as may be.
                drop(self.mend());
            }
        }
    }

    /// Takes out what was published before, and notes the keys of the others, with the numbers that they will have. If they
    /// are not written after all, [`mend`](Self::mend) reads again which there are.
    fn known(&mut self, group: &mut Vec<Job>, now: u64) -> Vec<(Job, u64)> {
        if group.iter().all(|job| job.dedupe.is_none()) {
            return Vec::new();
        }
        let (now, mut top) = (Duration::from_millis(now), self.tail.top);
        let (mut known, mut fresh) = (Vec::new(), Vec::with_capacity(group.len()));
        for job in group.drain(..) {
            if let Some(dedupe) = &job.dedupe {
                let topic = topic(&job.value);
                if let Some(seq) = self.once.find(topic, dedupe, now) {
                    known.push((job, seq));
                    continue;
                }
                self.once.note(topic, dedupe, top.saturating_add(1), now);
            }
            top = top.saturating_add(1);
            fresh.push(job);
        }
        *group = fresh;
        known
    }

    /// A burst wakes this thread with its first record: as long as more come in, it lets them.
    fn gather(&self, first: Job) -> Vec<Job> {
        let mut group = vec![first];
        loop {
            thread::yield_now();
            let before = group.len();
            group.extend(self.jobs.try_iter().take(GROUP - before));
            if group.len() == before || group.len() == GROUP {
                return group;
            }
        }
    }

    fn append(&mut self, group: &mut [Job], now: u64) -> Result<(), RedbError> {
        let most = (2 * group.len()).max(EVICTED_AT_ONCE / 8);
        self.write(most, now, |tables, tail| {
            tail.newest = now;
            for (job, seq) in group.iter().zip(tail.top.saturating_add(1)..) {
                if let Some(dedupe) = &job.dedupe {
                    tables.keep_key(seq, now, topic(&job.value), dedupe)?;
                }
            }
            let mut end = tables.events.upper_bound_mut(Bound::<u64>::Unbounded)?;
            for job in group {
                tail.top = tail.top.checked_add(1).ok_or_else(used_up)?;
                tail.sum = tail.sum.saturating_add(weight(&job.value));
                stamp(&mut job.value, now, tail.sum);
                let out_of_order = |error| Failure::Corrupted(format!("after its end: {error}"));
                end.insert_before(tail.top, job.value.as_slice()).map_err(out_of_order)?;
                tables.index.insert((decode(&job.value)?.topic, tail.top), ())?;
            }
            Ok(end.close()?)
        })
    }

    /// A clock that is set back does not bring the log out of order.
    fn now(&self) -> u64 {
        now().max(self.tail.newest)
    }

    /// One transaction: what `change` does, and eviction.
    fn write(
        &mut self,
        most: usize,
        now: u64,
        change: impl FnOnce(&mut Tables<'_>, &mut Tail) -> Result<(), Failure>,
    ) -> Result<(), RedbError> {
        let within = self.options.durability.within();
        let sync = self.ahead.map_or(within.is_zero(), |since| since.elapsed() >= within);
        let (limits, mut tail) = (self.options.limits, self.tail);
        let forgotten = self.once.forget(Duration::from_millis(now), most);
        let behind = self.file.with(|database| {
            let mut transaction = database.begin_write()?;
            if !sync {
                without_sync(&mut transaction)?;
            }
            let mut tables = Tables::open(&transaction)?;
            change(&mut tables, &mut tail)?;
            if let Some(until) = forgotten {
                tables.forget_keys(until)?;
            }
            let behind = evict(&mut tables, &limits, &mut tail, now, most)?;
            drop(tables);
            transaction.commit()?;
            Ok(behind)
        })?;
        self.behind = behind || self.once.has_old(Duration::from_millis(now));
        self.tail = tail;
        self.ahead = if sync { None } else { self.ahead.or_else(|| Some(Instant::now())) };
        self.top.store(tail.top, Ordering::Release);
        Ok(())
    }

    /// What is to be done without a publisher.
    fn tend(&mut self) {
        if self.broken.is_some() {
            return drop(self.mended());
        }
        match self.write(EVICTED_AT_ONCE, self.now(), |_, _| Ok(())) {
            Ok(()) => self.up(),
            Err(error) => {
                self.failed(error);
                drop(self.mend());
            }
        }
    }

    /// Says that the engine cannot do its work. Said again, it is the same outage.
    #[cold]
    pub(super) fn failed(&mut self, error: RedbError) -> EngineError {
        let error = EngineError::new(error);
        self.down = Some(Instant::now());
        self.delivery.feed.down(error.clone());
        error
    }

    /// Something was written.
    fn up(&mut self) {
        if self.down.take().is_some() {
            self.delivery.feed.up();
        }
    }
}

/// The topic of an event that this process has encoded.
fn topic(value: &[u8]) -> &str {
    decode(value).map(|parts| parts.topic).unwrap_or_default()
}

fn used_up() -> Failure {
    Failure::Io(std::io::Error::other("it has used up its numbers"))
}

/// In milliseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, milliseconds)
}
