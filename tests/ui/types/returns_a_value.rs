use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) -> String {
    sse.send("tick").await.ok();
    "done".to_owned()
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
