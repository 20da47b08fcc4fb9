//! Methods, headers and extractors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{FromRef, Path, Request, State};
use axum::http::HeaderMap;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sse_runtime::testing::TestClient;
use sse_runtime::{Result, Sse, routes, sse_route};

#[derive(Clone, Default)]
struct Runs(Arc<AtomicUsize>);

#[derive(Clone, Default)]
struct App {
    runs: Runs,
}

impl FromRef<App> for Runs {
    fn from_ref(app: &App) -> Self {
        app.runs.clone()
    }
}

#[sse_route("/counted/{n}")]
async fn counted(sse: Sse, n: u8, State(runs): State<Runs>) -> Result<()> {
    runs.0.fetch_add(1, Ordering::Relaxed);
    sse.send(n.to_string()).await?;
    Ok(())
}

#[tokio::test]
async fn head_answers_the_headers_and_never_runs_the_handler() {
    let app = App::default();
    let client = TestClient::new(routes![counted].with_state(app.clone()));
    let head = client.request(axum::http::Method::HEAD, "/counted/7").response().await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(app.runs.0.load(Ordering::Relaxed), 0);
    let mut get = client.get("/counted/7").response().await;
    assert_eq!(app.runs.0.load(Ordering::Relaxed), 1);
    // A short stream announces its length, which HEAD cannot know.
    get.headers.remove("content-length");
    assert_eq!(head.headers, get.headers);
    let bad = client.request(axum::http::Method::HEAD, "/counted/x").response().await;
    assert_eq!(bad.status, 400, "what GET would refuse, HEAD refuses");
}

#[tokio::test]
async fn the_default_headers_keep_proxies_and_browsers_from_interfering() {
    let client = TestClient::new(routes![counted].with_state(App::default()));
    let headers = client.get("/counted/7").stream().await.headers().clone();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-store, no-transform");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(!headers.contains_key("connection"));
}

#[sse_route("/foreign", bare)]
async fn foreign(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    Ok(())
}

#[tokio::test]
async fn an_accept_that_refuses_event_streams_gets_406() {
    let client = TestClient::new(routes![counted].with_state(App::default()).merge(routes![foreign]));
    for (accept, status) in [
        ("application/json", 406),
        ("text/event-stream;q=0, */*", 406),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200),
        ("text/event-stream", 200),
    ] {
        let answer = client.get("/counted/7").header("accept", accept).response().await;
        assert_eq!(answer.status, status, "{accept}");
    }
    let answer = client.get("/foreign").header("accept", "application/json").response().await;
    assert_eq!(answer.status, 200, "clients of foreign protocols ask for JSON and mean a stream");
}

#[derive(Serialize, Deserialize)]
struct Prompt {
    text: String,
}

#[sse_route("/chat/{room}", methods = ["POST", "PUT"])]
async fn chat(sse: Sse, room: String, headers: HeaderMap, Json(prompt): Json<Prompt>) -> Result<()> {
    let who = headers.get("x-user").map_or("nobody", |user| user.to_str().unwrap_or("?"));
    sse.send(format!("{room}: {who}: {}", prompt.text)).await?;
    Ok(())
}

#[tokio::test]
async fn a_post_route_takes_a_body() {
    let client = TestClient::new(routes![chat]);
    let request = client.post("/chat/lobby").header("x-user", "ada").json(&Prompt { text: "hi".into() });
    request.stream().await.expect("message", "lobby: ada: hi").await;

    let broken =
        client.post("/chat/lobby").header("content-type", "application/json").body("{").response().await;
    assert_eq!(broken.status, 400);
    assert_eq!(client.get("/chat/lobby").response().await.status, 405);
}

#[sse_route("/whole/{a}/{b}")]
async fn whole(sse: Sse, Path((a, b)): Path<(u8, u8)>, request: Request) -> Result<()> {
    sse.send(format!("{} {a} {b} {}", request.method(), request.uri())).await?;
    Ok(())
}

#[sse_route("/files/{*rest}")]
async fn files(sse: Sse, rest: String) -> Result<()> {
    sse.send(rest).await?;
    Ok(())
}

#[sse_route("/mixed/user-{name}/{id}")]
async fn mixed(sse: Sse, id: u64, name: String) -> Result<()> {
    sse.send(format!("{name} {id}")).await?;
    Ok(())
}

#[tokio::test]
async fn every_extractor_works_and_parameters_bind_by_name() {
    let app: Router = routes![whole, files, mixed];
    let client = TestClient::new(Router::new().nest("/api", app));
    client.get("/api/whole/1/2?q=3").stream().await.expect("message", "GET 1 2 /whole/1/2?q=3").await;
    client.get("/api/files/a/b.txt").stream().await.expect("message", "a/b.txt").await;
    client.get("/api/mixed/user-ada%20l/9").stream().await.expect("message", "ada l 9").await;
}

#[tokio::test]
async fn the_annotated_function_stays_a_function() {
    // Called as such, it needs a handle; what is tested here is that its name still means the function.
    let _: fn(_, _, _) -> _ = counted;
    assert_eq!(counted::route::<App, _>().path(), "/counted/{n}");
}
