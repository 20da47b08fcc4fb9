//! Our server over real sockets: peers that leave, stall, or never finish their request; and the end of it all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use sse_runtime::{DisconnectReason, Result, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::{LIMIT, allow_many_files, get, within_limit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Hooks;

#[sse_route("/idle")]
async fn idle(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/short")]
async fn short(sse: Sse) -> Result<()> {
    // Three writes: the second and the third are what TCP_NODELAY is for.
    for _ in 0..3 {
        sse.send("x").await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

#[sse_route("/flood", send_timeout = "500ms")]
async fn flood(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    loop {
        sse.send("x".repeat(10_000)).await?;
    }
}

#[sse_route("/half-a-second", send_timeout = "500ms")]
async fn half_a_second(sse: Sse) -> Result<()> {
    loop {
        sse.send("x".repeat(10_000)).await?;
    }
}

#[sse_route("/foreign/{rests}", bare)]
async fn foreign(sse: Sse, rests: bool) -> Result<()> {
    sse.send("x").await?;
    if rests {
        // The first event leaves in a frame of its own.
        tokio::task::yield_now().await;
    }
    sse.send("y").await?;
    Err("no")?;
    Ok(())
}

/// A quick start, then 10 ms of work for each event, without ever resting.
#[sse_route("/computes")]
async fn computes(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    for _ in 0..64 {
        sse.send("x").await?;
    }
    for _ in 0..100 {
        sse.send("x").await?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[sse_route("/stuck-hook")]
async fn stuck_hook(sse: Sse) -> Result<()> {
    sse.on_disconnect(|_| std::future::pending());
    sse.send("x").await?;
    std::future::pending().await
}

struct Server {
    address: SocketAddr,
    hooks: Hooks,
    shutdown: Shutdown,
    task: JoinHandle<std::io::Result<()>>,
}

async fn start(set: impl FnOnce(sse_runtime::Serve) -> sse_runtime::Serve) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (hooks, shutdown) = (Hooks::default(), Shutdown::new());
    let app: Router =
        routes![idle, short, flood, half_a_second, computes, stuck_hook, foreign].with_state(hooks.clone());
    let task = tokio::spawn(set(serve(listener, app).shutdown(shutdown.clone())).into_future());
    Server { address, hooks, shutdown, task }
}

#[tokio::test]
async fn a_bare_stream_that_fails_is_cut_off_behind_all_that_was_sent() {
    let server = start(|serve| serve).await;
    for rests in [false, true] {
        let mut socket = TcpStream::connect(server.address).await.expect("it listens");
        let request = format!("GET /foreign/{rests} HTTP/1.1\r\nhost: x\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("it reads");
        let mut response = Vec::new();
        within_limit("the end", socket.read_to_end(&mut response)).await.expect("it is cut in order");
        let response = String::from_utf8(response).expect("text");
        assert!(response.contains("data: x\n\n") && response.contains("data: y\n\n"), "{response}");
        assert!(response.contains("transfer-encoding: chunked"), "{response}");
        assert!(!response.ends_with("0\r\n\r\n"), "it looks whole: {response}");
    }
}

#[tokio::test]
async fn a_fin_on_an_idle_stream_is_noticed_within_a_tenth_of_a_second() {
    let server = start(|serve| serve).await;
    let mut response = get(server.address, "/idle").await;
    response.block().await;
    let closed = Instant::now();
    drop(response);
    let gone = server.hooks.only().await;
    assert!(closed.elapsed() < Duration::from_millis(100), "{:?}", closed.elapsed());
    assert_eq!((gone.reason, gone.events), (DisconnectReason::ClientClosed, 1));
}

#[tokio::test]
async fn a_reset_on_an_idle_stream_is_noticed_within_a_tenth_of_a_second() {
    let server = start(|serve| serve).await;
    let mut socket = request(server.address, "/idle").await;
    let mut seen = [0; 512];
    within_limit("the head", socket.read(&mut seen)).await.expect("a response");
    let closed = Instant::now();
    // Closing with a linger of nothing sends RST instead of FIN.
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("a socket option");
    drop(socket);
    let gone = server.hooks.only().await;
    assert!(closed.elapsed() < Duration::from_millis(100), "{:?}", closed.elapsed());
    assert_eq!(gone.reason, DisconnectReason::ClientClosed);
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_after_the_send_timeout() {
    let server = start(|serve| serve).await;
    let mut socket = request(server.address, "/flood").await;
    let gone = server.hooks.only().await;
    assert_eq!(gone.reason, DisconnectReason::SendTimeout);
    assert_eq!(server.shutdown.open_streams(), 0);
    // The server's end is closed although this one has read nothing: what is written to it is answered with a reset.
    let refused = async { while socket.write_all(b"x").await.is_ok() {} };
    within_limit("the reset of the connection", refused).await;
    // What the kernel had accepted may still be read; then the connection is at its end, not at a clean one.
    let mut rest = Vec::new();
    let read = within_limit("the end of the connection", socket.read_to_end(&mut rest)).await;
    assert!(read.is_err() || !rest.ends_with(b"0\r\n\r\n"), "a cut stream must not look complete");
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_steadily_is_not_cut() {
    let server = start(|serve| serve).await;
    let mut socket = request(server.address, "/half-a-second").await;
    // 2 MB/s for six send timeouts, by the clock: what is tested is how the kernel tells of its buffers.
    let (mut tick, mut buffer) = (tokio::time::interval(Duration::from_millis(10)), vec![0; 20_000]);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        tick.tick().await;
        let read = within_limit("the next bytes", socket.read(&mut buffer)).await;
        assert!(read.is_ok_and(|read| read > 0), "cut after {:?}", begun.elapsed());
    }
    assert_eq!(server.shutdown.open_streams(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_computes_without_rest_is_heard_from_the_start() {
    let server = start(|serve| serve).await;
    let mut response = get(server.address, "/computes").await;
    response.block().await;
    let asked = Instant::now();
    drop(response);
    let gone = server.hooks.only().await;
    assert_eq!(gone.reason, DisconnectReason::ClientClosed, "the handler was far from its end");
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_request_head_that_is_never_completed_is_not_waited_for() {
    let server = start(|serve| serve.header_read_timeout(Duration::from_millis(300))).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for half in ["", "GET /idle HTTP/1.1\r\nhost: x\r\n", "PR", "PRI", preface] {
        let mut socket = TcpStream::connect(server.address).await.expect("the server listens");
        socket.write_all(half.as_bytes()).await.expect("the server reads");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(LIMIT, socket.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{half:?} kept its connection");
    }
}

#[tokio::test]
async fn a_short_stream_on_a_kept_connection_does_not_stall() {
    let server = start(|serve| serve).await;
    let mut socket = TcpStream::connect(server.address).await.expect("the server listens");
    let mut times = Vec::new();
    // A fresh connection acknowledges at once; the delay, if there is one, shows later.
    for _ in 0..61 {
        let asked = Instant::now();
        socket.write_all(b"GET /short HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("the server reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"0\r\n\r\n") {
            let read =
                within_limit("a short stream", socket.read_buf(&mut answer)).await.expect("a response");
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
        }
        times.push(asked.elapsed());
    }
    times.sort();
    // Nagle's algorithm and a delayed acknowledgement would take at least 40 ms.
    assert!(times[30] < Duration::from_millis(35), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connects_and_aborts_leave_nothing_behind() {
    let server = start(|serve| serve).await;
    let mut tasks = Vec::new();
    for task in 0..20 {
        let address = server.address;
        tasks.push(tokio::spawn(async move {
            for n in 0..500 {
                let mut socket = request(address, "/idle").await;
                if (task + n) % 2 == 0 {
                    drop(socket.read(&mut [0; 64]).await);
                }
                let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
            }
        }));
    }
    for task in tasks {
        within_limit("the aborts", task).await.expect("every connect is accepted");
    }
    let empty = async {
        while server.shutdown.open_streams() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within_limit("the end of every stream", empty).await;
    assert_eq!(get(server.address, "/short").await.rest().await, "data: x\n\n".repeat(3));
    assert!(
        server.hooks.count() >= 5000,
        "every stream that was seen had its hook: {}",
        server.hooks.count()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_streams_are_gone_within_a_second() {
    // Each stream is two open files here; the common limit is 1024.
    allow_many_files();
    let server = start(|serve| serve).await;
    let mut streams = Vec::new();
    for _ in 0..1000 {
        let mut response = get(server.address, "/idle").await;
        response.block().await;
        streams.push(response);
    }
    let begun = Instant::now();
    server.shutdown.begin();
    within_limit("the end of the server", server.task).await.expect("no panic").expect("no error");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(server.hooks.count(), 1000, "the hooks have run");
    for mut response in streams {
        let bye = response.event().await.expect("a last event");
        assert_eq!(bye.name, "sse-bye");
        assert!(bye.retry.is_some());
        assert_eq!(response.block().await, None, "a clean end");
    }
}

#[tokio::test]
async fn a_hook_that_hangs_holds_the_server_up_for_its_limit_only() {
    let server = start(|serve| serve.drain_timeout(Duration::from_millis(200))).await;
    get(server.address, "/stuck-hook").await.block().await;
    let mut open = get(server.address, "/stuck-hook").await;
    open.block().await;
    let begun = Instant::now();
    server.shutdown.begin();
    within_limit("the end of the server", server.task).await.expect("no panic").expect("no error");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn a_request_head_that_is_never_completed_does_not_hold_up_the_end() {
    let server = start(|serve| serve).await;
    let mut sockets = Vec::new();
    for half in ["", "GET /idle HTTP/1.1\r\nhost: x\r\n", "PR", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut socket = TcpStream::connect(server.address).await.expect("the server listens");
        socket.write_all(half.as_bytes()).await.expect("the server reads");
        sockets.push(socket);
    }
    get(server.address, "/short").await.rest().await;
    let begun = Instant::now();
    server.shutdown.begin();
    within_limit("the end of the server", server.task).await.expect("no panic").expect("no error");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_limit_beyond_all_time_is_no_limit() {
    let server = start(|serve| serve.header_read_timeout(Duration::MAX).drain_timeout(Duration::MAX)).await;
    assert_eq!(get(server.address, "/short").await.rest().await, "data: x\n\n".repeat(3));
    server.shutdown.begin();
    within_limit("the end of the server", server.task).await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_shutdown_given_as_a_layer_is_heeded_beside_the_servers_own() {
    for by_layer in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (layer, own, hooks) = (Shutdown::new(), Shutdown::new(), Hooks::default());
        let app = routes![idle].with_state(hooks.clone()).layer(layer.clone());
        let server = tokio::spawn(serve(listener, app).shutdown(own.clone()).into_future());
        let mut stream = get(address, "/idle").await;
        stream.block().await;
        assert_eq!((layer.open_streams(), own.open_streams()), (1, 1));
        if by_layer { &layer } else { &own }.begin();
        assert_eq!(stream.event().await.map(|event| event.name).as_deref(), Some("sse-bye"));
        assert_eq!(hooks.only().await.reason, DisconnectReason::ServerShutdown);
        own.begin();
        within_limit("the end of the server", server).await.expect("no panic").expect("no error");
    }
}

#[tokio::test]
async fn the_server_ends_when_its_signal_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let signal = Arc::new(tokio::sync::Notify::new());
    let wait = Arc::clone(&signal);
    let server = serve(listener, routes![short]).with_graceful_shutdown(async move { wait.notified().await });
    let server = tokio::spawn(server.into_future());
    signal.notify_one();
    within_limit("the end of the server", server).await.expect("no panic").expect("no error");
}

async fn request(address: SocketAddr, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("the server listens");
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("the server reads");
    socket
}
