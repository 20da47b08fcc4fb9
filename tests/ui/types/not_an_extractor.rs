use sse_runtime::{Sse, sse_route};

struct User(String);

#[sse_route("/events")]
async fn events(sse: Sse, user: User) {
    sse.send(user.0).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
