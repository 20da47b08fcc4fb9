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
}
