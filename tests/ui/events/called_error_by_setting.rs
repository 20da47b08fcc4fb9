use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
#[sse(name = "error")]
struct Failed {
    reason: String,
}

fn main() {}
