//! What the inspector sees of runs, and does to one: of all in this process, whichever layer or route keeps them.

use std::time::Duration;

use super::run::{Phase, Run};
use super::runs::{Inner, Runs};
use crate::lifecycle::{Enlisted, Registry};
use crate::stream::DisconnectReason;

/// Of runs.
pub(super) static KEEPERS: Enlisted<Inner> = Enlisted::none();

/// The runs of this process that end with the [`Shutdown`](crate::Shutdown) of a registry, and those that have ended and
/// can still be replayed.
pub(crate) fn runs_of(registry: &Registry) -> Vec<Run> {
    let all: Vec<_> = KEEPERS.all().into_iter().map(Runs).collect();
    let runs = all.iter().flat_map(Runs::list);
    runs.filter(|run| !run.is_refused() && run.0.stream.is_of(registry)).collect()
}

impl Run {
    /// No other run and no stream of this process has it, before or after. Unlike its id, it opens nothing.
    pub(crate) fn number(&self) -> u64 {
        self.0.stream.id().get()
    }

    /// The path of the request that began it, with what routers around the route have taken away.
    pub(crate) fn path(&self) -> &str {
        self.0.stream.path()
    }

    /// For how long it may go on, at most.
    pub(crate) fn left(&self) -> Duration {
        self.0.meta.time.saturating_sub(self.0.begun.elapsed())
    }

    /// Whether its handler has begun to send.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.phase.borrow() != Phase::Begins
    }

    /// As [`cancel`](Self::cancel), and has the goodbye say why.
    pub(crate) fn cancel_because(&self, why: &str) -> bool {
        self.0.stream.end_because(DisconnectReason::Cancelled, Some(why.into()))
    }

    fn is_refused(&self) -> bool {
        *self.0.phase.borrow() == Phase::Refused
    }
}
