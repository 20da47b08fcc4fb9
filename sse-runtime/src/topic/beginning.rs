//! What a stream begins with that begins anew.

use super::snapshot::Hook;

#[derive(Clone)]
pub(super) enum Beginning {
    /// What is published from then on.
    Next,
    /// The current state, from the program.
    Snapshot(Hook),
    /// The newest events that are kept, so many of them.
    Recent(usize),
    /// The newest event of each key that is kept.
    Newest,
    /// What has a higher number than this.
    After(u64),
}

impl Beginning {
    /// The number after which it begins, if that is said.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::After(seq) => Some(*seq),
            _ => None,
        }
    }
}
