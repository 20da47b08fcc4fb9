//! A run belongs to someone: who else asks for it is answered as if it did not exist.

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use sse_runtime::Principal;

use super::*;

/// Only members of the room get past it. It is the last argument, and reads no body.
struct Member;

impl<S: Send + Sync> FromRequestParts<S> for Member {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> std::result::Result<Self, StatusCode> {
        let Path(room): Path<String> =
            Path::from_request_parts(parts, state).await.map_err(|_| StatusCode::BAD_REQUEST)?;
        let rooms = parts.headers.get("rooms").and_then(|rooms| rooms.to_str().ok()).unwrap_or_default();
        if rooms.split(',').any(|known| known == room) { Ok(Self) } else { Err(StatusCode::FORBIDDEN) }
    }
}

#[sse_route("/rooms/{room}", methods = ["GET", "POST"], run = "15m")]
async fn secret(sse: Sse, room: String, _member: Member) -> Result<()> {
    assert!(!room.is_empty());
    for n in 0.. {
        sse.send(n.to_string()).await?;
        sleep(SECOND).await;
    }
    Ok(())
}

/// The user is who says so.
async fn authenticate(mut request: Request, next: Next) -> Response {
    if let Some(user) = request.headers().get("user").and_then(|user| user.to_str().ok()) {
        let user = Principal::new(user);
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

fn app() -> (TestClient, Runs) {
    let runs = Runs::in_memory().per_principal(2);
    let app: Router = routes![secret];
    let app = app.layer(runs.clone()).layer(from_fn(authenticate));
    (TestClient::new(app), runs)
}

#[tokio::test(start_paused = true)]
async fn a_foreign_a_guessed_and_an_expired_run_are_answered_like_one_that_never_was() {
    let (client, runs) = app();
    let mut events = client.post("/rooms/a").header("rooms", "a,b").header("user", "ada").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    numbers(&mut events, 0..2).await;
    let id = events.last_event_id().to_owned();
    let ask = |path: &str, user: &str, id: &str| {
        client.get(path).header("rooms", "a,b").header("user", user).last_event_id(id)
    };
    let guessed = run.chars().rev().collect::<String>();
    let by_query = |run: &str| format!("/rooms/a?run={run}");
    let elsewhere = format!("/rooms/b?run={run}");
    for (path, user, id) in [
        (by_query(&guessed).as_str(), "ada", ""),
        (by_query("").as_str(), "ada", ""),
        (by_query("x").as_str(), "ada", ""),
        (by_query(&"a".repeat(26)).as_str(), "ada", ""),
        (by_query(&run).as_str(), "eve", ""),
        (by_query(&run.to_uppercase()).as_str(), "ada", ""),
        ("/rooms/a", "eve", id.as_str()),
        ("/rooms/a", "ada", &id.replacen(&run, &guessed, 1)),
        ("/rooms/b", "ada", &id),
        (elsewhere.as_str(), "ada", ""),
    ] {
        let answer = ask(path, user, id).response().await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::NOT_FOUND, "no such run"),
            "{path} {user}"
        );
        let deleted =
            client.request(axum::http::Method::DELETE, path).header("rooms", "a,b").header("user", user);
        let deleted = deleted.last_event_id(id).response().await;
        assert_eq!((deleted.status, deleted.text.as_str()), (StatusCode::NOT_FOUND, "no such run"));
    }
    let anonymous = client.get(&by_query(&run)).header("rooms", "a").response().await;
    assert_eq!(anonymous.status, StatusCode::NOT_FOUND);
    // Nothing of that has begun or ended one.
    assert_eq!(runs.list().len(), 1);
    numbers(&mut events, 2..4).await;
    let mut again = ask(&by_query(&run), "ada", "").stream().await;
    opened(&mut again).await;
    numbers(&mut again, 0..4).await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_passes_the_same_extractors() {
    let (client, _runs) = app();
    let mut events = client.post("/rooms/a").header("rooms", "a").header("user", "ada").stream().await;
    let run = run_of(&events);
    opened(&mut events).await;
    for method in [axum::http::Method::GET, axum::http::Method::DELETE, axum::http::Method::POST] {
        let put_out = client.request(method.clone(), &format!("/rooms/a?run={run}")).header("user", "ada");
        assert_eq!(put_out.response().await.status, StatusCode::FORBIDDEN, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_principal_has_so_many_runs_at_a_time() {
    let (client, runs) = app();
    let post = |user: &str| client.post("/rooms/a").header("rooms", "a").header("user", user);
    let (_one, _two) = (post("ada").stream().await, post("ada").stream().await);
    let refused = post("ada").response().await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "5");
    let _another = post("eve").stream().await;
    runs.list().into_iter().filter(|run| run.info().principal.as_deref() == Some("ada")).for_each(|run| {
        run.cancel();
    });
    sleep(SECOND).await;
    let _three = post("ada").stream().await;
}
