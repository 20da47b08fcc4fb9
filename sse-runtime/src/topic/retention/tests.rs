//! What goes when all topics together are too much.

use crate::{Hub, Topic};
use std::time::Duration;

use super::super::place::Place;
use super::super::position::Position;
use super::super::ring::{Limits, OVERHEAD};
use super::*;

const BLOCK: &[u8] = b"data: x\n\n";
/// One event of these tests, `id: 1-<digit>` and its block, in the books.
const SIZE: usize = "id: 1-1\n".len() + BLOCK.len() + OVERHEAD;

struct Shelf {
    retention: Retention,
    topics: Vec<Arc<TopicState>>,
    top: u64,
}

impl Shelf {
    fn new(events: usize, bytes: usize, age: Option<Duration>) -> Self {
        let topic = Limits { events: 100, bytes: 1 << 20, age };
        let settings = Settings { topic, events, bytes, ..Settings::default() };
        let topics = (0..3).map(|n| TopicState::new(&n.to_string(), Ring::new(topic, 0))).collect();
        Self { retention: Retention::new(settings), topics, top: 0 }
    }

    /// What a hub does when an event arrives.
    fn put(&mut self, topic: usize, now: Instant) {
        self.top += 1;
        let place = Place::new(None, Position { epoch: 1, seq: self.top });
        let topic = &self.topics[topic];
        let unlisted = self.retention.change(topic, |ring| {
            drop(ring.append(place, 0, BLOCK, now));
            let unlisted = if ring.listed.is_none() { ring.oldest() } else { None };
            ring.listed = ring.listed.or(unlisted);
            unlisted
        });
        if let Some(oldest) = unlisted {
            self.retention.enlist(topic, oldest);
        }
        self.retention.enforce(now, self.top);
    }

    fn oldest(&self) -> Vec<Option<u64>> {
        self.topics.iter().map(|topic| topic.ring().oldest()).collect()
    }

    fn expect_sums(&self) {
        let sizes: Vec<_> = self.topics.iter().map(|topic| topic.ring().size()).collect();
        let sums = (sizes.iter().map(|size| size.0).sum(), sizes.iter().map(|size| size.1).sum());
        assert_eq!(self.retention.held(), sums);
    }
}

#[test]
fn the_oldest_go_first_whatever_their_topic() {
    let now = Instant::now();
    let mut shelf = Shelf::new(4, usize::MAX, None);
    for topic in [0, 1, 1, 2] {
        shelf.put(topic, now);
    }
    assert_eq!(shelf.oldest(), [Some(1), Some(2), Some(4)]);
    for (topic, oldest) in [
        (2, [None, Some(2), Some(4)]),
        (2, [None, Some(3), Some(4)]),
        (2, [None, None, Some(4)]),
        (0, [Some(8), None, Some(5)]),
        (1, [Some(8), Some(9), Some(6)]),
    ] {
        shelf.put(topic, now);
        assert_eq!(shelf.oldest(), oldest);
        assert_eq!(shelf.retention.held(), (4, 4 * SIZE));
        shelf.expect_sums();
    }
}

#[test]
fn bytes_count_like_events_and_what_has_just_arrived_stays_for_its_size() {
    let now = Instant::now();
    let mut shelf = Shelf::new(usize::MAX, 2 * SIZE, None);
    for (topic, oldest) in [
        (0, [Some(1), None, None]),
        (1, [Some(1), Some(2), None]),
        (2, [None, Some(2), Some(3)]),
        (2, [None, None, Some(3)]),
    ] {
        shelf.put(topic, now);
        assert_eq!(shelf.oldest(), oldest);
    }
    let mut none = Shelf::new(0, 0, None);
    none.put(0, now);
    assert_eq!(none.oldest(), [Some(1), None, None]);
    none.put(1, now);
    assert_eq!(none.oldest(), [None, Some(2), None]);
    none.expect_sums();
}

#[test]
fn what_is_too_old_goes_with_the_next_event_of_any_topic() {
    let start = Instant::now();
    let mut shelf = Shelf::new(usize::MAX, usize::MAX, Some(Duration::from_secs(10)));
    shelf.put(0, start);
    shelf.put(1, start + Duration::from_secs(5));
    shelf.put(0, start + Duration::from_secs(6));
    shelf.put(2, start + Duration::from_millis(9_990));
    assert_eq!(shelf.oldest(), [Some(1), Some(2), Some(4)]);
    shelf.put(2, start + Duration::from_secs(12));
    assert_eq!(shelf.oldest(), [Some(3), Some(2), Some(4)]);
    shelf.put(2, start + Duration::from_secs(30));
    assert_eq!(shelf.oldest(), [None, None, Some(6)]);
    // Those that are empty are listed again when they hold something.
    shelf.put(0, start + Duration::from_secs(31));
    shelf.put(1, start + Duration::from_secs(50));
    assert_eq!(shelf.oldest(), [None, Some(8), None]);
    shelf.expect_sums();
}

#[test]
fn a_topic_that_is_gone_holds_up_nobody() {
    let now = Instant::now();
    let mut shelf = Shelf::new(2, usize::MAX, None);
    shelf.put(0, now);
    let gone = shelf.topics.remove(0);
    shelf.retention.change(&gone, Ring::evict_one);
    drop(gone);
    for topic in [0, 1, 0, 1] {
        shelf.put(topic, now);
    }
    assert_eq!(shelf.oldest(), [Some(4), Some(5)]);
    shelf.expect_sums();
}

#[test]
fn events_that_a_topic_evicted_by_itself_are_not_looked_for() {
    let now = Instant::now();
    let mut shelf = Shelf::new(3, usize::MAX, None);
    shelf.put(0, now);
    shelf.put(0, now);
    shelf.put(1, now);
    // The entry of the first topic says 1, and is put right when its turn comes.
    shelf.retention.change(&shelf.topics[0], Ring::evict_one);
    shelf.put(1, now);
    assert_eq!(shelf.oldest(), [Some(2), Some(3), None]);
    shelf.put(1, now);
    assert_eq!(shelf.oldest(), [None, Some(3), None]);
    shelf.put(1, now);
    assert_eq!(shelf.oldest(), [None, Some(4), None]);
}

// What was let go stays on the list behind the first topic whose oldest event is still good: for ever, if need be.
#[tokio::test(start_paused = true)]
async fn topics_that_were_let_go_are_let_go_of_here_too() {
    let hub = Hub::in_memory().topics(10).build();
    let kept: Topic = hub.topic("kept");
    kept.publish("first").await.expect("published");
    for n in 0..50_000 {
        hub.topic::<crate::Message>(format!("job {n}")).publish("done").await.expect("published");
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    assert!(hub.stats().topics <= 12 && hub.stats().events <= 12, "{:?}", hub.stats());
    let listed = hub.0.retention.oldest().len();
    assert!(listed <= 100, "{listed} entries, each with the memory of its topic");
}
