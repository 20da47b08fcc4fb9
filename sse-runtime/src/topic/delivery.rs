//! Tells those who trace requests that an event has come to a client: in the log, with the trace of who published it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::hub::HubState;
use super::position::Position;
use super::ring::Ring;
use super::state::TopicState;
use crate::engine::TraceParent;

/// The publisher's trace, from the program: asked for at each `publish`.
#[derive(Clone)]
pub(super) struct TraceContext(Arc<dyn Fn() -> Option<TraceParent> + Send + Sync>);

impl TraceContext {
    pub(super) fn new<T: AsRef<str>>(current: impl Fn() -> Option<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || valid(current()?.as_ref())))
    }

    #[cold]
    pub(super) fn current(&self) -> Option<TraceParent> {
        (self.0)()
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceContext").finish_non_exhaustive()
    }
}

/// An event without its trace is better than none.
pub(super) fn valid(text: &str) -> Option<TraceParent> {
    text.parse()
        .inspect_err(|error| tracing::debug!(text, %error, "an event is published without its trace"))
        .ok()
}

/// Whether it may be that somebody wants to know. Runs nothing of the log's own, so it may be asked under a lock.
pub(super) fn may_be_wanted() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

/// What is to be told of a ring's events, from one ordinal to another; to be called without any lock.
#[cold]
pub(super) fn of_frame(
    hub: &HubState,
    topic: &Arc<TopicState>,
    ring: &Ring,
    ordinals: Range<u64>,
    span: Option<&Arc<Span>>,
) -> Option<Box<dyn FnOnce() + Send>> {
    let traced: Vec<_> =
        ring.traced(ordinals).into_iter().map(|(seq, trace)| (hub.position(seq), trace)).collect();
    if traced.is_empty() {
        return None;
    }
    let (topic, span) = (Arc::clone(topic), span.map(Arc::clone));
    Some(Box::new(move || {
        let _within = span.as_ref().map(|span| span.enter());
        for (position, trace) in &traced {
            tell(&topic, *position, trace);
        }
    }))
}

pub(super) fn tell(topic: &TopicState, position: Position, trace: &TraceParent) {
    tracing::debug!(
        target: "sse_runtime::delivery",
        traceparent = trace.as_str(),
        id = %position,
        topic = &*topic.name,
        "delivered"
    );
}
