use sse_runtime::{Event, Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    if true {
        sse.send(Event::new("progress").id("7\r\n8").data("1")).await.ok();
    }
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
