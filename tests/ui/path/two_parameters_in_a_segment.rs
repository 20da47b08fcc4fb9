use sse_runtime::{Sse, sse_route};

#[sse_route("/{from}-{to}")]
async fn events(sse: Sse, from: u64, to: u64) {
    sse.send((to - from).to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
