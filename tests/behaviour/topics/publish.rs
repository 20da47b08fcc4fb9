//! Publishing, and what is kept.

use std::time::Duration;

use sse_runtime::{Event, EventError, Hub, Message, PublishError, Topic};

use super::{following, position};

#[tokio::test]
async fn an_event_with_an_id_or_one_that_cannot_be_written_is_refused() {
    let topic: Topic = Hub::in_memory().max_event(100).build().topic("t");
    let before = topic.position();
    let refused = topic.publish(Event::new("x").id("7").data("")).await.expect_err("an id");
    assert!(matches!(&refused, PublishError::OwnId { id } if id == "7"), "{refused:?}");
    assert!(refused.to_string().starts_with("the event has the id \"7\";"), "{refused}");
    let refused = topic.publish("x".repeat(200)).await.expect_err("too large");
    assert!(matches!(refused, PublishError::Event(EventError::TooLarge { max: 100, .. })), "{refused:?}");
    assert_eq!(topic.position(), before);
}

#[test]
fn publishing_needs_no_runtime_and_no_listener() {
    let hub = Hub::in_memory().build();
    let topic: Topic = hub.topic("t");
    let published = std::thread::spawn(move || futures_util::FutureExt::now_or_never(topic.publish("x")));
    let id = published.join().expect("no panic").expect("ready at once").expect("published");
    assert_eq!(hub.topic::<Message>("other").position(), id, "one log for the hub");
    assert_eq!((hub.stats().events, hub.stats().published), (1, 1));
}

#[tokio::test]
async fn limits_hold_per_topic_and_in_all() {
    let hub = Hub::in_memory().topic_events(3).events(5).build();
    let (a, b): (Topic, Topic) = (hub.topic("a"), hub.topic("b"));
    for _ in 0..10 {
        a.publish("x").await.expect("published");
    }
    assert_eq!(hub.stats().events, 3);
    for expected in [4, 5, 5, 5] {
        b.publish("x").await.expect("published");
        assert_eq!(hub.stats().events, expected);
    }
    let hub = Hub::in_memory().topic_bytes(10_000).bytes(15_000).build();
    for name in ["a", "b", "c"] {
        let topic: Topic = hub.topic(name);
        for _ in 0..100 {
            topic.publish("x".repeat(500)).await.expect("published");
            assert!(hub.stats().bytes <= 15_000, "{:?}", hub.stats());
        }
    }
    assert!(hub.stats().bytes > 14_000, "{:?}", hub.stats());
    // One event that exceeds both is still delivered.
    hub.topic::<Message>("d").publish("x".repeat(50_000)).await.expect("published");
    assert_eq!(hub.stats().events, 1);
}

#[tokio::test(start_paused = true)]
async fn age_is_enforced_on_topics_that_nobody_uses() {
    let hub = Hub::in_memory().age(Duration::from_secs(10)).build();
    for n in 0..5 {
        hub.topic::<Message>(n.to_string()).publish("x").await.expect("published");
    }
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(hub.stats().events, 5);
    hub.topic::<Message>("new").publish("x").await.expect("published");
    assert_eq!(hub.stats().events, 1);
}

#[tokio::test]
async fn topics_that_nobody_uses_are_let_go_least_recently_used_first() {
    let hub = Hub::in_memory().topics(8).build();
    let held: Topic = hub.topic("held");
    held.publish("x").await.expect("published");
    for n in 0..100 {
        hub.topic::<Message>(n.to_string()).publish("x").await.expect("published");
        assert!(hub.stats().topics <= 10, "{:?}", hub.stats());
        assert_eq!(hub.stats().events, hub.stats().topics);
    }
    let events = hub.stats().events;
    let _: Topic = hub.topic("99");
    assert_eq!(hub.stats().events, events, "the last one is still there");
    assert_eq!(held.subscribers(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_let_go_says_so_to_who_missed_something_and_to_nobody_else() {
    let hub = Hub::in_memory().topics(1).build();
    let start = hub.topic::<Message>("a").position();
    let id = hub.topic::<Message>("a").publish("lost").await.expect("published");
    for name in ["b", "c", "d", "e"] {
        let _: Topic = hub.topic(name);
    }
    assert_eq!(hub.stats().events, 0, "the topic is gone");
    let client = following(&hub.topic("a"));
    let mut events = client.get("/follow").last_event_id(start.as_str()).stream().await;
    assert_eq!(events.next().await.name, "sse-reset");
    let mut events = client.get("/follow").last_event_id(id.as_str()).stream().await;
    assert_eq!(position(&events.next().await), id.as_str());
}
