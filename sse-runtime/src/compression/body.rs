//! The body of a compressed stream: frame by frame, as the stream's own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;

use super::gzip::Gzip;

pub(super) struct Gzipped {
    inner: Body,
    gzip: Gzip,
    /// What is left to be handed out when the bytes are.
    trailers: Option<Frame<Bytes>>,
    ended: bool,
}

impl Gzipped {
    pub(super) fn new(inner: Body) -> Self {
        Self { inner, gzip: Gzip::new(), trailers: None, ended: false }
    }

    fn write(&mut self, data: &[u8]) -> Result<Frame<Bytes>, axum::Error> {
        let mut out = Vec::new();
        self.gzip.write(data, &mut out).map_err(axum::Error::new)?;
        if self.ended {
            self.gzip.end(&mut out);
        } else if is_keep_alive(data) {
            self.gzip.rest();
        }
        Ok(Frame::data(out.into()))
    }
}

/// Nothing but a comment, ours or axum's, which ends it with a blank line: the stream was silent.
fn is_keep_alive(data: &[u8]) -> bool {
    data.strip_suffix(b"\n").is_some_and(|line| line == b":" || line == b":\n")
}

impl http_body::Body for Gzipped {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(this.trailers.take().map(Ok));
        }
        let data = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    // The last bytes and the end travel together.
                    this.ended = this.inner.is_end_stream();
                    data
                }
                Err(trailers) => {
                    (this.ended, this.trailers) = (true, Some(trailers));
                    Bytes::new()
                }
            },
            Some(Err(error)) => {
                // No end is written: what was broken off must not look whole.
                this.ended = true;
                return Poll::Ready(Some(Err(error)));
            }
            None => {
                this.ended = true;
                Bytes::new()
            }
        };
        Poll::Ready(Some(this.write(&data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.trailers.is_none()
    }
}
