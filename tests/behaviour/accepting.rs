//! When our server accepts connections, and how it spreads its goodbyes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get as route_get;
use futures_util::future::join_all;
use sse_runtime::{Result, Serve, Sse, routes, serve, sse_route};
use sse_tests::{get, within_limit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

type Begun = Arc<AtomicUsize>;

#[sse_route("/idle", keep_alive = "off")]
async fn idle(sse: Sse, State(begun): State<Begun>) -> Result<()> {
    begun.fetch_add(1, Ordering::Relaxed);
    sse.send("x").await?;
    std::future::pending().await
}

async fn server(options: impl FnOnce(Serve) -> Serve) -> (SocketAddr, Begun) {
    let begun = Begun::default();
    let app: Router =
        routes![idle].route("/ping", route_get(|| async { "pong" })).with_state(Arc::clone(&begun));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(
        options(serve(listener, app).header_read_timeout(Duration::from_secs(86_400))).into_future(),
    );
    (address, begun)
}

/// Asks on an open connection, and reads the answer.
async fn ping(connection: &mut TcpStream) {
    connection.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("an open connection");
    let mut answer = Vec::new();
    while !answer.ends_with(b"pong") {
        assert_ne!(connection.read_buf(&mut answer).await.expect("an open connection"), 0, "closed");
    }
}

#[tokio::test]
async fn as_many_connections_as_are_allowed_are_accepted_and_others_wait() {
    let (address, begun) = server(|serve| serve.max_connections(2)).await;
    let mut first = get(address, "/idle").await;
    first.event().await.expect("x");
    let mut second = TcpStream::connect(address).await.expect("it listens");
    ping(&mut second).await;

    // The kernel takes the connection; the server does not, however often it has the occasion.
    let third = tokio::spawn(async move {
        let mut third = get(address, "/idle").await;
        third.event().await.expect("x");
    });
    for _ in 0..50 {
        ping(&mut second).await;
    }
    assert_eq!(begun.load(Ordering::Relaxed), 1);
    assert!(!third.is_finished());
    drop(first);
    within_limit("a place for the third", third).await.expect("it is answered");
    assert_eq!(begun.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn connections_that_come_too_fast_wait_and_none_is_refused() {
    let (address, _) = server(|serve| serve.accept_rate(4, Duration::from_secs(60))).await;
    let begun = Instant::now();
    let mut waited = Vec::new();
    for _ in 0..8 {
        let mut connection = TcpStream::connect(address).await.expect("it listens");
        ping(&mut connection).await;
        waited.push(begun.elapsed().as_secs());
    }
    assert_eq!(waited, [0, 0, 0, 0, 15, 30, 45, 60]);
}

#[tokio::test(start_paused = true)]
async fn the_goodbyes_are_spread_and_the_time_to_drain_begins_after_them() {
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let (address, _) = server(move |serve| {
        let serve = serve.with_graceful_shutdown(async move { stopped.notified().await });
        serve.drain_over(Duration::from_secs(20)).drain_timeout(Duration::from_secs(5))
    })
    .await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = get(address, "/idle").await;
        stream.event().await.expect("x");
        streams.push(stream);
    }
    let begun = Instant::now();
    stop.notify_one();
    let moments = join_all(streams.into_iter().map(|mut stream| async move {
        let bye = stream.event().await.expect("a goodbye");
        assert_eq!(bye.name, "sse-bye");
        assert!(stream.event().await.is_none(), "the end");
        begun.elapsed().as_secs()
    }))
    .await;
    let in_first_half = moments.iter().filter(|at| **at < 10).count();
    assert!((9..=11).contains(&in_first_half), "{moments:?}");
    assert!(moments.iter().all(|at| *at <= 20), "{moments:?}");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// Asks with a header of so many bytes; the status of the answer.
async fn with_a_header_of(bytes: usize, address: SocketAddr) -> String {
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    let head = format!(
        "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: {}\r\n\r\n",
        "x".repeat(bytes)
    );
    // What the server does not want to read it may refuse to take.
    let _ = connection.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = within_limit("an answer", connection.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).expect("text");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_request_head_that_is_too_large_is_answered_so() {
    let (address, _) = server(|serve| serve).await;
    assert_eq!(with_a_header_of(60_000, address).await, "HTTP/1.1 200 OK");
    assert_eq!(with_a_header_of(140_000, address).await, "HTTP/1.1 431 Request Header Fields Too Large");
    let (address, _) = server(|serve| serve.max_head_size(8192)).await;
    assert_eq!(with_a_header_of(8000, address).await, "HTTP/1.1 200 OK");
    assert_eq!(with_a_header_of(20_000, address).await, "HTTP/1.1 431 Request Header Fields Too Large");
}
