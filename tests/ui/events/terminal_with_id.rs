use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(terminal, id = "number")]
    Done { number: u8 },
}

fn main() {}
