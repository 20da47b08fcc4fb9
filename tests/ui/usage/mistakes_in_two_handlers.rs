use sse_runtime::{Sse, routes, sse_route};

#[sse_route("/ticks/{id}")]
async fn ticks(sse: Sse) {
    sse.send("tick").await.ok();
}

#[sse_route("quotes")]
async fn quotes(sse: Sse) {
    sse.send("quote").await.ok();
}

fn main() {
    let _app: axum::Router = routes![ticks, quotes];
}
