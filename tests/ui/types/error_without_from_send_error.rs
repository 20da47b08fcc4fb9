use axum::response::{IntoResponse, Response};
use sse_runtime::{Sse, sse_route};

struct AppError;

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        "failed".into_response()
    }
}

#[sse_route("/events")]
async fn events(sse: Sse) -> Result<(), AppError> {
    sse.send("tick").await?;
    Ok(())
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
