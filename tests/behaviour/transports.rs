//! The same stream over our server, over plain `axum::serve`, over HTTP/2 and in-process.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::Request;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_runtime::testing::TestClient;
use sse_runtime::{DisconnectReason, Event, Result, Shutdown, Sse, routes, serve, sse_route};
use sse_tests::{get, within_limit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::Hooks;

const EXPECTED: &str = "event: n\nid: 0\ndata: 0\n\nevent: n\nid: 1\ndata: 1\n\nevent: n\nid: 2\ndata: 2\n\nevent: end\nid: sse-end\ndata: {}\n\n";

#[sse_route("/count", end = "end")]
async fn count(sse: Sse) -> Result<()> {
    for n in 0..3 {
        sse.send(Event::new("n").id(n).data(n.to_string())).await?;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[sse_route("/idle")]
async fn idle(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/peer")]
async fn peer(sse: Sse, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Result<()> {
    sse.send(peer.to_string()).await?;
    Ok(())
}

fn app(hooks: &Hooks) -> Router {
    routes![count, idle].with_state(hooks.clone())
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

#[tokio::test]
async fn in_process() {
    let answer = TestClient::new(app(&Hooks::default())).get("/count").response().await;
    assert_eq!(answer.text, EXPECTED);
}

#[tokio::test]
async fn over_our_server() {
    let (listener, address) = bind().await;
    let server = tokio::spawn(serve(listener, app(&Hooks::default()).merge(routes![peer])).into_future());
    assert_eq!(get(address, "/count").await.rest().await, EXPECTED);
    let peer = get(address, "/peer").await.rest().await;
    assert!(peer.starts_with("data: 127.0.0.1:"), "{peer}");
    server.abort();
}

#[tokio::test]
async fn over_plain_axum_serve_which_then_ends() {
    let (listener, address) = bind().await;
    let (shutdown, hooks) = (Shutdown::new(), Hooks::default());
    let app = app(&hooks).layer(shutdown.clone());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let begin = shutdown.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        drop(ended.await);
        begin.begin();
    });
    let server = tokio::spawn(server.into_future());
    assert_eq!(get(address, "/count").await.rest().await, EXPECTED);

    let mut idle = get(address, "/idle").await;
    assert_eq!(idle.block().await.as_deref(), Some("data: x\n\n"));
    end.send(()).expect("the server listens");
    let bye = idle.event().await.expect("a last event");
    assert_eq!(bye.name, "sse-bye");
    assert_eq!(idle.block().await, None);
    within_limit("the end of axum::serve", server).await.expect("no panic").expect("no error");
    assert_eq!(hooks.only().await.reason, DisconnectReason::ServerShutdown);
}

#[sse_route("/flood")]
async fn flood(sse: Sse, State(hooks): State<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    loop {
        sse.send("x".repeat(10_000)).await?;
    }
}

#[tokio::test]
async fn over_plain_axum_serve_a_client_that_does_not_read_holds_up_the_end_for_a_limit_only() {
    let (listener, address) = bind().await;
    let (shutdown, hooks) = (Shutdown::new(), Hooks::default());
    let app = routes![flood, count].with_state(hooks.clone()).layer(shutdown.clone());
    let begin = shutdown.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move { begin.begun().await });
    let bounded = shutdown.clone();
    let server = tokio::spawn(async move {
        bounded.bound(server.into_future(), Duration::from_millis(300)).await.is_none()
    });
    let mut stalled = TcpStream::connect(address).await.expect("the server listens");
    stalled.write_all(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("the server reads");
    let mut seen = [0; 100];
    within_limit("the head", stalled.read(&mut seen)).await.expect("a response");
    shutdown.begin();
    assert!(
        within_limit("the limit", server).await.expect("no panic"),
        "axum::serve itself would still wait"
    );
    assert_eq!(hooks.only().await.reason, DisconnectReason::ServerShutdown);
    assert_eq!(shutdown.open_streams(), 0);
}

#[tokio::test]
async fn a_bounded_server_that_ends_by_itself_ends_the_wait() {
    let shutdown = Shutdown::new();
    let failed = async { Err::<(), _>("the port is taken") };
    let ended = within_limit("its end", shutdown.bound(failed, Duration::from_secs(5))).await;
    assert_eq!(ended, Some(Err("the port is taken")));
}

#[tokio::test]
async fn over_http2_a_shutdown_given_as_a_layer_does_not_hide_the_servers_own() {
    let (listener, address) = bind().await;
    let (layer, own, hooks) = (Shutdown::new(), Shutdown::new(), Hooks::default());
    let server = serve(listener, app(&hooks).layer(layer.clone())).shutdown(own.clone());
    let server = tokio::spawn(server.into_future());
    let socket = TcpStream::connect(address).await.expect("the server listens");
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let ask = Request::get(format!("http://{address}/idle")).body(Body::empty()).expect("a request");
    let body = client.send_request(ask).await.expect("a response").into_body();
    assert_eq!((layer.open_streams(), own.open_streams()), (1, 1));
    own.begin();
    let whole = within_limit("the end of the stream", body.collect()).await.expect("a clean end").to_bytes();
    assert!(String::from_utf8_lossy(&whole).contains("event: sse-bye\n"), "{whole:?}");
    assert_eq!(hooks.only().await.reason, DisconnectReason::ServerShutdown);
    within_limit("the end of the server", server).await.expect("no panic").expect("no error");
}

/// Speaks HTTP/2 by prior knowledge to either server, once over each.
async fn over_http2(address: SocketAddr, hooks: &Hooks) {
    let socket = TcpStream::connect(address).await.expect("the server listens");
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let ask =
        |path: &str| Request::get(format!("http://{address}{path}")).body(Body::empty()).expect("a request");

    let response = client.send_request(ask("/count")).await.expect("a response");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(!response.headers().contains_key("connection"), "illegal on HTTP/2");
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    assert_eq!(body, EXPECTED.as_bytes());

    let mut idle = client.send_request(ask("/idle")).await.expect("a response").into_body();
    assert!(idle.frame().await.is_some_and(|frame| frame.is_ok()));
    // A reset of the one stream, on a connection that goes on.
    drop(idle);
    assert_eq!(hooks.only().await.reason, DisconnectReason::ClientClosed);
    let again = client.send_request(ask("/count")).await.expect("the connection goes on");
    assert_eq!(again.into_body().collect().await.expect("a whole body").to_bytes(), EXPECTED.as_bytes());
}

#[tokio::test]
async fn over_http2_on_our_server() {
    let (listener, address) = bind().await;
    let hooks = Hooks::default();
    let server = tokio::spawn(serve(listener, app(&hooks)).into_future());
    within_limit("an exchange over HTTP/2", over_http2(address, &hooks)).await;
    server.abort();
}

#[tokio::test]
async fn over_http2_on_plain_axum_serve() {
    let (listener, address) = bind().await;
    let hooks = Hooks::default();
    let server = tokio::spawn(axum::serve(listener, app(&hooks)).into_future());
    within_limit("an exchange over HTTP/2", over_http2(address, &hooks)).await;
    server.abort();
}
