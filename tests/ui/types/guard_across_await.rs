use std::sync::Mutex;

use sse_runtime::{Sse, sse_route};

static COUNT: Mutex<u32> = Mutex::new(0);

#[sse_route("/events")]
async fn events(sse: Sse) {
    let mut count = COUNT.lock().unwrap();
    *count += 1;
    sse.send(count.to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
