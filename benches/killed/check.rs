//! What was acknowledged, and whether the log has it.

use std::collections::HashMap;
use std::sync::Arc;

use sse_runtime::engine::{Delivered, Engine as _, Feed, Page, Receiver, Record, Redb, Stored};

use crate::publisher::{Acknowledged, TOPICS, text, topic};

/// All that was acknowledged, and where the log ends.
#[derive(Default)]
pub(crate) struct Log {
    by_number: HashMap<u64, Acknowledged>,
    top: u64,
}

struct Nobody;

impl Receiver for Nobody {
    fn deliver(&self, _: &str, _: u64, _: Record<'_>) -> Delivered {
        Delivered::default()
    }

    fn lost(&self, top: u64) {
        panic!("lost up to {top}");
    }
}

impl Log {
    pub(crate) fn acknowledged(&self) -> usize {
        self.by_number.len()
    }

    pub(crate) fn top(&self) -> u64 {
        self.top
    }

    pub(crate) fn note(&mut self, said: Vec<Acknowledged>) {
        for one in said {
            let before = self.by_number.insert(one.seq, one);
            assert_eq!(before, None, "the number {} was given twice", one.seq);
        }
    }

    /// Reads all that the log has, and compares: its newest events, without a hole, each once and in the order of its
    /// publisher, and all that were acknowledged among them. How many there are.
    pub(crate) async fn check(&mut self, engine: &Redb) -> u64 {
        let receiver: Arc<dyn Receiver> = Arc::new(Nobody);
        let log = engine.start(Feed::new(&receiver)).await.expect("the log opens");
        let newest = self.by_number.keys().max().copied().unwrap_or_default();
        assert!(newest <= log.top, "{newest} was acknowledged, and the log ends at {}", log.top);
        assert!(self.top <= log.top, "it ended at {}, and now at {}", self.top, log.top);
        self.top = log.top;

        let mut numbers = Vec::new();
        for number in 0..TOPICS {
            let mut next: HashMap<u32, u32> = HashMap::new();
            for stored in read_all(engine, &topic(number), log.top).await {
                let block = std::str::from_utf8(&stored.block).expect("text");
                let said = block.strip_prefix("data: ").and_then(|block| block.strip_suffix("\n\n"));
                let mut words = said.expect("one line").split(' ').map_while(|word| word.parse().ok());
                let (Some(task), Some(n)) = (words.next(), words.next()) else { panic!("{block:?}") };
                assert_eq!(said, Some(text(task, n).as_str()));
                assert_eq!(task % TOPICS, number, "of another topic: {block:?}");
                let expected = next.insert(task, n + 1).unwrap_or(n);
                assert_eq!(n, expected, "of the publisher {task}, at {}", stored.seq);
                let found = Acknowledged { seq: stored.seq, task, n };
                assert_eq!(*self.by_number.get(&stored.seq).unwrap_or(&found), found);
                numbers.push(stored.seq);
            }
        }
        numbers.sort_unstable();
        let kept = numbers.len() as u64;
        assert!(
            numbers.iter().copied().eq(log.top + 1 - kept..=log.top),
            "the newest {kept}, without a hole"
        );
        kept
    }
}

/// From the oldest event on that there is.
async fn read_all(engine: &Redb, topic: &str, top: u64) -> Vec<Stored> {
    let mut after = oldest(engine, topic, top).await;
    let mut all = Vec::new();
    loop {
        match engine.read(topic, after, top).await.expect("read") {
            Page::Evicted { .. } => panic!("what was there is evicted, though nothing was published"),
            Page::Records(records) if records.is_empty() => return all,
            Page::Records(records) => {
                after = records[records.len() - 1].seq;
                all.extend(records);
            }
        }
    }
}

/// The lowest number after which nothing of this topic was evicted.
async fn oldest(engine: &Redb, topic: &str, top: u64) -> u64 {
    let (mut low, mut high) = (0, top);
    while low < high {
        let middle = low + (high - low) / 2;
        match engine.read(topic, middle, middle + 1).await.expect("read") {
            Page::Evicted { .. } => low = middle + 1,
            Page::Records(_) => high = middle,
        }
    }
    low
}
