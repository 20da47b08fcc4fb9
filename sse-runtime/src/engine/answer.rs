//! What an engine's methods return: a value, or a future of one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::EngineError;

/// The answer of an [`Engine`](super::Engine): a future that costs nothing where nothing has to be waited for.
pub enum Answer<'a, T> {
    /// It is known already. `None` once it has been taken.
    Now(Option<Result<T, EngineError>>),
    /// It has to be waited for.
    Later(Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>),
}

impl<'a, T> Answer<'a, T> {
    /// An answer without waiting.
    pub fn now(answer: Result<T, EngineError>) -> Self {
        Self::Now(Some(answer))
    }

    /// An answer to wait for.
    pub fn later(answer: impl Future<Output = Result<T, EngineError>> + Send + 'a) -> Self {
        Self::Later(Box::pin(answer))
    }
}

// The value is moved out and never pinned.
impl<T> Unpin for Answer<'_, T> {}

impl<T> Future for Answer<'_, T> {
    type Output = Result<T, EngineError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Self::Later(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for Answer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
    }
}
