use sse_runtime::{EventError, EventWriter, SseEvent, Topic};

struct Price {
    cents: u64,
}

impl SseEvent for Price {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.json(&self.cents)
    }
}

async fn publish(topic: Topic<Price>) {
    topic.publish("a dollar").await.ok();
}

fn main() {}
