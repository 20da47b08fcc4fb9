//! Topics: what a follower receives, from the outside.

mod mishaps;
mod publish;
mod resume;
mod several;
mod slow;
mod snapshots;
mod stopping;
mod transports;
mod who_may_read;

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::{ReceivedEvent, TestClient};
use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route};

#[sse_route("/follow")]
async fn follow(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

#[sse_route("/all/{names}")]
async fn all(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    sse.follow_all(names.split(',').map(|name| hub.topic(name))).await?;
    Ok(())
}

#[sse_route("/these")]
async fn these(sse: Sse, State(topics): State<[Topic; 2]>) -> Result<()> {
    sse.follow_all(&topics).await?;
    Ok(())
}

fn following_these(topics: &[Topic; 2]) -> TestClient {
    TestClient::new(routes![these].with_state(topics.clone()))
}

fn following(topic: &Topic) -> TestClient {
    TestClient::new(routes![follow].with_state(topic.clone()))
}

fn following_all(hub: &Hub) -> TestClient {
    let app: Router = routes![all].with_state(hub.clone());
    TestClient::new(app)
}

fn json(event: &ReceivedEvent) -> serde_json::Value {
    serde_json::from_str(&event.data).expect("JSON")
}

fn id(event: &ReceivedEvent) -> &str {
    event.id.as_deref().unwrap_or_default()
}

/// The position that an `sse-open` event announces.
fn position(event: &ReceivedEvent) -> String {
    assert_eq!(event.name, "sse-open", "{event:?}");
    json(event)["position"].as_str().expect("a position").to_owned()
}
