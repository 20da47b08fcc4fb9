//! How much follows a number, as far as it was counted for some client: who comes back because a read has failed goes on
//! counting where that stopped, and so do others that are at the same place.
//!
//! What is counted stays true, for numbers mean the same records for as long as the hub lives. Whether those records are
//! still there is another matter, which whoever uses a count has to see for itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are remembered.
const MOST: usize = 1024;

#[derive(Default)]
pub(super) struct Surveys(Mutex<VecDeque<(Arc<str>, Counted)>>);

/// So many bytes of a topic follow `after`, up to `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) after: u64,
    pub(super) until: u64,
    pub(super) bytes: usize,
}

impl Surveys {
    /// What was counted of a topic from this number on, or else from a smaller one: then fewer bytes follow this one.
    pub(super) fn known(&self, topic: &str, after: u64) -> Option<Counted> {
        let surveys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_topic = surveys.iter().filter(|(of, _)| &**of == topic).map(|(_, counted)| *counted);
        let holds = |counted: &Counted| counted.after <= after && after < counted.until;
        of_topic.filter(holds).max_by_key(|counted| (counted.after, counted.until))
    }

    /// Remembers more of a count.
    pub(super) fn note(&self, topic: &Arc<str>, counted: Counted) {
        let mut surveys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(of, before): &&mut (Arc<str>, Counted)| of == topic && before.after == counted.after;
        if let Some((_, before)) = surveys.iter_mut().find(same) {
            if before.until < counted.until {
                *before = counted;
            }
            return;
        }
        if surveys.len() == MOST {
            surveys.pop_front();
        }
        surveys.push_back((Arc::clone(topic), counted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_known_from_there_and_from_behind_it() {
        let surveys = Surveys::default();
        let counted = |after, until, bytes| Counted { after, until, bytes };
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        surveys.note(&a, counted(5, 10, 50));
        surveys.note(&a, counted(5, 20, 150));
        surveys.note(&a, counted(5, 10, 50));
        surveys.note(&b, counted(5, 30, 1));
        for after in [5, 6, 19] {
            assert_eq!(surveys.known("a", after), Some(counted(5, 20, 150)));
        }
        for after in [0, 4, 20, 21] {
            assert_eq!(surveys.known("a", after), None);
        }
        surveys.note(&a, counted(7, 9, 20));
        assert_eq!(surveys.known("a", 8), Some(counted(7, 9, 20)), "the nearest says it best");
        assert_eq!(surveys.known("c", 8), None);
    }

    #[test]
    fn the_oldest_goes_first() {
        let surveys = Surveys::default();
        let a: Arc<str> = "a".into();
        for after in 0..MOST as u64 + 1 {
            surveys.note(&a, Counted { after: 10 * after, until: 10 * after + 5, bytes: 1 });
        }
        assert_eq!(surveys.known("a", 0), None);
        assert!(surveys.known("a", 10).is_some() && surveys.known("a", 10 * MOST as u64).is_some());
    }
}
