//! Notifications: each user has a topic that nobody else can follow.
//!
//! ```text
//! cargo run --example notifications
//! ```
//!
//! Open <http://127.0.0.1:3000> in two browsers, or in one and in a private window, and log in under two names: no
//! password is needed, this is an example. Send something from one to the other. Stop listening for a while, by
//! closing the lid or the tab: what was sent meanwhile is there when you are back, once. Log out in one tab, and all
//! others of the session hear nothing from then on.

use std::{
    collections::{HashMap, VecDeque},
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Form, Router,
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sse_runtime::{Error, Event, Hub, Result, Sse, Topic, listen, routes, serve, sse_route};
use tokio::sync::watch;

/// Streams what the user who asks is told, for as long as the session lasts.
// The topic's name comes from the session and from nowhere else. An id that a client resumes with says only where in
// the log it was, so that nobody gets into another's topic with another's id.
#[sse_route("/notifications", retry = "1s")]
async fn notifications(sse: Sse, mut user: User, State(app): State<App>) -> Result<()> {
    let inbox = app.inbox(&user.name);
    tokio::select! {
        failed = sse.follow(&inbox) => failed?,
        // The cookie was looked at when the stream began, which may be days ago: a logout has to end it.
        () = user.logged_out() => {}
    }
    Ok(())
}

/// Who asks, by the session cookie. Without a session, the answer is 401, which ends an `EventSource` for good.
struct User {
    name: Name,
    session: watch::Receiver<()>,
}

type Refused = (StatusCode, &'static str);

impl FromRequestParts<App> for User {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let sessions = lock(&app.sessions);
        let session = session_id(&parts.headers).and_then(|id| sessions.get(id));
        let session = session.ok_or((StatusCode::UNAUTHORIZED, "log in first"))?;
        Ok(Self { name: session.user.clone(), session: session.over.subscribe() })
    }
}

impl User {
    async fn logged_out(&mut self) {
        // Nothing is ever sent: it is over when the other end, in the table of sessions, is gone.
        while self.session.changed().await.is_ok() {}
    }
}

struct Session {
    user: Name,
    over: watch::Sender<()>,
}

/// Letters and digits only, so that a name can stand in a page and in a topic's name as it is.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let fits = (1..=20).contains(&name.chars().count()) && name.chars().all(char::is_alphanumeric);
        if fits { Ok(Self(name)) } else { Err("a name has 1 to 20 letters and digits") }
    }
}

#[derive(Clone, Serialize)]
struct Notification {
    /// Counts from 1 for each user: by this the page knows one that it shows already.
    number: u64,
    from: Name,
    text: String,
    /// In seconds since 1970.
    at: u64,
}

/// What a user was told lately. In a program that matters, this is a table of the database.
#[derive(Default)]
struct Inbox {
    told: u64,
    kept: VecDeque<Notification>,
}

#[derive(Clone)]
struct App {
    hub: Hub,
    sessions: Arc<Mutex<HashMap<String, Session>>>,
    inboxes: Arc<Mutex<HashMap<Name, Inbox>>>,
}

impl App {
    /// How many notifications an inbox keeps, which the page begins with.
    const KEPT: usize = 50;
    /// What a page may miss and still get one by one; who was away for more of them begins anew.
    const HISTORY: usize = 100;
    /// Names and sessions come from clients: without a limit, they would fill the memory.
    const MOST: usize = 10_000;

    fn new() -> Self {
        let hub = Hub::in_memory().topic_events(Self::HISTORY).build();
        Self { hub, sessions: Arc::default(), inboxes: Arc::default() }
    }

    fn topic(&self, user: &Name) -> Topic {
        self.hub.topic(format!("user:{}", user.0))
    }

    /// The topic, with all that is kept for those who begin anew.
    fn inbox(&self, user: &Name) -> Topic {
        let (inboxes, user) = (Arc::clone(&self.inboxes), user.clone());
        self.topic(&user).snapshot(move || {
            let kept: Vec<_> =
                lock(&inboxes).get(&user).into_iter().flat_map(|inbox| &inbox.kept).map(event).collect();
            async { Ok(kept) }
        })
    }

    /// The inbox first, then the topic: a snapshot must show everything that was published before it was taken.
    async fn notify(&self, to: &Name, from: Name, text: String) -> Result<()> {
        let told = {
            let mut inboxes = lock(&self.inboxes);
            if inboxes.len() >= Self::MOST && !inboxes.contains_key(to) {
                return Err(full());
            }
            let inbox = inboxes.entry(to.clone()).or_default();
            inbox.told += 1;
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let notification = Notification { number: inbox.told, from, text, at };
            let told = event(&notification);
            inbox.kept.push_back(notification);
            while inbox.kept.len() > Self::KEPT {
                inbox.kept.pop_front();
            }
            told
        };
        self.topic(to).publish(told).await?;
        Ok(())
    }

    /// Ends the session that a request names, and with it the streams of the session.
    fn end_session(&self, headers: &HeaderMap) {
        if let Some(id) = session_id(headers) {
            lock(&self.sessions).remove(id);
        }
    }
}

fn event(notification: &Notification) -> Result<Event, sse_runtime::EventError> {
    Event::new("notification").json(notification)
}

fn full() -> Error {
    Error::from("too many names or sessions")
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
        .public("no room left")
}

async fn page(user: Result<User, Refused>) -> Html<String> {
    let name = user.map(|user| user.name.0).unwrap_or_default();
    Html(include_str!("notifications.html").replace("{user}", &name))
}

#[derive(Deserialize)]
struct Login {
    name: Name,
}

async fn log_in(
    State(app): State<App>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Result<impl IntoResponse> {
    app.end_session(&headers);
    let mut secret = [0; 16];
    getrandom::fill(&mut secret)?;
    let id = format!("{:032x}", u128::from_ne_bytes(secret));
    let mut sessions = lock(&app.sessions);
    if sessions.len() >= App::MOST {
        return Err(full());
    }
    sessions.insert(id.clone(), Session { user: login.name, over: watch::Sender::new(()) });
    // HttpOnly: no script can read it. Lax: no other site can send a form with it. Behind TLS, add `Secure`.
    let cookie = format!("session={id}; Path=/; HttpOnly; SameSite=Lax");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")))
}

async fn log_out(State(app): State<App>, headers: HeaderMap) -> impl IntoResponse {
    app.end_session(&headers);
    ([(header::SET_COOKIE, "session=; Path=/; Max-Age=0")], Redirect::to("/"))
}

#[derive(Deserialize)]
struct Letter {
    to: Name,
    text: String,
}

async fn notify(user: User, State(app): State<App>, Form(letter): Form<Letter>) -> Result<StatusCode> {
    if !(1..=280).contains(&letter.text.trim().chars().count()) {
        let error = Error::from("a text has 1 to 280 characters");
        return Err(error
            .with_status(StatusCode::UNPROCESSABLE_ENTITY)
            .public("a text has 1 to 280 characters"));
    }
    app.notify(&letter.to, user.name, letter.text).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session that a request says it belongs to.
fn session_id(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|cookie| cookie.trim().strip_prefix("session="))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn app() -> Router {
    let pages = Router::new()
        .route("/", get(page))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/notify", post(notify));
    pages.merge(routes![notifications]).with_state(App::new())
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
