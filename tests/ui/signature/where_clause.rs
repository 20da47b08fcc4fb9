use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse)
where
    String: Send,
{
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
