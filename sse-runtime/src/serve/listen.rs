//! Where the listening socket comes from.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};

/// How many clients may wait to be accepted; the system may allow fewer (`net.core.somaxconn`, 4096). With tokio's own
/// 1024, clients that all come back at once would have their packets dropped, and try again a second later.
const BACKLOG: u32 = 4096;

/// Listens on `address`, or on the socket that the process inherited.
///
/// With the `listenfd` feature (default) a socket handed over by systemd socket activation or by `systemfd` (the
/// `LISTEN_FDS` convention) takes precedence over `address`. Such a socket stays open while the program behind it is
/// replaced, so a restart refuses no connection: clients that reconnect in between wait in its queue.
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// let listener = sse_runtime::listen("127.0.0.1:3000").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the address cannot be bound (the error names it), or if what was inherited is not a TCP listener.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    #[cfg(feature = "listenfd")]
    if let Some(inherited) = listenfd::ListenFd::from_env().take_tcp_listener(0)? {
        inherited.set_nonblocking(true)?;
        return TcpListener::from_std(inherited);
    }
    let addresses: Vec<_> = lookup_host(address).await?.collect();
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no such address");
    for address in &addresses {
        match bind(*address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(io::Error::new(last.kind(), format!("cannot listen on {addresses:?}: {last}")))
}

/// As tokio does it, but for the length of the queue.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart need not wait for the connections of the process before it to be forgotten. Elsewhere than on Unix it would
    // let two processes share the address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
