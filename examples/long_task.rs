//! A task that takes its time, and a client that watches it: first the bare idea, then with real work in it.
//!
//! ```text
//! cargo run --example long_task
//! curl http://127.0.0.1:3000/
//! curl -N http://127.0.0.1:3000/sse
//! curl -N http://127.0.0.1:3000/reports/2025
//! ```
//!
//! `/sse` says `New update` five times, one a second. `/reports/2025` sends a `progress` event for each month
//! that is summed up, the `result`, and then `end`, which tells an `EventSource` not to come back.

use std::{env, thread, time::Duration};

use axum::{Json, Router, routing::get};
use serde::Serialize;
use sse_runtime::{Event, Result, Sse, listen, routes, serve, sse_route};
use tokio::{sync::mpsc, task::spawn_blocking, time::sleep};

/// Reports after each second of work, five times.
#[sse_route("/sse")]
async fn updates(sse: Sse) -> Result<()> {
    for _ in 0..5 {
        sleep(Duration::from_secs(1)).await;
        sse.send("New update").await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Progress {
    month: u8,
    of: u8,
}

#[derive(Serialize)]
struct Report {
    year: u16,
    orders: u32,
}

/// Sums a year up on a thread of its own, and passes on how far it is.
#[sse_route("/reports/{year}", end = "end")]
async fn report(sse: Sse, year: u16) -> Result<()> {
    let (progress, mut steps) = mpsc::channel(12);
    let work = spawn_blocking(move || sum_up(year, &progress));
    while let Some(step) = steps.recv().await {
        sse.send(Event::new("progress").json(&step)?).await?;
    }
    if let Some(report) = work.await? {
        sse.send(Event::new("result").json(&report)?).await?;
    }
    Ok(())
}

/// The long task; `None` when nobody waits for its result any more. A client that leaves takes its handler with
/// it, and the handler held the other end of `progress`: that is how the work learns that it can stop.
fn sum_up(year: u16, progress: &mpsc::Sender<Progress>) -> Option<Report> {
    let mut orders = 0;
    for month in 1..=12 {
        thread::sleep(Duration::from_millis(250));
        orders += 1000 + u32::from(month);
        progress.blocking_send(Progress { month, of: 12 }).ok()?;
    }
    Some(Report { year, orders })
}

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

async fn greet() -> Json<Greeting> {
    Json(Greeting { message: "Hello World" })
}

fn app() -> Router {
    Router::new().route("/", get(greet)).merge(routes![updates, report])
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
