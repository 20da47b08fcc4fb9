use axum::extract::Path;
use sse_runtime::{Sse, sse_route};

#[sse_route("/events/{id}")]
async fn events(sse: Sse, Path(id): Path<&str>) {
    sse.send(id).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
