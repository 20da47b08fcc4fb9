//! The layer that knows its hosts, around streams, over HTTP/1.0, 1.1 and 2, as the bytes come.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_runtime::testing::TestClient;
use sse_runtime::{AllowedHosts, Result, Sse, routes, serve, sse_route};
use sse_tests::within_limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[sse_route("/secret")]
async fn secret(sse: Sse) -> Result<()> {
    sse.send("secret").await?;
    Ok(())
}

fn app() -> Router {
    Router::new().nest("/api", routes![secret]).layer(AllowedHosts::loopback())
}

async fn serving() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener, app()).into_future());
    address
}

/// Sends a request head as it is and returns the whole answer.
async fn say(address: SocketAddr, head: &str) -> String {
    let mut socket = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("{head}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    within_limit(head, socket.read_to_string(&mut answer)).await.expect("an answer");
    answer
}

#[tokio::test]
async fn a_rebound_name_gets_nothing_however_the_request_is_written() {
    let address = serving().await;
    for (head, status) in [
        ("GET /api/secret HTTP/1.1\r\nhost: localhost:3000", 200),
        ("GET /api/secret HTTP/1.1\r\nHOST: 127.0.0.1", 200),
        ("GET http://localhost/api/secret HTTP/1.1\r\nhost: localhost", 200),
        ("GET /api/secret HTTP/1.0\r\nhost: localhost", 200),
        ("GET /api/secret HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:5173", 200),
        ("GET /api/secret HTTP/1.1\r\nhost: evil.example:3000", 421),
        ("GET /api/secret HTTP/1.0\r\nhost: evil.example:3000", 421),
        ("GET http://evil.example/api/secret HTTP/1.1\r\nhost: localhost", 421),
        ("GET http://localhost/api/secret HTTP/1.1\r\nhost: evil.example", 421),
        ("GET http://localhost@evil.example/api/secret HTTP/1.1\r\nhost: localhost", 400),
        ("GET /api/secret HTTP/1.1\r\nhost: localhost\r\nhost: evil.example", 400),
        ("GET /api/secret HTTP/1.1\r\nhost: evil.example\r\nhost: localhost", 400),
        ("GET /api/secret HTTP/1.1\r\nhost: localhost@evil.example", 400),
        ("GET /api/secret HTTP/1.1\r\nhost:", 400),
        ("GET /api/secret HTTP/1.1\r\nx-forwarded-host: localhost", 400),
        ("GET /api/secret HTTP/1.0\r\naccept: */*", 400),
        ("GET /api/secret HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example", 403),
        ("GET /api/secret HTTP/1.1\r\nhost: localhost\r\norigin: null", 403),
        ("OPTIONS /api/secret HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example", 403),
        ("GET /no-such-page HTTP/1.1\r\nhost: localhost", 404),
        ("GET /no-such-page HTTP/1.1\r\nhost: evil.example", 421),
    ] {
        let answer = say(address, head).await;
        let line = answer.lines().next().unwrap_or_default();
        assert_eq!(line.split(' ').nth(1), Some(status.to_string().as_str()), "{head}: {answer}");
        assert_eq!(answer.contains("data: secret"), status == 200, "{head}: {answer}");
    }
}

#[tokio::test]
async fn over_http2_it_is_the_authority_that_counts() {
    let address = serving().await;
    let socket = TcpStream::connect(address).await.expect("the server listens");
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    for (authority, host, status) in [
        ("localhost:3000", None, 200),
        ("[::1]:3000", None, 200),
        ("localhost", Some("localhost"), 200),
        ("evil.example:3000", None, 421),
        ("evil.example", Some("localhost"), 421),
        ("localhost", Some("evil.example"), 421),
    ] {
        let mut ask = Request::get(format!("http://{authority}/api/secret"));
        if let Some(host) = host {
            ask = ask.header("host", host);
        }
        let answer = client.send_request(ask.body(Body::empty()).expect("a request"));
        let answer = within_limit(authority, answer).await.expect("a response");
        assert_eq!(answer.status(), status, "{authority} {host:?}");
        let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
        assert_eq!(body == "data: secret\n\n", status == 200, "{body:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_client_names_a_host_where_one_is_asked_for() {
    let client = TestClient::new(app()).limit(Duration::from_secs(5));
    assert_eq!(client.get("/api/secret").response().await.status, 400);
    let mut events = client.get("/api/secret").header("host", "localhost").stream().await;
    events.expect("message", "secret").await;
}
