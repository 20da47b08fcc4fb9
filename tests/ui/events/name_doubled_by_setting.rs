use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    Progress,
    #[sse(name = "Progress")]
    Percent,
}

fn main() {}
