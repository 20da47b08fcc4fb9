use sse_runtime::{Sse, routes, sse_route};

mod jobs {
    use super::*;

    #[sse_route("/events")]
    async fn events(sse: Sse) {
        sse.send("tick").await.ok();
    }
}

fn main() {
    let _app: axum::Router = routes![jobs::events];
}
