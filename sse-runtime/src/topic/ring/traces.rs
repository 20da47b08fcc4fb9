//! The traces of a ring's events: beside them, because most have none.

use std::ops::Range;

use super::{Ring, TRACE};
use crate::engine::TraceParent;

impl Ring {
    /// Notes the trace of the newest event.
    #[cold]
    pub(in crate::topic) fn trace_newest(&mut self, trace: &TraceParent) {
        let newest = self.next_ordinal() - 1;
        self.traces.get_or_insert_default().push_back((newest, *trace));
        self.bytes += TRACE;
    }

    #[inline]
    pub(in crate::topic) fn has_traces(&self) -> bool {
        self.traces.is_some()
    }

    /// The traces of these events, with their numbers.
    pub(in crate::topic) fn traced(&self, ordinals: Range<u64>) -> Vec<(u64, TraceParent)> {
        let Some(traces) = &self.traces else { return Vec::new() };
        let first = traces.partition_point(|(ordinal, _)| *ordinal < ordinals.start);
        let of_these = traces.range(first..).take_while(|(ordinal, _)| *ordinal < ordinals.end);
        of_these.filter_map(|(ordinal, trace)| Some((self.mark(*ordinal)?.seq, *trace))).collect()
    }

    /// Lets go of the traces of events that are not kept any more.
    #[cold]
    pub(super) fn forget_traces(&mut self) {
        let Some(traces) = &mut self.traces else { return };
        while traces.front().is_some_and(|(ordinal, _)| *ordinal < self.base) {
            traces.pop_front();
            self.bytes -= TRACE;
        }
        if traces.is_empty() {
            self.traces = None;
        }
    }
}
