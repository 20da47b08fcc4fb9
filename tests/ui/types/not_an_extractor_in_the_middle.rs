use sse_runtime::{Sse, sse_route};

struct User(String);

#[sse_route("/events")]
async fn events(sse: Sse, user: User, headers: axum::http::HeaderMap) {
    sse.send(format!("{} {headers:?}", user.0)).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
