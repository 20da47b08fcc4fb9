use sse_runtime::sse_route;

#[sse_route("/events/{id}")]
async fn events(id: u64) {
    println!("{id}");
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
