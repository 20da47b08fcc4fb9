#![deny(dead_code)]

use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {}
