use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
const fn events(sse: Sse) {
    core::mem::forget(sse);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
