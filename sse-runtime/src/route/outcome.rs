//! What a handler may return.

use axum::response::{IntoResponse, Response};

use crate::stream::HandlerFuture;

/// The return type of a handler: `()` or `Result<(), E>`.
#[diagnostic::on_unimplemented(
    message = "an `#[sse_route]` function cannot return `{Self}`",
    label = "return `()`, or `Result<(), E>` for errors",
    note = "what the client is to receive is sent with `sse.send(..).await`, not returned"
)]
pub trait Outcome: Sized {
    #[allow(missing_docs)]
    fn outcome(self) -> Result<(), Response>;

    /// Erases a handler's future. Here, so that an expansion names its handler's return type once, in the user's own
    /// tokens, where a mistake in it is reported.
    fn run<F>(handler: F) -> HandlerFuture
    where
        F: Future<Output = Self> + Send + 'static,
    {
        Box::pin(async move { handler.await.outcome() })
    }
}

impl Outcome for () {
    fn outcome(self) -> Result<(), Response> {
        Ok(())
    }
}

impl<E: Failure> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), Response> {
        self.map_err(Failure::failure)
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
