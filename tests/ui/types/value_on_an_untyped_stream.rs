use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    sse.send(21.5).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
