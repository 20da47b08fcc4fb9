use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
enum JobEvent {}

fn main() {}
