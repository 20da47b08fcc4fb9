//! Events that are published again because nobody knows whether they were published.

use sse_runtime::{Hub, PublishError, Topic};

use crate::broker::{Broker, Call};
use crate::{client, expect, hub, opened};

#[tokio::test(start_paused = true)]
async fn an_event_that_is_published_again_after_an_error_is_there_once() {
    let broker = Broker::keeping(100);
    let (here, there) = (broker.node(), broker.node());
    let (hub, other) = (hub(&here).await, hub(&there).await);
    let (topic, elsewhere): (Topic, Topic) = (hub.topic("a"), other.topic("a"));
    let mut events = client(&other).get("/a").stream().await;
    opened(&mut events, false).await;
    for (n, call) in [Call::Publish, Call::PublishAnswer].into_iter().enumerate() {
        here.fail(call, 1);
        let (text, key) = (n.to_string(), format!("key {n}"));
        topic.publish(text.as_str()).dedupe(key.as_str()).await.expect_err("it was made to fail");
        let id = topic.publish(text.as_str()).dedupe(key.as_str()).await.expect("published");
        let again = elsewhere.publish(text.as_str()).dedupe(key).await.expect("published");
        assert_eq!(id.as_str(), again.as_str());
    }
    topic.publish("2").await.expect("published");
    expect(&mut events, 0..3).await;
}

#[tokio::test(start_paused = true)]
async fn in_memory_it_is_there_once_for_two_minutes() {
    let hub = Hub::default();
    let topic: Topic = hub.topic("a");
    let first = topic.publish("x").dedupe("k").await.expect("published");
    tokio::time::advance(std::time::Duration::from_millis(119_999)).await;
    let again = topic.publish("x").dedupe("k").await.expect("published");
    assert_eq!(first.as_str(), again.as_str());
    assert_eq!(hub.stats().published, 1);
    tokio::time::advance(std::time::Duration::from_millis(1)).await;
    let late = topic.publish("x").dedupe("k").await.expect("published");
    assert_ne!(first.as_str(), late.as_str());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_knows_no_keys_refuses_them() {
    let node = Broker::keeping(10).node();
    let hub = Hub::on(crate::failures::Plain(node.clone())).start().await.expect("started");
    let topic: Topic = hub.topic("a");
    let error = topic.publish("x").dedupe("k").await.expect_err("refused");
    assert!(matches!(&error, PublishError::NoDedupe { topic, dedupe } if topic == "a" && dedupe == "k"));
    assert_eq!(
        error.to_string(),
        "the event has the dedupe key \"k\", and the engine behind the topic \"a\" knows none: leave it out, or take another engine"
    );
    assert_eq!((node.calls(Call::Publish), node.broker().top()), (0, 0));
    topic.publish("x").await.expect("published");
}
