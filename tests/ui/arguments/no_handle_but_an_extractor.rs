use axum::http::HeaderMap;
use sse_runtime::sse_route;

#[sse_route("/events")]
async fn events(headers: HeaderMap) {
    drop(headers);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
