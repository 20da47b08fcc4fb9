//! What is said of replies needs somebody who takes them.

use sse_runtime::{Sse, sse_route};

#[sse_route("/quiz", inbox = 8)]
async fn quiz(sse: Sse) {
    sse.send("question").await.ok();
}

fn main() {}
