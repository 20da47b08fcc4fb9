use sse_runtime::{Sse, sse_route};

struct AppError;

#[sse_route("/events")]
async fn events(sse: Sse) -> Result<(), AppError> {
    sse.send("tick").await.map_err(|_| AppError)
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
