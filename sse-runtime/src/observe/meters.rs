//! The hooks: what a route, and each of its streams, has counted.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::table;
use crate::lifecycle::Limit;
use crate::stream::DisconnectReason;
use crate::topic::ResetReason;

/// All values of a type that is a label. It does not compile any more when there is another.
macro_rules! every {
    ($all:ident: $type:ident { $($value:ident),* $(,)? }) => {
        const $all: &[$type] = &[$($type::$value),*];
        const _: fn($type) = |value| match value { $($type::$value => {})* };
    };
}

every!(REASONS: DisconnectReason {
    ClientClosed, PeerVanished, SendTimeout, SlowClient, ServerShutdown, MaxAge, AuthExpired, Kicked, Cancelled,
    Abandoned, RunFull, HandlerError,
    HandlerPanic, Completed,
});
every!(LIMITS: Limit { Route, Total, Client, Rate, ClientRate, Runs, PrincipalRuns });
every!(RESETS: ResetReason { Malformed, Epoch, Ahead, Evicted, TooFar });

/// What is counted of one mounted route, from its first stream on: before that, there may be no recorder yet.
pub(crate) struct RouteMeter {
    path: &'static str,
    counted: OnceLock<Arc<Counted>>,
}

impl RouteMeter {
    pub(crate) fn new(path: &'static str) -> Self {
        Self { path, counted: OnceLock::new() }
    }

    fn counted(&self) -> &Arc<Counted> {
        if let Some(counted) = self.counted.get() {
            return counted;
        }
        // Not within the cell's own lock. Two that come at once register the same metrics.
        let counted = Arc::new(Counted::register(self.path));
        self.counted.get_or_init(|| counted)
    }

    pub(crate) fn stream(&self) -> StreamMeter {
        StreamMeter(Some(Arc::clone(self.counted())))
    }

    pub(crate) fn refused(&self, limit: Limit) {
        count(&self.counted().refused, limit);
    }
}

/// Each series is there, with 0, from the beginning: of one that appears with its first count, a rate misses that.
struct Counted {
    open: Gauge,
    opened: Counter,
    ended: Vec<(DisconnectReason, Counter)>,
    refused: Vec<(Limit, Counter)>,
    duration: Histogram,
    events: Counter,
    bytes: Counter,
    waits: Counter,
    keep_alives: Counter,
    fresh: Counter,
    resumed: Counter,
    reset: Vec<(ResetReason, Counter)>,
    fell_behind: Counter,
    missed: Counter,
}

impl Counted {
    fn register(route: &'static str) -> Self {
        table::describe(&table::STREAMS);
        let of_route = [route.into()];
        let ended =
            |reason: DisconnectReason| table::STREAMS_ENDED.counter(&[route.into(), reason.as_str().into()]);
        let refused = |limit: Limit| table::STREAMS_REFUSED.counter(&[route.into(), limit.as_str().into()]);
        let follows = |outcome: &'static str| table::FOLLOWS.counter(&[route.into(), outcome.into()]);
        Self {
            open: table::STREAMS_OPEN.gauge(&of_route),
            opened: table::STREAMS_OPENED.counter(&of_route),
            ended: REASONS.iter().map(|&reason| (reason, ended(reason))).collect(),
            refused: LIMITS.iter().map(|&limit| (limit, refused(limit))).collect(),
            duration: table::STREAM_DURATION.histogram(&of_route),
            events: table::SENT_EVENTS.counter(&of_route),
            bytes: table::SENT_BYTES.counter(&of_route),
            waits: table::SEND_WAITS.counter(&of_route),
            keep_alives: table::KEEP_ALIVES.counter(&of_route),
            fresh: follows("fresh"),
            resumed: follows("resumed"),
            reset: RESETS.iter().map(|&reason| (reason, follows(reason.as_str()))).collect(),
            fell_behind: table::FELL_BEHIND.counter(&of_route),
            missed: table::MISSED_EVENTS.counter(&of_route),
        }
    }

    fn add(&self, added: &Added) {
        for (counter, by) in [
            (&self.events, added.events),
            (&self.bytes, added.bytes),
            (&self.waits, added.waits),
            (&self.keep_alives, added.keep_alives),
        ] {
            if by > 0 {
                counter.increment(by);
            }
        }
    }
}

/// Few enough to look at one after the other.
fn count<L: Copy + PartialEq>(counters: &[(L, Counter)], label: L) {
    if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == label) {
        counter.increment(1);
    }
}

/// What a stream has done that it does not count anyway, and how much of all is in the counters. Under its lock.
#[derive(Default)]
pub(crate) struct Tally {
    begun: bool,
    waits: u64,
    keep_alives: u64,
    events: u64,
    bytes: u64,
}

/// What is not in the counters yet.
pub(crate) struct Added {
    begun: bool,
    events: u64,
    bytes: u64,
    waits: u64,
    keep_alives: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    #[inline]
    pub(crate) fn note_wait(&mut self) {
        self.waits += 1;
    }

    #[inline]
    pub(crate) fn note_keep_alive(&mut self) {
        self.keep_alives += 1;
    }

    /// `events` and `bytes` have been handed over until now.
    pub(crate) fn take(&mut self, events: u64, bytes: u64) -> Added {
        Added {
            begun: self.begun,
            events: events - std::mem::replace(&mut self.events, events),
            bytes: bytes - std::mem::replace(&mut self.bytes, bytes),
            waits: std::mem::take(&mut self.waits),
            keep_alives: std::mem::take(&mut self.keep_alives),
        }
    }
}

/// What is counted of one stream; by default nothing, as of one that only answers HEAD.
#[derive(Default)]
pub(crate) struct StreamMeter(Option<Arc<Counted>>);

impl StreamMeter {
    /// The handler begins, if `begin` notes it: not on a stream that is over already.
    pub(crate) fn opened(&self, begin: impl FnOnce() -> bool) {
        if let Some(counted) = self.0.as_ref().filter(|_| begin()) {
            counted.opened.increment(1);
            counted.open.increment(1.0);
        }
    }

    /// To be called under no lock; `take` takes the stream's.
    pub(crate) fn bring_up_to_date(&self, take: impl FnOnce() -> Added) {
        if let Some(counted) = &self.0 {
            counted.add(&take());
        }
    }

    pub(crate) fn ended(&self, reason: DisconnectReason, lasted: Duration, added: &Added) {
        if let Some(counted) = self.0.as_ref().filter(|_| added.begun) {
            counted.add(added);
            count(&counted.ended, reason);
            counted.duration.record(lasted);
            counted.open.decrement(1.0);
        }
    }

    pub(crate) fn began_to_follow(&self, resumed: bool, reset: Option<ResetReason>) {
        if let Some(counted) = &self.0 {
            match (resumed, reset) {
                (_, Some(reason)) => count(&counted.reset, reason),
                (true, None) => counted.resumed.increment(1),
                (false, None) => counted.fresh.increment(1),
            }
        }
    }

    pub(crate) fn fell_behind(&self) {
        if let Some(counted) = &self.0 {
            counted.fell_behind.increment(1);
        }
    }

    pub(crate) fn missed(&self, events: u64) {
        if let Some(counted) = self.0.as_ref().filter(|_| events > 0) {
            counted.missed.increment(events);
        }
    }
}
