use sse_runtime::{Sse, sse_route};

#[sse_route("/jobs/{job-id}")]
async fn events(sse: Sse, job_id: u64) {
    sse.send(job_id.to_string()).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
