//! Letting go of a handler that computes between its sends.
//!
//! What a handler sends leaves when the handler rests. One that never does (it reads from memory, computes, sends, and
//! so on) would fill the whole buffer first: at a millisecond of work for each event, a third of a second's worth. So a
//! send asks the clock now and then, and lets the body have its turn when the handler has run for a while.

use std::time::{Duration, Instant};

/// How long a handler may run before what it has sent leaves.
const TURN: Duration = Duration::from_millis(5);

/// The sends of one poll of the handler.
#[derive(Default)]
pub(super) struct Pace {
    sends: u32,
    /// When to ask the clock next: after one send, two, four, then every eight. A fast handler pays little for it, a slow
    /// one has its second send checked.
    check_at: u32,
    began: Option<Instant>,
}

impl Pace {
    /// The handler is about to be polled.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// Another send. Whether the handler has had its turn.
    #[inline]
    pub(super) fn is_over(&mut self) -> bool {
        self.sends += 1;
        self.sends > self.check_at && self.check()
    }

    #[cold]
    fn check(&mut self) -> bool {
        let now = Instant::now();
        self.check_at = self.sends + self.sends.min(8) - 1;
        now.duration_since(*self.began.get_or_insert(now)) >= TURN
    }
}
