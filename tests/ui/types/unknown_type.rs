use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse, user: AuthUser) {
    sse.send("tick").await.ok();
    drop(user);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
