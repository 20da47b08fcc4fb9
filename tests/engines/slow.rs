//! Clients that fall behind what the hub holds.

use std::time::Duration;

use sse_runtime::Message;

use crate::broker::{Broker, Call};
use crate::{client, expect, hub, json, opened, publish};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_client_that_is_too_slow_for_the_ring_is_fed_from_the_log() {
    for topics in [&["a"][..], &["a", "b"]] {
        for route in ["", "skip/"] {
            let node = Broker::keeping(1000).node();
            let hub = hub(&node).await;
            let path = format!("/{route}{}", topics.join(","));
            let mut events = client(&hub).get(&path).stream().await;
            opened(&mut events, false).await;
            for round in 0..3 {
                let first = round * 50;
                events.stall();
                publish(&hub, topics, first..first + 40).await;
                node.caught_up().await;
                events.resume();
                expect(&mut events, first..first + 40).await;
                publish(&hub, topics, first + 40..first + 50).await;
                expect(&mut events, first + 40..first + 50).await;
            }
            events.silent_for(SECOND).await;
            assert!(node.calls(Call::Read) > 0);
            assert_eq!((hub.stats().fell_behind, hub.stats().missed), (0, 0), "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_log_has_lost_as_well_is_said_and_counted() {
    let broker = Broker::keeping(1000);
    let node = broker.node();
    let hub = hub(&node).await;
    let mut events = client(&hub).get("/skip/a").stream().await;
    opened(&mut events, false).await;
    // Once from the log, so that the count has to begin after that.
    events.stall();
    publish(&hub, &["a"], 0..20).await;
    node.caught_up().await;
    events.resume();
    expect(&mut events, 0..20).await;
    let seen = events.last_event_id().to_owned();
    events.stall();
    publish(&hub, &["a"], 20..50).await;
    node.caught_up().await;
    broker.forget(broker.top());
    events.resume();
    let gap = events.next().await;
    assert_eq!((gap.name.as_str(), json(&gap)["missed"].as_u64()), ("sse-gap", Some(26)), "{gap:?}");
    assert_eq!(json(&gap)["after"], seen);
    expect(&mut events, 46..50).await;
    publish(&hub, &["a"], 50..53).await;
    expect(&mut events, 50..53).await;
    assert_eq!((hub.stats().fell_behind, hub.stats().missed), (1, 26));
}

#[tokio::test(start_paused = true)]
async fn without_history_a_slow_client_is_disconnected_and_one_that_keeps_up_is_not() {
    let broker = Broker::keeping(1000);
    let node = broker.node();
    let hub = hub(&node).await;
    let (mut slow, mut quick) =
        (client(&hub).get("/a").stream().await, client(&hub).get("/a").stream().await);
    opened(&mut slow, false).await;
    opened(&mut quick, false).await;
    slow.stall();
    for n in 0..30 {
        publish(&hub, &["a"], n..n + 1).await;
        expect(&mut quick, n..n + 1).await;
    }
    broker.forget(broker.top());
    slow.resume();
    let rest = slow.rest().await;
    assert_eq!(json(rest.last().expect("a last word"))["reason"], "SlowClient");
    quick.silent_for(SECOND).await;
    assert_eq!(hub.topic::<Message>("a").subscribers(), 1);
}
