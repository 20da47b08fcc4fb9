use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse, other: Sse) {
    sse.send("tick").await.ok();
    drop(other);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
