use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events<const N: usize>(sse: Sse) {
    sse.send(N.to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
