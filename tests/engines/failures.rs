//! An engine that fails, and one that comes back.

use std::time::Duration;

use sse_runtime::engine::{Answer, Engine, Feed, Health, Log, Memory, Page, Record};
use sse_runtime::{Hub, Message, PublishError, StatusCode, Topic};

use crate::broker::{Broker, Call, Delivers};
use crate::{client, expect, hub, json, opened, publish, reset};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_hub_whose_engine_cannot_begin_does_not_start() {
    let node = Broker::keeping(10).node();
    node.fail(Call::Start, 1);
    let error = Hub::on(node.clone()).start().await.expect_err("it was made to fail");
    assert_eq!(error.to_string(), "Start was made to fail");
    hub(&node).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_publish_says_that_its_outcome_is_unknown() {
    let node = Broker::keeping(10).node();
    let hub = hub(&node).await;
    let topic: Topic = hub.topic("a");
    let mut events = client(&hub).get("/a").stream().await;
    opened(&mut events, false).await;
    for (call, arrives) in [(Call::Publish, false), (Call::PublishAnswer, true)] {
        node.fail(call, 1);
        let error = topic.publish("perhaps").await.expect_err("it was made to fail");
        assert!(matches!(&error, PublishError::Engine { topic, .. } if topic == "a"), "{error:?}");
        let text = format!(
            "the engine behind the topic \"a\" failed, so the event may or may not have been published: {call:?} was made to fail"
        );
        assert_eq!(error.to_string(), text);
        if arrives {
            events.expect("message", "perhaps").await;
        }
        topic.publish("for sure").await.expect("published");
        events.expect("message", "for sure").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_the_head_is_a_response_and_the_next_request_works() {
    for path in ["/a", "/a,b"] {
        let node = Broker::keeping(1000).node();
        let hub = hub(&node).await;
        let client = client(&hub);
        let ids = publish(&hub, &["a", "b"], 0..30).await;
        node.fail(Call::Open, 1);
        let refused = client.get(path).response().await;
        assert_eq!(
            (refused.status, refused.text.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        );
        assert!(!node.is_open("a"));
        let mut events = client.get(path).stream().await;
        opened(&mut events, false).await;
        assert!(node.is_open("a"));
        let opens = node.calls(Call::Open);
        // It is open now, and not opened again.
        opened(&mut client.get(path).stream().await, false).await;
        assert_eq!(node.calls(Call::Open), opens);
        node.fail(Call::Read, 1);
        let refused = client.get(path).last_event_id(ids[0].as_str()).response().await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        node.fail(Call::Top, 1);
        let (epoch, _) = ids[0].as_str().split_once('-').expect("epoch and number");
        let ahead = format!("{epoch}-{}", node.broker().top() + 1);
        let refused = client.get(path).last_event_id(&ahead).response().await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        let mut events = client.get(path).last_event_id(&ahead).stream().await;
        reset(&mut events, "ahead").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_any_more_ends_the_stream_where_it_is() {
    for path in ["/a", "/skip/a", "/a,b", "/skip/a,b"] {
        let topics: Vec<_> = path.rsplit('/').next().expect("names").split(',').collect();
        let node = Broker::keeping(1000).node();
        let hub = hub(&node).await;
        let mut events = client(&hub).get(path).stream().await;
        opened(&mut events, false).await;
        events.stall();
        publish(&hub, &topics, 0..40).await;
        node.caught_up().await;
        node.fail(Call::Read, 1);
        events.resume();
        let mut rest = events.rest().await;
        let failure = rest.pop().expect("a last word");
        assert_eq!(
            (failure.name.as_str(), json(&failure)["reason"].as_str()),
            ("failure", Some("HandlerError"))
        );
        let data: Vec<_> = rest.iter().map(|event| event.data.clone()).collect();
        assert_eq!(
            data,
            (0..data.len()).map(|n| n.to_string()).collect::<Vec<_>>(),
            "{path}: no gap is said"
        );
        let mut events = events.reconnect().await;
        opened(&mut events, true).await;
        expect(&mut events, data.len()..40).await;
        events.silent_for(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn delivery_that_stops_and_goes_on_loses_nothing() {
    for (delivers, topics) in [(Delivers::Open, &["a"][..]), (Delivers::Everything, &["a", "b"])] {
        let node = Broker::keeping(1000).node().delivers(delivers);
        let hub = hub(&node).await;
        let mut events = client(&hub).get(&format!("/{}", topics.join(","))).stream().await;
        opened(&mut events, false).await;
        publish(&hub, topics, 0..5).await;
        node.halt();
        publish(&hub, topics, 5..30).await;
        tokio::time::sleep(10 * SECOND).await;
        node.go_on();
        expect(&mut events, 0..30).await;
        events.silent_for(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_delivery_has_left_out_is_read_from_the_log() {
    for topics in [&["a"][..], &["a", "b"]] {
        let node = Broker::keeping(1000).node();
        let hub = hub(&node).await;
        let path = format!("/{}", topics.join(","));
        let mut events = client(&hub).get(&path).stream().await;
        opened(&mut events, false).await;
        let first = publish(&hub, topics, 0..5).await;
        expect(&mut events, 0..5).await;
        let mut stalled = client(&hub).get(&path).last_event_id(first[2].as_str()).stream().await;
        opened(&mut stalled, true).await;
        expect(&mut stalled, 3..5).await;
        stalled.stall();
        node.halt();
        publish(&hub, topics, 5..30).await;
        node.go_on_without_the_rest();
        expect(&mut events, 5..30).await;
        publish(&hub, topics, 30..35).await;
        expect(&mut events, 30..35).await;
        events.silent_for(SECOND).await;
        // Who was not looking, and who comes now.
        stalled.resume();
        expect(&mut stalled, 5..35).await;
        let mut resumed = client(&hub).get(&path).last_event_id(first[2].as_str()).stream().await;
        opened(&mut resumed, true).await;
        expect(&mut resumed, 3..35).await;
        assert_eq!((hub.stats().fell_behind, hub.stats().missed), (0, 0));
        // A topic that nobody had followed.
        let mut other = client(&hub).get("/a,b,c").last_event_id(first[2].as_str()).stream().await;
        opened(&mut other, true).await;
        expect(&mut other, 3..35).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_delivery_has_left_out_and_the_log_has_lost_is_said() {
    for topics in [&["a"][..], &["a", "b"]] {
        let broker = Broker::keeping(1000);
        let node = broker.node();
        let hub = hub(&node).await;
        let names = topics.join(",");
        let mut events = client(&hub).get(&format!("/{names}")).stream().await;
        let mut skipping = client(&hub).get(&format!("/skip/{names}")).stream().await;
        opened(&mut events, false).await;
        opened(&mut skipping, false).await;
        publish(&hub, topics, 0..5).await;
        expect(&mut events, 0..5).await;
        expect(&mut skipping, 0..5).await;
        node.halt();
        publish(&hub, topics, 5..30).await;
        broker.forget(broker.top());
        node.go_on();
        let rest = events.rest().await;
        assert_eq!(json(rest.last().expect("a last word"))["reason"], "SlowClient");
        for _ in topics {
            assert_eq!(skipping.next().await.name, "sse-gap");
        }
        publish(&hub, topics, 30..35).await;
        expect(&mut skipping, 30..35).await;
        let mut back = events.reconnect().await;
        reset(&mut back, "evicted").await;
        assert_eq!(hub.topic::<Message>("a").subscribers(), 2);
    }
}

/// Another engine, with what every one has to have and no more. It panics when a topic is closed.
#[derive(Debug)]
pub(crate) struct Plain<E>(pub(crate) E);

impl<E: Engine> Engine for Plain<E> {
    fn start(&self, feed: Feed) -> Answer<'_, Log> {
        self.0.start(feed)
    }

    fn open<'a>(&'a self, topic: &'a str) -> Answer<'a, u64> {
        self.0.open(topic)
    }

    fn close(&self, topic: &str) {
        panic!("{topic} cannot be closed");
    }

    fn publish<'a>(&'a self, topic: &'a str, record: Record<'_>) -> Answer<'a, u64> {
        self.0.publish(topic, record)
    }

    fn top(&self) -> Answer<'_, u64> {
        self.0.top()
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64, until: u64) -> Answer<'a, Page> {
        self.0.read(topic, after, until)
    }
}

#[tokio::test(start_paused = true)]
async fn a_hub_says_how_its_engine_is() {
    let node = Broker::keeping(10).node();
    let hub = hub(&node).await;
    assert!(hub.health().is_up());
    node.say(Ok(()));
    assert_eq!(hub.health().to_string(), "up");
    node.say(Err("connection refused"));
    node.say(Err("no route"));
    let Health::Down { reason, .. } = hub.health() else { panic!("{:?}", hub.health()) };
    assert_eq!(reason.to_string(), "no route", "the newest one");
    assert_eq!(hub.health().to_string(), "down for 0 s: no route");
    assert_eq!(hub.stats().outages, 1);
    node.say(Ok(()));
    assert!(hub.health().is_up());
    node.say(Err("connection refused"));
    assert_eq!((hub.stats().outages, hub.health().is_up()), (2, false));
}

#[tokio::test(start_paused = true)]
async fn a_topic_whose_closing_panicked_opens_again() {
    let hub = Hub::on(Plain(Memory::new())).topics(1).start().await.expect("started");
    for _ in 0..3 {
        for name in ["a", "b", "c"] {
            let mut events = client(&hub).get(&format!("/{name}")).stream().await;
            opened(&mut events, false).await;
            publish(&hub, &[name], 0..1).await;
            expect(&mut events, 0..1).await;
            events.disconnect();
            tokio::time::sleep(SECOND).await;
        }
    }
    assert!(hub.stats().topics < 3, "some were closed");
}
