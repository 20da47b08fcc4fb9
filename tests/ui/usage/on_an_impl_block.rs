use sse_runtime::sse_route;

struct Jobs;

#[sse_route("/events")]
impl Jobs {}

fn main() {
    let _ = Jobs;
}
