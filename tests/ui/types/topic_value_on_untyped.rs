use sse_runtime::Topic;

#[derive(serde::Serialize)]
struct Price {
    cents: u64,
}

async fn publish(topic: Topic) {
    topic.publish(Price { cents: 1 }).await.ok();
}

fn main() {}
