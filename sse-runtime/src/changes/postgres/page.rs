//! Some changes that were read at once, and where that leaves the feed.

use tokio_postgres::Row;

use super::position::{Position, Snapshot};
use crate::changes::{Operation, RowChange};

/// A row of the outbox: its number, and when it was written. After a crash, the number of a change that was lost with it may
/// come again.
pub(super) type Name = (i64, i64);

/// Changes that belong together only in that they were read at once.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// Where the feed is when they are dealt with.
    pub(super) next: Position,
    /// The rows of the outbox that these were.
    pub(super) rows: Vec<Name>,
    /// The notes of what was missed.
    pub(super) notes: Vec<i64>,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) change: RowChange,
    /// What it is called, once and for all.
    pub(super) dedupe: String,
}

impl Page {
    /// Says that something was missed, and changes nothing else.
    pub(super) fn missed(items: Vec<Item>, position: Position, notes: Vec<i64>) -> Self {
        Self { items, next: position, rows: Vec::new(), notes }
    }

    /// What was read of a batch, `full` rows at most. What `is_known` is dealt with already.
    pub(super) fn read(
        position: &Position,
        batch: Snapshot,
        rows: &[Row],
        log: &str,
        full: usize,
        is_known: impl Fn(&Name) -> bool,
    ) -> Self {
        let (mut items, mut names) = (Vec::new(), Vec::new());
        for row in rows {
            // Where nothing is new, there is a row without a change.
            let Some(id) = row.get::<_, Option<i64>>("id") else { continue };
            let name = (id, row.get("at"));
            names.push(name);
            // An outbox of this format knows no other words.
            let Some(op) = Operation::from_word(row.get("op")).filter(|_| !is_known(&name)) else { continue };
            let mut change = RowChange::new(op, row.get::<_, &str>("source"), row.get::<_, &str>("key"));
            let json = |column: &str| {
                row.get::<_, Option<String>>(column).and_then(|text| serde_json::from_str(&text).ok())
            };
            (change.row, change.old) = (json("now"), json("was"));
            change.position = u64::try_from(id).ok();
            items.push(Item { change, dedupe: format!("{log}/{id}/{}", name.1) });
        }
        let next = position.after(batch, names.last().map(|(id, _)| *id), names.len() >= full);
        Self { items, next, rows: names, notes: Vec::new() }
    }
}
