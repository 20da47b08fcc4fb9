use sse_runtime::{Event, Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    sse.send(Event::new("").data("1")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
