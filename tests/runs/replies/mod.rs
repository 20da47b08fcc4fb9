//! Clients that answer into their streams.

mod inbox;
mod nodes;
mod refused;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use sse_runtime::testing::{TestRequest, TestResponse};
use sse_runtime::{Principal, Replies};

use super::*;

#[derive(serde::Deserialize)]
struct Guess {
    number: i64,
}

/// Answers guesses, and shows them to the client of the stream.
#[sse_route("/guess/{room}", end = "end", max_reply = "1KiB", inbox = 4)]
async fn guess(sse: Sse, room: String, mut replies: Replies<Guess>) -> Result<()> {
    sse.send(room).await?;
    let mut is_ready = false;
    while let Some(guess) = replies.next().await {
        sse.send(guess.number.to_string()).await?;
        match guess.number {
            42 => {
                guess.respond("yes")?;
                break;
            }
            0 => {}
            13 if !std::mem::replace(&mut is_ready, true) => {
                guess.refuse(StatusCode::TOO_MANY_REQUESTS, "in a moment");
            }
            n if n < 0 => guess.refuse(StatusCode::FORBIDDEN, "positive numbers only"),
            n => guess.respond(serde_json::json!({ "more": n < 42 }))?,
        }
    }
    Ok(())
}

/// Takes nothing for a minute.
#[sse_route("/slow", inbox = 2)]
async fn slow(sse: Sse, mut replies: Replies<String>) -> Result<()> {
    sse.open().await?;
    sleep(60 * SECOND).await;
    while let Some(reply) = replies.next().await {
        sse.send(reply.as_str()).await?;
    }
    Ok(())
}

/// A run that takes replies.
#[sse_route("/talk", methods = ["POST"], run = "15m", run_idle = "5m")]
async fn talk(sse: Sse, mut replies: Replies<String>) -> Result<()> {
    sse.send("hello").await?;
    while let Some(reply) = replies.next().await {
        sse.send(format!("you said {}", *reply)).await?;
        if *reply == "bye" {
            break;
        }
    }
    Ok(())
}

/// Fails before its first event.
#[sse_route("/failing")]
async fn failing(_sse: Sse, _replies: Replies<String>) -> Result<()> {
    Err(sse_runtime::Error::from("no").with_status(StatusCode::IM_A_TEAPOT))
}

#[sse_route("/foreign", bare)]
async fn foreign(sse: Sse, mut replies: Replies<String>) -> Result<()> {
    sse.send("begin").await?;
    if let Some(reply) = replies.next().await {
        sse.send(reply.as_str()).await?;
    }
    Ok(())
}

async fn authenticate(mut request: Request, next: Next) -> Response {
    if let Some(user) = request.headers().get("user").and_then(|user| user.to_str().ok()) {
        let user = Principal::new(user);
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

fn client(runs: Option<Runs>) -> TestClient {
    let app: Router = routes![guess, slow, talk, failing, foreign];
    let app = match runs {
        Some(runs) => app.layer(runs),
        None => app,
    };
    TestClient::new(app.layer(from_fn(authenticate))).limit(Duration::from_secs(1200))
}

/// The token that a stream announces first.
async fn token(events: &mut TestStream) -> String {
    let announced = events.next().await;
    assert_eq!(announced.name, "sse-replies", "{announced:?}");
    let announced: serde_json::Value = serde_json::from_str(&announced.data).expect("JSON");
    announced["token"].as_str().expect("a token").to_owned()
}

fn reply(client: &TestClient, path: &str, token: &str) -> TestRequest {
    client.post(&format!("{path}?reply={token}"))
}

fn shown(response: &TestResponse) -> (u16, &str) {
    (response.status.as_u16(), response.text.as_str())
}
