//! The head of the response, which a handler may shape until it is sent.

use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Sse;
use crate::error::SendError;

/// Why the head of a response could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The head is on its way: something was sent, or `open` was called, or the route's `open_after` is over.
    #[error(
        "the response head was sent already; set status and headers before the first event and before `open`"
    )]
    Sent,
    /// This is no header name.
    #[error("a header's name cannot be written: {0}")]
    Name(String),
    /// The value has characters that no header can have.
    #[error("the value of the header `{name}` cannot be written: {reason}")]
    Value {
        /// The header.
        name: HeaderName,
        /// What is wrong with the value.
        reason: String,
    },
    /// The header says how the body is framed, which is the server's to say.
    #[error("the header `{0}` is set by the server, which frames the body of the response")]
    Framing(HeaderName),
    /// A response with this status is no stream.
    #[error(
        "a stream cannot have the status {0}: it is one of 2xx that allow a body; return an error, or call `respond`, \
         for a response that is no stream"
    )]
    Status(StatusCode),
}

/// What the handler has said of the head so far.
#[derive(Default)]
pub(crate) struct Head {
    status: Option<StatusCode>,
    headers: HeaderMap,
    /// A response in place of the stream.
    pub(super) answer: Option<Response>,
}

impl Head {
    /// Adds what the handler has set to the head of its stream.
    pub(crate) fn apply(self, response: &mut Response) {
        if let Some(status) = self.status {
            *response.status_mut() = status;
        }
        // The handler's values in place of ours.
        response.headers_mut().extend(self.headers);
    }

    /// The response in place of the stream, with the headers that it has no own ones for.
    pub(super) fn into_answer(self) -> Option<Response> {
        let mut response = self.answer?;
        let own: Vec<HeaderName> = response.headers().keys().cloned().collect();
        for (name, value) in self.headers.iter().filter(|(name, _)| !own.contains(name)) {
            response.headers_mut().append(name, value.clone());
        }
        Some(response)
    }
}

impl<E> Sse<E> {
    /// Sets a header of the response, in place of one of that name, the runtime's own too. Only before the head is sent,
    /// that is before the first event, [`open`](Self::open) and the end of the route's `open_after`.
    ///
    /// It goes with the stream and with what [`respond`](Self::respond) answers, not with the response to an error.
    ///
    /// ```
    /// use sse_runtime::{Result, Sse, sse_route};
    ///
    /// #[sse_route("/answers", methods = ["POST"], bare)]
    /// async fn answers(sse: Sse) -> Result<()> {
    ///     sse.set_header("x-request-id", "req-17")?;
    ///     sse.send("[DONE]").await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SendError::Head`] with
    /// - [`HeadError::Sent`]: it is too late;
    /// - [`HeadError::Name`], [`HeadError::Value`]: no header can be written like this;
    /// - [`HeadError::Framing`]: `content-length`, `transfer-encoding` and `connection` are the server's.
    ///
    /// [`SendError::Closed`], as for [`send`](Self::send).
    pub fn set_header<N, V>(&self, name: N, value: V) -> Result<(), SendError>
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let (name, value) = header(name, value)?;
        self.shared().change_head(|head| {
            head.headers.insert(name, value);
        })
    }

    /// Adds a header to those of its name that this handler has set: a second `set-cookie`, say. For the rest, see
    /// [`set_header`](Self::set_header).
    ///
    /// # Errors
    /// As for [`set_header`](Self::set_header).
    pub fn append_header<N, V>(&self, name: N, value: V) -> Result<(), SendError>
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let (name, value) = header(name, value)?;
        self.shared().change_head(|head| {
            head.headers.append(name, value);
        })
    }

    /// Sets the status of the stream's response; without this it is 200. An `EventSource` takes no other than that:
    /// this is for protocols with clients of their own.
    ///
    /// # Errors
    /// [`SendError::Head`] with [`HeadError::Sent`] if it is too late, and with [`HeadError::Status`] if it is not one of
    /// 2xx with a body. [`SendError::Closed`], as for [`send`](Self::send).
    pub fn set_status(&self, status: StatusCode) -> Result<(), SendError> {
        let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if !status.is_success() || !has_body {
            return Err(HeadError::Status(status).into());
        }
        self.shared().change_head(|head| head.status = Some(status))
    }

    /// Answers the request with an ordinary response in place of a stream: the JSON, say, that a client of a foreign
    /// protocol asks for with `"stream": false`. It leaves when the handler returns `Ok`; nothing can be sent any more.
    /// A handler that thinks for longer than the route's `open_after` (1 s) first needs a longer one, or `open_after = "off"`:
    /// after that, the head of a stream is out.
    ///
    /// ```
    /// use axum::Json;
    /// use sse_runtime::{Result, Sse, sse_route};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Ask {
    ///     stream: bool,
    /// }
    ///
    /// #[sse_route("/sums", methods = ["POST"], bare)]
    /// async fn sums(sse: Sse, Json(ask): Json<Ask>) -> Result<()> {
    ///     if !ask.stream {
    ///         sse.respond(Json(serde_json::json!({ "sum": 3 })))?;
    ///         return Ok(());
    ///     }
    ///     sse.send_json(serde_json::json!({ "part": 1 })).await?;
    ///     sse.send_json(serde_json::json!({ "sum": 3 })).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SendError::Head`] with [`HeadError::Sent`] if it is too late. [`SendError::Closed`], as for [`send`](Self::send).
    pub fn respond(&self, response: impl IntoResponse) -> Result<(), SendError> {
        self.shared().answer(response.into_response())
    }
}

/// A header that a handler may set.
fn header<N, V>(name: N, value: V) -> Result<(HeaderName, HeaderValue), HeadError>
where
    N: TryInto<HeaderName, Error: Into<http::Error>>,
    V: TryInto<HeaderValue, Error: Into<http::Error>>,
{
    let name = name.try_into().map_err(|error| HeadError::Name(error.into().to_string()))?;
    if [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&name) {
        return Err(HeadError::Framing(name));
    }
    match value.try_into() {
        Ok(value) => Ok((name, value)),
        Err(error) => Err(HeadError::Value { name, reason: error.into().to_string() }),
    }
}

impl From<HeadError> for SendError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}
