//! Which records were published a short while ago, by the keys that their publishers gave them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// How long a key is known.
pub(super) const WINDOW: Duration = Duration::from_secs(120);
/// How many bytes are kept of them at most; then the oldest go earlier.
const BYTES: usize = 64 << 20;
/// What a key takes beside its own bytes.
const EACH: usize = 160;

/// The keys of the last two minutes.
#[derive(Debug, Default)]
pub(super) struct Once {
    known: HashMap<Arc<Key>, u64>,
    by_age: VecDeque<(Instant, Arc<Key>)>,
    bytes: usize,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    topic: Box<str>,
    dedupe: Box<str>,
}

impl Key {
    fn new(topic: &str, dedupe: &str) -> Self {
        Self { topic: topic.into(), dedupe: dedupe.into() }
    }

    fn bytes(&self) -> usize {
        EACH + self.topic.len() + self.dedupe.len()
    }
}

impl Once {
    /// The number of the record that has this key.
    pub(super) fn find(&mut self, topic: &str, dedupe: &str, now: Instant) -> Option<u64> {
        self.forget(now);
        self.known.get(&Key::new(topic, dedupe)).copied()
    }

    /// Notes the number of a record whose key was not found.
    pub(super) fn note(&mut self, topic: &str, dedupe: &str, seq: u64, now: Instant) {
        let key = Arc::new(Key::new(topic, dedupe));
        self.bytes += key.bytes();
        self.by_age.push_back((now, Arc::clone(&key)));
        self.known.insert(key, seq);
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, key)) = self.by_age.front() {
            if now.saturating_duration_since(*at) < WINDOW && self.bytes <= BYTES {
                break;
            }
            self.bytes -= key.bytes();
            self.known.remove(key);
            self.by_age.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_in_its_topic_and_for_its_time() {
        let (mut once, now) = (Once::default(), Instant::now());
        once.note("t", "a", 7, now);
        assert_eq!(once.find("t", "a", now), Some(7));
        assert_eq!(once.find("u", "a", now), None);
        assert_eq!(once.find("ta", "", now), None);
        let later = now + WINDOW - Duration::from_millis(1);
        once.note("t", "b", 8, later);
        assert_eq!(once.find("t", "a", later), Some(7));
        let late = now + WINDOW;
        assert_eq!((once.find("t", "a", late), once.find("t", "b", late)), (None, Some(8)));
        assert_eq!(once.bytes, EACH + 2);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let (mut once, now) = (Once::default(), Instant::now());
        let large = "x".repeat(1 << 20);
        for n in 0..100_u64 {
            once.note("t", &format!("{n}{large}"), n, now);
            assert!(once.bytes <= BYTES, "{}", once.bytes);
        }
        assert_eq!(once.find("t", &format!("99{large}"), now), Some(99));
        assert_eq!(once.find("t", &format!("0{large}"), now), None);
    }
}
