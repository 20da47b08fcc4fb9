use sse_runtime::{Sse, sse_route};

#[sse_route("/events/{id}")]
async fn events(sse: Sse, id: impl Into<String> + Send) {
    sse.send(id.into()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
