use std::rc::Rc;

use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    let count = Rc::new(1);
    sse.send("tick").await.ok();
    drop(count);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
