use sse_runtime::{Sse, sse_route};

#[sse_route("/events/{id}")]
async fn events(id: u64) {
    drop(id);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
