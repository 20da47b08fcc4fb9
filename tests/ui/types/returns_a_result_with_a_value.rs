use sse_runtime::{Sse, sse_route};

#[sse_route("/events")]
async fn events(sse: Sse) -> sse_runtime::Result<u32> {
    sse.send("tick").await?;
    Ok(1)
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
