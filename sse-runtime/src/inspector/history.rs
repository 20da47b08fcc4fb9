//! How many events had left when: for the picture, which a page that is loaded again shall not have to begin anew.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Five minutes of them. Who looks once in between finds the average of the time that nobody looked.
const KEPT: usize = 300;
/// In milliseconds; several pages take them together.
const APART: u64 = 900;

/// Sums, not differences: what was not looked at is not lost.
#[derive(Default)]
pub(super) struct History(Mutex<VecDeque<(u64, u64)>>);

impl History {
    /// Notes how many events have left in all, `at` so many milliseconds. Returns the sum to show: one never falls, though
    /// it does when a router is dropped.
    pub(super) fn note(&self, at: u64, events: u64) -> u64 {
        let mut kept = self.kept();
        let last = kept.back().copied();
        let events = events.max(last.map_or(0, |(_, events)| events));
        if last.is_none_or(|(last, _)| at >= last + APART) {
            if kept.len() >= KEPT {
                kept.pop_front();
            }
            kept.push_back((at, events));
        }
        events
    }

    pub(super) fn to_json(&self) -> Value {
        json!(self.kept().iter().map(|(at, events)| json!([at, events])).collect::<Vec<_>>())
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
