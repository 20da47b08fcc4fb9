//! Every option, in any order, with a trailing comma.

#![deny(warnings)]

use sse_runtime::{Sse, routes, sse_route};

#[sse_route("/all", methods = ["GET", "POST", "PUT", "PATCH"], keep_alive = "15s", retry = "1.5s", open_after = "0s",
    send_timeout = "30s", max_age = "10m", end = "end", max_event = "256KiB", max_streams = 1000, slow = "disconnect", crate = ::sse_runtime,)]
async fn all(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route(
    "/off",
    keep_alive = "off",
    open_after = "off",
    send_timeout = "off",
    max_age = "off",
    max_event = 1024
)]
async fn off(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route(
    "/run",
    methods = ["POST"],
    run = "15m",
    run_idle = "off",
    run_keep = "10m",
    run_events = 100_000,
    run_bytes = "16MiB",
    max_runs = 100
)]
async fn run(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("/replies", methods = ["GET", "POST"], run = "1m", max_reply = "1KiB", inbox = 1)]
async fn replies(sse: Sse, mut replies: sse_runtime::Replies<u8>) {
    if let Some(reply) = replies.next().await {
        sse.send(reply.to_string()).await.ok();
    }
}

#[sse_route(r"/bare", bare)]
async fn bare(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = routes![all, off, run, replies, bare];
    assert_eq!(all::route::<(), _>().path(), "/all");
    assert_eq!(bare::route::<(), _>().path(), "/bare");
}
