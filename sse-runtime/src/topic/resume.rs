//! From the id that a client comes with to where its stream begins.

use std::fmt;

use super::place;
use super::position::Position;
use crate::stream::Asked;

/// Why a stream could not go on from where its client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetReason {
    /// The id is none that a topic gives.
    Malformed,
    /// The id is from another log: the hub was started anew.
    Epoch,
    /// The id is one that the log has not reached: it has lost its newest events.
    Ahead,
    /// Events after the id are not kept any more.
    Evicted,
    /// More follows the id than one client may be sent again; see
    /// [`HubBuilder::replay_bytes`](super::HubBuilder::replay_bytes).
    TooFar,
}

impl ResetReason {
    /// The word that the client receives: `malformed`, `epoch`, `ahead`, `evicted` or `too_far`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Epoch => "epoch",
            Self::Ahead => "ahead",
            Self::Evicted => "evicted",
            Self::TooFar => "too_far",
        }
    }
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client's id says, before it is known what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// No id: begin with what comes next.
    New,
    /// Everything after this number.
    After(u64),
    /// Not to be had.
    Reset(ResetReason),
}

impl Wish {
    /// `epoch` is the log's, `mark` that of the topic.
    pub(super) fn read(asked: &Asked, epoch: u64, mark: Option<&str>) -> Self {
        let id = match asked {
            Asked::Nothing => return Self::New,
            Asked::Malformed => return Self::Reset(ResetReason::Malformed),
            Asked::Id(id) => id,
        };
        let (marked, position) = place::split(id);
        match Position::parse(position).filter(|_| marked == mark) {
            None => Self::Reset(ResetReason::Malformed),
            Some(position) if position.epoch != epoch => Self::Reset(ResetReason::Epoch),
            Some(position) => Self::After(position.seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_malformed_or_of_another_epoch_or_a_place_in_the_log() {
        let wish = |id: &str| Wish::read(&Asked::Id(id.into()), 0xab, None);
        let marked = |id: &str| Wish::read(&Asked::Id(id.into()), 0xab, Some("x"));
        assert_eq!(marked("x.ab-17"), Wish::After(17));
        for id in ["ab-17", "y.ab-17", ".ab-17", "x.x.ab-17", "x.", "x"] {
            assert_eq!(marked(id), Wish::Reset(ResetReason::Malformed), "{id}");
        }
        assert_eq!(wish("x.ab-17"), Wish::Reset(ResetReason::Malformed));
        assert_eq!(Wish::read(&Asked::Nothing, 1, None), Wish::New);
        assert_eq!(Wish::read(&Asked::Malformed, 1, None), Wish::Reset(ResetReason::Malformed));
        assert_eq!(wish("ab"), Wish::Reset(ResetReason::Malformed));
        assert_eq!(wish("0ab-1"), Wish::Reset(ResetReason::Malformed));
        assert_eq!(wish("ac-1"), Wish::Reset(ResetReason::Epoch));
        assert_eq!(wish("ab-17"), Wish::After(17));
    }
}
