//! Live scores: who opens the page late sees the whole table at once, and then each change.
//!
//! ```text
//! cargo run --example scores
//! curl -N http://127.0.0.1:3000/scores
//! ```
//!
//! Open <http://127.0.0.1:3000> in the middle of the round: one match is over already and will not be heard of
//! again, and still the page shows it. Stop the server and start it again: the page drops the old table and shows
//! the new one.

use std::{
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, response::Html, routing::get};
use serde::Serialize;
use sse_runtime::{
    EventError, EventWriter, Hub, PublishError, Result, Sse, SseEvent, Topic, listen, routes, serve,
    sse_route,
};
use tokio::time::{interval, sleep};

/// How often something happens in one of the matches.
const STEP: Duration = Duration::from_millis(250);
/// From the end of the last match to the next round.
const BREAK: Duration = Duration::from_secs(20);

/// Sends the table as it stands, then each match that changes.
// `latest`: of a match that changed many times while a client was away from its keyboard, the last score will do.
#[sse_route("/scores", slow = "latest")]
async fn scores(sse: Sse<Match>, State(scores): State<Scores>) -> Result<()> {
    sse.follow(&scores.topic).await?;
    Ok(())
}

/// One match as it stands, which is also the event: the whole of it, and not "a goal for the home team". So it does
/// no harm if a client gets the same news twice, in the snapshot and right after it, or only the last of several.
#[derive(Clone, Serialize)]
struct Match {
    id: usize,
    home: &'static str,
    away: &'static str,
    goals: [u32; 2],
    minute: u32,
}

impl Match {
    const LENGTH: u32 = 90;

    fn is_over(&self) -> bool {
        self.minute >= Self::LENGTH
    }
}

impl SseEvent for Match {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.name("match")?;
        event.json(self)
    }
}

/// The table, and the topic that tells of its changes.
#[derive(Clone)]
struct Scores {
    table: Arc<Mutex<Vec<Match>>>,
    topic: Topic<Match>,
}

impl Scores {
    fn new(hub: &Hub) -> Self {
        let table = Arc::new(Mutex::new(first_round()));
        let shown = Arc::clone(&table);
        let topic = hub.topic("scores").snapshot(move || {
            let now = lock(&shown).clone();
            async { Ok(now) }
        });
        Self { table, topic }
    }

    /// The table first, then the event: a snapshot must show everything that was published before it was taken.
    async fn change(&self, id: usize, change: impl FnOnce(&mut Match)) -> Result<(), PublishError> {
        let changed = {
            let mut table = lock(&self.table);
            let Some(changing) = table.get_mut(id) else { return Ok(()) };
            change(changing);
            changing.clone()
        };
        self.topic.publish(&changed).key(id.to_string()).await?;
        Ok(())
    }

    /// Plays one round after the other.
    async fn play(self) -> Result<(), PublishError> {
        let mut step = interval(STEP);
        loop {
            step.tick().await;
            let (all, running) = {
                let table = lock(&self.table);
                let running = table.iter().filter(|one| !one.is_over()).map(|one| one.id);
                (table.len(), running.collect::<Vec<_>>())
            };
            match fastrand::choice(&running) {
                Some(&id) => self.change(id, a_minute).await?,
                None => {
                    sleep(BREAK).await;
                    for id in 0..all {
                        self.change(id, |one| (one.minute, one.goals) = (0, [0, 0])).await?;
                    }
                    step.reset();
                }
            }
        }
    }
}

/// A minute of a match, in which one team or the other may score.
fn a_minute(playing: &mut Match) {
    playing.minute += 1;
    let [home, away] = &mut playing.goals;
    match fastrand::u8(..100) {
        0..2 => *home += 1,
        2..4 => *away += 1,
        _ => {}
    }
}

/// All have just begun but one, which was played at noon.
fn first_round() -> Vec<Match> {
    let teams = [
        ("Harbour", "Old Mill"),
        ("Northgate", "Rovers"),
        ("Lakeside", "Union"),
        ("Foundry", "Meadow"),
        ("Castle", "Railway"),
        ("Orchard", "Lighthouse"),
    ];
    let mut round: Vec<_> = (0..)
        .zip(teams)
        .map(|(id, (home, away))| Match { id, home, away, goals: [0, 0], minute: 0 })
        .collect();
    if let Some(noon) = round.first_mut() {
        (noon.minute, noon.goals) = (Match::LENGTH, [3, 2]);
    }
    round
}

fn lock(table: &Mutex<Vec<Match>>) -> MutexGuard<'_, Vec<Match>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn app(all: Scores) -> Router {
    let page = || async { Html(include_str!("scores.html")) };
    Router::new().route("/", get(page)).merge(routes![scores]).with_state(all)
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let scores = Scores::new(&Hub::in_memory().build());
    tokio::select! {
        served = serve(listener, app(scores.clone())) => served?,
        stopped = scores.play() => stopped?,
    }
    Ok(())
}
