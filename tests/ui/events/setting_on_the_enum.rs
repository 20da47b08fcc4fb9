use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
#[sse(terminal)]
enum JobEvent {
    Done,
}

fn main() {}
