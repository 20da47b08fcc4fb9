use sse_runtime::{EventError, EventWriter, Sse, SseEvent, sse_route};

struct Tick;

impl SseEvent for Tick {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.data("tick")
    }
}

#[sse_route("/events")]
async fn events(sse: Sse<Tick>) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
