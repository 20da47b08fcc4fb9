use sse_runtime::{Sse, sse_route};

#[sse_route("/orders", methods = ["GET"])]
async fn events(sse: Sse, body: axum::body::Bytes) {
    sse.send(format!("{body:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
