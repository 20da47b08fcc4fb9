use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(name = "a", name = "b")]
    Progress,
}

fn main() {}
