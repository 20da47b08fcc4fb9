use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
#[serde(untagged)]
enum JobEvent {
    Progress { percent: u8 },
    Done { url: String },
}

fn main() {}
