//! An accepted socket: how it is set up, and a note of every write that made progress.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::lifecycle::Connection;

/// How many bytes the kernel may hold that it has not sent. With its default, megabytes, a socket takes all that a slow
/// reader gets in minutes, and is then silent for as long: neither backpressure nor a send timeout could tell a slow
/// reader from one that is gone.
#[cfg(any(target_os = "android", target_os = "linux"))]
const NOT_SENT: u32 = 64 * 1024;

/// Sets the options that streams need; a socket that refuses one serves without it.
pub(super) fn set_up(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if let Err(error) = socket2::SockRef::from(socket).set_tcp_notsent_lowat(NOT_SENT) {
        tracing::debug!(%error, "TCP_NOTSENT_LOWAT was refused");
    }
}

/// A socket that tells its connection when it has taken bytes.
pub(super) struct Socket {
    pub(super) tcp: TcpStream,
    pub(super) connection: Arc<Connection>,
}

impl Socket {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(1..)) => self.connection.note_write(),
            Poll::Ready(_) => {}
            Poll::Pending => self.connection.note_blocked(),
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
