//! What is said of a run needs one.

use sse_runtime::{Sse, sse_route};

#[sse_route("/report", run_idle = "1m")]
async fn report(sse: Sse) {
    sse.send("page").await.ok();
}

fn main() {}
