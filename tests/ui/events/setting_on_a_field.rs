use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    Progress {
        #[sse(id)]
        number: u8,
    },
}

fn main() {}
