use sse_runtime::sse_route;

struct EventSource;

#[sse_route("/events")]
async fn events(stream: EventSource) {
    drop(stream);
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
