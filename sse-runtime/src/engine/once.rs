//! Which records were published a short while ago, by the keys that their publishers gave them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long a key is known, if nobody says otherwise.
pub(super) const WINDOW: Duration = Duration::from_secs(120);
/// How many bytes are kept of them at most, if nobody says otherwise; then the oldest go earlier.
pub(super) const BYTES: usize = 64 << 20;
/// What a key takes beside its own bytes.
const EACH: usize = 160;

/// The keys of the last minutes. Time is what the caller takes for it, from wherever it counts.
#[derive(Debug)]
pub(super) struct Once {
    window: Duration,
    most: usize,
    known: HashMap<Arc<Key>, (Duration, u64)>,
    /// In the order of the numbers.
    by_age: VecDeque<(Duration, u64, Arc<Key>)>,
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
    pub(super) fn new(window: Duration, bytes: usize) -> Self {
        Self { window, most: bytes, known: HashMap::new(), by_age: VecDeque::new(), bytes: 0 }
    }

    /// The number of the record that has this key.
    pub(super) fn find(&self, topic: &str, dedupe: &str, now: Duration) -> Option<u64> {
        let &(at, seq) = self.known.get(&Key::new(topic, dedupe))?;
        (!self.is_old(at, now)).then_some(seq)
    }

    /// Notes the number of a record whose key was not found.
    pub(super) fn note(&mut self, topic: &str, dedupe: &str, seq: u64, now: Duration) {
        let key = Arc::new(Key::new(topic, dedupe));
        self.bytes += key.bytes();
        self.by_age.push_back((now, seq, Arc::clone(&key)));
        self.known.insert(key, (now, seq));
    }

    /// Forgets what is too much, and of what is too old, `most` at most; gives the number of the newest of them.
    pub(super) fn forget(&mut self, now: Duration, most: usize) -> Option<u64> {
        let mut newest = None;
        let mut old = 0;
        while let Some((at, seq, key)) = self.by_age.front() {
            if self.bytes <= self.most {
                if old == most || !self.is_old(*at, now) {
                    break;
                }
                old += 1;
            }
            newest = Some(*seq);
            self.bytes -= key.bytes();
            // Known for long enough, it may have been noted again.
            if self.known.get(key).is_some_and(|(_, known)| known == seq) {
                self.known.remove(key);
            }
            self.by_age.pop_front();
        }
        newest
    }

    /// Whether there is something to [`forget`](Self::forget).
    #[cfg_attr(not(feature = "redb"), allow(dead_code))]
    pub(super) fn has_old(&self, now: Duration) -> bool {
        self.bytes > self.most || self.by_age.front().is_some_and(|(at, ..)| self.is_old(*at, now))
    }

    fn is_old(&self, at: Duration, now: Duration) -> bool {
        now.saturating_sub(at) >= self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn a_key_is_known_in_its_topic_and_for_its_time() {
        let mut once = Once::new(WINDOW, BYTES);
        once.note("t", "a", 7, NOW);
        assert_eq!(once.find("t", "a", NOW), Some(7));
        assert_eq!(once.find("u", "a", NOW), None);
        assert_eq!(once.find("ta", "", NOW), None);
        let later = NOW + WINDOW - Duration::from_millis(1);
        once.note("t", "b", 8, later);
        assert_eq!((once.find("t", "a", later), once.has_old(later)), (Some(7), false));
        let late = NOW + WINDOW;
        assert_eq!((once.find("t", "a", late), once.find("t", "b", late)), (None, Some(8)));
        assert!(once.has_old(late));
        assert_eq!((once.forget(late, 9), once.forget(late, 9)), (Some(7), None));
        assert_eq!((once.bytes, once.known.len()), (EACH + 2, 1));
    }

    #[test]
    fn a_key_that_was_known_before_is_not_forgotten_with_its_first_record() {
        let (mut once, late) = (Once::new(WINDOW, BYTES), NOW + WINDOW);
        once.note("t", "a", 7, NOW);
        once.note("t", "b", 8, NOW);
        once.note("t", "a", 9, late);
        assert_eq!((once.forget(late, 1), once.has_old(late)), (Some(7), true));
        assert_eq!((once.forget(late, 1), once.has_old(late)), (Some(8), false));
        assert_eq!(once.find("t", "a", late), Some(9));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut once = Once::new(WINDOW, BYTES);
        let large = "x".repeat(1 << 20);
        for n in 0..100_u64 {
            once.note("t", &format!("{n}{large}"), n, NOW);
            once.forget(NOW, 0);
            assert!(once.bytes <= BYTES, "{}", once.bytes);
        }
        assert_eq!(once.find("t", &format!("99{large}"), NOW), Some(99));
        assert_eq!(once.find("t", &format!("0{large}"), NOW), None);
    }
}
