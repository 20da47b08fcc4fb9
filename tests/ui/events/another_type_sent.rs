use serde::Serialize;
use sse_runtime::{Sse, SseEvent, sse_route};

#[derive(Serialize, SseEvent)]
enum JobEvent {
    Progress,
}

#[derive(Serialize, SseEvent)]
enum ChatEvent {
    Word,
}

#[sse_route("/jobs")]
async fn jobs(sse: Sse<JobEvent>) {
    sse.send(ChatEvent::Word).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![jobs];
}
