//! What attackers are made of: sockets, bytes, and patience with a limit.

use std::net::SocketAddr;
use std::time::Duration;

use sse_tests::within_limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let socket = within_limit("connecting", TcpStream::connect(address)).await.expect("the server listens");
    // Or the second small write waits for the answer to the first.
    socket.set_nodelay(true).expect("a socket option");
    socket
}

/// Connects and writes. A server that has seen enough may close meanwhile.
pub(crate) async fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut socket = connect(address).await;
    let _ = within_limit("writing", socket.write_all(bytes.as_ref())).await;
    socket
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> TcpStream {
    send(address, format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

/// Writes, and returns all that comes back until the server closes the connection.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut socket = connect(address).await;
    let (mut reader, mut writer) = socket.split();
    let mut answer = Vec::new();
    // A server that answers and closes while we are still writing: both errors are its right.
    let write = async {
        let _ = writer.write_all(bytes.as_ref()).await;
    };
    let read = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    within_limit("waiting for the server to close", async { tokio::join!(write, read) }).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until this has come, and returns everything up to then.
pub(crate) async fn read_until(socket: &mut TcpStream, wanted: &str) -> String {
    let mut seen = Vec::new();
    loop {
        let read = within_limit(wanted, socket.read_buf(&mut seen)).await.expect("the server answers");
        let text = String::from_utf8_lossy(&seen);
        if text.contains(wanted) {
            return text.into_owned();
        }
        assert_ne!(read, 0, "closed before {wanted:?}: {text}");
    }
}

/// Waits until the server has closed the connection, in whatever way.
pub(crate) async fn closed(socket: &mut TcpStream) {
    let mut sink = vec![0; 64 << 10];
    let end = async { while matches!(socket.read(&mut sink).await, Ok(1..)) {} };
    within_limit("the server to close", end).await;
}

/// Closes with RST in place of FIN, as closing with a linger of nothing does.
pub(crate) fn reset(socket: TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
    drop(socket);
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let poll = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within_limit(what, poll).await;
}

/// The status that an answer begins with; 0 if there is none.
pub(crate) fn status(answer: &str) -> u16 {
    answer
        .strip_prefix("HTTP/1.1 ")
        .or(answer.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3))
        .map_or(0, |code| code.parse().expect("a status"))
}
