use sse_runtime::{Sse, routes};

async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = routes![events];
}
