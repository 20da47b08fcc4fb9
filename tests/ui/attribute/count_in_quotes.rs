use sse_runtime::{Sse, sse_route};

#[sse_route("/events", max_streams = "1000")]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
