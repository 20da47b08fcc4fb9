use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
fn events(sse: Sse) {
    drop(sse);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
