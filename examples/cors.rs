//! CORS: a page of one origin reads the stream of another, with its cookies.
//!
//! ```text
//! cargo run --example cors
//! curl -i -N -H 'Origin: http://127.0.0.1:3001' -b nickname=ada http://127.0.0.1:3000/events
//! ```
//!
//! Open <http://127.0.0.1:3001> and listen: the page is of one origin and its streams are of another, port 3000. Then
//! open <http://localhost:3001>: the same page, but its origin is on no list, and the browser keeps everything from it.

use std::{env, time::Duration};

use axum::{
    Form, Router,
    extract::{FromRequestParts, State},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{COOKIE, RETRY_AFTER, SET_COOKIE},
        request::Parts,
    },
    response::Html,
    routing::{get, post},
};
use serde::Deserialize;
use sse_runtime::{Event, Hub, Result, Shutdown, Sse, Topic, client, listen, routes, serve, sse_route};
use tokio::time::interval;
use tower_http::cors::CorsLayer;

/// Says by what name it knows its client, and then a number each half second.
#[sse_route("/events", retry = "500ms")]
async fn events(sse: Sse, Nickname(name): Nickname, State(numbers): State<Topic>) -> Result<()> {
    sse.send(Event::new("hello").json(&name)?).await?;
    sse.follow(&numbers).await?;
    Ok(())
}

/// Which origins may read, and what. Around all routes, so that refusals say it, too: else a page would not learn more of
/// a 401 than that something failed.
fn cors(page: HeaderValue) -> CorsLayer {
    CorsLayer::new()
        // Each answer names the one origin that asked, if it is on the list, and says so to caches: `Vary: Origin`.
        .allow_origin([page])
        // With cookies: `withCredentials`, or `credentials: "include"`. Browsers take no `*` beside this.
        .allow_credentials(true)
        // `EventSource` sends it unasked when it comes back. What reads streams with `fetch` asks first (a preflight).
        .allow_headers([HeaderName::from_static("last-event-id")])
        .max_age(Duration::from_secs(3600))
        // Of the headers of an answer, few are shown to a page of another origin.
        .expose_headers([RETRY_AFTER])
}

/// A name in a cookie, as an example of what a browser sends to another origin only if the page asks for it. Without
/// it, the answer is 401. (It proves nothing; the example `who_may_listen` has what does.)
struct Nickname(String);

impl<S: Sync> FromRequestParts<S> for Nickname {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let lines = parts.headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let name =
            lines.flat_map(|line| line.split(';')).find_map(|cookie| cookie.trim().strip_prefix("nickname="));
        name.map(|name| Self(name.to_owned())).ok_or((StatusCode::UNAUTHORIZED, "no nickname"))
    }
}

#[derive(Deserialize)]
struct Choice {
    name: String,
}

async fn choose(Form(Choice { name }): Form<Choice>) -> Result<[(HeaderName, String); 1], StatusCode> {
    if !(1..=20).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    }
    // Another port is another origin, but the same site, as are `app.example.com` and `api.example.com`: so the cookie
    // comes along although it is for one site only. To another site it would need `SameSite=None; Secure`.
    Ok([(SET_COOKIE, format!("nickname={name}; Path=/; HttpOnly; SameSite=Strict"))])
}

async fn count(numbers: Topic) -> Result<()> {
    let mut pace = interval(Duration::from_millis(500));
    for n in 1_u64.. {
        pace.tick().await;
        numbers.publish(Event::new("number").json(&n)?).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let page_port = env::var("PAGE_PORT").unwrap_or_else(|_| "3001".to_owned());
    let (api, pages) =
        (listen(format!("127.0.0.1:{port}")).await?, listen(format!("127.0.0.1:{page_port}")).await?);
    let (api_url, page_url) =
        (format!("http://{}", api.local_addr()?), format!("http://{}", pages.local_addr()?));

    let numbers = Hub::in_memory().build().topic("numbers");
    let app = Router::new()
        .route("/nickname", post(choose))
        .merge(routes![events])
        .with_state(numbers.clone())
        .layer(cors(page_url.parse()?));
    let page = include_str!("cors.html").replace("{api}", &api_url);
    let site = Router::new().route("/", get(|| async { Html(page) })).merge(client::routes());

    let shutdown = Shutdown::new();
    let api = serve(api, app).shutdown(shutdown.clone()).into_future();
    let pages = serve(pages, site).shutdown(shutdown).into_future();
    println!("listening on {api_url}");
    println!("open {page_url}");
    tokio::select! {
        served = async { tokio::try_join!(api, pages) } => { served?; }
        stopped = count(numbers) => stopped?,
    }
    Ok(())
}
