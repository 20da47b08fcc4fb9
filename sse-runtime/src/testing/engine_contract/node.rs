//! One engine under examination, and what it delivers.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::ledger::{Entry, Ledger};
use super::{Clause, Subject, broken};
use crate::engine::{Answer, Delivered, Engine, Feed, Log, Page, Receiver, Record};

/// The topic whose records say: everything before has arrived.
const FENCE: &str = "fence";

/// An engine that delivers to a recorder.
pub(super) struct Node<E> {
    pub(super) engine: Arc<E>,
    pub(super) log: Log,
    pub(super) ledger: Arc<Ledger>,
    recorder: Option<Arc<Recorder>>,
    /// The open topics, with what `open` answered.
    open: BTreeMap<String, u64>,
    limit: Duration,
}

/// Keeps all that is delivered.
struct Recorder {
    seen: Mutex<Seen>,
    more: watch::Sender<u64>,
    delivering: AtomicBool,
}

#[derive(Default)]
struct Seen {
    records: Vec<(u64, Entry)>,
    overlapped: bool,
    lost: Option<u64>,
}

impl<E: Engine> Node<E> {
    /// A fresh log, with one engine on it.
    pub(super) async fn fresh<S: Subject<Engine = E>>(subject: &S) -> Self {
        let engine = subject.fresh().await;
        Self::start(subject, engine, Arc::default()).await
    }

    /// Another engine on the same log, if there can be one.
    pub(super) async fn second<S: Subject<Engine = E>>(&self, subject: &S) -> Option<Self> {
        let engine = subject.second(&self.engine).await?;
        Some(Self::start(subject, engine, Arc::clone(&self.ledger)).await)
    }

    /// The same log again, after a restart, if there can be one.
    pub(super) async fn restart<S: Subject<Engine = E>>(self, subject: &S) -> Option<Self> {
        let Self { engine, ledger, recorder, .. } = self;
        drop(recorder);
        let Ok(engine) = Arc::try_unwrap(engine) else {
            panic!("a task of this check has not ended: this is not the engine's fault")
        };
        let engine = subject.restart(engine).await?;
        Some(Self::start(subject, engine, ledger).await)
    }

    async fn start<S: Subject<Engine = E>>(subject: &S, engine: E, ledger: Arc<Ledger>) -> Self {
        let recorder = Arc::new(Recorder {
            seen: Mutex::default(),
            more: watch::Sender::new(0),
            delivering: AtomicBool::new(false),
        });
        let limit = subject.limit();
        let before = ledger.top();
        let feed = Feed::new(&(Arc::clone(&recorder) as Arc<dyn Receiver>));
        let log = within(limit, "start", engine.start(feed)).await;
        if log.top < before {
            broken(
                Clause::Order,
                format_args!("`start` says that the log ends at {}; it ends at {before}", log.top),
            );
        }
        let engine = Arc::new(engine);
        let mut node = Self { engine, log, ledger, recorder: Some(recorder), open: BTreeMap::new(), limit };
        node.open(FENCE).await;
        node
    }

    pub(super) async fn open(&mut self, topic: &str) -> u64 {
        let above = within(self.limit, "open", self.engine.open(topic)).await;
        let top = self.top().await;
        if top < above {
            broken(Clause::Opening, format_args!("`open` answered {above}, but the log ends at {top}"));
        }
        // What is delivered from the first opening on must not stop for a second one.
        self.open.entry(topic.to_owned()).or_insert(above);
        above
    }

    pub(super) fn close(&mut self, topic: &str) {
        self.engine.close(topic);
        self.open.remove(topic);
    }

    pub(super) async fn publish(&self, topic: &str, block: &str) -> u64 {
        self.publish_keyed(topic, block, "").await
    }

    pub(super) async fn publish_keyed(&self, topic: &str, block: &str, key: &str) -> u64 {
        self.publisher().publish(topic, block, key).await
    }

    /// Publishes with a dedupe key, and does not note it.
    pub(super) async fn publish_once(&self, topic: &str, block: &str, dedupe: &str) -> u64 {
        let record = Record::new(block.as_bytes(), "").deduped(Some(dedupe));
        within(self.limit, "publish", self.engine.publish(topic, record)).await
    }

    pub(super) fn note_once(&self, topic: &str, block: &str, seq: u64) {
        self.ledger.note(seq, Entry::new(topic, block, ""));
    }

    /// What a task of its own publishes with.
    pub(super) fn publisher(&self) -> Publisher<E> {
        let (engine, ledger) = (Arc::clone(&self.engine), Arc::clone(&self.ledger));
        Publisher { engine, ledger, limit: self.limit }
    }

    pub(super) async fn read(&self, topic: &str, after: u64, until: u64) -> Page {
        within(self.limit, "read", self.engine.read(topic, after, until)).await
    }

    pub(super) async fn top(&self) -> u64 {
        within(self.limit, "top", self.engine.top()).await
    }

    /// All that has been delivered until now.
    pub(super) fn arrived(&self) -> Vec<(u64, Entry)> {
        self.recorder.as_ref().map(|recorder| recorder.seen().records.clone()).unwrap_or_default()
    }

    /// The hub goes away.
    pub(super) fn leave(&mut self) {
        self.recorder = None;
    }

    /// Waits until everything that was published before has arrived, and compares.
    pub(super) async fn settle(&self) {
        let fence = self.publish(FENCE, "data: fence\n\n").await;
        self.settle_at(fence).await;
    }

    /// The same, for what was published at any of several nodes of one log.
    pub(super) async fn settle_all(nodes: &[&Self]) {
        if let Some(first) = nodes.first() {
            let fence = first.publish(FENCE, "data: fence\n\n").await;
            for node in nodes {
                node.settle_at(fence).await;
            }
        }
    }

    async fn settle_at(&self, fence: u64) {
        let Some(recorder) = &self.recorder else { return };
        let mut more = recorder.more.subscribe();
        let waited = timeout(self.limit, more.wait_for(|&newest| newest >= fence)).await;
        self.audit(recorder);
        if waited.is_err() {
            broken(Clause::Delivery, format_args!("number {fence} did not arrive within {:?}", self.limit));
        }
    }

    /// Compares what has been delivered until now with what was published.
    fn audit(&self, recorder: &Recorder) {
        let seen = recorder.seen();
        if let Some(top) = seen.lost {
            broken(Clause::Failure, format_args!("it says `lost` up to {top}, but no connection was"));
        }
        if seen.overlapped {
            broken(Clause::Delivery, "two callers deliver at the same time");
        }
        if let Some((early, _)) = seen.records.iter().find(|(seq, _)| *seq <= self.log.top) {
            let top = self.log.top;
            let what =
                format!("number {early} was delivered, though `start` says that the log ended at {top}");
            broken(Clause::Delivery, what);
        }
        self.ledger.audit(Clause::Delivery, &seen.records);
        let newest = seen.records.last().map_or(0, |(seq, _)| *seq);
        let arrived: HashSet<u64> = seen.records.iter().map(|(seq, _)| *seq).collect();
        for (topic, &above) in &self.open {
            for (seq, _) in self.ledger.of(topic, above.max(self.log.top), newest) {
                if !arrived.contains(&seq) {
                    let what = format!(
                        "number {seq} of the topic {topic:?}, open above {above}, is missing before {newest}"
                    );
                    broken(Clause::Delivery, what);
                }
            }
        }
    }
}

/// Publishes, and notes it.
pub(super) struct Publisher<E> {
    engine: Arc<E>,
    ledger: Arc<Ledger>,
    limit: Duration,
}

impl<E: Engine> Publisher<E> {
    pub(super) async fn publish(&self, topic: &str, block: &str, key: &str) -> u64 {
        self.publish_entry(Entry::new(topic, block, key)).await
    }

    pub(super) async fn publish_entry(&self, entry: Entry) -> u64 {
        let record = Record::new(entry.block.as_bytes(), &entry.key).traced(entry.trace.as_ref());
        let seq = within(self.limit, "publish", self.engine.publish(&entry.topic, record)).await;
        self.ledger.note(seq, entry);
        seq
    }
}

impl Recorder {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver for Recorder {
    fn deliver(&self, topic: &str, seq: u64, record: Record<'_>) -> Delivered {
        let overlaps = self.delivering.swap(true, Ordering::AcqRel);
        // A second caller gets the chance to show itself.
        std::thread::yield_now();
        let entry = Entry {
            topic: topic.to_owned(),
            block: String::from_utf8_lossy(record.block).into_owned(),
            key: record.key.to_owned(),
            trace: record.trace.copied(),
        };
        {
            let mut seen = self.seen();
            seen.overlapped |= overlaps;
            seen.records.push((seq, entry));
        }
        self.delivering.store(false, Ordering::Release);
        self.more.send_modify(|newest| *newest = seq.max(*newest));
        Delivered::default()
    }

    fn lost(&self, top: u64) {
        self.seen().lost = Some(top);
        self.more.send_modify(|newest| *newest = top.max(*newest));
    }
}

async fn within<T>(limit: Duration, what: &str, answer: Answer<'_, T>) -> T {
    match timeout(limit, answer).await {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            broken(Clause::Failure, format_args!("`{what}` failed, without a reason to: {error}"))
        }
        Err(_) => broken(Clause::Waiting, format_args!("`{what}` has no answer after {limit:?}")),
    }
}
