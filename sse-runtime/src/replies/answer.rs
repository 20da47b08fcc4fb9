//! What the POST of a reply is answered with.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

/// An answer, as it can be sent through a log, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) is_json: bool,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, is_json: false, body: text.into().into() }
    }

    /// It has arrived, and that is all there is to say.
    pub(super) fn accepted() -> Self {
        Self::text(StatusCode::ACCEPTED, "")
    }

    /// The same for a stream that is over, one of somebody else, and a guess.
    pub(super) fn unknown() -> Self {
        Self::text(StatusCode::NOT_FOUND, "no such stream")
    }

    /// There are as many as the handler lets wait.
    pub(super) fn full() -> Self {
        Self::text(StatusCode::TOO_MANY_REQUESTS, "too many replies wait; try again")
    }

    /// Whether it may be another one soon, for the same reply.
    pub(super) fn is_for_now(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }

    pub(super) fn unavailable() -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, "the stream's server does not answer; try again")
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let is_for_now = self.is_for_now();
        let mut response = (self.status, self.body).into_response();
        let kind = if self.is_json { "application/json" } else { "text/plain; charset=utf-8" };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if is_for_now {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
