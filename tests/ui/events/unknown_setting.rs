use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(rename = "progress")]
    Progress,
}

fn main() {}
