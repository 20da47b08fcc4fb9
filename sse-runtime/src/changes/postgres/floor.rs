//! Below which number there is nothing to read.

use super::position::Snapshot;

/// Below which number nothing is left to read, and nothing will come: what keeps the search for the first change from
/// going through all those that have been deleted.
#[derive(Debug, Default)]
pub(super) struct Floor {
    pub(super) id: i64,
    /// When every transaction up to the first is finished, and all of that is read, the floor is the second.
    next: Option<(u64, i64)>,
}

impl Floor {
    /// A change was read.
    pub(super) fn read(&mut self, id: i64) {
        // Whose transaction is not known before the position is saved: no transaction is above this.
        self.next.get_or_insert((u64::MAX, id));
    }

    /// The position was saved by this transaction. Whatever has a number that is not above that of the change has been written
    /// by a transaction that began before it.
    pub(super) fn saved(&mut self, xid: u64) {
        if let Some((up_to @ u64::MAX, _)) = &mut self.next {
            *up_to = xid;
        }
    }

    /// Everything that was finished in this snapshot is read.
    pub(super) fn reached(&mut self, snapshot: &Snapshot) {
        if let Some((_, id)) = self.next.take_if(|(up_to, _)| snapshot.is_above(*up_to)) {
            self.id = self.id.max(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_when_nobody_can_write_below_it_any_more() {
        let reached = |floor: &mut Floor, text: &str| {
            floor.reached(&Snapshot(text.to_owned()));
            floor.id
        };
        let mut floor = Floor::default();
        floor.read(70);
        assert_eq!(reached(&mut floor, "99:99:"), 0, "the position is not saved");
        floor.saved(20);
        floor.saved(21);
        floor.read(80);
        assert_eq!(reached(&mut floor, "20:25:20"), 0, "the transaction may not have seen all");
        assert_eq!(reached(&mut floor, "21:25:22"), 70);
        floor.read(90);
        floor.saved(30);
        assert_eq!(reached(&mut floor, "31:31:"), 90);
    }
}
