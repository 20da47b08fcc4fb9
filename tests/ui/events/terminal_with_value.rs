use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(terminal = true)]
    Done,
}

fn main() {}
