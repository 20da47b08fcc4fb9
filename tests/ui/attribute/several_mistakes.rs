use sse_runtime::{Sse, sse_route};

#[sse_route(
    "/events",
    colour = "red",
    retry = 3,
    methods = ["get", "PSOT"],
    retry = "3s"
)]
async fn events(sse: Sse) {
    sse.send("tick").await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
