//! A chat whose answers survive what happens to their page: a reload, a killed tab, a train in a tunnel.
//!
//! ```text
//! cargo run --example resumable_chat
//! curl -N http://127.0.0.1:3000/chat -H 'content-type: application/json' -d '{"prompt": "the sea"}'
//! curl -N 'http://127.0.0.1:3000/chat?run=<what the header sse-run said>'
//! curl -X DELETE 'http://127.0.0.1:3000/chat?run=<the same>'
//! ```
//!
//! Open <http://127.0.0.1:3000>, name a topic, and while the answer grows reload the page, close the tab and open it again,
//! or put a proxy in between and restart that: the answer goes on, and its verses are numbered, so that you see that none
//! is missing or there twice. Press Stop: the terminal says how many tokens the model did not have to make. Close the tab
//! and do not come back: that happens by itself, after two minutes. The model is a toy (`model/mod.rs`): it says what it
//! was told, and it was told a tale of parrots.
//!
//! With `RUNS=redb:runs.redb cargo run --example resumable_chat --features redb`, answers are on the disk. A model does not
//! survive its server, but what it has said does: kill the server, start it again, and the page shows how far it came.

mod model;

use std::{env, fmt::Write as _, time::Duration};

use axum::{Json, Router, response::Html, routing::get};
use model::Parrot;
use serde::Deserialize;
use sse_runtime::{
    Disconnect, Error, Event, Hub, Result, Runs, Sse, StatusCode, listen, routes, serve, sse_route,
};

/// How many tokens an answer may have.
const MOST: usize = 500;
/// Of how many verses a tale is.
const VERSES: usize = 20;

#[derive(Deserialize)]
struct Ask {
    prompt: String,
}

/// Answers token by token, whether somebody listens or not; but not for ever to nobody.
// The page asks by POST, and then reads the run with an EventSource, which comes back by itself.
#[sse_route("/chat", methods = ["POST"], run = "15m", run_idle = "2m", retry = "1s", end = "done")]
async fn chat(sse: Sse, Json(ask): Json<Ask>) -> Result<()> {
    let refused = |why: &str| Error::from(why).with_status(StatusCode::BAD_REQUEST).public(why);
    let topic = ask.prompt.trim();
    if topic.is_empty() {
        return Err(refused("There is nothing to answer."));
    }
    let model = Parrot::named("parrot").ok_or("the model has flown")?;
    let mut answer = model.answer(&tale(topic), MOST);
    let meter = answer.meter();
    // Of a run, this is its end, and not that of a connection.
    sse.on_disconnect(move |over: Disconnect| async move { tracing::info!("{} after {meter}", over.reason) });

    while let Some(token) = answer.next().await.map_err(|broken| Error::from(broken.to_string()))? {
        // As JSON, so that no space at its beginning and no line break in it is lost.
        sse.send(Event::new("token").json(&token)?).await?;
    }
    if answer.is_cut_short() {
        sse.send(Event::new("token").json("…")?).await?;
    }
    Ok(())
}

/// The same of the same topic, so that two who asked for it can compare.
fn tale(topic: &str) -> String {
    let mut tale = String::new();
    for (verse, left) in (1..).zip((1..=VERSES).rev()) {
        let parrots = if left == 1 { "One parrot".to_owned() } else { format!("{left} parrots") };
        // Writing to a string does not fail.
        let _ = writeln!(
            tale,
            "{verse}. {parrots} sat on a wall and talked of {topic}. One flew off to tell the others."
        );
    }
    tale
}

/// Where answers are kept.
async fn runs() -> Result<Runs> {
    let Ok(url) = env::var("RUNS") else { return Ok(Runs::in_memory()) };
    // As long as an answer may take and can be looked at, and what it may have.
    let hub = Hub::connect(&url)?.age(Duration::from_secs(25 * 60)).topic_events(1_000);
    // Who comes back after a crash is told soon.
    Ok(Runs::on(hub.start().await?).lease(Duration::from_secs(5)))
}

fn app(runs: Runs) -> Router {
    let page = || async { Html(include_str!("resumable_chat.html")) };
    Router::new().route("/", get(page)).merge(routes![chat].layer(runs))
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, app(runs().await?)).await?;
    Ok(())
}
