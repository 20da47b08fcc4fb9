use sse_runtime::sse_route;

#[sse_route("/events")]
async fn events() {}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
