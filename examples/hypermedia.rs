//! Turbo and Datastar: one poll on two pages, each fed with HTML in the events that its library reads.
//!
//! ```text
//! cargo run --example hypermedia
//! curl -N http://127.0.0.1:3000/turbo/updates
//! curl -N http://127.0.0.1:3000/datastar/updates
//! ```
//!
//! Open <http://127.0.0.1:3000/turbo> and <http://127.0.0.1:3000/datastar> in two windows. Vote in one, or add a choice:
//! both show it. Stop the server and start it again: both begin anew with it.
//!
//! Turbo 8 reads events without a name, whose data are `<turbo-stream>` elements. Datastar 1 reads
//! `datastar-patch-elements` and `datastar-patch-signals` (up to 1.0.0-beta.11 they were `datastar-merge-fragments`
//! and `datastar-merge-signals`, with other keys), and has to be told to come back after a clean end. Both leave alone
//! what they do not know, like our `sse-open`.

use std::{env, sync::Arc};

use axum::{
    Form, Json, Router,
    extract::{Path, State},
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Redirect},
    routing::{get, post},
};
// For text between tags, and in attributes with these quotes.
use html_escape::encode_double_quoted_attribute as escape;
use serde::Deserialize;
use serde_json::{Value, json};
use sse_runtime::{Hub, Result, Sse, Topic, listen, routes, serve, sse_route};
use tokio::sync::Mutex;

#[sse_route("/turbo/updates")]
async fn turbo_updates(sse: Sse, State(poll): State<Poll>) -> Result<()> {
    sse.follow(&poll.turbo).await?;
    Ok(())
}

#[sse_route("/datastar/updates")]
async fn datastar_updates(sse: Sse, State(poll): State<Poll>) -> Result<()> {
    sse.follow(&poll.datastar).await?;
    Ok(())
}

struct Choice {
    text: String,
    votes: u32,
}

/// The poll, and a topic for each library, with all choices for pages that begin anew.
#[derive(Clone)]
struct Poll {
    choices: Arc<Mutex<Vec<Choice>>>,
    turbo: Topic,
    datastar: Topic,
}

impl Poll {
    const MOST: usize = 20;

    fn new() -> Self {
        let first = ["Tea", "Coffee"].map(|text| Choice { text: text.to_owned(), votes: 0 });
        let choices = Arc::new(Mutex::new(Vec::from(first)));
        let hub = Hub::in_memory().build();
        let (for_turbo, for_datastar) = (Arc::clone(&choices), Arc::clone(&choices));
        let turbo = hub.topic("turbo").snapshot(move || {
            let choices = Arc::clone(&for_turbo);
            async move { Ok([turbo::stream("update", "choices", &turbo::choices(&choices.lock().await))]) }
        });
        let datastar = hub.topic("datastar").snapshot(move || {
            let choices = Arc::clone(&for_datastar);
            async move {
                let choices = choices.lock().await;
                let html = datastar::patch_elements("inner", "#choices", &datastar::choices(&choices));
                Ok([datastar::patch_signals(&datastar::votes(&choices)), html])
            }
        });
        Self { choices, turbo, datastar }
    }

    /// Counts, and tells both kinds of pages, in the order of the votes: the list is locked for so long.
    async fn vote(&self, n: usize) -> Result<StatusCode> {
        let mut choices = self.choices.lock().await;
        let Some(choice) = choices.get_mut(n) else { return Ok(StatusCode::NOT_FOUND) };
        choice.votes += 1;
        let votes = choice.votes;
        self.turbo.publish(turbo::stream("update", &format!("votes-{n}"), &votes.to_string())).await?;
        self.datastar.publish(datastar::patch_signals(&datastar::vote(n, votes))).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// Adds a choice, or says why not.
    async fn add(&self, text: &str) -> Result<&'static str> {
        let text = text.trim();
        if !(1..=40).contains(&text.chars().count()) || text.chars().any(char::is_control) {
            return Ok("A choice is one line of 1 to 40 characters.");
        }
        let mut choices = self.choices.lock().await;
        let n = choices.len();
        if n >= Self::MOST {
            return Ok("There are choices enough.");
        }
        let choice = Choice { text: text.to_owned(), votes: 0 };
        self.turbo.publish(turbo::stream("append", "choices", &turbo::choice(n, &choice))).await?;
        self.datastar.publish(datastar::patch_signals(&datastar::vote(n, 0))).await?;
        let html = datastar::choice(n, &choice);
        self.datastar.publish(datastar::patch_elements("append", "#choices", &html)).await?;
        choices.push(choice);
        Ok("")
    }
}

#[derive(Deserialize)]
struct New {
    text: String,
}

/// Turbo: elements that say what is done with them, in one or several lines of data.
mod turbo {
    use super::{Choice, escape};

    pub(super) fn stream(action: &str, target: &str, html: &str) -> String {
        format!(
            "<turbo-stream action=\"{action}\" target=\"{target}\"><template>{html}</template></turbo-stream>"
        )
    }

    pub(super) fn choices(choices: &[Choice]) -> String {
        choices.iter().enumerate().map(|(n, one)| choice(n, one)).collect()
    }

    pub(super) fn choice(n: usize, Choice { text, votes }: &Choice) -> String {
        let text = escape(text);
        format!(
            "<li>\n  <span>{text}</span> <b id=\"votes-{n}\">{votes}</b>\n  \
             <form method=\"post\" action=\"/turbo/vote/{n}\"><button>Vote</button></form>\n</li>\n"
        )
    }

    pub(super) fn form(text: &str, problem: &str) -> String {
        let text = escape(text);
        format!(
            "<form id=\"form\" method=\"post\" action=\"/turbo/choices\">\n  \
             <label>Another choice <input name=\"text\" value=\"{text}\" autocomplete=\"off\"></label>\n  \
             <button>Add</button>\n  <p role=\"alert\">{problem}</p>\n</form>\n"
        )
    }
}

async fn turbo_page(State(poll): State<Poll>) -> Html<String> {
    // The position first: what changes while the page is made is then shown twice, and not left out.
    let position = poll.turbo.position();
    let page = include_str!("hypermedia_turbo.html")
        .replace("{position}", position.as_str())
        .replace("{form}", &turbo::form("", ""));
    Html(page.replace("{choices}", &turbo::choices(&poll.choices.lock().await)))
}

/// Answers with a new form, which takes the place of the old one: empty, or with what is wrong.
async fn turbo_add(State(poll): State<Poll>, Form(new): Form<New>) -> Result<impl IntoResponse> {
    let problem = poll.add(&new.text).await?;
    let form = turbo::form(if problem.is_empty() { "" } else { &new.text }, problem);
    Ok(([(header::CONTENT_TYPE, "text/vnd.turbo-stream.html")], turbo::stream("replace", "form", &form)))
}

/// Datastar: two kinds of named events, whose lines of data begin with a key.
mod datastar {
    use serde_json::{Value, json};
    use sse_runtime::Event;

    use super::{Choice, escape};

    pub(super) fn patch_elements(mode: &str, selector: &str, html: &str) -> Event {
        let mut data = format!("mode {mode}\nselector {selector}");
        // Each line has to say that it is HTML, also one that only a carriage return begins: it could set the mode.
        for line in html.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            data.push_str("\nelements ");
            data.push_str(line);
        }
        Event::new("datastar-patch-elements").data(data)
    }

    pub(super) fn patch_signals(signals: &Value) -> Event {
        Event::new("datastar-patch-signals").data(format!("signals {signals}"))
    }

    pub(super) fn votes(choices: &[Choice]) -> Value {
        let votes = choices.iter().enumerate().map(|(n, choice)| (format!("of{n}"), choice.votes.into()));
        json!({ "votes": Value::Object(votes.collect()) })
    }

    pub(super) fn vote(n: usize, votes: u32) -> Value {
        json!({ "votes": { (format!("of{n}")): votes } })
    }

    pub(super) fn choices(choices: &[Choice]) -> String {
        choices.iter().enumerate().map(|(n, one)| choice(n, one)).collect()
    }

    pub(super) fn choice(n: usize, Choice { text, .. }: &Choice) -> String {
        let text = escape(text);
        format!(
            "<li>\n  <span>{text}</span> <b data-text=\"$votes.of{n}\"></b>\n  \
             <button data-on:click=\"@post('/datastar/vote/{n}', {{payload: {{}}}})\">Vote</button>\n</li>\n"
        )
    }
}

async fn datastar_page(State(poll): State<Poll>) -> Html<String> {
    let position = poll.datastar.position();
    let choices = poll.choices.lock().await;
    let page = include_str!("hypermedia_datastar.html")
        .replace("{position}", position.as_str())
        .replace("{signals}", &escape(&datastar::votes(&choices).to_string()));
    Html(page.replace("{choices}", &datastar::choices(&choices)))
}

/// Takes the page's signals and answers with those that change: JSON patches them as an event would.
async fn datastar_add(State(poll): State<Poll>, Json(new): Json<New>) -> Result<Json<Value>> {
    let problem = poll.add(&new.text).await?;
    let text = if problem.is_empty() { "" } else { &new.text };
    Ok(Json(json!({ "text": text, "problem": problem })))
}

async fn vote(State(poll): State<Poll>, Path(n): Path<usize>) -> Result<StatusCode> {
    poll.vote(n).await
}

const SCRIPT: [(HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CONTENT_ENCODING, "gzip")];

async fn turbo_script() -> impl IntoResponse {
    (SCRIPT, include_bytes!("vendor/turbo.es2017-esm.js.gz"))
}

async fn datastar_script() -> impl IntoResponse {
    (SCRIPT, include_bytes!("vendor/datastar.js.gz"))
}

fn app() -> Router {
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/turbo") }))
        .route("/turbo", get(turbo_page))
        .route("/turbo.js", get(turbo_script))
        .route("/turbo/choices", post(turbo_add))
        .route("/turbo/vote/{n}", post(vote))
        .route("/datastar", get(datastar_page))
        .route("/datastar.js", get(datastar_script))
        .route("/datastar/choices", post(datastar_add))
        .route("/datastar/vote/{n}", post(vote));
    pages.merge(routes![turbo_updates, datastar_updates]).with_state(Poll::new())
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
