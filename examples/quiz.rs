//! A quiz: the questions come over the stream, the answers go back into it, and everybody sees everybody's score.
//!
//! ```text
//! cargo run --example quiz
//! curl -N 'http://127.0.0.1:3000/quiz?player=1f0c7f0e&name=Ada'
//! curl 'http://127.0.0.1:3000/quiz?reply=<the token of sse-replies>' -H 'content-type: application/json' \
//!     -d '{"question": 0, "choice": 2}'
//! ```
//!
//! Open <http://127.0.0.1:3000> in two windows and play against yourself: each has its own questions, at its own pace, and
//! both have the same table. Stop the server's network in the middle, or let the laptop sleep: the page comes back, and the
//! question that was not answered is asked again. There is nothing to poll, and no id of a game in an address: whose answer
//! it is, is known by the stream that it goes into.

use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{Query, State},
    response::Html,
    routing::get,
};
use serde::{Deserialize, Serialize};
use sse_runtime::{
    Error, Event, Hub, Replies, Result, Sse, StatusCode, Topic, listen, routes, serve, sse_route,
};

const QUESTIONS: [Question; 5] = [
    Question {
        text: "In which header does a browser say which event it saw last?",
        choices: ["If-Match", "Last-Event-ID", "Range"],
        right: 1,
    },
    Question {
        text: "At which status does an EventSource stop for good?",
        choices: ["204", "301", "200"],
        right: 0,
    },
    Question {
        text: "What ends an event?",
        choices: ["a semicolon", "an empty line", "a zero byte"],
        right: 1,
    },
    Question {
        text: "Which field sets how long a browser waits?",
        choices: ["wait", "delay", "retry"],
        right: 2,
    },
    Question {
        text: "What does a line say that begins with a colon?",
        choices: ["nothing", "an error", "the end"],
        right: 0,
    },
];

/// More than one computer can be bothered with.
const MOST_PLAYERS: usize = 1_000;

struct Question {
    text: &'static str,
    choices: [&'static str; 3],
    right: usize,
}

/// Who plays. The page makes the id up, keeps it, and tells it to nobody: it is what a player is known by after a lost
/// connection.
#[derive(Deserialize)]
struct Player {
    player: String,
    name: String,
}

#[derive(Deserialize)]
struct Answer {
    question: usize,
    choice: usize,
}

/// What a player is asked.
#[derive(Serialize)]
struct Asked {
    question: usize,
    of: usize,
    text: &'static str,
    choices: [&'static str; 3],
}

/// What becomes of an answer: the POST is answered with it.
#[derive(Serialize)]
struct Verdict {
    is_right: bool,
    right: &'static str,
}

/// Asks one player, and shows the table to them meanwhile.
#[sse_route("/quiz", retry = "1s")]
async fn play(
    sse: Sse,
    mut replies: Replies<Answer>,
    Query(player): Query<Player>,
    State(quiz): State<Quiz>,
) -> Result<()> {
    let seat = quiz.sit_down(&player).await?;
    let table = async { sse.follow(&quiz.table).await.map_err(Error::from) };
    let questions = async {
        while let Some(asked) = quiz.next_question(seat) {
            sse.send(Event::new("question").json(&asked)?).await?;
            let Some(answer) = replies.next().await else { break };
            match quiz.judge(seat, &answer).await? {
                Some(verdict) => answer.respond(verdict)?,
                // From another tab of the same player, or from before the connection was lost.
                None => answer.refuse(StatusCode::CONFLICT, "this question is answered"),
            }
        }
        // Who is late has a right to hear so at once.
        drop(replies);
        sse.send(Event::new("finished").data("{}")).await?;
        Ok::<_, Error>(())
    };
    // Who has answered all may go on watching the others.
    tokio::try_join!(table, questions)?;
    Ok(())
}

/// A line of the table, which is also the event: whole, so that it does no harm to get it twice.
#[derive(Clone, Serialize)]
struct Score {
    /// Its place in the table, and no secret.
    seat: usize,
    name: String,
    answered: usize,
    points: usize,
}

#[derive(Clone)]
struct Quiz {
    players: Arc<Mutex<Players>>,
    table: Topic,
}

#[derive(Default)]
struct Players {
    by_id: HashMap<String, usize>,
    scores: Vec<Score>,
}

impl Quiz {
    fn new(hub: &Hub) -> Self {
        let players = Arc::new(Mutex::new(Players::default()));
        let shown = Arc::clone(&players);
        let table = hub.topic("scores").snapshot(move || {
            let now: Vec<_> =
                lock(&shown).scores.iter().map(|score| Event::new("score").json(score)).collect();
            async { Ok(now) }
        });
        Self { players, table }
    }

    /// Where this player sits, from the first time on.
    async fn sit_down(&self, Player { player, name }: &Player) -> Result<usize> {
        let refused = |why: &str| Error::from(why).with_status(StatusCode::BAD_REQUEST).public(why);
        let name = name.trim();
        if !(1..=20).contains(&name.chars().count()) || !(8..=40).contains(&player.len()) {
            return Err(refused("a name has 1 to 20 letters, and an id 8 to 40"));
        }
        let new = {
            let mut players = lock(&self.players);
            if let Some(&seat) = players.by_id.get(player) {
                return Ok(seat);
            }
            let seat = players.scores.len();
            if seat == MOST_PLAYERS {
                return Err(refused("there is no seat left"));
            }
            let new = Score { seat, name: name.to_owned(), answered: 0, points: 0 };
            players.by_id.insert(player.clone(), seat);
            players.scores.push(new.clone());
            new
        };
        self.show(&new).await?;
        Ok(new.seat)
    }

    fn next_question(&self, seat: usize) -> Option<Asked> {
        let question = lock(&self.players).scores.get(seat)?.answered;
        let Question { text, choices, .. } = QUESTIONS.get(question)?;
        Some(Asked { question, of: QUESTIONS.len(), text, choices: *choices })
    }

    /// Counts an answer, if it is one to the question that is open.
    async fn judge(&self, seat: usize, answer: &Answer) -> Result<Option<Verdict>> {
        let Some(question) = QUESTIONS.get(answer.question) else { return Ok(None) };
        let is_right = answer.choice == question.right;
        let changed = {
            let mut players = lock(&self.players);
            match players.scores.get_mut(seat) {
                Some(score) if score.answered == answer.question => {
                    score.answered += 1;
                    score.points += usize::from(is_right);
                    score.clone()
                }
                _ => return Ok(None),
            }
        };
        self.show(&changed).await?;
        Ok(question.choices.get(question.right).map(|right| Verdict { is_right, right }))
    }

    /// Tells all of a line that has changed.
    async fn show(&self, score: &Score) -> Result<()> {
        self.table.publish(Event::new("score").json(score)).key(score.seat.to_string()).await?;
        Ok(())
    }
}

fn lock(players: &Mutex<Players>) -> MutexGuard<'_, Players> {
    players.lock().unwrap_or_else(PoisonError::into_inner)
}

fn app() -> Router {
    let page = || async { Html(include_str!("quiz.html")) };
    let quiz = Quiz::new(&Hub::in_memory().build());
    Router::new().route("/", get(page)).merge(routes![play]).with_state(quiz)
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
