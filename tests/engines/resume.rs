//! Coming back for more than the hub holds.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route};
use tokio::sync::Notify;

use crate::broker::{Broker, Call, Delivers};
use crate::{client, expect, hub, opened, publish, reset};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_the_ring_has_not_comes_from_the_log_and_runs_on_into_live_events() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        for topics in [&["a"][..], &["a", "b"]] {
            let node = Broker::keeping(1000).node().delivers(delivers);
            let hub = hub(&node).await;
            let start = hub.topic::<sse_runtime::Message>("a").position();
            publish(&hub, topics, 0..60).await;
            let mut events = client(&hub)
                .get(&format!("/{}", topics.join(",")))
                .last_event_id(start.as_str())
                .stream()
                .await;
            opened(&mut events, true).await;
            // While the old ones are read.
            let ids = publish(&hub, topics, 60..100).await;
            expect(&mut events, 0..100).await;
            assert_eq!(events.last_event_id(), ids[39].as_str());
            publish(&hub, topics, 100..110).await;
            expect(&mut events, 100..110).await;
            events.silent_for(SECOND).await;
            assert_eq!((hub.stats().resumed, hub.stats().fell_behind, hub.stats().missed), (1, 0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_id_of_the_log_resumes() {
    let hub = hub(&Broker::keeping(1000).node()).await;
    let ids = publish(&hub, &["a", "b", "c"], 0..24).await;
    for (n, id) in ids.iter().enumerate() {
        let mut events = client(&hub).get("/c,a,b").last_event_id(id.as_str()).stream().await;
        opened(&mut events, true).await;
        expect(&mut events, n + 1..24).await;
        events.silent_for(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_log_has_not_either_is_said() {
    for path in ["/a", "/a,b"] {
        let hub = hub(&Broker::keeping(20).node()).await;
        let ids = publish(&hub, &["a", "b"], 0..50).await;
        let mut events = client(&hub).get(path).last_event_id(ids[10].as_str()).stream().await;
        reset(&mut events, "evicted").await;
        publish(&hub, &["a"], 100..101).await;
        expect(&mut events, 100..101).await;
        let mut events = client(&hub).get("/a,b").last_event_id(ids[35].as_str()).stream().await;
        opened(&mut events, true).await;
        expect(&mut events, 36..50).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_the_process_ids_are_good_before_anything_is_published() {
    let broker = Broker::keeping(1000);
    let before = hub(&broker.node()).await;
    let ids = publish(&before, &["a", "b"], 0..30).await;
    drop(before);
    let after = hub(&broker.node()).await;
    let mut events = client(&after).get("/a,b").last_event_id(ids[9].as_str()).stream().await;
    opened(&mut events, true).await;
    expect(&mut events, 10..30).await;
    let ids = publish(&after, &["a", "b"], 30..40).await;
    expect(&mut events, 30..40).await;
    let mut newest = client(&after).get("/a").last_event_id(ids[9].as_str()).stream().await;
    opened(&mut newest, true).await;
    newest.silent_for(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_evicted_while_it_is_read_is_said() {
    for (path, word) in [("/a", "sse-bye"), ("/skip/a", "sse-gap")] {
        let broker = Broker::keeping(1000);
        let hub = hub(&broker.node()).await;
        let topic: Topic = hub.topic("a");
        // Opens the topic, so that its newest events are in the ring.
        let mut witness = client(&hub).get("/a").stream().await;
        opened(&mut witness, false).await;
        let start = topic.position();
        // Large ones, so that the client's side fills up.
        for n in 0..40 {
            topic.publish(format!("{n} {}", "x".repeat(20_000))).await.expect("published");
        }
        let mut events = client(&hub).get(path).last_event_id(start.as_str()).stream().await;
        opened(&mut events, true).await;
        events.stall();
        // Some are on their way.
        tokio::time::sleep(SECOND).await;
        broker.forget(broker.top() - 2);
        events.resume();
        let mut expected = 0;
        let said = loop {
            let event = events.next().await;
            if event.name != "message" {
                break event;
            }
            assert!(event.data.starts_with(&format!("{expected} ")), "no hole before it is said");
            expected += 1;
        };
        assert_eq!(said.name, word);
        assert!(expected < 36, "the log was evicted while it was read");
        if word == "sse-gap" {
            for n in 36..40 {
                assert!(events.next().await.data.starts_with(&format!("{n} ")));
            }
        }
    }
}

type App = (Hub, Arc<Notify>);

#[sse_route("/with_ticks/{names}")]
async fn with_ticks(sse: Sse, names: String, State((hub, _)): State<App>) -> Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_millis(13));
    loop {
        tokio::select! {
            result = sse.follow_all(names.split(',').map(|name| hub.topic(name))) => result?,
            _ = ticks.tick() => sse.comment("tick").await?,
        }
    }
}

#[sse_route("/until_done/{names}", slow = "skip")]
async fn until_done(sse: Sse, names: String, State((hub, done)): State<App>) -> Result<()> {
    tokio::select! {
        result = sse.follow_all(names.split(',').map(|name| hub.topic(name))) => result?,
        () = done.notified() => {}
    }
    sse.send("goodbye").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_stops_and_follows_again_while_the_log_is_read_loses_nothing() {
    for names in ["a", "a,b"] {
        let topics: Vec<_> = names.split(',').collect();
        let node = Broker::keeping(1000).node().latency(Duration::from_millis(8));
        let hub = hub(&node).await;
        let start = hub.topic::<sse_runtime::Message>("a").position();
        publish(&hub, &topics, 0..80).await;
        let app: App = (hub.clone(), Arc::default());
        let client = TestClient::new(routes![with_ticks].with_state(app));
        let mut events =
            client.get(&format!("/with_ticks/{names}")).last_event_id(start.as_str()).stream().await;
        opened(&mut events, true).await;
        expect(&mut events, 0..80).await;
        publish(&hub, &topics, 80..90).await;
        expect(&mut events, 80..90).await;
        assert!(node.calls(Call::Read) > 10);
        assert_eq!(hub.stats().fell_behind, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_stops_more_often_than_a_long_history_can_be_judged_gets_on() {
    let node = Broker::keeping(1000).node().latency(Duration::from_millis(8));
    let hub = hub(&node).await;
    let start = hub.topic::<sse_runtime::Message>("a").position();
    publish(&hub, &["a"], 0..500).await;
    let client = TestClient::new(routes![with_ticks].with_state((hub, Arc::default())));
    let mut events = client.get("/with_ticks/a").last_event_id(start.as_str()).stream().await;
    opened(&mut events, true).await;
    expect(&mut events, 0..500).await;
}

#[tokio::test(start_paused = true)]
async fn who_stops_following_while_the_log_is_read_leaves_its_client_an_id_to_come_back_with() {
    let node = Broker::keeping(1000).node().latency(Duration::from_millis(100));
    let hub = hub(&node).await;
    let start = hub.topic::<sse_runtime::Message>("a").position();
    // Large ones, so that the log is read by and by.
    let filling = "x".repeat(4000);
    for n in 0..80 {
        hub.topic::<sse_runtime::Message>("a").publish(format!("{n} {filling}")).await.expect("published");
    }
    let app: App = (hub.clone(), Arc::default());
    let client = TestClient::new(routes![until_done].with_state(app.clone()));
    let mut events = client.get("/until_done/a").last_event_id(start.as_str()).stream().await;
    opened(&mut events, true).await;
    for n in 0..10 {
        events.expect("message", &format!("{n} {filling}")).await;
    }
    app.1.notify_one();
    let rest = events.rest().await;
    let (goodbye, some) = rest.split_last().expect("a goodbye");
    assert_eq!(goodbye.data, "goodbye");
    assert!(some.len() < 69, "the log is not read to its end for someone who leaves");
    let seen = 10 + some.len();
    for (n, event) in some.iter().enumerate() {
        assert_eq!(event.data, format!("{} {filling}", 10 + n), "no gap was said");
    }
    let last = events.last_event_id().to_owned();
    let mut events = crate::client(&hub).get("/a").last_event_id(last).stream().await;
    opened(&mut events, true).await;
    for n in seen..80 {
        events.expect("message", &format!("{n} {filling}")).await;
    }
}
