use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {
    #[serde(rename = "sse-gap")]
    Gap,
}

fn main() {}
