use sse_runtime::{Sse, sse_route};

#[sse_route("/jobs/{id}")]
async fn events(sse: Sse, number: u64) {
    sse.send(number.to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
