//! The errors a handler meets, and the error it may return.

use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::stream::HeadError;
use crate::topic::FollowError;
use crate::wire::EventError;

/// What [`Error`] wraps.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// `Result` with [`Error`] as its error: the return type of a handler that has no error type of its own.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why an event was not sent, or topics not followed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The stream is over: the client left, or the server ended it. Only a handle that outlives its handler (a
    /// clone moved into a spawned task) can see this; the handler itself is dropped when its client leaves.
    #[error("the stream is closed")]
    Closed,
    /// Nothing more can be sent: [`Sse::finish`](crate::Sse::finish) was called or a terminal event was sent, or
    /// [`Sse::respond`](crate::Sse::respond) was called, and there is no stream.
    #[error(
        "nothing more can be sent: after a terminal event or `finish`, the stream is finished; after `respond`, there is none"
    )]
    Finished,
    /// The head of the response cannot be changed like this.
    #[error(transparent)]
    Head(HeadError),
    /// The event cannot be written to the wire. Nothing was sent, and the stream goes on unharmed.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The stream cannot follow its topics.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

/// An error for handlers that do not need one of their own: `?` turns any error into it.
///
/// Before the first event it becomes an HTTP response: status 500, or the one given by [`Error::with_status`], and a
/// body that says no more than the status, or the text given by [`Error::public`]. After it, the client receives an
/// in-band `failure` event with the same public text, if any. The error itself goes to the log (`tracing`: level error,
/// or debug if it was answered with a 4xx status).
///
/// Like `anyhow::Error`, it does not implement `std::error::Error` (that is what makes the blanket `From` possible).
///
/// ```
/// use sse_runtime::{Error, Result, Sse, StatusCode, sse_route};
///
/// #[sse_route("/jobs/{id}")]
/// async fn job(sse: Sse, id: String) -> Result<()> {
///     let number: u32 = id.parse().map_err(|e| Error::from(e).with_status(StatusCode::NOT_FOUND))?;
///     let text = std::fs::read_to_string(format!("/var/jobs/{number}"))?; // any error: 500
///     sse.send(text).await?;
///     Ok(())
/// }
/// ```
pub struct Error {
    source: Source,
    status: StatusCode,
    public: Option<String>,
}

impl Error {
    /// Answers with `status` if the response head has not been sent yet. The default is 500.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Shows `message` to the client: as the body of the response, or inside the `failure` event.
    #[must_use]
    pub fn public(mut self, message: impl Into<String>) -> Self {
        self.public = Some(message.into());
        self
    }
}

impl Error {
    /// What a client may see of it.
    pub(crate) fn shown(self) -> (StatusCode, Option<String>) {
        (self.status, self.public)
    }
}

impl<E: Into<Source>> From<E> for Error {
    fn from(error: E) -> Self {
        let source = error.into();
        let (status, public) = match source.downcast_ref() {
            Some(SendError::Follow(error)) => error.shown(),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, None),
        };
        Self { source, status, public }
    }
}

/// The same text as `Display`: it is what a `main` that returns this error prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error and all its causes, outermost first.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut cause = self.source.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let report = Report(Arc::from(self.to_string()));
        let mut response = match self.public {
            Some(message) => {
                let mut response = (self.status, message.clone()).into_response();
                response.extensions_mut().insert(PublicMessage(message));
                response
            }
            None => (self.status, self.status.canonical_reason().unwrap_or("error")).into_response(),
        };
        response.extensions_mut().insert(report);
        response
    }
}

/// A response extension: the text that a client may read in the in-band `failure` event.
///
/// After the first event there is no response left to carry an error's text, and by default none is shown: it may name
/// things that are not the client's business. An error type whose text is meant for clients says so:
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use sse_runtime::{PublicMessage, StatusCode};
///
/// struct QuotaExceeded;
///
/// impl IntoResponse for QuotaExceeded {
///     fn into_response(self) -> Response {
///         let text = "your quota is used up";
///         let mut response = (StatusCode::TOO_MANY_REQUESTS, text).into_response();
///         response.extensions_mut().insert(PublicMessage(text.to_owned()));
///         response
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct PublicMessage(pub String);

/// What the log says of an [`Error`] that became a response.
#[derive(Clone)]
pub(crate) struct Report(pub(crate) Arc<str>);
