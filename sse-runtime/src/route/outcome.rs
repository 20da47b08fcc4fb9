//! What a handler may return.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;

use crate::stream::HandlerFuture;

/// The return type of a handler: `()` or `Result<(), E>`.
#[diagnostic::on_unimplemented(
    message = "an `#[sse_route]` function cannot return `{Self}`",
    label = "return `()`, or `Result<(), E>` for errors",
    note = "what the client is to receive is sent with `sse.send(..).await`, not returned"
)]
pub trait Outcome: Sized {
    #[allow(missing_docs)]
    fn outcome(self) -> Result<(), Box<Response>>;

    /// Erases a handler's future. Here, so that an expansion names its handler's return type once, in the user's own
    /// tokens, where a mistake in it is reported.
    fn run<F>(handler: F) -> HandlerFuture
    where
        F: Future<Output = Self> + Send + 'static,
    {
        Box::pin(Run { handler })
    }
}

pin_project! {
    /// A handler's future, and what becomes of its result. An `async` block would keep room for the handler twice.
    struct Run<F> {
        #[pin]
        handler: F,
    }
}

impl<F: Future<Output: Outcome>> Future for Run<F> {
    type Output = Result<(), Box<Response>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().handler.poll(cx).map(Outcome::outcome)
    }
}

impl Outcome for () {
    fn outcome(self) -> Result<(), Box<Response>> {
        Ok(())
    }
}

impl<E: Failure> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), Box<Response>> {
        self.map_err(|error| Box::new(error.failure()))
    }
}

/// The error type of a handler.
#[diagnostic::on_unimplemented(
    message = "the error type `{Self}` cannot become an HTTP response",
    label = "implement `axum::response::IntoResponse` for `{Self}`",
    note = "or return `sse_runtime::Result<()>`: its error takes any error through `?` and answers 500"
)]
pub trait Failure {
    #[allow(missing_docs)]
    fn failure(self) -> Response;
}

#[diagnostic::do_not_recommend]
impl<E: IntoResponse> Failure for E {
    fn failure(self) -> Response {
        self.into_response()
    }
}
