//! The export, its file, and who may have it: all but the program around it, so that a test can have it on a clock of its own.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use sse_runtime::{Disconnect, Event, Result, RunId, Sse, StatusCode, routes, sse_route};
use tokio::time::sleep;

/// How many orders there are to export, and how many of them are read at a time.
pub(crate) const ROWS: u32 = 90_000;
const BATCH: u32 = 500;
/// For how long a file can be fetched: as long as the run can be looked at that made it (`run_keep`).
const KEEP: Duration = Duration::from_secs(60 * 60);

#[derive(Serialize)]
struct Progress {
    rows: u32,
    of: u32,
}

#[derive(Serialize)]
struct Ready {
    url: String,
    bytes: usize,
}

/// Exports all orders, whether somebody looks or not.
#[sse_route(
    "/exports",
    methods = ["POST"],
    run = "1h",
    run_idle = "off",
    run_keep = "1h",
    max_runs = 4,
    retry = "1s",
    end = "end"
)]
async fn export(sse: Sse, State(exports): State<Exports>) -> Result<()> {
    let run = sse.run().ok_or("this route has runs")?.id();
    // Of a run, this is its end, and not that of a connection. Its id is not for the log: who has it has the file.
    sse.on_disconnect(|over: Disconnect| async move { tracing::info!("an export is over: {}", over.reason) });
    let mut file = "order,customer,cents\n".to_owned();
    for before in (0..ROWS).step_by(BATCH as usize) {
        let progress = Progress { rows: before, of: ROWS };
        sse.send(Event::new("progress").json(&progress)?).await?;
        // A database that has other things to do, too.
        sleep(exports.time * BATCH / ROWS).await;
        for order in before + 1..=(before + BATCH).min(ROWS) {
            // Writing to a string does not fail.
            let _ = writeln!(file, "{order},customer-{},{}", order % 977, order % 200 * 99 + 100);
        }
    }
    let ready = Ready { url: format!("/exports/{run}/orders.csv"), bytes: file.len() };
    exports.keep(run, file);
    sse.send(Event::new("progress").json(&Progress { rows: ROWS, of: ROWS })?).await?;
    sse.send(Event::new("ready").json(&ready)?).await?;
    Ok(())
}

/// The file of an export. The id of its run has 130 random bits, and only who began it was told: it is all that one needs.
/// Where users log in, they are looked at first.
async fn download(State(exports): State<Exports>, Path(run): Path<String>) -> Response {
    let file = RunId::parse(&run).and_then(|run| exports.files().get(&run).cloned());
    let Some(file) = file else { return (StatusCode::NOT_FOUND, "there is no such file").into_response() };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"orders.csv\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    (headers, file.to_string()).into_response()
}

#[derive(Clone)]
struct Exports {
    /// How long one takes.
    time: Duration,
    files: Arc<Mutex<HashMap<RunId, Arc<str>>>>,
}

impl Exports {
    fn keep(&self, run: RunId, file: String) {
        self.files().insert(run, file.into());
        let exports = self.clone();
        tokio::spawn(async move {
            sleep(KEEP).await;
            exports.files().remove(&run);
        });
    }

    fn files(&self) -> MutexGuard<'_, HashMap<RunId, Arc<str>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The application, whose exports take so long each.
pub(crate) fn app(time: Duration) -> Router {
    let page = || async { Html(include_str!("page.html")) };
    Router::new()
        .route("/", get(page))
        .route("/exports/{run}/orders.csv", get(download))
        .merge(routes![export])
        .with_state(Exports { time, files: Arc::default() })
}
