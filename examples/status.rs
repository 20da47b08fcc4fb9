//! A job whose status is polled on the server, and a page that hears only of changes.
//!
//! ```text
//! cargo run --example status
//! curl -N 'http://127.0.0.1:3000/status/stream?param1=export'
//! ```
//!
//! Open <http://127.0.0.1:3000>: the bar fills up within five seconds, and the page closes its stream. A client
//! that does not close it, and comes back after the `end` event, is told to stop (status 204).

use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Query, State},
    response::Html,
    routing::get,
};
use serde::{Deserialize, Serialize};
use sse_runtime::{Event, Result, Sse, listen, routes, serve, sse_route};
use tokio::time::interval;

/// How often the job is looked at: more often than it moves, so that most looks find nothing new.
const DELAY: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_millis(30_000);

#[derive(Deserialize)]
struct Watched {
    /// The name of the job.
    param1: String,
}

/// Sends the job's status whenever it has changed, and ends for good when the job is done.
#[sse_route("/status/stream", end = "end")]
async fn status(sse: Sse, Query(watched): Query<Watched>, State(jobs): State<Jobs>) -> Result<()> {
    let mut delay = interval(DELAY);
    loop {
        delay.tick().await;
        let status = jobs.status(&watched.param1);
        sse.send_changed(Event::new("update").retry(RETRY).json(&status)?).await?;
        if status.done {
            return Ok(());
        }
    }
}

#[derive(Serialize)]
struct Status {
    percent: u8,
    done: bool,
}

/// Jobs that run by themselves: each starts when it is first asked for, and gains 10 % every half second.
#[derive(Clone, Default)]
struct Jobs {
    started: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Jobs {
    const STEP: Duration = Duration::from_millis(500);
    /// Names come from clients: without an end to their keep, they would fill the memory.
    const KEEP: Duration = Duration::from_secs(60);

    fn status(&self, name: &str) -> Status {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.retain(|_, start| start.elapsed() < Self::KEEP);
        let start = *started.entry(name.to_owned()).or_insert_with(Instant::now);
        let steps = start.elapsed().as_millis() / Self::STEP.as_millis();
        let percent = u8::try_from(steps * 10).unwrap_or(100).min(100);
        Status { percent, done: percent == 100 }
    }
}

fn app() -> Router {
    let page = || async { Html(include_str!("status.html")) };
    Router::new().route("/", get(page)).merge(routes![status]).with_state(Jobs::default())
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, app()).await?;
    Ok(())
}
