use sse_runtime::{Event, Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    sse.send(Event::new("progress").id("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789").data("1")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
