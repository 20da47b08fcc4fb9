//! Signs of life of an HTTP/2 peer, seen where they come in.
//!
//! By the time hyper says how a connection broke, its streams are gone: why is to be known before they are told.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::no_answer;
use crate::lifecycle::Carrier;

/// A socket that notes when its peer was last heard of.
pub(super) struct Signs<S> {
    socket: S,
    carrier: Arc<Carrier>,
}

impl<S> Signs<S> {
    pub(super) fn new(socket: S, carrier: Arc<Carrier>) -> Self {
        Self { socket, carrier }
    }

    fn note<T>(&self, done: &io::Result<T>) {
        match done {
            Err(error) if no_answer(error) => self.carrier.connection.note_vanished(),
            // A reset is a sign, too.
            _ => self.carrier.note_heard(),
        }
    }

    fn note_failure<T>(&self, written: &Poll<io::Result<T>>) {
        if let Poll::Ready(failed @ Err(_)) = written {
            self.note(failed);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Signs<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if let Poll::Ready(read) = &read {
            self.note(read);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Signs<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.note_failure(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.note_failure(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::Shutdown;
    use crate::lifecycle::{Connections, SIGN_OF_LIFE};

    /// A socket that fails.
    struct Failing(io::ErrorKind);

    impl AsyncRead for Failing {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(self.0.into()))
        }
    }

    impl AsyncWrite for Failing {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(self.0.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Whether a peer has vanished that was silent for so long when its connection broke, as its streams see it.
    async fn has_vanished(silent: Duration, failure: io::ErrorKind, reads: bool) -> bool {
        let entry = Arc::new(Connections::default()).enter(Shutdown::new());
        let carrier = Carrier::new(Arc::clone(&entry.connection));
        let stream = carrier.stream();
        let mut signs = Signs::new(Failing(failure), carrier);
        tokio::time::sleep(silent).await;
        assert_eq!(stream.has_vanished(), silent >= SIGN_OF_LIFE);
        let failed = if reads { signs.read_u8().await } else { signs.write_u8(0).await.map(|()| 0) };
        assert_eq!(failed.map_err(|error| error.kind()), Err(failure));
        stream.has_vanished()
    }

    #[tokio::test(start_paused = true)]
    async fn why_a_connection_broke_is_known_before_its_streams_are_told() {
        for reads in [true, false] {
            assert!(has_vanished(Duration::ZERO, io::ErrorKind::TimedOut, reads).await);
            assert!(has_vanished(Duration::ZERO, io::ErrorKind::HostUnreachable, reads).await);
            // Somebody is there, who sent a reset.
            assert!(!has_vanished(SIGN_OF_LIFE, io::ErrorKind::ConnectionReset, reads).await);
        }
    }
}
