use axum::{Json, body::Bytes};
use sse_runtime::{Sse, sse_route};

#[sse_route("/orders", methods = ["POST"])]
async fn events(sse: Sse, text: Bytes, Json(order): Json<Vec<u8>>) {
    sse.send(format!("{order:?} {text:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
