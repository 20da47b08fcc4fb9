use sse_runtime::{Sse, sse_route};

#[sse_route("/jobs/{id:u64}/events")]
async fn events(sse: Sse, id: u64) {
    sse.send(id.to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
