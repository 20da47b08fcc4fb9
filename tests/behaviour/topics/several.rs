//! Several topics over one connection.

use std::time::Duration;

use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{FollowError, Hub, Result, SendError, Sse, Topic, routes, sse_route};

use super::{following_all, id, json, position};

#[tokio::test(start_paused = true)]
async fn events_of_several_topics_come_in_the_order_of_their_publication_and_one_id_resumes_all() {
    let hub = Hub::in_memory().build();
    let topics: Vec<Topic> = ["a", "b", "c"].map(|name| hub.topic(name)).into();
    let client = following_all(&hub);
    let mut events = client.get("/all/a,b,c").stream().await;
    position(&events.next().await);
    let order = [0, 1, 1, 0, 2, 0, 1, 2, 2, 0];
    let mut ids = Vec::new();
    for (n, topic) in order.into_iter().enumerate() {
        ids.push(topics[topic].publish(n.to_string()).await.expect("published"));
    }
    let received = events.take(order.len()).await;
    assert_eq!(
        received.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(),
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    );
    assert!(received.iter().zip(&ids).all(|(event, published)| id(event) == published.as_str()));
    // One of a topic that is not followed lies in between.
    hub.topic::<sse_runtime::Message>("d").publish("not for them").await.expect("published");
    for (index, last) in ids.iter().enumerate() {
        let mut events = client.get("/all/c,a,b").last_event_id(last.as_str()).stream().await;
        position(&events.next().await);
        let rest = events.take(ids.len() - index - 1).await;
        assert!(rest.iter().zip(&ids[index + 1..]).all(|(event, published)| id(event) == published.as_str()));
        events.silent_for(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_several_topics_is_a_subscriber_of_each() {
    let hub = Hub::in_memory().build();
    let (a, b): (Topic, Topic) = (hub.topic("a"), hub.topic("b"));
    let mut events = following_all(&hub).get("/all/a,b,a").stream().await;
    position(&events.next().await);
    assert_eq!((a.subscribers(), b.subscribers(), hub.stats().subscribers), (1, 1, 2));
    events.disconnect();
    tokio::task::yield_now().await;
    assert_eq!((a.subscribers(), b.subscribers(), hub.stats().subscribers), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn if_one_of_the_topics_cannot_be_resumed_none_is() {
    let hub = Hub::in_memory().topic_events(2).build();
    let (a, b): (Topic, Topic) = (hub.topic("a"), hub.topic("b"));
    let start = a.position();
    b.publish("b").await.expect("published");
    for _ in 0..3 {
        a.publish("a").await.expect("published");
    }
    let mut events = following_all(&hub).get("/all/a,b").last_event_id(start.as_str()).stream().await;
    let reset = events.next().await;
    assert_eq!((reset.name.as_str(), json(&reset)["reason"].as_str()), ("sse-reset", Some("evicted")));
    assert_eq!(position(&events.next().await), a.position().as_str());
    events.silent_for(Duration::from_secs(1)).await;
}

#[sse_route("/strangers")]
async fn strangers(sse: Sse, State(topics): State<[Topic; 2]>) -> Result<()> {
    let error = sse.follow_all(&topics).await.expect_err("two hubs");
    assert!(matches!(&error, SendError::Follow(FollowError::DifferentHubs(a, b)) if a == "a" && b == "b"));
    sse.send(error.to_string()).await?;
    Ok(())
}

#[tokio::test]
async fn topics_of_different_hubs_are_refused() {
    let topics: [Topic; 2] = [Hub::in_memory().build().topic("a"), Hub::in_memory().build().topic("b")];
    let client = TestClient::new(routes![strangers].with_state(topics));
    let text = "the topics \"a\" and \"b\" are of different hubs; one id cannot resume both";
    assert_eq!(client.get("/strangers").stream().await.next().await.data, text);
}

#[sse_route("/twice")]
async fn twice(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    let (first, second) = tokio::join!(biased; async { tokio::select! { r = sse.follow(&topic) => r, () = tokio::time::sleep(Duration::from_secs(1)) => Ok(()) } }, sse.follow(&topic));
    assert!(first.is_ok());
    sse.send(second.expect_err("the first one follows").to_string()).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_follows_once_at_a_time() {
    let topic: Topic = Hub::in_memory().build().topic("t");
    let mut events = TestClient::new(routes![twice].with_state(topic)).get("/twice").stream().await;
    position(&events.next().await);
    assert!(events.next().await.data.starts_with("this stream follows already"));
}

#[sse_route("/none")]
async fn none(sse: Sse) -> Result<()> {
    let nothing: [Topic; 0] = [];
    sse.follow_all(nothing).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_topic_the_stream_is_open_and_quiet() {
    let mut events = TestClient::new(routes![none]).get("/none").stream().await;
    events.expect_keep_alive().await;
    events.expect_keep_alive().await;
}
