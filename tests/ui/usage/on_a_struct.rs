use sse_runtime::sse_route;

#[sse_route("/events")]
struct Events;

fn main() {
    let _ = Events;
}
