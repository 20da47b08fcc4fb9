use serde::Serialize;
use sse_runtime::{Sse, SseEvent, Topic};

#[derive(Serialize, SseEvent)]
enum JobEvent {
    Progress,
}

#[derive(Serialize, SseEvent)]
enum ChatEvent {
    Word,
}

async fn follow(sse: Sse<JobEvent>, topic: Topic<ChatEvent>) {
    sse.follow(&topic).await.ok();
}

fn main() {
    let _ = follow;
}
