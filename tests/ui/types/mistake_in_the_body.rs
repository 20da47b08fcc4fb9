use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    let count: u32 = "one";
    sse.send(count.to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
