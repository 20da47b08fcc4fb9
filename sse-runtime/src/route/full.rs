//! The answer to a client for whose stream there is no place.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http::header::{ACCEPT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::Rejection;
use super::respond::streaming;
use crate::lifecycle::{Full, Mounted};
use crate::stream::{FULL, LastWord};
use crate::wire::{Limits, encode};

/// Tells the client to come back, in the way in which it will.
#[cold]
pub(super) fn refuse(route: &Mounted, full: &Full, request: &Request) -> Rejection {
    let meta = route.meta;
    route.meter.refused(full.limit);
    tracing::debug!(route = meta.path, limit = full.limit.as_str(), retry = ?full.retry, "no place for a stream");
    let is_event_source = request.method() == Method::GET && asks_for_a_stream_only(request.headers());
    Rejection::new(if is_event_source && !meta.bare {
        goodbye(full)
    } else {
        unavailable(full.retry, "no place for another stream now")
    })
}

/// The same for a run: who wants to begin one is no `EventSource` that comes back by itself.
#[cold]
pub(super) fn refuse_full(route: &Mounted, full: &Full) -> Rejection {
    route.meter.refused(full.limit);
    tracing::debug!(route = route.meta.path, limit = full.limit.as_str(), "no place for a run");
    Rejection::new(unavailable(full.retry, "no place for another run now"))
}

/// A stream of one goodbye. An `EventSource` that is answered anything but 200 gives up for good (WHATWG HTML, 9.2.2).
fn goodbye(full: &Full) -> Response {
    let mut block = BytesMut::new();
    let limits = Limits { max_event: usize::MAX, retry: None, end_id: None };
    let word = LastWord::Bye { reason: FULL, message: None, retry: full.retry, is_final: false };
    // It cannot fail: its name and its reason are constants.
    drop(encode::<LastWord<'_>, LastWord<'_>>(&word, &mut block, &limits));
    streaming(Body::from(block.freeze()))
}

/// Says it in HTTP.
pub(super) fn unavailable(retry: Duration, text: &'static str) -> Response {
    // Rounded up: not before its time.
    let seconds = HeaderValue::from(retry.as_secs() + u64::from(retry.subsec_nanos() > 0));
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)], text).into_response()
}

/// As an `EventSource` does (WHATWG HTML, 9.2.2), and what has been made to be like it.
fn asks_for_a_stream_only(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter();
    let first = values.next().map(|value| value.as_bytes().trim_ascii());
    first.is_some_and(|value| value.eq_ignore_ascii_case(b"text/event-stream")) && values.next().is_none()
}
