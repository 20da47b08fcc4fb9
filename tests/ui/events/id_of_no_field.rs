use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(id = "nubmer")]
    Progress { number: u8, percent: u8 },
}

fn main() {}
