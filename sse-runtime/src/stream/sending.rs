//! The futures behind the methods of [`Sse`](super::Sse).
//!
//! They are named types rather than `async fn`s, and carry what they do as a plain function: so a value that cannot be
//! sent is one compile error at the call, not another one at the `.await`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use pin_project_lite::pin_project;

use super::hidden::Hidden;
use super::shared::Admitted;
use crate::error::SendError;

/// Waits for room in the stream's buffer, then writes there; see [`Sse::send`](super::Sse::send).
///
/// Cancel safe: what was not written when this is dropped is not sent.
#[must_use = "nothing is sent unless this is awaited"]
pub struct Sending<'a, T, O = ()> {
    pub(crate) stream: &'a dyn Hidden,
    pub(crate) event: T,
    pub(crate) act: fn(&T, Admitted<'_>) -> Result<O, SendError>,
}

impl<T, O> Future for Sending<'_, T, O> {
    type Output = Result<O, SendError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_ref().get_ref();
        Poll::Ready(match ready!(this.stream.shared().poll_admit(cx)) {
            Ok(admitted) => (this.act)(&this.event, admitted),
            Err(error) => Err(error),
        })
    }
}

impl<T, O> fmt::Debug for Sending<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}

/// Opens the stream; see [`Sse::open`](super::Sse::open).
#[must_use = "nothing is opened unless this is awaited"]
pub struct Opening<'a> {
    pub(crate) stream: &'a dyn Hidden,
    pub(crate) asked: bool,
}

impl Future for Opening<'_> {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.asked {
            return Poll::Ready(Ok(()));
        }
        if self.stream.shared().open()? {
            return Poll::Ready(Ok(()));
        }
        // Lets go of the handler once: the head leaves before the handler does anything else.
        self.asked = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

pin_project! {
    /// Forwards a stream; see [`Sse::send_all`](super::Sse::send_all).
    #[must_use = "nothing is sent unless this is awaited"]
    pub struct SendAll<'a, S: Stream> {
        #[pin]
        pub(crate) stream: S,
        pub(crate) waiting: Option<S::Item>,
        pub(crate) target: &'a dyn Hidden,
        pub(crate) act: fn(&S::Item, Admitted<'_>) -> Result<(), SendError>,
    }
}

impl<S: Stream> Future for SendAll<'_, S> {
    type Output = Result<(), SendError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let target = this.target.shared();
        loop {
            if let Some(event) = this.waiting.as_ref() {
                let admitted = ready!(target.poll_admit(cx))?;
                (this.act)(event, admitted)?;
                *this.waiting = None;
            }
            match ready!(this.stream.as_mut().poll_next(cx)) {
                Some(event) => *this.waiting = Some(event),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: Stream> fmt::Debug for SendAll<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendAll").finish_non_exhaustive()
    }
}
