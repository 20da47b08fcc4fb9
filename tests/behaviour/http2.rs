//! HTTP/2 on our server: a stream whose client takes nothing is reset alone, and leaves nothing behind.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Request;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use sse_runtime::{DisconnectReason, Result, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::{is_alone, resident, within_limit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Hooks;

const LARGE: usize = 200_000;
const SEND_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may be without a request.
const IDLE: Duration = Duration::from_secs(1);
/// Wide enough for all that these tests do not read.
const CONNECTION_WINDOW: u32 = 1 << 24;
/// A request by hand: the preface, SETTINGS with an INITIAL_WINDOW_SIZE of 2 GiB, a WINDOW_UPDATE of as much less the default
/// for the connection, and the head of HEADERS on stream 1 with END_STREAM and END_HEADERS.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x7f\xff\xff\xff\
    \x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\x00\x00";

#[sse_route("/flood", send_timeout = "500ms")]
async fn flood(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    loop {
        sse.send("x".repeat(10_000)).await?;
    }
}

#[sse_route("/count")]
async fn count(sse: Sse) -> Result<()> {
    for n in 0_u64.. {
        sse.send(format!("{n} {}", "x".repeat(1000))).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

#[sse_route("/idle")]
async fn idle(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

/// One event, and the end.
#[sse_route("/large", send_timeout = "500ms")]
async fn large(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x".repeat(LARGE)).await?;
    Ok(())
}

/// One event, and no end.
#[sse_route("/large/open", send_timeout = "500ms")]
async fn large_and_open(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x".repeat(LARGE)).await?;
    std::future::pending().await
}

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    hooks: Hooks,
}

async fn start() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (shutdown, hooks) = (Shutdown::new(), Hooks::default());
    let app: Router = routes![flood, count, idle, large, large_and_open].with_state(hooks.clone());
    let serving = serve(listener, app).shutdown(shutdown.clone()).header_read_timeout(IDLE);
    tokio::spawn(serving.into_future());
    Server { address, shutdown, hooks }
}

impl Server {
    /// A client whose windows are this wide for each stream.
    async fn client(&self, window: u32) -> SendRequest<Bytes> {
        let socket = TcpStream::connect(self.address).await.expect("it listens");
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(window)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(socket)
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        client
    }

    async fn ask(&self, client: &SendRequest<Bytes>, path: &str) -> RecvStream {
        let request = Request::get(format!("http://{}{path}", self.address)).body(()).expect("a request");
        let ready = within_limit("room for a stream", client.clone().ready()).await;
        let (response, _) = ready.expect("it goes on").send_request(request, true).expect("it is sent");
        let response = within_limit("a response", response).await.expect("a response");
        assert_eq!(response.status(), 200);
        response.into_body()
    }
}

/// Reads what came before the reset, and expects that.
async fn expect_reset(body: &mut RecvStream) -> usize {
    let mut read = 0;
    loop {
        match within_limit("a reset", body.data()).await.expect("it does not just end") {
            Ok(bytes) => read += bytes.len(),
            Err(error) => {
                assert!(error.is_reset() && error.is_remote(), "{error}");
                assert_eq!(error.reason(), Some(Reason::CANCEL));
                return read;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_whose_window_never_opens_is_reset() {
    let server = start().await;
    let client = server.client(0).await;
    let begun = Instant::now();
    let mut body = server.ask(&client, "/flood").await;
    assert_eq!(expect_reset(&mut body).await, 0);
    let took = begun.elapsed();
    assert!(took >= SEND_TIMEOUT && took < 3 * SEND_TIMEOUT, "{took:?}");
    assert_eq!(server.hooks.only().await.reason, DisconnectReason::SendTimeout);
    assert_eq!(server.shutdown.open_streams(), 0);
    // The connection goes on.
    let mut again = server.ask(&client, "/flood").await;
    assert_eq!(expect_reset(&mut again).await, 0);
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_reset_and_the_others_go_on() {
    let server = start().await;
    let client = server.client(0xffff).await;
    let mut stalled = server.ask(&client, "/flood").await;
    let followers: Vec<_> = [server.ask(&client, "/count").await, server.ask(&client, "/count").await]
        .map(|mut body| {
            let hooks = server.hooks.clone();
            tokio::spawn(async move {
                let (mut text, mut next, mut more) = (Vec::new(), 0, 0);
                while more < 100 {
                    more += usize::from(hooks.count() > 0);
                    let bytes =
                        within_limit("an event", body.data()).await.expect("no end").expect("no reset");
                    body.flow_control().release_capacity(bytes.len()).expect("that much was received");
                    text.extend_from_slice(&bytes);
                    while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                        let block: Vec<u8> = text.drain(..end + 2).collect();
                        let expected = format!("data: {next} ");
                        assert!(
                            block.starts_with(expected.as_bytes()),
                            "{}",
                            String::from_utf8_lossy(&block)
                        );
                        next += 1;
                    }
                }
                next
            })
        })
        .into_iter()
        .collect();
    assert_eq!(server.hooks.only().await.reason, DisconnectReason::SendTimeout);
    assert_eq!(expect_reset(&mut stalled).await, 0xffff, "all that its window allowed, and then nothing");
    for follower in followers {
        let events = within_limit("a follower", follower).await.expect("no gap");
        assert!(events > 100, "{events}");
    }
}

#[test]
fn streams_that_are_reset_leave_nothing_behind() {
    const STREAMS: usize = 150;
    const ROUNDS: usize = 5;
    if !is_alone("http2::streams_that_are_reset_leave_nothing_behind") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let server = start().await;
        // One byte is enough for h2 to take a whole frame, and to keep it.
        let client = server.client(1).await;
        let mut after = Vec::new();
        let before = resident();
        let mut most = before;
        for round in 1..=ROUNDS {
            let mut stalled = Vec::new();
            for _ in 0..STREAMS {
                stalled.push(server.ask(&client, "/flood").await);
            }
            most = most.max(resident());
            for body in &mut stalled {
                assert_eq!(expect_reset(body).await, 1);
            }
            assert_eq!(server.hooks.nth(round * STREAMS).await.reason, DisconnectReason::SendTimeout);
            assert_eq!(server.shutdown.open_streams(), 0);
            after.push(resident());
        }
        let one_round = most - before;
        let grown = after[ROUNDS - 1].saturating_sub(after[0]);
        println!(
            "{STREAMS} stalled streams hold {} KiB; {} rounds later there are {} KiB more",
            one_round >> 10,
            ROUNDS - 1,
            grown >> 10
        );
        assert!(one_round > STREAMS * 32 * 1024, "what this is about: {} KiB", one_round >> 10);
        assert!(grown < one_round / 2, "{} KiB, where a round takes {}", grown >> 10, one_round >> 10);
    });
}

/// Asks by hand on a connection of its own, and from then on does nothing.
async fn ask_by_hand(server: &Server, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).await.expect("it listens");
    // HPACK: GET and http from its table, path and authority as literals.
    let length = |text: &str| u8::try_from(text.len()).expect("short");
    let mut block = vec![0x82, 0x86, 0x04, length(path)];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(b"\x01\x01x");
    let mut request = BEGINNING.to_vec();
    request.extend_from_slice(&[0, 0, u8::try_from(block.len()).expect("short"), 1, 5, 0, 0, 0, 1]);
    request.extend_from_slice(&block);
    socket.write_all(&request).await.expect("it reads");
    socket
}

#[tokio::test]
async fn the_stream_after_the_two_hundredth_waits_for_one_to_end() {
    let server = start().await;
    let client = server.client(0xffff).await;
    let mut open = Vec::new();
    for _ in 0..200 {
        let mut body = server.ask(&client, "/idle").await;
        assert!(body.data().await.is_some_and(|data| data.is_ok()));
        open.push(body);
    }
    let next = server.ask(&client, "/idle");
    tokio::pin!(next);
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut next).await.is_err(), "it waits");
    assert_eq!(server.shutdown.open_streams(), 200);
    // By RST_STREAM, which frees its place.
    open.pop();
    assert_eq!(server.hooks.only().await.reason, DisconnectReason::ClientClosed);
    drop(next.await);
}

#[tokio::test]
async fn a_connection_that_nobody_reads_ends_with_its_last_stream() {
    let server = start().await;
    let mut socket = ask_by_hand(&server, "/flood").await;
    assert_eq!(server.hooks.only().await.reason, DisconnectReason::SendTimeout);
    // Sooner than by the kernel or by a ping.
    let cut = Instant::now();
    let mut all = Vec::new();
    // With a reset: not all has left.
    drop(within_limit("the end of the connection", socket.read_to_end(&mut all)).await);
    assert!(cut.elapsed() < Duration::from_secs(5), "{:?}", cut.elapsed());
    assert!(all.len() > 64 * 1024, "it was its socket that was full: {}", all.len());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_gives_no_sign_of_life_has_vanished() {
    let server = start().await;
    let begun = tokio::time::Instant::now();
    // Its kernel acknowledges everything; it answers no ping.
    let _silent = ask_by_hand(&server, "/idle").await;
    while server.hooks.count() == 0 && begun.elapsed() < Duration::from_secs(300) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(server.hooks.only().await.reason, DisconnectReason::PeerVanished);
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(40) && took < Duration::from_secs(41), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_and_leaves_has_not_vanished() {
    let server = start().await;
    let client = server.client(0xffff).await;
    let mut body = server.ask(&client, "/idle").await;
    assert!(body.data().await.is_some_and(|data| data.is_ok()));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(server.hooks.count(), 0);
    drop((body, client));
    assert_eq!(server.hooks.only().await.reason, DisconnectReason::ClientClosed);
}

#[tokio::test]
async fn the_last_bytes_of_a_stream_have_their_time_and_no_more() {
    let server = start().await;
    let client = server.client(0).await;
    let begun = Instant::now();
    let mut body = server.ask(&client, "/large").await;
    assert_eq!(server.hooks.only().await.reason, DisconnectReason::Completed, "all was handed over");
    assert_eq!(expect_reset(&mut body).await, 0);
    let took = begun.elapsed();
    assert!(took >= SEND_TIMEOUT && took < 3 * SEND_TIMEOUT, "{took:?}");
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_waited_for_however_large_the_event() {
    let server = start().await;
    for path in ["/large", "/large/open"] {
        let client = server.client(0x4000).await;
        let begun = Instant::now();
        let mut body = server.ask(&client, path).await;
        let mut read = 0;
        while read <= LARGE {
            let bytes = within_limit("the rest", body.data()).await.expect("not the end yet");
            let bytes = bytes.unwrap_or_else(|error| panic!("{path}, after {read} bytes: {error}"));
            read += bytes.len();
            // A client that takes its time, which is the server's clock.
            tokio::time::sleep(Duration::from_millis(80)).await;
            body.flow_control().release_capacity(bytes.len()).expect("that much was received");
        }
        assert!(begun.elapsed() > SEND_TIMEOUT, "as a whole, it takes longer: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_connection_without_requests_ends_and_one_with_a_quiet_stream_does_not() {
    let server = start().await;
    let connect = || async {
        let socket = TcpStream::connect(server.address).await.expect("it listens");
        let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        (client, tokio::spawn(connection))
    };
    let (quiet, quiet_connection) = connect().await;
    let mut stream = server.ask(&quiet, "/idle").await;
    assert!(stream.data().await.is_some_and(|data| data.is_ok()));
    let (client, connection) = connect().await;
    let mut body = server.ask(&client, "/large").await;
    while let Some(bytes) = within_limit("the rest", body.data()).await {
        body.flow_control().release_capacity(bytes.expect("no reset").len()).expect("received");
    }
    let since = Instant::now();
    let ended = within_limit("the end of the connection", connection).await.expect("no panic");
    assert!(ended.is_ok(), "with a word: {ended:?}");
    assert!(since.elapsed() >= IDLE / 2, "{:?}", since.elapsed());
    assert!(!quiet_connection.is_finished());
    drop(client);
}
