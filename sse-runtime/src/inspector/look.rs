//! The stream that feeds the page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use http::Uri;
use serde_json::json;
use sse_macros::sse_route;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::tail::batch;
use super::view::{Tail, View};
use super::{Inner, overview};
use crate::stream::{Looker, Meta};
use crate::{Event, Result, Route, Sse};

/// How often events that have left are shown.
const GLANCE: Duration = Duration::from_millis(200);
/// How often everything is.
const OVERVIEW: Duration = Duration::from_secs(1);
/// That may take one part of so many of a core's time.
const SHARE: u32 = 20;

pub(super) fn route() -> Route<Arc<Inner>> {
    look::route()
}

/// Whether a route is this one. The inspector does not look at itself: each look would be something to see.
pub(super) fn is_own(meta: &Meta) -> bool {
    (meta.path, meta.name) == (look::__META.path, look::__META.name)
}

/// What there is, once a second, and in between what leaves, as it is asked for in the query.
#[sse_route("/_sse/events", retry = "1s", max_event = "8MiB", max_streams = 32, crate = crate)]
async fn look(sse: Sse, uri: Uri, State(inspector): State<Arc<Inner>>) -> Result<()> {
    let view = View::read(uri.query().unwrap_or_default());
    let look_at = |only| Looker::new(inspector.registry.clone(), only, is_own);
    let looker = match view.tail {
        Tail::Nobody => None,
        Tail::Everybody => Some(look_at(None)),
        Tail::One(id) => Some(look_at(Some(id))),
    };
    let begin = json!({ "program": inspector.program(), "history": inspector.history.to_json() });
    sse.send(Event::new("begin").json(&begin)).await?;

    let mut glance = interval(GLANCE);
    glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due = Instant::now();
    loop {
        glance.tick().await;
        let now = Instant::now();
        if now >= due {
            let begun = std::time::Instant::now();
            let overview = overview::of(&inspector, &view);
            sse.send(Event::new("overview").json(&overview)).await?;
            due = now + OVERVIEW.max(begun.elapsed() * SHARE);
        }
        if let Some(tail) = looker.as_ref().and_then(batch) {
            sse.send(Event::new("tail").json(&tail)).await?;
        }
    }
}
