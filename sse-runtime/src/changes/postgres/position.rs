//! How far a feed has read: a snapshot, or the way from one to the next.

/// Where a feed is. What is to come are the changes whose transactions are finished, and were not in `seen`; while there is a
/// batch, only those that were finished in it, above the number `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) seen: Snapshot,
    pub(super) batch: Option<Snapshot>,
    pub(super) after: i64,
}

impl Position {
    /// Everything that was finished in this snapshot has been read.
    pub(super) fn at(seen: Snapshot) -> Self {
        Self { seen, batch: None, after: 0 }
    }

    /// After a page of a batch, which was the last one or not.
    pub(super) fn after(&self, batch: Snapshot, last: Option<i64>, is_full: bool) -> Self {
        match last {
            Some(after) if is_full => Self { seen: self.seen.clone(), batch: Some(batch), after },
            _ => Self::at(batch),
        }
    }
}

/// A snapshot, as the server writes it: the lowest transaction that was running, the first that had not begun, and which ran
/// in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot(pub(super) String);

impl Snapshot {
    /// Whether every transaction up to this one was finished. Not, if it cannot be read.
    pub(super) fn is_above(&self, xid: u64) -> bool {
        let lowest = self.0.split(':').next().and_then(|lowest| lowest.parse::<u64>().ok());
        lowest.is_some_and(|lowest| lowest > xid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot(text.to_owned())
    }

    #[test]
    fn a_snapshot_knows_below_what_all_is_finished() {
        let running = snapshot("10:20:10,14,15");
        assert!(running.is_above(9));
        assert!(!running.is_above(10) && !running.is_above(12));
        assert!(!snapshot("").is_above(0) && !snapshot("x:1:").is_above(0));
    }

    #[test]
    fn a_batch_ends_with_a_page_that_is_not_full() {
        let (first, second) = (snapshot("1:1:"), snapshot("5:5:"));
        let start = Position::at(first.clone());
        let middle = start.after(second.clone(), Some(77), true);
        assert_eq!(middle, Position { seen: first, batch: Some(second.clone()), after: 77 });
        assert_eq!(middle.after(second.clone(), Some(99), false), Position::at(second.clone()));
        assert_eq!(middle.after(second.clone(), None, false), Position::at(second));
    }
}
