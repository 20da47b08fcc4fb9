//! The stream's span: what its handler logs is logged within it, and when the stream is over it says how it was.

use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::{HandlerFuture, Shared};
use crate::stream::disconnect::Disconnect;

impl Shared {
    /// Has the handler run in a span of its own, if anyone listens for that. It closes when the stream is over.
    pub(super) fn in_span(&self, handler: HandlerFuture) -> HandlerFuture {
        let span = tracing::info_span!(
            target: "sse_runtime",
            "sse_stream",
            route = self.meta.path,
            handler = self.meta.name,
            stream = self.id.get(),
            client = self.client.map(tracing::field::display),
            principal = Empty,
            reason = Empty,
            events = Empty,
            bytes = Empty,
            duration_ms = Empty,
        );
        if span.is_disabled() {
            return handler;
        }
        self.state().span = Some(Box::new(span.clone()));
        Box::pin(handler.instrument(span))
    }

    pub(super) fn span_principal(&self, principal: &str) {
        // A span is a subscriber's, and that is foreign code: it is called under no lock.
        let span = self.state().span.clone();
        if let Some(span) = span {
            span.record("principal", principal);
        }
    }
}

/// Says in the span how the stream was, and once more as an event, for those who see no spans.
pub(super) fn close(span: Option<Box<Span>>, disconnect: &Disconnect) {
    let Some(span) = span else { return };
    let reason = disconnect.reason.as_str();
    let duration_ms = u64::try_from(disconnect.duration.as_millis()).unwrap_or(u64::MAX);
    span.record("reason", reason);
    span.record("events", disconnect.events);
    span.record("bytes", disconnect.bytes);
    span.record("duration_ms", duration_ms);
    tracing::debug!(target: "sse_runtime", parent: &*span, "the stream is over");
}
