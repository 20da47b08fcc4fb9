//! An id of a topic as a client has it: a position in the log and, for the topics of runs, whose log it is.
//!
//! A client that comes back may know nothing but its last id: an `EventSource` repeats its request, and adds that. So the
//! ids of a run's events begin with the run's own, and say alone where to go on.

use std::fmt;

use super::position::Position;

/// What the names of the topics begin with whose ids are marked. What follows is the mark.
pub(crate) const MARKED: &str = "sse-run:";

/// What the ids of a topic of this name begin with.
pub(super) fn mark_of(topic: &str) -> Option<&str> {
    topic.strip_prefix(MARKED)
}

/// Splits an id into its mark and its position.
pub(crate) fn split(id: &str) -> (Option<&str>, &str) {
    id.split_once('.').map_or((None, id), |(mark, position)| (Some(mark), position))
}

/// A position, as it is written in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) mark: Option<&'a str>,
    pub(super) position: Position,
}

impl<'a> Place<'a> {
    pub(super) fn new(topic: Option<&'a str>, position: Position) -> Self {
        Self { mark: topic.and_then(mark_of), position }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mark) = self.mark {
            write!(f, "{mark}.")?;
        }
        fmt::Display::fmt(&self.position, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_written_in_front_and_split_off_again() {
        let position = Position { epoch: 10, seq: 7 };
        let plain = Place::new(Some("news"), position).to_string();
        assert_eq!((plain.as_str(), split(&plain)), ("a-7", (None, "a-7")));
        let marked = Place::new(Some("sse-run:xyz"), position).to_string();
        assert_eq!((marked.as_str(), split(&marked)), ("xyz.a-7", (Some("xyz"), "a-7")));
        assert_eq!(Place::new(None, position).to_string(), "a-7");
    }
}
