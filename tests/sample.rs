//! A small application that documents its one stream: what the page and generators of clients are tried on.
//!
//! Its handler sends an event for each step that the test allows. So what a client shows of a stream that is still
//! open is what it got, and not what it will show in the end.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::{Router, extract::State};
use serde::Serialize;
use sse_runtime::{Api, Error, Result, Sse, SseEvent, StatusCode, api, serve, sse_route};
use tokio::{net::TcpListener, sync::Semaphore};
use utoipa::ToSchema;

/// How many events may be sent.
#[derive(Clone)]
pub(crate) struct Steps(Arc<Semaphore>);

impl Steps {
    pub(crate) fn allow(&self, events: usize) {
        self.0.add_permits(events);
    }

    async fn next(&self) {
        self.0.acquire().await.expect("never closed").forget();
    }
}

/// What a job tells of itself.
#[derive(Serialize, SseEvent, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum JobEvent {
    /// How far the job is.
    #[sse(id = "percent")]
    Progress {
        /// From 0 to 100.
        percent: u32,
        /// What is being done.
        step: &'static str,
    },
    /// The job is done.
    #[sse(terminal)]
    Done {
        /// Where the result is.
        url: String,
    },
}

/// Streams the progress of one job.
#[sse_route("/jobs/{id}/events")]
async fn job_events(sse: Sse<JobEvent>, id: u64, State(steps): State<Steps>) -> Result<()> {
    if id == 0 {
        return Err(Error::from("there is no such job").with_status(StatusCode::NOT_FOUND));
    }
    for (percent, step) in [(25, "reading"), (75, "writing")] {
        steps.next().await;
        sse.send(JobEvent::Progress { percent, step }).await?;
    }
    steps.next().await;
    sse.send(JobEvent::Done { url: format!("/results/{id}") }).await?;
    Ok(())
}

/// The stream and its documents.
pub(crate) fn api() -> Api<Steps> {
    api![job_events].title("Jobs")
}

/// Starts it on a free port.
pub(crate) async fn start() -> (SocketAddr, Steps) {
    let steps = Steps(Arc::new(Semaphore::new(0)));
    let app: Router = Router::from(api()).with_state(steps.clone());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { serve(listener, app).await });
    (address, steps)
}
