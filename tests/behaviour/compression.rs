//! Compressed streams, in-process: what changes, which is the bytes, and what does not.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_ENCODING, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::write::GzDecoder;
use http_body_util::BodyExt;
use sse_runtime::{Compression, DisconnectReason, Error, Result, Shutdown, Sse, routes, sse_route};
use tokio::time::sleep;
use tower_service::Service;

use crate::Hooks;

#[derive(Clone, Default)]
struct Seen {
    hooks: Hooks,
    sent: Arc<AtomicUsize>,
}

#[sse_route("/idle")]
async fn idle(sse: Sse, State(seen): State<Seen>) -> Result<()> {
    seen.hooks.watch(&sse);
    sse.send("x").await?;
    std::future::pending().await
}

#[sse_route("/flood", send_timeout = "30s")]
async fn flood(sse: Sse, State(seen): State<Seen>) -> Result<()> {
    seen.hooks.watch(&sse);
    loop {
        sse.send("x".repeat(1000)).await?;
        seen.sent.fetch_add(1, Ordering::Relaxed);
    }
}

#[sse_route("/ends", end = "end")]
async fn ends(sse: Sse) -> Result<()> {
    for n in 0..20 {
        sse.send(format!("event {n} {}", "of many ".repeat(n))).await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

#[sse_route("/says-nothing")]
async fn says_nothing(sse: Sse) -> Result<()> {
    sse.open().await?;
    Ok(())
}

#[sse_route("/fails")]
async fn fails(_sse: Sse) -> Result<()> {
    Err(Error::from("no").with_status(axum::http::StatusCode::NOT_FOUND))
}

#[sse_route("/breaks", bare)]
async fn breaks(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    sleep(Duration::from_secs(1)).await;
    sse.send("y".repeat(3000)).await?;
    Err("it breaks".into())
}

#[sse_route("/by-origin")]
async fn by_origin(sse: Sse) -> Result<()> {
    sse.set_header(VARY, "Origin")?;
    sse.send("x").await?;
    Ok(())
}

#[sse_route("/by-encoding")]
async fn by_encoding(sse: Sse) -> Result<()> {
    sse.set_header(VARY, "Origin, Accept-Encoding")?;
    sse.send("x").await?;
    Ok(())
}

/// A stream of axum's own.
async fn foreign() -> impl IntoResponse {
    let event = sse::Event::default().data("x");
    sse::Sse::new(futures_util::stream::iter([Ok::<_, Infallible>(event)]))
}

/// A stream that is compressed already.
async fn packed() -> impl IntoResponse {
    ([("content-type", "text/event-stream"), ("content-encoding", "br")], "bytes")
}

fn app(seen: &Seen) -> Router {
    let streams: Router<Seen> =
        routes![idle, flood, ends, says_nothing, fails, breaks, by_origin, by_encoding];
    streams
        .route("/text", get(|| async { "text that would become shorter ".repeat(100) }))
        .route("/foreign", get(foreign))
        .route("/packed", get(packed))
        .layer(Compression::new())
        .with_state(seen.clone())
}

async fn ask(mut app: Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.call(request.body(Body::empty()).expect("a request")).await.expect("infallible")
}

async fn gzipped(app: Router, path: &str) -> Reader {
    Reader::new(ask(app, "GET", path, &[("accept-encoding", "gzip")]).await)
}

/// Decompresses frame by frame.
struct Reader {
    head: HeaderMap,
    body: Body,
    decoder: GzDecoder<Vec<u8>>,
}

impl Reader {
    fn new(response: Response) -> Self {
        let (head, body) = response.into_parts();
        assert_eq!(head.headers[CONTENT_ENCODING], "gzip");
        Self { head: head.headers, body, decoder: GzDecoder::new(Vec::new()) }
    }

    /// What the next frame alone brings.
    async fn frame(&mut self) -> Option<Result<String, axum::Error>> {
        let frame = match self.body.frame().await? {
            Ok(frame) => frame.into_data().expect("data"),
            Err(error) => return Some(Err(error)),
        };
        self.decoder.write_all(&frame).and_then(|()| self.decoder.flush()).expect("gzip");
        Some(Ok(String::from_utf8(std::mem::take(self.decoder.get_mut())).expect("text")))
    }

    async fn text(&mut self) -> String {
        self.frame().await.expect("a frame").expect("no error")
    }

    /// All that is left, which is whole for gzip, too.
    async fn rest(mut self) -> String {
        let mut text = String::new();
        while let Some(frame) = self.frame().await {
            text.push_str(&frame.expect("no error"));
        }
        self.decoder.finish().expect("a whole file");
        text
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_says_it_and_stays_as_it_was() {
    let plain = ask(app(&Seen::default()), "GET", "/idle", &[]).await;
    let packed = gzipped(app(&Seen::default()), "/idle").await;
    assert_eq!(packed.head[VARY], "accept-encoding");
    let mut head = packed.head.clone();
    head.remove(CONTENT_ENCODING);
    assert_eq!(&head, plain.headers(), "nothing else changes");
    assert_eq!(head["cache-control"], "no-store, no-transform", "which proxies are told");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_accept_gzip_gets_the_stream_as_it_is() {
    for accepted in ["", "identity", "br, zstd", "gzip;q=0", "*;q=0", "identity;q=0", "gzip; q=0.0, deflate"]
    {
        let response = ask(app(&Seen::default()), "GET", "/idle", &[("accept-encoding", accepted)]).await;
        assert_eq!((response.status().as_u16(), response.headers().get(CONTENT_ENCODING)), (200, None));
        assert_eq!(response.headers()[VARY], "accept-encoding", "another client may get another");
        let frame = response.into_body().frame().await.expect("a frame").expect("no error");
        assert_eq!(frame.into_data().expect("data"), "data: x\n\n", "{accepted}");
    }
    for accepted in ["gzip", "GZIP", "br, gzip;q=0.1", "deflate, gzip, br, zstd", "*"] {
        let response = ask(app(&Seen::default()), "GET", "/idle", &[("accept-encoding", accepted)]).await;
        assert_eq!(Reader::new(response).text().await, "data: x\n\n", "{accepted}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_stream_or_is_compressed_already_is_left_alone() {
    let gzip = ("accept-encoding", "gzip");
    let json = (ACCEPT.as_str(), "application/json");
    let end = ("last-event-id", "sse-end");
    for (status, path, headers) in [
        (200, "/text", vec![gzip]),
        (404, "/fails", vec![gzip]),
        (404, "/nowhere", vec![gzip]),
        (406, "/idle", vec![gzip, json]),
        (204, "/ends", vec![gzip, end]),
    ] {
        let response = ask(app(&Seen::default()), "GET", path, &headers).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers().get(CONTENT_ENCODING), None, "{path}");
        assert_eq!(response.headers().get(VARY), None, "{path}");
    }
    let response = ask(app(&Seen::default()), "GET", "/packed", &[gzip]).await;
    assert_eq!(response.headers()[CONTENT_ENCODING], "br");
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "bytes");
}

#[tokio::test(start_paused = true)]
async fn streams_of_axum_are_compressed_too() {
    let stream = gzipped(app(&Seen::default()), "/foreign").await;
    assert_eq!(stream.rest().await, "data: x\n\n");
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_says_of_vary_stays() {
    let by_origin = gzipped(app(&Seen::default()), "/by-origin").await;
    let vary: Vec<_> = by_origin.head.get_all(VARY).iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(vary, [&b"Origin"[..], b"accept-encoding"]);
    let by_encoding = gzipped(app(&Seen::default()), "/by-encoding").await;
    let vary: Vec<_> = by_encoding.head.get_all(VARY).iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(vary, [b"Origin, Accept-Encoding"]);
}

#[tokio::test(start_paused = true)]
async fn head_is_answered_as_get_without_running_the_handler() {
    let seen = Seen::default();
    let get = ask(app(&seen), "GET", "/flood", &[("accept-encoding", "gzip")]).await;
    let before = seen.sent.load(Ordering::Relaxed);
    let head = ask(app(&seen), "HEAD", "/flood", &[("accept-encoding", "gzip")]).await;
    assert_eq!(head.headers(), get.headers());
    assert_eq!(head.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(head.headers().get("content-length"), None);
    assert_eq!(head.into_body().collect().await.expect("a body").to_bytes(), "");
    assert_eq!(seen.sent.load(Ordering::Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn each_frame_can_be_read_without_the_next_and_the_last_brings_the_end() {
    let mut events = gzipped(app(&Seen::default()), "/ends").await;
    for n in 0..20 {
        assert_eq!(events.text().await, format!("data: event {n} {}\n\n", "of many ".repeat(n)));
        assert!(!events.body.is_end_stream());
    }
    assert_eq!(events.text().await, "event: end\nid: sse-end\ndata: {}\n\n");
    assert!(events.body.is_end_stream(), "no frame of its own for the end");
    assert_eq!(events.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_says_nothing_is_a_whole_file() {
    assert_eq!(gzipped(app(&Seen::default()), "/says-nothing").await.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn keep_alives_are_flushed() {
    let mut events = gzipped(app(&Seen::default()), "/idle").await;
    assert_eq!(events.text().await, "data: x\n\n");
    for _ in 0..3 {
        assert_eq!(events.text().await, ":\n");
    }
}

#[tokio::test(start_paused = true)]
async fn the_goodbye_of_a_shutdown_arrives_with_the_end() {
    let (seen, shutdown) = (Seen::default(), Shutdown::new());
    let mut events = gzipped(app(&seen).layer(shutdown.clone()), "/idle").await;
    assert_eq!(events.text().await, "data: x\n\n");
    shutdown.begin();
    assert!(events.rest().await.starts_with("event: sse-bye\nretry: "));
    assert_eq!(seen.hooks.only().await.reason, DisconnectReason::ServerShutdown);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_broken_off_has_said_everything_and_is_no_whole_file() {
    let mut events = gzipped(app(&Seen::default()), "/breaks").await;
    assert_eq!(events.text().await, "data: x\n\n");
    assert_eq!(events.text().await, format!("data: {}\n\n", "y".repeat(3000)));
    let broken = events.frame().await.expect("it is not a clean end").expect_err("it is broken off");
    assert!(broken.to_string().contains("broken off"), "{broken}");
    events.decoder.try_finish().expect_err("it is not whole");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_noticed_and_the_hook_is_told_of_what_was_said() {
    let seen = Seen::default();
    let mut events = gzipped(app(&seen), "/idle").await;
    assert_eq!(events.text().await, "data: x\n\n");
    drop(events);
    let gone = seen.hooks.only().await;
    assert_eq!(gone.reason, DisconnectReason::ClientClosed);
    assert_eq!((gone.events, gone.bytes), (1, "data: x\n\n".len() as u64), "before compression");
}

#[tokio::test(start_paused = true)]
async fn a_handler_waits_for_a_client_that_does_not_read_and_not_for_ever() {
    let seen = Seen::default();
    let mut events = gzipped(app(&seen), "/flood").await;
    sleep(Duration::from_secs(20)).await;
    let ahead = seen.sent.load(Ordering::Relaxed);
    assert!(ahead <= 33, "32 KiB of events of a KB each, not {ahead} of them");
    assert!(events.text().await.len() > 30_000, "what gathered is one frame");
    sleep(Duration::from_secs(20)).await;
    assert!(seen.sent.load(Ordering::Relaxed) <= 2 * ahead + 1, "nothing is asked for ahead");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(seen.hooks.only().await.reason, DisconnectReason::SendTimeout);
}
