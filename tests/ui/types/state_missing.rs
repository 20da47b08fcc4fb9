use axum::{Router, extract::State, http::HeaderMap};
use sse_runtime::{Sse, routes, sse_route};

#[derive(Clone)]
struct Jobs;

#[sse_route("/events")]
async fn events(sse: Sse, State(_jobs): State<Jobs>, headers: HeaderMap) {
    sse.send(format!("{headers:?}")).await.ok();
}

fn main() {
    let _app: Router = routes![events];
}
