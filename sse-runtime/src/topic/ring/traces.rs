//! The traces of a ring's events: beside them, because most have none.

use std::collections::VecDeque;
use std::ops::Range;

use super::{Ring, TRACE};
use crate::engine::TraceParent;
use crate::topic::delivery::may_be_wanted;

impl Ring {
    /// Notes the trace of the newest event.
    #[cold]
    pub(in crate::topic) fn trace_newest(&mut self, trace: &TraceParent) {
        let newest = self.next_ordinal() - 1;
        self.traces.push_back((newest, *trace));
        self.bytes += TRACE;
    }

    #[inline]
    pub(in crate::topic) fn has_traces(&self) -> bool {
        !self.traces.is_empty()
    }

    /// The trace of one event, if anybody may want to know.
    #[inline]
    pub(super) fn trace_of(&self, ordinal: u64) -> Option<Box<TraceParent>> {
        if self.has_traces() && may_be_wanted() { self.find_trace(ordinal) } else { None }
    }

    #[cold]
    fn find_trace(&self, ordinal: u64) -> Option<Box<TraceParent>> {
        let found = self.traces.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal).ok()?;
        self.traces.get(found).map(|(_, trace)| Box::new(*trace))
    }

    /// The traces of these events, with their numbers.
    pub(in crate::topic) fn traced(&self, ordinals: Range<u64>) -> Vec<(u64, TraceParent)> {
        let first = self.traces.partition_point(|(ordinal, _)| *ordinal < ordinals.start);
        let of_these = self.traces.range(first..).take_while(|(ordinal, _)| *ordinal < ordinals.end);
        of_these.filter_map(|(ordinal, trace)| Some((self.mark(*ordinal)?.seq, *trace))).collect()
    }

    /// Lets go of the traces of events that are not kept any more.
    #[cold]
    pub(super) fn forget_traces(&mut self) {
        while self.traces.front().is_some_and(|(ordinal, _)| *ordinal < self.base) {
            self.traces.pop_front();
            self.bytes -= TRACE;
        }
        if self.traces.is_empty() {
            self.traces = VecDeque::new();
        }
    }
}
