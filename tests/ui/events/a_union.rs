use sse_runtime::SseEvent;

#[derive(SseEvent)]
union JobEvent {
    percent: u8,
}

fn main() {}
