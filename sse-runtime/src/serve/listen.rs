//! Where the listening socket comes from.

use std::io;

use tokio::net::{TcpListener, ToSocketAddrs, lookup_host};

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
    TcpListener::bind(&addresses[..])
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {addresses:?}: {error}")))
}
