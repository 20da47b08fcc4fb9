use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
#[serde(rename_all = "lowercase")]
enum JobEvent {
    LogLine,
    Logline,
}

fn main() {}
