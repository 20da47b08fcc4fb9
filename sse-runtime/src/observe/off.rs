//! The hooks of a program that does not count.

use std::time::Duration;

use crate::lifecycle::Limit;
use crate::stream::DisconnectReason;
use crate::topic::ResetReason;

pub(crate) struct RouteMeter;

impl RouteMeter {
    pub(crate) fn new(_: &'static str) -> Self {
        Self
    }

    pub(crate) fn stream(&self) -> StreamMeter {
        StreamMeter
    }

    pub(crate) fn refused(&self, _: Limit) {}
}

pub(crate) struct Tally;

pub(crate) struct Added;

impl Tally {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn begin(&mut self) {}

    #[inline]
    pub(crate) fn note_wait(&mut self) {}

    #[inline]
    pub(crate) fn note_keep_alive(&mut self) {}

    pub(crate) fn take(&mut self, _events: u64, _bytes: u64) -> Added {
        Added
    }
}

#[derive(Default)]
pub(crate) struct StreamMeter;

impl StreamMeter {
    pub(crate) fn opened(&self, _begin: impl FnOnce() -> bool) {}

    pub(crate) fn bring_up_to_date(&self, _take: impl FnOnce() -> Added) {}

    pub(crate) fn ended(&self, _: DisconnectReason, _lasted: Duration, _: &Added) {}

    pub(crate) fn began_to_follow(&self, _resumed: bool, _reset: Option<ResetReason>) {}

    pub(crate) fn fell_behind(&self) {}

    pub(crate) fn missed(&self, _events: u64) {}
}
