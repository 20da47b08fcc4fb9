use sse_runtime::{Sse, sse_route};

#[sse_route("/events/{id}", crate = ::sse_runtme)]
async fn events(sse: Sse, id: u64, uri: axum::http::Uri, headers: axum::http::HeaderMap) {
    sse.send(format!("{id} {uri} {headers:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
