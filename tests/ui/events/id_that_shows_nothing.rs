use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(id = "parts")]
    Progress { parts: Vec<u8> },
}

fn main() {}
