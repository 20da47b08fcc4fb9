use sse_runtime::{Sse, sse_route};

#[sse_route("/events", retry = "3s", keep_alive = "15s", retry = "5s")]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
