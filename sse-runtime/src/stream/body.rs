//! The response body of a stream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::shared::{Next, Shared};

/// Ends the stream when the transport lets go of it: whatever else may happen, the handler is dropped and the hooks
/// run.
pub(crate) struct Guard(pub(crate) Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.conclude(self.0.why_let_go());
    }
}

pub(crate) struct Body {
    guard: Guard,
    ended: bool,
}

impl Body {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, ended: false }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = std::task::ready!(self.guard.0.poll_body(cx));
        Poll::Ready(match next {
            Next::Frame(bytes) => Some(Ok(Frame::data(bytes))),
            Next::Last(bytes) => {
                self.ended = true;
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Next::Cut => {
                self.ended = true;
                Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the stream was broken off")))
            }
        })
    }

    /// The last bytes and the end travel together: hyper asks this after every frame.
    fn is_end_stream(&self) -> bool {
        self.ended
    }

    /// A stream that ended within its first poll is an ordinary short response.
    fn size_hint(&self) -> SizeHint {
        self.guard.0.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
