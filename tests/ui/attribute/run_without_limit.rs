//! A run has to end some time.

use sse_runtime::{Sse, sse_route};

#[sse_route("/report", run = "off")]
async fn report(sse: Sse) {
    sse.send("page").await.ok();
}

fn main() {}
