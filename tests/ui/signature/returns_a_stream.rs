use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) -> impl futures_util::Stream<Item = String> {
    drop(sse);
    futures_util::stream::pending()
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
