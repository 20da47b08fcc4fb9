//! An engine that does what the test says.

use std::sync::{Arc, Mutex, MutexGuard};

use sse_runtime::engine::{Answer, Engine, EngineError, Feed, Log, Page, Record};

/// An engine whose every step the test makes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    feed: Option<Feed>,
}

impl Scripted {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().expect("no panic under it")
    }

    pub(crate) fn feed(&self) -> Feed {
        self.script().feed.clone().expect("started")
    }

    pub(crate) fn deliver(&self, topic: &str, seq: u64) {
        let block = format!("data: {topic}:{seq} \n\n");
        drop(self.feed().deliver(topic, seq, Record::new(block.as_bytes(), "")));
    }
}

impl Engine for Scripted {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        self.script().feed = Some(feed);
        Answer::now(Ok(Log { epoch: 1, top: 0 }))
    }

    fn open<'a>(&'a self, _: &'a str) -> Answer<'a, u64> {
        Answer::now(Ok(0))
    }

    fn close(&self, _: &str) {}

    fn publish<'a>(&'a self, _: &'a str, _: Record<'_>) -> Answer<'a, u64> {
        Answer::now(Err(EngineError::new("the test delivers")))
    }

    fn top(&self) -> Answer<'_, u64> {
        Answer::now(Ok(u64::MAX))
    }

    fn read<'a>(&'a self, _: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        Answer::now(Ok(if after >= until { Page::Records(Vec::new()) } else { Page::Evicted { until } }))
    }
}
