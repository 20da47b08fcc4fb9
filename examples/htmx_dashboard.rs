//! htmx: a dashboard whose events are HTML, which the page puts where each piece says it belongs.
//!
//! ```text
//! cargo run --example htmx_dashboard
//! curl -N http://127.0.0.1:3000/updates
//! ```
//!
//! Open <http://127.0.0.1:3000> in two windows. Change a service or write a notice in one: the other shows it. Leave
//! one in the background for a while, where htmx closes its stream: it catches up when you are back. Stop the server
//! and start it again: the page shows the new one's state. There is no script in the page but htmx.
//!
//! The page is for htmx 4, whose extension `hx-sse` swaps events without a name. Events with a name, like `sse-open`,
//! become DOM events, and a stream that is to end for good names its last event in `hx-sse:close`: a 204 alone does not
//! stop htmx. With htmx 2 write `hx-ext="sse" sse-connect="/updates" sse-swap="message"` in the page, and in the events
//! `hx-swap-oob` for `<hx-partial>`, which came with htmx 4.

use std::{
    collections::VecDeque,
    env,
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Form, Router,
    extract::{Path, State},
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse},
    routing::{get, post},
};
// For text between tags, and in attributes with these quotes.
use html_escape::encode_double_quoted_attribute as escape;
use serde::Deserialize;
use sse_runtime::{Disconnect, Hub, Result, Sse, Topic, listen, routes, serve, sse_route};
use tokio::sync::Mutex;

/// Sends each change as HTML. The page names the position it was rendered at, so nothing is missed in between.
#[sse_route("/updates")]
async fn updates(sse: Sse, State(dashboard): State<Dashboard>) -> Result<()> {
    dashboard.open.fetch_add(1, Ordering::Relaxed);
    let left = dashboard.clone();
    sse.on_disconnect(|_: Disconnect| async move {
        left.open.fetch_sub(1, Ordering::Relaxed);
        left.tell_open().await;
    });
    dashboard.tell_open().await;
    sse.follow(&dashboard.topic).await?;
    Ok(())
}

/// What all dashboards show.
struct Board {
    services: [Service; 4],
    /// Newest first, each with its number.
    notices: VecDeque<(usize, String)>,
    written: usize,
}

struct Service {
    name: &'static str,
    state: &'static str,
}

impl Board {
    /// How many notices a dashboard shows.
    const KEPT: usize = 10;

    fn new() -> Self {
        let services = ["Web shop", "Payments", "Search", "Mail"].map(|name| Service { name, state: "up" });
        Self { services, notices: VecDeque::new(), written: 0 }
    }

    fn services(&self) -> String {
        self.services.iter().enumerate().map(|(n, service)| service.html(n)).collect()
    }

    fn notices(&self) -> String {
        self.notices.iter().map(|(number, text)| notice(*number, text)).collect()
    }
}

impl Service {
    fn html(&self, n: usize) -> String {
        let Self { name, state } = self;
        format!(
            "<li id=\"service-{n}\" class=\"{state}\">\n  <b>{name}</b> <span>{state}</span>\n  \
             <button hx-post=\"/services/{n}\" hx-swap=\"none\">Change</button>\n</li>\n"
        )
    }
}

fn notice(number: usize, text: &str) -> String {
    format!("<li id=\"notice-{number}\">{}</li>\n", escape(text))
}

/// A piece of an event: HTML, and where it goes in the page. An event may have several, and more lines than one.
fn piece(target: &str, swap: &str, html: &str) -> String {
    format!("<hx-partial hx-target=\"#{target}\" hx-swap=\"{swap}\">{html}</hx-partial>")
}

#[derive(Clone)]
struct Dashboard {
    board: Arc<Mutex<Board>>,
    open: Arc<AtomicUsize>,
    topic: Topic,
}

impl Dashboard {
    fn new() -> Self {
        let (board, open) = (Arc::new(Mutex::new(Board::new())), Arc::new(AtomicUsize::new(0)));
        let shown = (Arc::clone(&board), Arc::clone(&open));
        // For a page that comes back and cannot be told what it missed: all that changes, as one event.
        let topic = Hub::in_memory().build().topic("dashboard").snapshot(move || {
            let (board, open) = shown.clone();
            async move {
                let board = board.lock().await;
                let open = open.load(Ordering::Relaxed).to_string();
                let services = piece("services", "innerHTML", &board.services());
                let notices = piece("notices", "innerHTML", &board.notices());
                Ok([services + &notices + &piece("open", "innerHTML", &open)])
            }
        });
        Self { board, open, topic }
    }

    async fn tell_open(&self) {
        // Who is told later has counted later.
        let _in_turn = self.board.lock().await;
        let open = self.open.load(Ordering::Relaxed).to_string();
        if let Err(error) = self.topic.publish(piece("open", "innerHTML", &open)).await {
            tracing::error!(%error, "the number of open dashboards was not told");
        }
    }

    /// Goes on to the next state. The board stays locked until that is published: events come in the order of changes.
    async fn change(&self, n: usize) -> Result<StatusCode> {
        let mut board = self.board.lock().await;
        let Some(service) = board.services.get_mut(n) else { return Ok(StatusCode::NOT_FOUND) };
        service.state = match service.state {
            "up" => "slow",
            "slow" => "down",
            _ => "up",
        };
        let html = service.html(n);
        self.topic.publish(piece(&format!("service-{n}"), "outerHTML", &html)).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    async fn write(&self, text: &str) -> Result<()> {
        let mut board = self.board.lock().await;
        board.written += 1;
        let number = board.written;
        let mut html = piece("notices", "afterbegin", &notice(number, text));
        board.notices.push_front((number, text.to_owned()));
        while board.notices.len() > Board::KEPT {
            let Some((oldest, _)) = board.notices.pop_back() else { break };
            html += &piece(&format!("notice-{oldest}"), "delete", "");
        }
        self.topic.publish(html).await?;
        Ok(())
    }
}

async fn page(State(dashboard): State<Dashboard>) -> Html<String> {
    // The position first: what changes while the page is made is then shown twice, and not left out.
    let position = dashboard.topic.position();
    let board = dashboard.board.lock().await;
    let page = include_str!("htmx_dashboard.html")
        .replace("{position}", position.as_str())
        .replace("{open}", &dashboard.open.load(Ordering::Relaxed).to_string())
        .replace("{form}", &form("", ""))
        .replace("{services}", &board.services());
    // What users wrote comes last, so that a notice `{open}` stays one.
    Html(page.replace("{notices}", &board.notices()))
}

#[derive(Deserialize)]
struct Notice {
    text: String,
}

/// Answers with the form as it is from now on: empty, or with what is wrong.
async fn write(State(dashboard): State<Dashboard>, Form(notice): Form<Notice>) -> Result<Html<String>> {
    let text = notice.text.trim();
    if !(1..=280).contains(&text.chars().count()) {
        return Ok(Html(form(&notice.text, "A notice has 1 to 280 characters.")));
    }
    dashboard.write(text).await?;
    Ok(Html(form("", "")))
}

fn form(text: &str, problem: &str) -> String {
    let mut html = String::from("<form id=\"form\" hx-post=\"/notices\" hx-swap=\"outerHTML\">\n");
    // HTML eats a line break right after the tag, so one is given to it.
    let field = "<label for=\"text\">Notice</label>\n<textarea id=\"text\" name=\"text\" rows=\"2\">\n";
    let _ = write!(html, "{field}{}</textarea>\n<button>Write</button>\n", escape(text));
    let _ = write!(html, "<p role=\"alert\">{problem}</p>\n</form>");
    html
}

async fn change(State(dashboard): State<Dashboard>, Path(n): Path<usize>) -> Result<StatusCode> {
    dashboard.change(n).await
}

const SCRIPT: [(HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CONTENT_ENCODING, "gzip")];

async fn htmx() -> impl IntoResponse {
    (SCRIPT, include_bytes!("vendor/htmx.min.js.gz"))
}

async fn hx_sse() -> impl IntoResponse {
    (SCRIPT, include_bytes!("vendor/hx-sse.min.js.gz"))
}

fn app() -> Router {
    let pages = Router::new()
        .route("/", get(page))
        .route("/htmx.js", get(htmx))
        .route("/hx-sse.js", get(hx_sse))
        .route("/notices", post(write))
        .route("/services/{n}", post(change));
    pages.merge(routes![updates]).with_state(Dashboard::new())
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
