use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
#[serde(tag = "type", rename_all = "snake_case")]
enum DoorEvent {
    Open,
    Shut,
}

fn main() {}
