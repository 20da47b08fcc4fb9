use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events<T: Default + ToString + Send>(sse: Sse) {
    sse.send(T::default().to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
