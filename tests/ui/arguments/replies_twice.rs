//! A stream has one inbox.

use sse_runtime::{Replies, Sse, sse_route};

#[sse_route("/quiz")]
async fn quiz(sse: Sse, _answers: Replies<u8>, _others: Replies<String>) {
    sse.send("question").await.ok();
}

fn main() {}
