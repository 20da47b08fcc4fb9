#![allow(non_camel_case_types)]

use sse_runtime::{Sse, sse_route};

struct events {}

#[sse_route("/events")]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {}
