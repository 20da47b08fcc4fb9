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

/// Over HTTP/2, a frame is handed out in pieces of so many bytes: of what is smaller than a frame, the transport does not say
/// that the client takes it.
const PIECE: usize = 16 * 1024;

pub(crate) struct Body {
    guard: Guard,
    /// Of the last frame.
    rest: Bytes,
    ended: bool,
}

impl Body {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, rest: Bytes::new(), ended: false }
    }

    fn hand_out(&mut self, frame: Bytes) -> Frame<Bytes> {
        if frame.len() <= PIECE || !self.guard.0.is_handed_out_in_pieces() {
            return Frame::data(frame);
        }
        self.rest = frame;
        Frame::data(self.rest.split_to(PIECE))
    }

    #[cold]
    fn hand_out_more(&mut self) -> Frame<Bytes> {
        self.guard.0.note_piece();
        let piece = self.rest.len().min(PIECE);
        Frame::data(self.rest.split_to(piece))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.hand_out_more())));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let next = std::task::ready!(self.guard.0.poll_body(cx));
        Poll::Ready(match next {
            Next::Frame(bytes) => Some(Ok(self.hand_out(bytes))),
            Next::Last(bytes) => {
                self.ended = true;
                (!bytes.is_empty()).then(|| Ok(self.hand_out(bytes)))
            }
            Next::Cut => {
                self.ended = true;
                Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the stream was broken off")))
            }
        })
    }

    /// The last bytes and the end travel together: hyper asks this after every frame.
    fn is_end_stream(&self) -> bool {
        self.ended && self.rest.is_empty()
    }

    /// A stream that ended within its first poll is an ordinary short response.
    fn size_hint(&self) -> SizeHint {
        let remaining = if self.rest.is_empty() { self.guard.0.remaining() } else { None };
        remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
