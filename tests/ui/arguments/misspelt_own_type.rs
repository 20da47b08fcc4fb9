use sse_runtime::{Sse, sse_route};

struct JobId(String);

impl std::str::FromStr for JobId {
    type Err = std::convert::Infallible;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Ok(JobId(id.to_owned()))
    }
}

#[sse_route("/jobs/{job_id}")]
async fn events(sse: Sse, jobid: JobId) {
    sse.send(jobid.0).await.ok();
}

fn main() {
    let _app: axum::Router = sse_runtime::routes![events];
}
