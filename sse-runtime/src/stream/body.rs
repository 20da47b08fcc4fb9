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
    #[cfg(feature = "http2")]
    rest: pieces::Rest,
    ended: bool,
}

impl Body {
    pub(crate) fn new(guard: Guard) -> Self {
        Self {
            guard,
            #[cfg(feature = "http2")]
            rest: pieces::Rest::default(),
            ended: false,
        }
    }

    #[cfg(feature = "http2")]
    fn hand_out(&mut self, frame: Bytes) -> Frame<Bytes> {
        self.rest.begin(frame, &self.guard.0)
    }

    #[cfg(not(feature = "http2"))]
    fn hand_out(&mut self, frame: Bytes) -> Frame<Bytes> {
        Frame::data(frame)
    }

    /// Whether something of the last frame is still to be handed out.
    #[inline]
    fn has_rest(&self) -> bool {
        #[cfg(feature = "http2")]
        return !self.rest.is_empty();
        #[cfg(not(feature = "http2"))]
        false
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        #[cfg(feature = "http2")]
        if self.has_rest() {
            let Self { rest, guard, .. } = &mut *self;
            return Poll::Ready(Some(Ok(rest.go_on(&guard.0))));
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
        self.ended && !self.has_rest()
    }

    /// A stream that ended within its first poll is an ordinary short response.
    fn size_hint(&self) -> SizeHint {
        let remaining = if self.has_rest() { None } else { self.guard.0.remaining() };
        remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Over HTTP/2, a frame is handed out in pieces: of what is smaller than a frame, the transport does not say that the client
/// takes it.
#[cfg(feature = "http2")]
mod pieces {
    use std::sync::Arc;

    use bytes::Bytes;
    use http_body::Frame;

    use crate::stream::Shared;

    /// How many bytes a piece has.
    const PIECE: usize = 16 * 1024;

    /// Of the last frame.
    #[derive(Default)]
    pub(super) struct Rest(Bytes);

    impl Rest {
        #[inline]
        pub(super) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }

        pub(super) fn begin(&mut self, frame: Bytes, stream: &Shared) -> Frame<Bytes> {
            if frame.len() <= PIECE || !stream.is_handed_out_in_pieces() {
                return Frame::data(frame);
            }
            self.0 = frame;
            Frame::data(self.0.split_to(PIECE))
        }

        #[cold]
        pub(super) fn go_on(&mut self, stream: &Arc<Shared>) -> Frame<Bytes> {
            stream.note_piece();
            let piece = self.0.len().min(PIECE);
            Frame::data(self.0.split_to(piece))
        }
    }
}
