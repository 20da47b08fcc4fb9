//! A log like that of a server, in this process: several nodes on it, each with its own delay, history that is longer
//! than any ring and not endless, and failures on demand.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sse_runtime::engine::{Answer, Engine, EngineError, Feed, Log, Page, Record, Stored};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How many records `read` gives at once.
const PAGE: usize = 7;

/// The log itself.
#[derive(Clone, Debug)]
pub(crate) struct Broker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: u64,
    kept: Mutex<Kept>,
    top: watch::Sender<u64>,
    keeps: usize,
    keeps_of_a_topic: usize,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<(String, Stored)>,
    /// The numbers of those that had a dedupe key.
    once: HashMap<(String, String), u64>,
    top: u64,
    /// What is numbered up to here is gone.
    gone: u64,
    /// The same, of single topics.
    gone_of: HashMap<String, u64>,
}

impl Broker {
    /// A log that keeps so many records.
    pub(crate) fn keeping(records: usize) -> Self {
        Self::new(records, usize::MAX)
    }

    /// A log that keeps so many records of each topic.
    #[allow(dead_code)] // of the tests of runs
    pub(crate) fn keeping_of_a_topic(records: usize) -> Self {
        Self::new(usize::MAX, records)
    }

    fn new(keeps: usize, keeps_of_a_topic: usize) -> Self {
        static LOGS: AtomicU64 = AtomicU64::new(1);
        Self(Arc::new(Shared {
            epoch: LOGS.fetch_add(1, Ordering::Relaxed),
            kept: Mutex::default(),
            top: watch::Sender::new(0),
            keeps,
            keeps_of_a_topic,
        }))
    }

    /// One process's connection to it.
    pub(crate) fn node(&self) -> Node {
        Node(Arc::new(NodeState {
            broker: self.clone(),
            delivers: Delivers::Open,
            latency: Duration::from_millis(5),
            open: Mutex::default(),
            passed: watch::Sender::new(0),
            running: watch::Sender::new(true),
            losing: AtomicBool::new(false),
            answering: watch::Sender::new(true),
            reading: AtomicUsize::new(0),
            most_reading: AtomicUsize::new(0),
            failing: Mutex::default(),
            failing_reads: AtomicUsize::new(0),
            calls: Mutex::default(),
            feed: Mutex::default(),
            dice: AtomicU64::new(1),
        }))
    }

    /// Lets go of everything up to the number `until`.
    pub(crate) fn forget(&self, until: u64) {
        let mut kept = self.kept();
        while kept.records.front().is_some_and(|(_, record)| record.seq <= until) {
            kept.records.pop_front();
        }
        kept.gone = kept.gone.max(until.min(kept.top));
    }

    pub(crate) fn top(&self) -> u64 {
        self.kept().top
    }

    fn append(&self, topic: &str, mut record: Stored, dedupe: Option<String>, skip: u64) -> u64 {
        let mut kept = self.kept();
        let dedupe = dedupe.map(|dedupe| (topic.to_owned(), dedupe));
        if let Some(&before) = dedupe.as_ref().and_then(|dedupe| kept.once.get(dedupe)) {
            return before;
        }
        let seq = kept.top + 1 + skip;
        kept.top = seq;
        record.seq = seq;
        kept.once.extend(dedupe.map(|dedupe| (dedupe, seq)));
        kept.records.push_back((topic.to_owned(), record));
        if kept.records.len() > self.0.keeps {
            kept.gone = kept.records.pop_front().map_or(kept.gone, |(_, record)| record.seq);
        }
        if self.0.keeps_of_a_topic < usize::MAX {
            let of_topic =
                kept.records.iter().filter(|(name, _)| name == topic).map(|(_, record)| record.seq);
            let of_topic: Vec<u64> = of_topic.collect();
            if let Some(goes) = of_topic.len().checked_sub(self.0.keeps_of_a_topic + 1) {
                let goes = of_topic[goes];
                kept.records.retain(|(name, record)| name != topic || record.seq > goes);
                kept.gone_of.insert(topic.to_owned(), goes);
            }
        }
        drop(kept);
        self.0.top.send_modify(|top| *top = seq.max(*top));
        seq
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which records a node hands to its hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivers {
    /// Those of the open topics, as with a subscription for each.
    Open,
    /// Whatever there is, as with one subscription to the whole log.
    Everything,
}

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Start,
    Open,
    /// The record does not get into the log.
    Publish,
    /// It does, but nobody is told.
    PublishAnswer,
    Top,
    Read,
}

/// The engine: one process's connection. A clone is the same one, for the test to get at it.
#[derive(Clone, Debug)]
pub(crate) struct Node(Arc<NodeState>);

#[derive(Debug)]
struct NodeState {
    broker: Broker,
    delivers: Delivers,
    latency: Duration,
    open: Mutex<BTreeSet<String>>,
    /// Everything up to here has been delivered, of the open topics.
    passed: watch::Sender<u64>,
    running: watch::Sender<bool>,
    losing: AtomicBool,
    /// Reads are answered.
    answering: watch::Sender<bool>,
    reading: AtomicUsize,
    most_reading: AtomicUsize,
    failing: Mutex<HashMap<Call, usize>>,
    /// Each read of this number fails, if it is not 0.
    failing_reads: AtomicUsize,
    calls: Mutex<HashMap<Call, usize>>,
    feed: Mutex<Option<Feed>>,
    dice: AtomicU64,
}

impl Node {
    fn with(self, change: impl FnOnce(&mut NodeState)) -> Self {
        let mut state = Arc::try_unwrap(self.0).expect("nobody else has the node yet");
        change(&mut state);
        Self(Arc::new(state))
    }

    pub(crate) fn delivers(self, delivers: Delivers) -> Self {
        self.with(|state| state.delivers = delivers)
    }

    /// How long anything may take; zero for no waiting at all.
    pub(crate) fn latency(self, latency: Duration) -> Self {
        self.with(|state| state.latency = latency)
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.0.broker
    }

    /// Nothing is delivered any more, until [`go_on`](Self::go_on).
    pub(crate) fn halt(&self) {
        self.0.running.send_replace(false);
    }

    pub(crate) fn go_on(&self) {
        self.0.running.send_replace(true);
    }

    /// Goes on with what is published from now on, and says so: the rest is in the log, but was not delivered.
    pub(crate) fn go_on_without_the_rest(&self) {
        self.0.losing.store(true, Ordering::Relaxed);
        self.go_on();
    }

    /// Makes the next calls fail.
    pub(crate) fn fail(&self, call: Call, times: usize) {
        lock(&self.0.failing).insert(call, times);
    }

    /// Makes one of so many reads fail; none, if it is 0.
    pub(crate) fn fail_one_read_of(&self, reads: usize) {
        self.0.failing_reads.store(reads, Ordering::Relaxed);
    }

    /// No read is answered any more, until it is `true` again.
    pub(crate) fn answer_reads(&self, answers: bool) {
        self.0.answering.send_replace(answers);
    }

    /// Tells the hub that it works, or does not.
    pub(crate) fn say(&self, health: Result<(), &str>) {
        let feed = lock(&self.0.feed);
        let feed = feed.as_ref().expect("started");
        health.map_or_else(|reason| feed.down(EngineError::new(reason)), |()| feed.up());
    }

    /// How many reads it is busy with, and how many it was at most.
    pub(crate) fn reading(&self) -> (usize, usize) {
        (self.0.reading.load(Ordering::Relaxed), self.0.most_reading.load(Ordering::Relaxed))
    }

    /// How often it was called.
    pub(crate) fn calls(&self, call: Call) -> usize {
        lock(&self.0.calls).get(&call).copied().unwrap_or_default()
    }

    pub(crate) fn is_open(&self, topic: &str) -> bool {
        lock(&self.0.open).contains(topic)
    }

    /// Waits until the hub has everything that is in the log.
    pub(crate) async fn caught_up(&self) {
        let top = self.0.broker.top();
        let caught_up =
            async { self.0.passed.subscribe().wait_for(|&passed| passed >= top).await.map(|_| ()) };
        sse_tests::within_limit("delivery", caught_up).await.expect("the node is there");
    }
}

impl NodeState {
    fn roll(&self) -> u64 {
        let next =
            |dice: u64| dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let rolled = self.dice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |dice| Some(next(dice)));
        rolled.unwrap_or_default() >> 33
    }

    async fn take_time(&self) {
        if self.latency > Duration::ZERO {
            sleep(self.latency * u32::try_from(self.roll() % 4).unwrap_or_default() / 4).await;
        }
    }

    fn call(&self, call: Call) -> Result<(), EngineError> {
        let calls = {
            let mut calls = lock(&self.calls);
            let calls = calls.entry(call).or_default();
            *calls += 1;
            *calls
        };
        let one_of = self.failing_reads.load(Ordering::Relaxed);
        if call == Call::Read && one_of > 0 && calls % one_of == 0 {
            return Err(EngineError::new("one of so many reads was made to fail"));
        }
        match lock(&self.failing).get_mut(&call) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(EngineError::new(format!("{call:?} was made to fail")))
            }
            _ => Ok(()),
        }
    }

    async fn deliver(self: Arc<Self>, feed: Feed, mut at: u64) {
        let (mut running, mut top) = (self.running.subscribe(), self.broker.0.top.subscribe());
        // Looks up now and then whether the hub is still there.
        let a_while = Duration::from_secs(1);
        while !feed.is_closed() {
            if timeout(a_while, running.wait_for(|running| *running)).await.is_err() {
                continue;
            }
            let next = {
                let kept = self.broker.kept();
                if self.losing.swap(false, Ordering::Relaxed) && at < kept.top {
                    Err(kept.top)
                } else if at < kept.gone {
                    Err(kept.gone)
                } else {
                    let first = kept.records.partition_point(|(_, record)| record.seq <= at);
                    Ok(kept.records.get(first).cloned())
                }
            };
            match next {
                Ok(Some((topic, Stored { seq, block, key, trace }))) => {
                    self.take_time().await;
                    if !*self.running.borrow() {
                        continue;
                    }
                    if self.delivers == Delivers::Everything || lock(&self.open).contains(&topic) {
                        let record = Record::new(&block, &key).traced(trace.as_ref());
                        drop(feed.deliver(&topic, seq, record));
                    }
                    at = seq;
                    self.passed.send_replace(at);
                }
                Ok(None) => drop(timeout(a_while, top.wait_for(|&top| top > at)).await),
                // It was away for longer than the log remembers.
                Err(gone) => {
                    at = gone;
                    feed.lost(gone);
                    self.passed.send_replace(at);
                }
            }
        }
    }
}

impl Engine for Node {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        Answer::later(async move {
            self.0.take_time().await;
            self.0.call(Call::Start)?;
            let top = self.0.broker.top();
            self.0.passed.send_replace(top);
            *lock(&self.0.feed) = Some(feed.clone());
            tokio::spawn(Arc::clone(&self.0).deliver(feed, top));
            Ok(Log { epoch: self.0.broker.0.epoch, top })
        })
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        Answer::later(async move {
            self.0.take_time().await;
            self.0.call(Call::Open)?;
            if self.0.delivers == Delivers::Everything {
                return Ok(0);
            }
            lock(&self.0.open).insert(topic.to_owned());
            // What is published from now on is delivered. What was published before may not be; the answer has to wait
            // until delivery has passed it, for the other topics' sake.
            let above = self.0.broker.top();
            let passed = self.0.passed.subscribe().wait_for(|&passed| passed >= above).await.map(|_| above);
            passed.map_err(EngineError::new)
        })
    }

    fn close(&self, topic: &str) {
        lock(&self.0.open).remove(topic);
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        let (block, key) = (Bytes::copy_from_slice(record.block), record.key.to_owned());
        let dedupe = record.dedupe.map(str::to_owned);
        let record = Stored { seq: 0, block, key, trace: record.trace.copied() };
        Answer::later(async move {
            self.0.take_time().await;
            self.0.call(Call::Publish)?;
            let skip = if self.0.roll() % 5 == 0 { 2 } else { 0 };
            let seq = self.0.broker.append(topic, record, dedupe, skip);
            self.0.take_time().await;
            self.0.call(Call::PublishAnswer)?;
            Ok(seq)
        })
    }

    fn deduplicates(&self) -> bool {
        true
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::later(async move {
            self.0.take_time().await;
            self.0.call(Call::Top)?;
            Ok(self.0.broker.top())
        })
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        Answer::later(async move {
            let _reading = Reading::begin(&self.0);
            self.0.take_time().await;
            self.0.call(Call::Read)?;
            let answers = self.0.answering.subscribe().wait_for(|&answers| answers).await.map(drop);
            answers.map_err(EngineError::new)?;
            if after >= until {
                return Ok(Page::Records(Vec::new()));
            }
            let kept = self.0.broker.kept();
            let gone = kept.gone_of.get(topic).copied().unwrap_or_default().max(kept.gone);
            if after < gone {
                return Ok(Page::Evicted { until: gone });
            }
            let wanted = kept.records.iter().filter(|(name, _)| name == topic).map(|(_, record)| record);
            let wanted = wanted.filter(|record| after < record.seq && record.seq <= until);
            Ok(Page::Records(wanted.take(PAGE).cloned().collect()))
        })
    }
}

/// Counts for as long as it lives.
struct Reading<'a>(&'a AtomicUsize);

impl<'a> Reading<'a> {
    fn begin(node: &'a NodeState) -> Self {
        let reading = node.reading.fetch_add(1, Ordering::Relaxed) + 1;
        node.most_reading.fetch_max(reading, Ordering::Relaxed);
        Self(&node.reading)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
