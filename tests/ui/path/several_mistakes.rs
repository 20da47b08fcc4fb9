use sse_runtime::{Sse, sse_route};

#[sse_route("/:org/<repo>/{id:u64}")]
async fn events(sse: Sse, org: String, repo: String, id: u64) {
    sse.send(format!("{org}/{repo}/{id}")).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
