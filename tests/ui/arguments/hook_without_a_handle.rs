use sse_runtime::{Disconnect, Sse, sse_route};

#[sse_route("/events")]
async fn events(_: Sse) {
    async fn on_disconnect(gone: Disconnect) {
        println!("{gone:?}");
    }
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
