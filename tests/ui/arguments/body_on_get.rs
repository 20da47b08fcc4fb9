use axum::Json;
use sse_runtime::{Sse, sse_route};

#[sse_route("/orders")]
async fn events(sse: Sse, Json(order): Json<Vec<u8>>) {
    sse.send(format!("{order:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
