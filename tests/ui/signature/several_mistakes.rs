use sse_runtime::{Sse, sse_route};

#[sse_route("/events/{id}")]
unsafe fn events<T>(sse: Sse, id: &str, other: impl Into<String>) {
    drop((sse, id.len(), other.into()));
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
