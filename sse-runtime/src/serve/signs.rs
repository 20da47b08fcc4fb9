//! Signs of life of an HTTP/2 peer, seen where they come in.
//!
//! By the time hyper says how a connection broke, its streams are gone: why is to be known before they are told.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::{Socket, no_answer};
use crate::lifecycle::Carrier;

/// A socket that notes when its peer was last heard of.
pub(super) struct Signs {
    socket: Socket,
    carrier: Arc<Carrier>,
}

impl Signs {
    pub(super) fn new(socket: Socket, carrier: Arc<Carrier>) -> Self {
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

impl AsyncRead for Signs {
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

impl AsyncWrite for Signs {
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
