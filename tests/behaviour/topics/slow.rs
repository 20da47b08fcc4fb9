//! Clients that read too slowly.

use std::time::Duration;

use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{DisconnectReason, Event, Hub, Result, Sse, Topic, routes, sse_route};

use super::{id, json, position};
use crate::Hooks;

type App = (Topic, Hooks);

#[sse_route("/disconnect", send_timeout = "off")]
async fn disconnect(sse: Sse, State((topic, hooks)): State<App>) -> Result<()> {
    hooks.watch(&sse);
    sse.follow(&topic).await?;
    Ok(())
}

#[sse_route("/skip", slow = "skip", send_timeout = "off")]
async fn skip(sse: Sse, State((topic, hooks)): State<App>) -> Result<()> {
    hooks.watch(&sse);
    sse.follow(&topic).await?;
    Ok(())
}

#[sse_route("/latest", slow = "latest", send_timeout = "off")]
async fn latest(sse: Sse, State((topic, hooks)): State<App>) -> Result<()> {
    hooks.watch(&sse);
    sse.follow(&topic).await?;
    Ok(())
}

fn app(events: usize) -> (Hub, Topic, Hooks, TestClient) {
    let hub = Hub::in_memory().topic_events(events).build();
    let topic: Topic = hub.topic("t");
    let hooks = Hooks::default();
    let client =
        TestClient::new(routes![disconnect, skip, latest].with_state((topic.clone(), hooks.clone())));
    (hub, topic, hooks, client)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_fell_out_of_the_history_is_disconnected_and_told_when_it_is_back() {
    let (hub, topic, hooks, client) = app(4);
    let mut events = client.get("/disconnect").stream().await;
    position(&events.next().await);
    events.stall();
    for n in 0..20 {
        topic.publish(n.to_string()).await.expect("published");
    }
    events.resume();
    let rest = events.rest().await;
    let bye = rest.last().expect("a last word");
    assert_eq!((bye.name.as_str(), json(bye)["reason"].as_str()), ("sse-bye", Some("SlowClient")));
    assert_eq!(hooks.only().await.reason, DisconnectReason::SlowClient);
    let mut events = events.reconnect().await;
    assert_eq!(json(&events.next().await)["reason"], "evicted");
    assert_eq!(hub.stats().fell_behind, 1);
}

#[tokio::test(start_paused = true)]
async fn skip_says_how_much_is_missing_and_goes_on_with_the_oldest_there_is() {
    let (hub, topic, _, client) = app(4);
    let mut events = client.get("/skip").stream().await;
    position(&events.next().await);
    topic.publish("first").await.expect("published");
    assert_eq!(events.next().await.data, "first");
    let seen = events.last_event_id().to_owned();
    events.stall();
    for n in 0..20 {
        topic.publish(n.to_string()).await.expect("published");
    }
    events.resume();
    let gap = events.next().await;
    assert_eq!((gap.name.as_str(), json(&gap)["missed"].as_u64()), ("sse-gap", Some(16)));
    assert_eq!(json(&gap)["after"], seen);
    assert_eq!(json(&gap)["until"], id(&gap));
    let rest: Vec<_> = events.take(4).await.into_iter().map(|event| event.data).collect();
    assert_eq!(rest, ["16", "17", "18", "19"]);
    assert_eq!((hub.stats().missed, hub.stats().fell_behind), (16, 1));
    // Who comes back with the gap's id gets what followed it.
    let mut again = client.get("/skip").last_event_id(id(&gap)).stream().await;
    position(&again.next().await);
    assert_eq!(again.next().await.data, "16");
    topic.publish("live").await.expect("published");
    assert_eq!(events.next().await.data, "live");
}

#[tokio::test(start_paused = true)]
async fn latest_gives_the_newest_of_each_key_and_then_goes_on_live() {
    let (hub, topic, _, client) = app(10);
    let mut events = client.get("/latest").stream().await;
    position(&events.next().await);
    events.stall();
    for n in 0..30 {
        let key = ["a", "b", "c"][n % 3];
        topic.publish(Event::new("price").data(format!("{key}{n}"))).key(key).await.expect("published");
    }
    // By name, where no key is given.
    topic.publish(Event::new("status").data("s0")).await.expect("published");
    topic.publish(Event::new("status").data("s1")).await.expect("published");
    events.resume();
    let gap = events.next().await;
    assert_eq!((gap.name.as_str(), json(&gap)["missed"].as_u64()), ("sse-gap", Some(22)));
    let rest: Vec<_> = events.take(4).await.into_iter().map(|event| event.data).collect();
    assert_eq!(rest, ["a27", "b28", "c29", "s1"]);
    assert_eq!(hub.stats().missed, 28, "22 gone, and 6 of 10 were stale");
    topic.publish("live 1").await.expect("published");
    topic.publish("live 2").await.expect("published");
    assert_eq!(events.next().await.data, "live 1");
    assert_eq!(events.next().await.data, "live 2", "who keeps up gets everything");
    events.silent_for(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn latest_gives_the_snapshot_if_there_is_one_because_a_key_may_have_left_the_history() {
    let (hub, plain, hooks, _) = app(3);
    let topic = plain.clone().snapshot(|| async { Ok(["the state", "in full"]) });
    let client = TestClient::new(routes![latest].with_state((topic, hooks)));
    let mut events = client.get("/latest").stream().await;
    position(&events.next().await);
    assert_eq!(events.take(2).await[1].data, "in full");
    plain.publish(Event::new("price").data("a")).key("a").await.expect("published");
    assert_eq!(events.next().await.data, "a");
    events.stall();
    for n in 0..10 {
        plain.publish(Event::new("price").data(format!("b{n}"))).key("b").await.expect("published");
    }
    events.resume();
    let gap = events.next().await;
    assert_eq!(
        (gap.name.as_str(), id(&gap)),
        ("sse-gap", ""),
        "who loses the connection now needs the snapshot"
    );
    assert_eq!(events.next().await.data, "the state");
    let end = events.next().await;
    assert_eq!((end.data.as_str(), id(&end)), ("in full", plain.position().as_str()));
    plain.publish("live").await.expect("published");
    assert_eq!(events.next().await.data, "live", "what the snapshot shows is not sent again");
    assert_eq!(hub.stats().missed, 10);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_read_holds_up_nobody() {
    let (hub, topic, _, client) = app(8);
    let mut stalled = client.get("/disconnect").stream().await;
    position(&stalled.next().await);
    stalled.stall();
    let mut reading = client.get("/disconnect").stream().await;
    position(&reading.next().await);
    for n in 0..1000 {
        topic.publish(n.to_string()).await.expect("published");
        assert_eq!(reading.next().await.data, n.to_string());
    }
    assert_eq!(hub.stats().events, 8);
}
