//! Coming back: everything that was missed, or a word that says why not.

use std::time::Duration;

use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{Hub, Result, Sse, StatusCode, Topic, routes, sse_route};

use super::{following, id, json, position};

#[tokio::test(start_paused = true)]
async fn a_first_visit_begins_with_its_position_and_gets_what_comes_next() {
    let topic: Topic = Hub::in_memory().build().topic("t");
    topic.publish("before").await.expect("published");
    let mut events = following(&topic).get("/follow").stream().await;
    let open = events.next().await;
    assert_eq!(position(&open), topic.position().as_str());
    assert_eq!(id(&open), topic.position().as_str(), "a client that drops now comes back to here");
    assert_eq!(
        (json(&open)["resumed"].as_bool(), json(&open)["heartbeat"].as_u64()),
        (Some(false), Some(15_000))
    );
    let after = topic.publish("after").await.expect("published");
    let event = events.next().await;
    assert_eq!((event.data.as_str(), id(&event)), ("after", after.as_str()));
    events.silent_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_gets_what_was_missed_once_and_in_order_then_live() {
    let topic: Topic = Hub::in_memory().build().topic("t");
    let client = following(&topic);
    let mut events = client.get("/follow").stream().await;
    position(&events.next().await);
    topic.publish("1").await.expect("published");
    assert_eq!(events.next().await.data, "1");
    let seen = events.last_event_id().to_owned();
    let request = events.reconnect_request();
    for n in 2..=5 {
        topic.publish(n.to_string()).await.expect("published");
    }
    let mut events = request.stream().await;
    let open = events.next().await;
    assert_eq!((position(&open), id(&open)), (seen.clone(), seen.as_str()));
    assert_eq!(json(&open)["resumed"], true);
    topic.publish("6").await.expect("published");
    let data: Vec<_> = events.take(5).await.into_iter().map(|event| event.data).collect();
    assert_eq!(data, ["2", "3", "4", "5", "6"]);
    events.silent_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn the_position_may_come_in_the_query_and_the_header_is_the_newer_one() {
    let topic: Topic = Hub::in_memory().build().topic("t");
    let rendered = topic.position();
    let first = topic.publish("1").await.expect("published");
    topic.publish("2").await.expect("published");
    let client = following(&topic);
    let path = format!("/follow?a=b&last_event_id={rendered}");
    let mut events = client.get(&path).stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "1");
    assert_eq!(events.next().await.data, "2");
    let mut events = client.get(&path).last_event_id(first.as_str()).stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "2");
    assert_eq!(client.get("/follow?last_event_id=sse-end").response().await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_is_said_first() {
    let hub = Hub::in_memory().topic_events(2).build();
    let topic: Topic = hub.topic("t");
    let start = topic.position().to_string();
    let epoch = start.split_once('-').expect("epoch and number").0.to_owned();
    for n in 1..=5 {
        topic.publish(n.to_string()).await.expect("published");
    }
    let client = following(&topic);
    let long = "x".repeat(2000);
    for (asked, reason, shown) in [
        ("17", "malformed", true),
        ("not an id", "malformed", true),
        (long.as_str(), "malformed", false),
        ("\u{1}", "malformed", false),
        ("1-1", "epoch", true),
        (&format!("{epoch}-6"), "ahead", true),
        (&format!("{epoch}-18446744073709551615"), "ahead", true),
        (&format!("{epoch}-2"), "evicted", true),
        (&start, "evicted", true),
    ] {
        let Ok(_) = axum::http::HeaderValue::from_bytes(asked.as_bytes()) else { continue };
        let mut events = client.get("/follow").last_event_id(asked).stream().await;
        let reset = events.next().await;
        assert_eq!(reset.name, "sse-reset", "{asked}");
        let data = json(&reset);
        assert_eq!(data["reason"], reason, "{asked}");
        assert_eq!(data["asked"].as_str(), shown.then_some(asked));
        assert_eq!(data["oldest"], format!("{epoch}-3"));
        assert_eq!(data["now"], format!("{epoch}-5"));
        assert_eq!(id(&reset), format!("{epoch}-5"));
        assert_eq!(position(&events.next().await), format!("{epoch}-5"));
        events.silent_for(Duration::from_secs(1)).await;
    }
    // The oldest position that is named can be had.
    let mut events = client.get("/follow").last_event_id(format!("{epoch}-3")).stream().await;
    position(&events.next().await);
    assert_eq!(events.take(2).await.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(), ["4", "5"]);
    assert_eq!((hub.stats().resumed, hub.stats().reset), (1, 8));
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_old_ids_are_of_another_epoch_even_before_anything_is_published() {
    let before: Topic = Hub::in_memory().build().topic("t");
    let id = before.publish("x").await.expect("published");
    let after: Topic = Hub::in_memory().build().topic("t");
    let mut events = following(&after).get("/follow").last_event_id(id.as_str()).stream().await;
    let reset = events.next().await;
    assert_eq!((reset.name.as_str(), json(&reset)["reason"].as_str()), ("sse-reset", Some("epoch")));
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_age_is_not_replayed() {
    let hub = Hub::in_memory().age(Duration::from_secs(60)).build();
    let topic: Topic = hub.topic("t");
    let start = topic.position();
    topic.publish("old").await.expect("published");
    tokio::time::advance(Duration::from_secs(50)).await;
    let client = following(&topic);
    let mut events = client.get("/follow").last_event_id(start.as_str()).stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "old");
    tokio::time::advance(Duration::from_secs(20)).await;
    let mut events = client.get("/follow").last_event_id(start.as_str()).stream().await;
    assert_eq!(json(&events.next().await)["reason"], "evicted");
    assert_eq!(hub.stats().events, 0);
}

#[sse_route("/guarded")]
async fn guarded(
    sse: Sse,
    headers: axum::http::HeaderMap,
    State(topic): State<Topic>,
) -> Result<(), StatusCode> {
    if !headers.contains_key("authorization") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    sse.follow(&topic).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[tokio::test]
async fn a_replay_passes_the_same_checks_as_the_live_stream() {
    let topic: Topic = Hub::in_memory().build().topic("t");
    let start = topic.position();
    topic.publish("secret").await.expect("published");
    let client = TestClient::new(routes![guarded].with_state(topic));
    let refused = client.get("/guarded").last_event_id(start.as_str()).response().await;
    assert_eq!((refused.status, refused.text.as_str()), (StatusCode::UNAUTHORIZED, ""));
}

#[sse_route("/bare", bare)]
async fn bare(sse: Sse, State(topic): State<Topic>) -> Result<(), StatusCode> {
    sse.follow(&topic).await.map_err(|error| {
        assert!(error.to_string().contains("(malformed)"), "{error}");
        StatusCode::GONE
    })
}

#[tokio::test(start_paused = true)]
async fn a_bare_route_adds_no_events_and_leaves_a_reset_to_its_handler() {
    let topic: Topic = Hub::in_memory().build().topic("t");
    let client = TestClient::new(routes![bare].with_state(topic.clone()));
    let mut events = client.get("/bare").stream().await;
    let x = topic.publish("x").await.expect("published");
    assert_eq!(events.next().await.data, "x");
    assert_eq!(events.raw_text(), format!("id: {x}\ndata: x\n\n"));
    assert_eq!(client.get("/bare").last_event_id("nonsense").response().await.status, StatusCode::GONE);
}
