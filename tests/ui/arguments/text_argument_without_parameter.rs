use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse, topic: String) {
    sse.send(topic).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
