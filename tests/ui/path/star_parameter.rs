use sse_runtime::{Sse, sse_route};

#[sse_route("/files/*rest")]
async fn events(sse: Sse, rest: String) {
    sse.send(rest).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
