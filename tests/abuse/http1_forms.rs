//! HTTP/1 as only few speak it: several requests in a packet, version 1.0, odd targets and methods, expectations.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::{Extension, Router};
use std::sync::Arc;

use sse_runtime::{Hub, Result, Sse, routes, sse_route};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::peer::{closed, exchange, read_until, reset, send, status};
use crate::target::{App, Ledger, Target, app};

/// An event for each step that the test allows.
#[sse_route("/steps")]
async fn steps(
    sse: Sse,
    State(ledger): State<Ledger>,
    Extension(allowed): Extension<Arc<Semaphore>>,
) -> Result<()> {
    ledger.enter(&sse);
    for n in 1..=3 {
        allowed.acquire().await?.forget();
        sse.send(format!("step {n}")).await?;
    }
    Ok(())
}

async fn start() -> (Target, Arc<Semaphore>) {
    let allowed = Arc::new(Semaphore::new(0));
    let app: Router<App> = routes![steps].layer(Extension(Arc::clone(&allowed))).merge(app());
    (Target::with(app, Hub::default(), |serve| serve).await, allowed)
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_one_after_the_other() {
    let (target, allowed) = start().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let last = "GET /one HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = exchange(target.address, get("/one").repeat(9) + last).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 10);
    assert_eq!(answers.matches("data: x\n\n").count(), 10);

    // Behind a stream, the next request waits for the stream's end: its handler does not run before.
    let mut socket = send(target.address, get("/steps") + &get("/idle")).await;
    for n in 1..=3 {
        allowed.add_permits(1);
        read_until(&mut socket, &format!("data: step {n}\n\n")).await;
        assert!(target.ledger.begun() == 1 || n == 3, "one stream of a connection at a time");
    }
    read_until(&mut socket, "data: x\n\n").await;
    assert_eq!(target.ledger.begun(), 2);
    drop(socket);
    target.settled().await;
}

/// The route sends a comment after 200 ms of silence; the first write after the client left is answered by a reset, the
/// second fails.
const NOTICED_IN: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_client_that_has_asked_on_and_leaves_is_noticed_by_the_next_write() {
    let (target, _) = start().await;
    for by_reset in [false, true] {
        let request = "GET /pinged HTTP/1.1\r\nhost: x\r\n\r\nGET /one";
        let mut socket = send(target.address, request).await;
        read_until(&mut socket, "data: x\n\n").await;
        let left = Instant::now();
        if by_reset {
            reset(socket);
        } else {
            drop(socket);
        }
        target.settled().await;
        println!("left with half a request behind a stream: noticed after {:.1?}", left.elapsed());
        assert!(left.elapsed() < NOTICED_IN, "{:?}", left.elapsed());
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_its_events_one_by_one_up_to_the_close() {
    let (target, allowed) = start().await;
    for header in ["", "connection: keep-alive\r\n"] {
        let mut socket = send(target.address, format!("GET /steps HTTP/1.0\r\n{header}\r\n")).await;
        allowed.add_permits(1);
        let head = read_until(&mut socket, "data: step 1\n\n").await;
        let (head, body) = head.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, "data: step 1\n\n", "bare, not in chunks");
        assert!(head.starts_with("HTTP/1.0 200 ") || head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
        for n in 2..=3 {
            allowed.add_permits(1);
            assert_eq!(read_until(&mut socket, "\n\n").await, format!("data: step {n}\n\n"));
        }
        closed(&mut socket).await;
    }
    // A short one is whole before its head leaves.
    let short = exchange(target.address, "GET /one HTTP/1.0\r\n\r\n").await;
    assert!(short.contains("content-length: 9\r\n") && short.ends_with("data: x\n\n"), "{short}");
    target.settled().await;
}

#[tokio::test]
async fn targets_methods_and_versions_that_are_odd_are_served_or_refused_plainly() {
    let (target, _) = start().await;
    let lines = [
        ("GET http://elsewhere.example/one HTTP/1.1", 200),
        ("GET http://user:password@elsewhere.example:1/one?x HTTP/1.1", 200),
        ("GET //one HTTP/1.1", 404),
        ("GET /one/ HTTP/1.1", 404),
        ("GET /./one HTTP/1.1", 404),
        ("GET /%6fne HTTP/1.1", 404),
        ("GET /one%00 HTTP/1.1", 404),
        ("GET one HTTP/1.1", 404),
        ("GET * HTTP/1.1", 404),
        ("OPTIONS * HTTP/1.1", 404),
        ("OPTIONS /one HTTP/1.1", 405),
        ("CONNECT /one HTTP/1.1", 405),
        ("CONNECT one:80 HTTP/1.1", 404),
        ("TRACE /one HTTP/1.1", 405),
        ("BREW /one HTTP/1.1", 405),
        ("get /one HTTP/1.1", 405),
        ("POST /one HTTP/1.1", 405),
        ("GET /one HTTP/1.2", 400),
        ("GET /one HTTP/2.0", 400),
        ("GET /one HTTP/0.9", 400),
        ("GET /one http/1.1", 400),
        // It is not HTTP/1 that this is answered in.
        ("PRI * HTTP/1.1", 0),
    ];
    let mut answers = Vec::new();
    for (line, _) in lines {
        let request = format!("{line}\r\nhost: x\r\nconnection: close\r\n\r\n");
        answers.push((line, status(&exchange(target.address, request).await)));
    }
    assert_eq!(answers, lines);
    target.settled().await;
}

#[tokio::test]
async fn an_upgrade_that_nobody_offers_is_not_made() {
    let (target, _) = start().await;
    for upgrade in ["websocket", "h2c", "TLS/1.3"] {
        let request = format!(
            "GET /one HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: {upgrade}\r\n\
             http2-settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        let answer = exchange(target.address, request).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.ends_with("data: x\n\n"), "{answer}");
    }
}

#[tokio::test]
async fn who_expects_a_100_gets_it_where_the_body_is_wanted() {
    let (target, _) = start().await;
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
        )
    };
    let mut socket = send(target.address, head("/upload")).await;
    read_until(&mut socket, "HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(target.ledger.begun(), 0, "the handler waits for its body");
    socket.write_all(b"hello").await.expect("it is wanted");
    read_until(&mut socket, "data: 5 bytes\n\n").await;
    // Refused, or begun, without a look at the body.
    for (path, expected) in [("/nowhere", 404), ("/one", 405), ("/pinged", 200)] {
        let mut socket = send(target.address, head(path)).await;
        let answer = read_until(&mut socket, "\r\n\r\n").await;
        assert_eq!(status(&answer), expected, "{path}: {answer}");
    }
    target.settled().await;
}
