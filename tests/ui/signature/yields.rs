use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) {
    loop {
        yield "tick";
    }
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
