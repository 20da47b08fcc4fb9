use sse_runtime::sse_route;

#[sse_route("/events")]
const EVENTS: fn() = || {};

fn main() {
    EVENTS();
}
