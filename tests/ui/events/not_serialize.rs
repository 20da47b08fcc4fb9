use sse_runtime::SseEvent;

#[derive(SseEvent)]
enum JobEvent {
    Progress { percent: u8 },
}

fn main() {}
