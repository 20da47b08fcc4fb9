//! Engines behind a hub: the contract that each has to pass, and what a hub makes of a log that is somewhere else, keeps
//! more than the hub does, is late, or fails.

mod broken;
mod broker;
mod contract;
mod failures;
mod nodes;
mod once;
mod outages;
mod redb;
mod replay;
mod resume;
mod slow;
mod trace;
mod weather;

use axum::extract::State;
use sse_runtime::testing::{ReceivedEvent, TestClient, TestStream};
use sse_runtime::{EventId, Hub, Result, Sse, Topic, routes, sse_route};

use crate::broker::Node;

#[sse_route("/{names}", send_timeout = "off")]
async fn follow(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    sse.follow_all(names.split(',').map(|name| hub.topic(name))).await?;
    Ok(())
}

#[sse_route("/skip/{names}", slow = "skip", send_timeout = "off")]
async fn skip(sse: Sse, names: String, State(hub): State<Hub>) -> Result<()> {
    sse.follow_all(names.split(',').map(|name| hub.topic(name))).await?;
    Ok(())
}

/// A hub with small rings.
async fn hub(node: &Node) -> Hub {
    Hub::on(node.clone()).topic_events(4).start().await.expect("started")
}

fn client(hub: &Hub) -> TestClient {
    TestClient::new(routes![follow, skip].with_state(hub.clone()))
}

/// Publishes numbers, on two topics in turn if there are two; returns the ids.
async fn publish(hub: &Hub, topics: &[&str], numbers: std::ops::Range<usize>) -> Vec<EventId> {
    let mut ids = Vec::new();
    for n in numbers {
        let topic: Topic = hub.topic(topics[n % topics.len()]);
        ids.push(topic.publish(n.to_string()).await.expect("published"));
    }
    ids
}

/// Expects these numbers next, and nothing else in between.
async fn expect(events: &mut TestStream, numbers: std::ops::Range<usize>) {
    for n in numbers {
        events.expect("message", &n.to_string()).await;
    }
}

fn json(event: &ReceivedEvent) -> serde_json::Value {
    serde_json::from_str(&event.data).expect("JSON")
}

/// Expects the stream to begin where it was asked for, or with the next event.
async fn opened(events: &mut TestStream, resumed: bool) {
    let open = events.next().await;
    assert_eq!(
        (open.name.as_str(), json(&open)["resumed"].as_bool()),
        ("sse-open", Some(resumed)),
        "{open:?}"
    );
}

/// Expects the stream to say that it cannot go on, and why.
async fn reset(events: &mut TestStream, reason: &str) {
    let reset = events.next().await;
    assert_eq!(
        (reset.name.as_str(), json(&reset)["reason"].as_str()),
        ("sse-reset", Some(reason)),
        "{reset:?}"
    );
    opened(events, false).await;
}
