//! What the numbers are, and when they are there.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{Event, Hub, Result, Sse, Topic, routes, sse_route};
use tokio::time::sleep;

use super::recorder::Recorded;

#[sse_route("/ticks")]
async fn ticks(sse: Sse) -> Result<()> {
    for n in 0..100 {
        sse.send(n.to_string()).await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

#[sse_route("/silent")]
async fn silent(sse: Sse) -> Result<()> {
    sse.open().await?;
    std::future::pending().await
}

#[sse_route("/bulk")]
async fn bulk(sse: Sse) -> Result<()> {
    for _ in 0..10 {
        sse.send("x".repeat(32 * 1024)).await?;
    }
    Ok(())
}

#[sse_route("/disconnect", send_timeout = "off")]
async fn disconnect(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

#[sse_route("/skip", slow = "skip", send_timeout = "off")]
async fn skip(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

#[sse_route("/latest", slow = "latest", send_timeout = "off")]
async fn latest(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

#[sse_route("/bare", bare)]
async fn bare(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

fn app(events: usize) -> (Hub, Topic, TestClient) {
    let hub = Hub::in_memory().topic_events(events).build();
    let topic: Topic = hub.topic("t");
    let app: Router = routes![ticks, silent, bulk, disconnect, skip, latest, bare].with_state(topic.clone());
    (hub, topic, TestClient::new(app))
}

#[tokio::test(start_paused = true)]
async fn events_and_bytes_are_there_within_a_keep_alive_interval_and_exact_at_the_end() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let (_, _, client) = app(10);
    let of_route = [("route", "/ticks")];
    let mut events = client.get("/ticks").stream().await;
    let mut last = 0;
    for _ in 0..5 {
        let seen = events.take(16).await;
        let counted = recorded.counted("sse_sent_events_total", &of_route);
        assert!(counted > last, "nothing new within 16 s");
        assert!(counted <= last + 2 * seen.len() as u64);
        last = counted;
    }
    events.rest().await;
    assert_eq!(recorded.counted("sse_sent_events_total", &of_route), 100);
    assert_eq!(recorded.counted("sse_sent_bytes_total", &of_route), events.raw().len() as u64);
    let lasted = recorded.observed("sse_stream_duration_seconds", &of_route);
    assert!((lasted[0] - 100.0).abs() < 0.5, "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn keep_alives_are_counted_and_the_bytes_are_theirs() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let (_, _, client) = app(10);
    let mut events = client.get("/silent").stream().await;
    for _ in 0..4 {
        events.expect_keep_alive().await;
    }
    events.disconnect();
    sleep(Duration::from_millis(1)).await;
    let of_route = [("route", "/silent")];
    assert_eq!(recorded.counted("sse_keep_alives_total", &of_route), 4);
    assert_eq!(recorded.counted("sse_sent_bytes_total", &of_route), 4 * ":\n".len() as u64);
    assert_eq!(recorded.counted("sse_sent_events_total", &of_route), 0);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_is_counted_once() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let (_, _, client) = app(10);
    client.get("/bulk").stream().await.rest().await;
    // The first found room, and each of the others waited for the one before it.
    assert_eq!(recorded.counted("sse_send_waits_total", &[("route", "/bulk")]), 9);
    client.get("/ticks").stream().await.take(20).await;
    assert_eq!(recorded.counted("sse_send_waits_total", &[("route", "/ticks")]), 0);
}

#[tokio::test(start_paused = true)]
async fn how_following_began_is_counted() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let (_, topic, client) = app(2);
    let first = topic.publish("1").await.expect("published");
    let [_, _, last] = ["2", "3", "4"].map(|text| topic.publish(text));
    let last = last.await.expect("published");
    for text in ["5", "6", "7"] {
        topic.publish(text).await.expect("published");
    }
    let newest = topic.position();
    let epoch = newest.as_str().split('-').next().expect("an epoch").to_owned();
    let ahead = format!("{epoch}-99");
    for (asked, outcome) in [
        (None, "fresh"),
        (Some(newest.as_str()), "resumed"),
        (Some("nonsense"), "malformed"),
        (Some("1-1"), "epoch"),
        (Some(ahead.as_str()), "ahead"),
        (Some(first.as_str()), "evicted"),
        (Some(last.as_str()), "evicted"),
    ] {
        let labels = [("route", "/skip"), ("outcome", outcome)];
        let request = client.get("/skip");
        let before = recorded
            .values_of("outcome")
            .contains(outcome)
            .then(|| recorded.counted("sse_follows_total", &labels));
        let request = match asked {
            Some(id) => request.last_event_id(id),
            None => request,
        };
        request.stream().await.next().await;
        assert_eq!(
            recorded.counted("sse_follows_total", &labels),
            before.unwrap_or_default() + 1,
            "{outcome}"
        );
    }
    assert_eq!(recorded.counted("sse_follows_total", &[]), 7);

    // Without a word for it in the stream, it is an HTTP status; and counted all the same.
    client.get("/bare").last_event_id("nonsense").response().await;
    assert_eq!(recorded.counted("sse_follows_total", &[("route", "/bare"), ("outcome", "malformed")]), 1);
}

#[tokio::test(start_paused = true)]
async fn what_slow_clients_missed_is_counted_as_the_hub_counts_it() {
    for (path, behind, missed) in [("/disconnect", 1, 16), ("/skip", 1, 16), ("/latest", 1, 18)] {
        let recorded = Recorded::default();
        let _guard = recorded.here();
        let (hub, topic, client) = app(4);
        let mut events = client.get(path).stream().await;
        events.next().await;
        events.stall();
        for n in 0..20 {
            let key = ["a", "b"][n % 2];
            topic.publish(Event::new("price").data(n.to_string())).key(key).await.expect("published");
        }
        events.resume();
        let next = events.next().await;
        assert!(["sse-gap", "sse-bye"].contains(&next.name.as_str()), "{next:?}");
        sleep(Duration::from_millis(1)).await;
        let of_route = [("route", path)];
        assert_eq!(recorded.counted("sse_fell_behind_total", &of_route), behind, "{path}");
        assert_eq!(recorded.counted("sse_missed_events_total", &of_route), missed, "{path}");
        assert_eq!((hub.stats().fell_behind, hub.stats().missed), (behind, missed), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hub_is_as_it_was_when_it_was_last_asked() {
    let recorded = Recorded::default();
    let _guard = recorded.here();
    let (hub, topic, client) = app(2);
    hub.record_metrics("rooms");
    let other = Hub::in_memory().build();
    other.record_metrics("others");
    let gauge = |name: &str| recorded.gauge(name, &[("hub", "rooms")]);
    assert!((gauge("sse_hub_topics") - 1.0).abs() < f64::EPSILON);
    assert!(gauge("sse_hub_subscribers").abs() < f64::EPSILON);
    let mut events = client.get("/skip").stream().await;
    events.next().await;
    for n in 0..5 {
        topic.publish(n.to_string()).await.expect("published");
    }
    assert_eq!(recorded.counted("sse_hub_published_events_total", &[]), 0, "nobody has asked");
    for _ in 0..2 {
        hub.record_metrics("rooms");
        other.record_metrics("others");
        let stats = hub.stats();
        assert!((gauge("sse_hub_subscribers") - 1.0).abs() < f64::EPSILON);
        assert!((gauge("sse_hub_kept_events") - 2.0).abs() < f64::EPSILON);
        assert_eq!(gauge("sse_hub_kept_bytes").to_string(), stats.bytes.to_string());
        assert_eq!(recorded.counted("sse_hub_published_events_total", &[("hub", "rooms")]), 5);
    }
    assert_eq!(recorded.counted("sse_hub_published_events_total", &[("hub", "others")]), 0);
    events.disconnect();
    sleep(Duration::from_millis(1)).await;
    hub.record_metrics("rooms");
    assert!(gauge("sse_hub_subscribers").abs() < f64::EPSILON);
}
