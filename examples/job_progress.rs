//! A job and its progress, as an API that describes itself: typed events, documents, a page to try them out, a client in
//! TypeScript.
//!
//! ```text
//! cargo run --example job_progress --features docs
//! curl -N http://127.0.0.1:3000/jobs/1/events
//! ```
//!
//! Open <http://127.0.0.1:3000> and start jobs: the page follows each with the browser client that the server has for it.
//! Open <http://127.0.0.1:3000/docs>: every event with its fields, and "Test Request" shows them as they come. For a
//! client in TypeScript, in which an event is a union that narrows by its `type`:
//!
//! ```text
//! npx -p typescript@5 -p @hey-api/openapi-ts openapi-ts -i http://127.0.0.1:3000/openapi.client.json -o client
//! ```

use std::{
    collections::HashMap,
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sse_runtime::{SendError, Sse, SseEvent, api, client, listen, serve, sse_route};
use tokio::{sync::watch, time::sleep};
use utoipa::{IntoResponses, OpenApi, ToSchema};

/// How long a job works on one page of its report.
const STEP: Duration = Duration::from_millis(250);

/// What a job tells of itself. Each event is the whole state: who comes late, or comes back, has missed nothing.
#[derive(Clone, Serialize, SseEvent, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum JobEvent {
    /// The job waits for its turn.
    Queued,
    /// The job works.
    Progress {
        /// Pages that are finished.
        pages: u32,
        /// Pages that there will be.
        of: u32,
    },
    /// The job has come to nothing.
    #[sse(terminal)]
    Failed {
        /// What was in the way.
        reason: String,
    },
    /// The report can be fetched.
    #[sse(terminal)]
    Done {
        /// Where it is.
        url: String,
    },
}

/// Why there is no stream.
#[derive(IntoResponses)]
enum NoStream {
    /// There is no such job.
    #[response(status = 404)]
    NoSuchJob,
    /// The stream is broken.
    #[response(status = 500)]
    Broken,
}

impl From<SendError> for NoStream {
    fn from(error: SendError) -> Self {
        tracing::error!("the stream of a job: {error}");
        Self::Broken
    }
}

impl IntoResponse for NoStream {
    fn into_response(self) -> Response {
        match self {
            Self::NoSuchJob => (StatusCode::NOT_FOUND, "there is no such job").into_response(),
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Follows one job until it ends.
///
/// The job goes on when nobody follows it. A client that has seen the end is told not to come back.
#[sse_route("/jobs/{id}/events", retry = "1s")]
async fn job_events(sse: Sse<JobEvent>, id: u64, State(jobs): State<Jobs>) -> Result<(), NoStream> {
    let mut job = jobs.find(id).ok_or(NoStream::NoSuchJob)?;
    loop {
        let event = job.borrow_and_update().clone();
        sse.send(&event).await?;
        // It ends when the job is over, and its last event was sent then.
        if job.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// What is to be done.
#[derive(Deserialize, ToSchema)]
struct Order {
    /// How many pages the report has. One of more than 100 fails.
    pages: u32,
}

/// A job that was accepted.
#[derive(Serialize, ToSchema)]
struct Accepted {
    /// Its number, for `/jobs/{id}/events`.
    id: u64,
}

/// Starts a job.
#[utoipa::path(
    post, path = "/jobs", operation_id = "start_job", request_body = Order,
    responses((status = 202, description = "The job was started.", body = Accepted))
)]
async fn start_job(State(jobs): State<Jobs>, Json(order): Json<Order>) -> (StatusCode, Json<Accepted>) {
    (StatusCode::ACCEPTED, Json(Accepted { id: jobs.start(order.pages) }))
}

/// Fetches the report of a job that is done.
#[utoipa::path(
    get, path = "/jobs/{id}/report", operation_id = "report", params(("id" = u64, Path)),
    responses((status = 200, description = "The report.", body = String, content_type = "text/plain"),
              (status = 404, description = "There is none."))
)]
async fn report(State(jobs): State<Jobs>, Path(id): Path<u64>) -> Result<String, StatusCode> {
    match jobs.find(id).map(|job| job.borrow().clone()) {
        Some(JobEvent::Done { .. }) => Ok(format!("The report of job {id}.\n")),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

/// What utoipa knows of the routes that are no streams.
#[derive(OpenApi)]
#[openapi(paths(start_job, report))]
struct Others;

/// The jobs there were; each is a state that changes.
#[derive(Clone, Default)]
struct Jobs {
    known: Arc<Mutex<HashMap<u64, watch::Receiver<JobEvent>>>>,
    last: Arc<AtomicU64>,
}

impl Jobs {
    fn start(&self, pages: u32) -> u64 {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (tell, told) = watch::channel(JobEvent::Queued);
        self.known.lock().expect("nobody panics while holding it").insert(id, told);
        tokio::spawn(work(id, pages, tell));
        id
    }

    fn find(&self, id: u64) -> Option<watch::Receiver<JobEvent>> {
        self.known.lock().expect("nobody panics while holding it").get(&id).cloned()
    }
}

async fn work(id: u64, of: u32, tell: watch::Sender<JobEvent>) {
    sleep(STEP).await;
    if of > 100 {
        tell.send_replace(JobEvent::Failed { reason: format!("{of} pages are more than the printer has") });
        return;
    }
    for pages in 1..=of {
        sleep(STEP).await;
        tell.send_replace(JobEvent::Progress { pages, of });
    }
    // The binding.
    sleep(STEP).await;
    tell.send_replace(JobEvent::Done { url: format!("/jobs/{id}/report") });
}

/// The routes, the documents that describe them, the page that shows the documents, and the browser client.
fn app() -> Router {
    let api = api![job_events].title("Jobs").merge_openapi(Others::openapi());
    Router::new()
        .route("/", get(async || Html(include_str!("job_progress.html"))))
        .route("/jobs", post(start_job))
        .route("/jobs/{id}/report", get(report))
        .merge(api)
        .merge(client::routes())
        .with_state(Jobs::default())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, app()).await
}
