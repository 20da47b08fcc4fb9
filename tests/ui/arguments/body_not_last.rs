use axum::{Json, http::HeaderMap};
use sse_runtime::{Sse, sse_route};

#[sse_route("/orders", methods = ["POST"])]
async fn events(sse: Sse, Json(order): Json<Vec<u8>>, headers: HeaderMap) {
    sse.send(format!("{order:?} {headers:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
