use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    Progress { percent: u8 },
    #[serde(rename = "error")]
    Failed { reason: String },
}

fn main() {}
