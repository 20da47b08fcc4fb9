use sse_runtime::{Sse, sse_route};

#[sse_route("/quotes/{symbol}")]
async fn events(sse: Sse, simbol: String) {
    sse.send(simbol).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
