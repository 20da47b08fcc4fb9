use sse_runtime::{Sse, sse_route};

#[sse_route("/jobs/{id?}")]
async fn events(sse: Sse, id: Option<u64>) {
    sse.send(format!("{id:?}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
