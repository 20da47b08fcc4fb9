//! An accepted socket: how it is set up, and a note of every write that made progress.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::lifecycle::Connection;

/// How many bytes the kernel may hold that it has not sent. With its default, megabytes, a socket takes all that a slow
/// reader gets in minutes, and is then silent for as long: neither backpressure nor a send timeout could tell a slow
/// reader from one that is gone.
#[cfg(any(target_os = "android", target_os = "linux"))]
const NOT_SENT: u32 = 64 * 1024;
/// How long a peer may acknowledge nothing.
pub(super) const PEER_TIMEOUT: Duration = Duration::from_secs(30);
/// A stream's own deadline comes first, with its reason.
const AFTER_SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Sets the options that streams need, on a socket that another server than [`serve`](crate::serve) has accepted: for plain
/// `axum::serve`, in one line.
///
/// ```no_run
/// use axum::serve::ListenerExt;
/// use sse_runtime::{Sse, prepare_socket, routes, sse_route};
///
/// #[sse_route("/ticks")]
/// async fn ticks(sse: Sse) {
///     sse.send("tick").await.ok();
/// }
///
/// # async fn run() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// axum::serve(listener.tap_io(|tcp| prepare_socket(tcp)), routes![ticks]).await?;
/// # Ok(())
/// # }
/// ```
///
/// That is `TCP_NODELAY`; on Linux a low `TCP_NOTSENT_LOWAT`; TCP keep-alive after 15 s of silence; and on Linux
/// `TCP_USER_TIMEOUT`, 30 s: without that, a peer whose network is gone is noticed after a quarter of an hour. Over
/// another server than ours such a peer's disconnect reason is
/// [`ClientClosed`](crate::DisconnectReason::ClientClosed), and one that does not read for 30 s counts as gone, too, whatever
/// the route's `send_timeout`. An option that the system refuses is left as it is, with a line in the log (debug).
pub fn prepare_socket(socket: &TcpStream) {
    set_up(socket, Some(PEER_TIMEOUT));
}

/// Sets the options that streams need; a socket that refuses one serves without it.
pub(super) fn set_up(socket: &TcpStream, peer_timeout: Option<Duration>) {
    note(socket.set_nodelay(true), "TCP_NODELAY");
    let options = SockRef::from(socket);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    note(options.set_tcp_notsent_lowat(NOT_SENT), "TCP_NOTSENT_LOWAT");
    let probes = TcpKeepalive::new().with_time(Duration::from_secs(15));
    #[cfg(any(target_os = "android", target_os = "linux", target_vendor = "apple"))]
    let probes = probes.with_interval(Duration::from_secs(5));
    note(options.set_tcp_keepalive(&probes), "SO_KEEPALIVE");
    limit_silence(socket, peer_timeout);
}

/// How long bytes may stay unacknowledged, or a full window closed, before the kernel gives the connection up; its own
/// default if `None`.
fn limit_silence(socket: &TcpStream, limit: Option<Duration>) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    note(SockRef::from(socket).set_tcp_user_timeout(limit), "TCP_USER_TIMEOUT");
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (socket, limit);
}

fn note(outcome: io::Result<()>, option: &str) {
    if let Err(error) = outcome {
        tracing::debug!(%error, option, "a socket option was refused");
    }
}

/// Whether the kernel has given the peer up: nobody there acknowledged anything any more.
pub(super) fn no_answer(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, TimedOut};
    matches!(error.kind(), HostUnreachable | NetworkUnreachable | TimedOut)
}

/// A socket that tells its connection when it has taken bytes.
pub(super) struct Socket {
    tcp: TcpStream,
    connection: Arc<Connection>,
    peer_timeout: Option<Duration>,
    /// It takes nothing: a peer that acknowledges, and does not read, is its streams' affair.
    is_full: bool,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, connection: Arc<Connection>, peer_timeout: Option<Duration>) -> Self {
        Self { tcp, connection, peer_timeout, is_full: false }
    }

    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(1..)) => {
                self.connection.note_write();
                if self.is_full {
                    self.has_room_again();
                }
            }
            Poll::Ready(_) => {}
            Poll::Pending => self.is_filling(),
        }
        written
    }

    /// The kernel counts a window that stays closed as silence. Whether the client is too slow is for the route to say, if
    /// it has more patience than that.
    #[cold]
    fn is_filling(&mut self) {
        self.connection.note_blocked();
        if std::mem::replace(&mut self.is_full, true) {
            return;
        }
        let Some(limit) = self.peer_timeout else { return };
        let patience = self.connection.patience().map(|patience| patience + AFTER_SEND_TIMEOUT);
        if patience.is_none_or(|patience| patience > limit) {
            limit_silence(&self.tcp, patience);
        }
    }

    #[cold]
    fn has_room_again(&mut self) {
        self.is_full = false;
        self.connection.note_room();
        if self.peer_timeout.is_some() {
            limit_silence(&self.tcp, self.peer_timeout);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_has_what_streams_need() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        prepare_socket(&client);
        let options = SockRef::from(&client);
        assert!(client.nodelay().expect("an option") && options.keepalive().expect("an option"));
        #[cfg(target_os = "linux")]
        {
            assert_eq!(options.tcp_user_timeout().expect("an option"), Some(PEER_TIMEOUT));
            assert_eq!(options.tcp_notsent_lowat().expect("an option"), NOT_SENT);
        }
    }
}
