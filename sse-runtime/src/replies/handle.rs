//! What the handler has of its clients' replies.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::answer::Answer;
use super::inbox::{Findable, Posted};
use super::route::Slot;

/// What clients post into the stream, in the order in which it comes: an argument of a handler, whose route then takes it.
///
/// The stream tells its client a token, in the event `sse-replies` and in the header `sse-reply-token`; the client posts
/// JSON to the path of the stream, with `?reply=<token>`. What does not become a `T` is answered 422, and never comes here.
///
/// ```
/// use sse_runtime::{Replies, Result, Sse, routes, sse_route};
///
/// #[derive(serde::Deserialize)]
/// struct Guess {
///     number: u32,
/// }
///
/// #[sse_route("/guess", end = "end")]
/// async fn guess(sse: Sse, mut replies: Replies<Guess>) -> Result<()> {
///     sse.send("I think of a number").await?;
///     while let Some(guess) = replies.next().await {
///         let hint = guess.number.cmp(&42);
///         guess.respond(format!("{hint:?}"))?; // what the POST is answered with
///         if hint.is_eq() {
///             sse.send("You have it").await?;
///             break;
///         }
///     }
///     Ok(())
/// }
/// # let _: axum::Router = routes![guess];
/// ```
///
/// # What clients are answered
///
/// | status | when |
/// |---|---|
/// | 200, or the handler's own | the handler [responds](Reply::respond), or [refuses](Reply::refuse) |
/// | 202 | it lets go of the reply without a word, or has not taken it within 10 s |
/// | 404 | there is no such stream, it is over, or it is another [`Principal`](crate::Principal)'s |
/// | 413, 415, 422 | more than `max_reply` bytes, not JSON, not a `T` |
/// | 429, with `Retry-After` | as many as the route's `inbox` wait |
/// | 503, with `Retry-After` | the stream is at another node, and that says nothing within 4 s, or the log cannot be reached |
///
/// With the header `Idempotency-Key`, a reply that is posted again is not given to the handler again, and answered as the
/// first one; unless that was told to try again, with 429 or 503. The last 256 keys of a stream are known.
///
/// Write the type as `Replies<..>` where the argument is: by that the attribute knows it.
pub struct Replies<T> {
    posted: mpsc::Receiver<Posted>,
    _findable: Option<Findable>,
    _elsewhere: Option<AbortOnDropHandle<()>>,
    values: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Replies<T> {
    /// The next one. Cancel safe. `None` never, as things are: a stream that is over drops its handler.
    pub async fn next(&mut self) -> Option<Reply<T>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Reply<T>>> {
        loop {
            let Some(Posted { value, answer }) = std::task::ready!(self.posted.poll_recv(cx)) else {
                return Poll::Ready(None);
            };
            match serde_json::from_slice(&value) {
                Ok(value) => return Poll::Ready(Some(Reply { value: Some(value), answer: Some(answer) })),
                // Checked where it came in, but a `Deserialize` may change its mind.
                Err(error) => say(&answer, Answer::text(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
            }
        }
    }
}

impl<T: DeserializeOwned> Stream for Replies<T> {
    type Item = Reply<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Reply<T>>> {
        self.get_mut().poll(cx)
    }
}

impl<T> fmt::Debug for Replies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("waiting", &self.posted.len()).finish_non_exhaustive()
    }
}

fn say(to: &watch::Sender<Option<Answer>>, answer: Answer) {
    to.send_replace(Some(answer));
}

/// One reply: a `T`, and the client that waits to hear what becomes of it. Dropped without a word, it is answered 202.
pub struct Reply<T> {
    /// Always there, until it is moved out.
    value: Option<T>,
    answer: Option<watch::Sender<Option<Answer>>>,
}

impl<T> Reply<T> {
    /// Answers 200, with the value as JSON.
    ///
    /// # Errors
    /// If it cannot be written as JSON; the client is then answered 500.
    pub fn respond(mut self, value: impl Serialize) -> Result<(), serde_json::Error> {
        let Some(to) = self.answer.take() else { return Ok(()) };
        match serde_json::to_vec(&value) {
            Ok(json) => {
                say(&to, Answer { status: StatusCode::OK, is_json: true, body: json.into() });
                Ok(())
            }
            Err(error) => {
                say(&to, Answer::text(StatusCode::INTERNAL_SERVER_ERROR, ""));
                Err(error)
            }
        }
    }

    /// Answers with another status, and a text. With 429 and 503, the client is told to try again in a second.
    pub fn refuse(mut self, status: StatusCode, text: impl Into<String>) {
        if let Some(to) = self.answer.take() {
            say(&to, Answer::text(status, text));
        }
    }
}

impl<T> Deref for Reply<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // It is only taken by what consumes the reply.
        self.value.as_ref().unwrap_or_else(|| unreachable!("a reply without its value"))
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(to) = self.answer.take() {
            say(&to, Answer::accepted());
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reply").field(&self.value).finish()
    }
}

/// The argument by which a route takes replies.
#[diagnostic::on_unimplemented(
    message = "`{Self}` takes no replies",
    label = "the attribute takes this for `sse_runtime::Replies<T>`, whose `T` implements `Deserialize`",
    note = "derive `serde::Deserialize` for what clients post"
)]
pub trait ReplyArgument {
    #[allow(missing_docs)]
    fn check(json: &[u8]) -> Result<(), String>;
}

impl<T: DeserializeOwned> ReplyArgument for Replies<T> {
    fn check(json: &[u8]) -> Result<(), String> {
        serde_json::from_slice::<T>(json).map(drop).map_err(|error| error.to_string())
    }
}

impl<S: Sync, T> FromRequestParts<S> for Replies<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let slot: Option<&Slot> = parts.extensions.get();
        let Some(opened) = slot.and_then(Slot::open) else {
            tracing::error!(
                "a handler takes `Replies` and its route does not know: write the argument's type as `Replies<..>`, once"
            );
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        Ok(Self {
            posted: opened.posted,
            _findable: opened.findable,
            _elsewhere: opened.elsewhere,
            values: PhantomData,
        })
    }
}
