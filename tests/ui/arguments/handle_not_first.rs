use sse_runtime::{Sse, sse_route};

#[sse_route("/events/{id}")]
async fn events(id: u64, sse: Sse) {
    sse.send(id.to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
