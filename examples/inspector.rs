//! A page that looks into the running program, and one to try things on: what does it make of a stream that is closed,
//! or of a network that stalls? And of a long task that somebody ends?
//!
//! ```text
//! cargo run --example inspector --features inspector
//! curl -N http://127.0.0.1:3000/rooms/lobby
//! ```
//!
//! Open <http://127.0.0.1:3000> in one window, and <http://127.0.0.1:3000/_sse> in another beside it: there are the
//! streams of the first. Choose one; *Stall* it, and the page says that it has heard nothing for a while; *Close* it, and it
//! comes back, having missed nothing; *Send* it something of your own. Put the kettle on: that is a run, which goes on
//! without the page that began it. Open a second page and watch it from there; *Cancel* it, and both hear why.

use std::{env, time::Duration};

use axum::{
    Router,
    extract::{Query, State},
    response::Html,
    routing::get,
};
use serde::Deserialize;
use sse_runtime::{
    Disconnect, Error, Event, Hub, Inspector, PublishError, Result, Shutdown, Sse, StatusCode, Topic, listen,
    routes, serve, sse_route,
};
use tokio::time::{interval, sleep};

const ROOMS: [&str; 3] = ["attic", "garden", "lobby"];
const WHO: [&str; 4] = ["Ada", "Ben", "Cleo", "Dan"];
const WHAT: [&str; 6] = [
    "is anybody here?",
    "the kettle is on",
    "it rains, and I have left the window open",
    "yes",
    "who has the key to the shed?",
    "look at the moon",
];

#[derive(Deserialize)]
struct Visitor {
    name: Option<String>,
}

/// What is said in a room, also while the client was away.
#[sse_route("/rooms/{room}", retry = "1s", slow = "skip")]
async fn room(sse: Sse, room: String, Query(visitor): Query<Visitor>, State(hub): State<Hub>) -> Result<()> {
    if !ROOMS.contains(&&*room) {
        return Err(Error::from("no such room").with_status(StatusCode::NOT_FOUND));
    }
    if let Some(name) = visitor.name {
        // The inspector shows whose a stream is.
        sse.set_principal(name);
    }
    sse.follow(&hub.topic(room)).await?;
    Ok(())
}

/// Counts the seconds.
#[sse_route("/clock", retry = "1s", max_streams = 100)]
async fn clock(sse: Sse) -> Result<()> {
    let mut second = interval(Duration::from_secs(1));
    for n in 1_u64.. {
        second.tick().await;
        sse.send(Event::new("tick").data(n.to_string())).await?;
    }
    Ok(())
}

/// Heats up by a degree a second, whether anybody watches or not.
#[sse_route("/kettle", methods = ["POST"], run = "5m", retry = "1s", end = "boils")]
async fn kettle(sse: Sse) -> Result<()> {
    if let Some(run) = sse.run() {
        run.on_end(|over: Disconnect| async move { tracing::info!("the kettle is off: {}", over.reason) });
    }
    let mut second = interval(Duration::from_secs(1));
    for degrees in 20..=100 {
        second.tick().await;
        sse.send(Event::new("degrees").data(degrees.to_string())).await?;
    }
    Ok(())
}

/// Talks for as long as it is polled: now more, now less.
async fn talk(hub: Hub) -> Result<(), PublishError> {
    let rooms: Vec<Topic> = ROOMS.iter().map(|room| hub.topic(room)).collect();
    loop {
        for _ in 0..fastrand::u32(1..40) {
            let room = &rooms[fastrand::usize(..rooms.len())];
            let (who, what) = (WHO[fastrand::usize(..WHO.len())], WHAT[fastrand::usize(..WHAT.len())]);
            room.publish(Event::new("said").data(format!("{who}: {what}"))).await?;
            sleep(Duration::from_millis(fastrand::u64(20..300))).await;
        }
        sleep(Duration::from_millis(fastrand::u64(..3000))).await;
    }
}

fn app(hub: Hub, shutdown: &Shutdown) -> Router {
    let page = || async { Html(include_str!("inspector.html")) };
    let inspector = Inspector::new(shutdown).hub("rooms", &hub);
    Router::new()
        .route("/", get(page))
        .merge(routes![room, clock, kettle])
        .with_state(hub)
        .merge(inspector.routes())
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let (hub, shutdown) = (Hub::default(), Shutdown::new());
    let app = app(hub.clone(), &shutdown);
    tokio::select! {
        served = serve(listener, app).shutdown(shutdown) => served?,
        stopped = talk(hub) => stopped?,
    }
    Ok(())
}
