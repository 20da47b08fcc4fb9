//! One engine on a server, without a hub: what it is told, one thing after the other.

use std::sync::{Arc, Mutex, PoisonError};

use sse_runtime::engine::{
    Delivered, Engine as _, EngineError, Feed, Log, Page, Receiver, Record, Redis, RedisFailure,
};
use tokio::sync::watch;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Record(String, u64, String),
    Lost(u64),
    Down,
    Up,
}

struct Recorder {
    said: Mutex<Vec<Said>>,
    more: watch::Sender<usize>,
}

impl Recorder {
    fn note(&self, said: Said) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        self.more.send_modify(|count| *count += 1);
    }
}

impl Receiver for Recorder {
    fn deliver(&self, topic: &str, seq: u64, record: Record<'_>) -> Delivered {
        self.note(Said::Record(topic.to_owned(), seq, String::from_utf8_lossy(record.block).into_owned()));
        Delivered::default()
    }

    fn lost(&self, top: u64) {
        self.note(Said::Lost(top));
    }

    fn health(&self, outcome: Result<(), EngineError>) {
        self.note(if outcome.is_ok() { Said::Up } else { Said::Down });
    }
}

pub(super) struct Node {
    pub(super) engine: Arc<Redis>,
    pub(super) log: Log,
    recorder: Arc<Recorder>,
}

impl Node {
    pub(super) async fn start(engine: Redis) -> Self {
        Self::try_start(engine).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) async fn try_start(engine: Redis) -> Result<Self, EngineError> {
        let recorder = Arc::new(Recorder { said: Mutex::default(), more: watch::Sender::new(0) });
        let log = engine.start(Feed::new(&(Arc::clone(&recorder) as Arc<dyn Receiver>))).await?;
        Ok(Self { engine: Arc::new(engine), log, recorder })
    }

    pub(super) async fn open(&self, topic: &str) -> u64 {
        self.engine.open(topic).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) async fn publish(&self, topic: &str, block: &str) -> u64 {
        self.try_publish(topic, block).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) async fn try_publish(&self, topic: &str, block: &str) -> Result<u64, RedisFailure> {
        let answer = self.engine.publish(topic, Record::new(block.as_bytes(), "")).await;
        answer.map_err(|error| error.downcast_ref::<RedisFailure>().expect("typed").clone())
    }

    pub(super) async fn read(&self, topic: &str, after: u64) -> Option<Vec<u64>> {
        match self.engine.read(topic, after, u64::MAX).await.unwrap_or_else(|error| panic!("{error}")) {
            Page::Records(records) => Some(records.iter().map(|record| record.seq).collect()),
            Page::Evicted { .. } => None,
        }
    }

    pub(super) fn said(&self) -> Vec<Said> {
        self.recorder.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until this has been said.
    pub(super) async fn until(&self, what: &str, is: impl Fn(&Said) -> bool) {
        let mut more = self.recorder.more.subscribe();
        let said = async {
            loop {
                more.mark_unchanged();
                if self.said().iter().any(&is) {
                    return;
                }
                more.changed().await.expect("the recorder is ours");
            }
        };
        if tokio::time::timeout(sse_tests::LIMIT, said).await.is_err() {
            panic!("{what} was not said: {:?}", self.said());
        }
    }

    pub(super) async fn until_record(&self, seq: u64) {
        self.until(
            &format!("number {seq}"),
            |said| matches!(said, Said::Record(_, number, _) if *number == seq),
        )
        .await;
    }

    /// Waits until so much has been said.
    pub(super) async fn until_count(&self, count: usize) {
        let mut more = self.recorder.more.subscribe();
        let said = more.wait_for(|&said| said >= count);
        drop(sse_tests::within_limit("more events", said).await.expect("the recorder is ours"));
    }

    /// The numbers that were delivered.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let said = self.said();
        let numbers = said.iter().filter_map(|said| match said {
            Said::Record(_, seq, _) => Some(*seq),
            _ => None,
        });
        numbers.collect()
    }

    pub(super) fn losses(&self) -> Vec<u64> {
        let said = self.said();
        said.iter().filter_map(|said| if let Said::Lost(top) = said { Some(*top) } else { None }).collect()
    }
}
