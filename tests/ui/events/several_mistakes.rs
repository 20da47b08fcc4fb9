use serde::Serialize;
use sse_runtime::SseEvent;

#[derive(Serialize, SseEvent)]
#[serde(rename_all = "snake_case")]
enum JobEvent {
    Open,
    #[sse(retry = "soon")]
    Progress,
    #[serde(rename = "progress")]
    Percent,
}

fn main() {}
