//! What was published in one check, and how it compares with what arrived.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Clause, broken};
use crate::engine::TraceParent;

/// One record, by value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) topic: String,
    pub(super) block: String,
    pub(super) key: String,
    pub(super) trace: Option<TraceParent>,
}

impl Entry {
    pub(super) fn new(topic: &str, block: &str, key: &str) -> Self {
        Self { topic: topic.to_owned(), block: block.to_owned(), key: key.to_owned(), trace: None }
    }

    /// The same, short enough for a message.
    fn shown(&self) -> String {
        let short = |text: &str| match text.char_indices().nth(40) {
            Some((end, _)) => format!("{:?}.. ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
            None => format!("{text:?}"),
        };
        let trace = self.trace.map(|trace| format!(", trace {trace}")).unwrap_or_default();
        format!("topic {}, key {}, block {}{trace}", short(&self.topic), short(&self.key), short(&self.block))
    }
}

/// All that was published on one log, by the numbers that were the answers.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    certain: BTreeMap<u64, Entry>,
    /// Those whose answers were not waited for.
    possible: HashSet<Entry>,
}

impl Ledger {
    pub(super) fn note(&self, seq: u64, entry: Entry) {
        if seq == 0 {
            broken(Clause::Order, "a record got the number 0; numbers begin at 1");
        }
        if let Some(other) = self.sums().certain.insert(seq, entry) {
            broken(Clause::Order, format_args!("two records got the number {seq}; one: {}", other.shown()));
        }
    }

    /// `publish` was called, and its answer is not going to be known.
    pub(super) fn note_possible(&self, entry: Entry) {
        self.sums().possible.insert(entry);
    }

    pub(super) fn top(&self) -> u64 {
        self.sums().certain.last_key_value().map_or(0, |(&seq, _)| seq)
    }

    /// The records of a topic, of a range of numbers.
    pub(super) fn of(&self, topic: &str, after: u64, until: u64) -> Vec<(u64, Entry)> {
        let sums = self.sums();
        let entries = sums.certain.iter().filter(|(_, entry)| entry.topic == topic);
        let entries = entries.filter(|&(&seq, _)| after < seq && seq <= until);
        entries.map(|(&seq, entry)| (seq, entry.clone())).collect()
    }

    /// Compares what arrived somewhere with what was published: each of them in its place, once, unchanged.
    pub(super) fn audit(&self, clause: Clause, arrived: &[(u64, Entry)]) {
        let sums = self.sums();
        let mut possible = sums.possible.clone();
        let mut before = 0;
        for (seq, entry) in arrived {
            if *seq <= before {
                let what = if *seq == before { "twice" } else { "too late" };
                broken(clause, format_args!("number {seq} came {what}, after {before}: {}", entry.shown()));
            }
            before = *seq;
            match sums.certain.get(seq) {
                Some(published) if published == entry => {}
                Some(published) => {
                    let (published, entry) = (published.shown(), entry.shown());
                    broken(
                        clause,
                        format_args!(
                            "`publish` answered {seq} for another record: {published}; this came: {entry}"
                        ),
                    )
                }
                None if possible.remove(entry) => {}
                None => broken(
                    clause,
                    format_args!("number {seq} was never the answer of `publish`: {}", entry.shown()),
                ),
            }
        }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
