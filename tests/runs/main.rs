//! Handlers that outlive their connections, and clients that come back to them.

mod broken;
#[path = "../engines/broker.rs"]
#[allow(dead_code)]
mod broker;
mod course;
mod elsewhere;
mod kept;
mod keys;
mod limits;
mod long_export;
mod model;
mod replies;
mod whose;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::{Json, Router};
use sse_runtime::testing::{TestClient, TestStream};
use sse_runtime::{Disconnect, Event, Result, Runs, Sse, StatusCode, routes, sse_route};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// What hooks have said.
#[derive(Clone, Debug, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn say(&self, text: impl Into<String>) {
        self.0.lock().expect("no panic").push(text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    fn watch<E>(&self, sse: &Sse<E>) {
        let run = sse.run().expect("a run");
        let (left, over) = (self.clone(), self.clone());
        run.on_disconnect(move |gone: Disconnect| {
            let left = left.clone();
            async move { left.say(format!("left {}", gone.reason)) }
        });
        run.on_end(move |gone: Disconnect| async move { over.say(format!("over {}", gone.reason)) });
    }
}

/// Says so when it is dropped.
struct Dropped(Said);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.say("dropped");
    }
}

/// Counts, one number a second.
#[sse_route("/count/{to}", methods = ["POST"], run = "15m", run_idle = "1m", run_keep = "10m", end = "done")]
async fn count(sse: Sse, to: u64, State(said): State<Said>) -> Result<()> {
    let _dropped = Dropped(said.clone());
    said.watch(&sse);
    for n in 0..to {
        sse.send(n.to_string()).await?;
        sleep(SECOND).await;
    }
    Ok(())
}

/// The same, begun by an `EventSource`.
#[sse_route("/ticks", run = "15m", max_runs = 3)]
async fn ticks(sse: Sse) -> Result<()> {
    for n in 0.. {
        sse.send(n.to_string()).await?;
        sleep(SECOND).await;
    }
    Ok(())
}

/// Counts, for clients that may be slow.
#[sse_route("/patient", methods = ["POST"], run = "15m", run_idle = "20s", send_timeout = "15m")]
async fn patient(sse: Sse, State(said): State<Said>) -> Result<()> {
    said.watch(&sse);
    for n in 0.. {
        sse.send(n.to_string()).await?;
        sleep(SECOND).await;
    }
    Ok(())
}

/// Fails, at once or after an event; or answers.
#[sse_route("/fails/{how}", methods = ["POST"], run = "1m")]
async fn fails(sse: Sse, how: String) -> Result<()> {
    match how.as_str() {
        "early" => {
            Err(sse_runtime::Error::from("no").with_status(StatusCode::IM_A_TEAPOT).public("I am a teapot"))
        }
        "panic" => panic!("early"),
        "answer" => Ok(sse.respond((StatusCode::ACCEPTED, "later"))?),
        "late" => {
            sse.set_header("x-mine", "1")?;
            sse.send("x").await?;
            sleep(SECOND).await;
            Err(sse_runtime::Error::from("no").public("too late"))
        }
        _ => {
            let error = sse.send(Event::new("x").id("7").data("y")).await.expect_err("an id");
            sse.send(error.to_string()).await?;
            sse.comment("not kept").await?;
            sse.send("z").await?;
            Ok(())
        }
    }
}

/// Echoes what the body says.
#[sse_route("/echo", methods = ["POST"], run = "1m")]
async fn echo(sse: Sse, Json(text): Json<String>) -> Result<()> {
    for _ in 0..3 {
        sse.send(text.as_str()).await?;
        sleep(SECOND).await;
    }
    Ok(())
}

fn app(runs: &Runs, said: &Said) -> TestClient {
    let app: Router = routes![count, patient, ticks, fails, echo].with_state(said.clone());
    TestClient::new(app.layer(runs.clone())).limit(Duration::from_secs(1200))
}

fn run_of(events: &TestStream) -> String {
    events.headers()["sse-run"].to_str().expect("text").to_owned()
}

/// Expects the beginning of a stream that follows a run.
async fn opened(events: &mut TestStream) -> serde_json::Value {
    let open = events.next().await;
    assert_eq!(open.name, "sse-open", "{open:?}");
    serde_json::from_str(&open.data).expect("JSON")
}

async fn numbers(events: &mut TestStream, numbers: std::ops::Range<u64>) {
    for n in numbers {
        events.expect("message", &n.to_string()).await;
    }
}
