use serde::Serialize;
use sse_runtime::{SseEvent, Topic};

#[derive(Serialize, SseEvent)]
enum JobEvent {
    Progress,
}

#[derive(Serialize, SseEvent)]
enum ChatEvent {
    Word,
}

async fn publish(topic: Topic<JobEvent>) {
    topic.publish(ChatEvent::Word).await.ok();
}

fn main() {
    let _ = publish;
}
