//! The smallest route there is.

use sse_runtime::{Sse, routes, sse_route};

#[sse_route("/ticks")]
async fn ticks(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = routes![ticks];
}
