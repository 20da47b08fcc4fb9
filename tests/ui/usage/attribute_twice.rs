use sse_runtime::{Sse, routes, sse_route};

#[sse_route("/events")]
#[sse_route("/stream")]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = routes![events];
}
