use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse, #[cfg(all())] headers: axum::http::HeaderMap) {
    sse.send(format!("{headers:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
