use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[sse(id = number)]
    Progress { number: u8 },
}

fn main() {}
