//! What was published, as its publishers remember it: the measure of what each client has to receive.

use tokio::task::JoinHandle;

use futures_util::FutureExt;
use sse_runtime::{Hub, Topic};
use sse_tests::within_limit;

/// One event of these tests. Its data is `<topic>:<number>`, and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heard {
    pub(crate) seq: u64,
    pub(crate) topic: usize,
    pub(crate) number: u64,
}

/// The number of the last event of a topic.
pub(crate) const END: u64 = u64::MAX;

/// The topics `0`, `1` and so on of a hub.
#[derive(Clone)]
pub(crate) struct Topics(pub(crate) Vec<Topic>);

impl Topics {
    pub(crate) fn new(hub: &Hub, count: usize) -> Self {
        Self((0..count).map(|n| hub.topic(n.to_string())).collect())
    }

    /// Publishes without waiting for anything.
    pub(crate) fn publish(&self, topic: usize, number: u64, padding: &str) -> Heard {
        let data = format!("{topic}:{number} {padding}");
        // Not within tokio's budget, by which a task that publishes much lets others run.
        let publishing = tokio::task::unconstrained(self.0[topic].publish(data));
        let id = publishing.now_or_never().expect("it does not wait").expect("published");
        Heard { seq: seq_of(id.as_str()), topic, number }
    }

    /// Publishes at full speed from a thread of its own: `rounds` events on each of the topics `on`, numbered from
    /// `first`.
    pub(crate) fn flood(&self, on: Vec<usize>, first: u64, rounds: u64) -> JoinHandle<Vec<Heard>> {
        let topics = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut published = Vec::new();
            for number in first..first + rounds {
                published.extend(on.iter().map(|&topic| topics.publish(topic, number, "")));
                if number % 16 == 0 {
                    // Or there would be no live events on a machine with few cores, but history only.
                    std::thread::yield_now();
                }
            }
            published
        })
    }

    /// One more event on each topic, by which clients know that there will be no more.
    pub(crate) fn end(&self) -> Vec<Heard> {
        (0..self.0.len()).map(|topic| self.publish(topic, END, "")).collect()
    }
}

/// The number in an id `<epoch>-<number>`.
pub(crate) fn seq_of(id: &str) -> u64 {
    id.split_once('-').and_then(|(_, seq)| seq.parse().ok()).unwrap_or_else(|| panic!("no position: {id:?}"))
}

/// Waits for all publishers.
pub(crate) async fn finished(publishers: Vec<JoinHandle<Vec<Heard>>>) -> Vec<Vec<Heard>> {
    let mut all = Vec::new();
    for publisher in publishers {
        all.push(within_limit("publishing", publisher).await.expect("a publisher does not panic"));
    }
    all
}

/// Everything that several publishers have published, in the log's order.
pub(crate) struct Published(Vec<Heard>);

impl Published {
    /// `ends` come after what the publishers say.
    pub(crate) fn of(publishers: Vec<Vec<Heard>>, ends: Vec<Heard>) -> Self {
        let mut all: Vec<Heard> = Vec::new();
        for its in publishers.into_iter().chain([ends]) {
            assert!(its.is_sorted_by(|a, b| a.seq < b.seq), "numbers rise for one who publishes");
            all.extend(its);
        }
        all.sort_unstable();
        assert!(all.iter().zip(1..).all(|(event, seq)| event.seq == seq), "each number is given once");
        Self(all)
    }

    pub(crate) fn after(&self, topics: &[usize], seq: u64) -> impl Iterator<Item = &Heard> {
        self.0.iter().filter(move |event| event.seq > seq && topics.contains(&event.topic))
    }

    /// Expects what a client of these topics has received since it was at `seq` to be all of it, once, in order.
    pub(crate) fn expect(&self, topics: &[usize], seq: u64, received: &[Heard]) {
        let mut expected = self.after(topics, seq);
        for (at, event) in received.iter().enumerate() {
            let due = expected.next();
            assert_eq!(Some(event), due, "the event {at} of a client of {topics:?} that began at {seq}");
        }
        assert_eq!(
            expected.next(),
            None,
            "missing at the end, for a client of {topics:?} that began at {seq}"
        );
    }
}
