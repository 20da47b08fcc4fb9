use axum::extract::State;
use sse_runtime::{EventError, EventWriter, Result, Sse, SseEvent, Topic, sse_route};

struct Price {
    cents: u64,
}

impl SseEvent for Price {
    fn write(&self, event: &mut EventWriter<'_>) -> std::result::Result<(), EventError> {
        event.json(&self.cents)
    }
}

#[sse_route("/prices")]
async fn prices(sse: Sse, State(topic): State<Topic<Price>>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

fn main() {}
