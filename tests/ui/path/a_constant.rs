use sse_runtime::{Sse, sse_route};

const PATH: &str = "/events";

#[sse_route(PATH)]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

const _: &str = PATH;

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
