//! Peers that vanish without a word are noticed in time, and told from those that only do not read.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use sse_runtime::{Disconnect, DisconnectReason, Result, Shutdown, Sse, listen, routes, serve, sse_route};
use sse_tests::within_limit;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::hosts::Host;

/// How often a silent stream says something.
const PING: Duration = Duration::from_secs(1);
/// How long the peer may acknowledge nothing.
const PEER_TIMEOUT: Duration = Duration::from_secs(2);

/// What a hook was told.
#[derive(Clone, Default)]
struct Gone {
    told: Arc<Mutex<Option<Disconnect>>>,
    told_now: Arc<Notify>,
}

impl Gone {
    fn watch(&self, sse: &Sse) {
        let gone = self.clone();
        sse.on_disconnect(async move |disconnect| {
            *gone.told.lock().expect("nobody panics") = Some(disconnect);
            gone.told_now.notify_one();
        });
    }

    async fn reason(&self) -> DisconnectReason {
        within_limit("the hook", self.told_now.notified()).await;
        self.told.lock().expect("nobody panics").as_ref().expect("it was told").reason
    }
}

#[sse_route("/idle", keep_alive = "1s")]
async fn idle(sse: Sse, State(gone): State<Gone>) -> Result<()> {
    gone.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/flood", send_timeout = "4s")]
async fn flood(sse: Sse, State(gone): State<Gone>) -> Result<()> {
    gone.watch(&sse);
    loop {
        sse.send("x".repeat(10_000)).await?;
    }
}

/// Serves on all addresses; returns the port.
async fn start(gone: &Gone, peer_timeout: Option<Duration>) -> (u16, Shutdown) {
    let listener = listen("0.0.0.0:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let app: Router = routes![idle, flood].with_state(gone.clone());
    let shutdown = Shutdown::new();
    tokio::spawn(serve(listener, app).peer_timeout(peer_timeout).shutdown(shutdown.clone()).into_future());
    (port, shutdown)
}

/// Follows with curl and this option, and cuts the cable.
async fn expect_noticed(option: &str) {
    let gone = Gone::default();
    let (port, _shutdown) = start(&gone, Some(PEER_TIMEOUT)).await;
    let host = Host::new();
    let mut follower = host.curl(&[option], &format!("http://{}:{port}/idle", host.gateway));
    assert_eq!(follower.line().await, "data: x");

    host.cut();
    let begun = Instant::now();
    assert_eq!(gone.reason().await, DisconnectReason::PeerVanished);
    let took = begun.elapsed();
    println!("noticed after {took:.1?} with {option}");
    // The kernel looks when it sends again, at intervals that double: up to as long again.
    assert!(took < PING + 2 * PEER_TIMEOUT + Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_cut_cable_is_noticed_within_a_ping_and_the_timeout() {
    expect_noticed("--http1.1").await;
}

#[tokio::test]
async fn a_cut_cable_is_noticed_over_http2_as_well() {
    expect_noticed("--http2-prior-knowledge").await;
}

#[tokio::test]
async fn left_to_the_system_it_is_not_noticed_for_long() {
    let gone = Gone::default();
    let (port, _shutdown) = start(&gone, None).await;
    let host = Host::new();
    let mut follower = host.curl(&[], &format!("http://{}:{port}/idle", host.gateway));
    assert_eq!(follower.line().await, "data: x");

    host.cut();
    let long = PING + 3 * PEER_TIMEOUT + Duration::from_secs(3);
    assert!(
        tokio::time::timeout(long, gone.told_now.notified()).await.is_err(),
        "it is this option that does it"
    );
}

#[tokio::test]
async fn a_client_that_acknowledges_and_does_not_read_is_its_routes_affair() {
    let gone = Gone::default();
    let (port, _shutdown) = start(&gone, Some(Duration::from_secs(1))).await;
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    socket.write_all(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");

    let begun = Instant::now();
    assert_eq!(gone.reason().await, DisconnectReason::SendTimeout);
    assert!(begun.elapsed() >= Duration::from_secs(4), "after {:?}", begun.elapsed());
    drop(socket);
}
