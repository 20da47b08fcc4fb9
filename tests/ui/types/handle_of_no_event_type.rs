use sse_runtime::{Sse, sse_route};

struct Reading {
    _celsius: f32,
}

#[sse_route("/events")]
async fn events(sse: Sse<Reading>) {
    drop(sse);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
