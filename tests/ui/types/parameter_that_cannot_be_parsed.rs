use sse_runtime::{Sse, sse_route};

struct JobId(String);

#[sse_route("/jobs/{id}")]
async fn events(sse: Sse, id: JobId) {
    sse.send(id.0).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
