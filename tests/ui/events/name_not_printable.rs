use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(name = "pro\ngress")]
    Progress,
}

fn main() {}
