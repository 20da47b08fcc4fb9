//! The current state, for those who begin anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sse_runtime::{Event, Hub, Topic};

use super::{following, id, json, position};

fn with_snapshot(hub: &Hub, calls: &Arc<AtomicUsize>) -> Topic {
    let calls = Arc::clone(calls);
    hub.topic("t").snapshot(move || {
        let n = calls.fetch_add(1, Ordering::Relaxed);
        async move { Ok([Event::new("state").data(format!("a{n}")), Event::new("state").data(format!("b{n}"))]) }
    })
}

#[tokio::test(start_paused = true)]
async fn who_begins_anew_gets_the_snapshot_first_and_its_end_has_the_id() {
    let calls = Arc::default();
    let topic = with_snapshot(&Hub::in_memory().build(), &calls);
    let id = topic.publish("before").await.expect("published");
    let mut events = following(&topic).get("/follow").stream().await;
    let open = events.next().await;
    assert_eq!(position(&open), id.as_str());
    assert_eq!(events.next().await.data, "a0");
    assert_eq!(events.last_event_id(), "", "who loses the connection within the snapshot needs it again");
    assert_eq!(events.next().await.data, "b0");
    assert_eq!(events.last_event_id(), id.as_str());
    topic.publish("after").await.expect("published");
    assert_eq!(events.next().await.data, "after");
}

#[tokio::test(start_paused = true)]
async fn who_resumes_gets_no_snapshot_and_who_is_reset_does() {
    let calls = Arc::default();
    let topic = with_snapshot(&Hub::in_memory().topic_events(1).build(), &calls);
    let start = topic.position();
    let first = topic.publish("1").await.expect("published");
    let client = following(&topic);
    let mut events = client.get("/follow").last_event_id(start.as_str()).stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "1");
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let last = (topic.publish("2").await.and(topic.publish("3").await)).expect("published");
    let mut events = client.get("/follow").last_event_id(first.as_str()).stream().await;
    let reset = events.next().await;
    assert_eq!((reset.name.as_str(), json(&reset)["reason"].as_str()), ("sse-reset", Some("evicted")));
    assert_eq!(position(&events.next().await), last.as_str());
    assert_eq!(events.next().await.data, "a0");
    assert_eq!(events.last_event_id(), first.as_str(), "until the snapshot is whole, the old id stands");
    assert_eq!(events.next().await.data, "b0");
    assert_eq!(events.last_event_id(), last.as_str());
}

#[tokio::test(start_paused = true)]
async fn what_is_published_while_the_snapshot_is_made_comes_after_it() {
    let hub = Hub::in_memory().build();
    let plain: Topic = hub.topic("t");
    let publisher = plain.clone();
    let topic: Topic = hub.topic("t").snapshot(move || {
        let publisher = publisher.clone();
        async move {
            publisher.publish("meanwhile").await?;
            Ok(["state"])
        }
    });
    let mut events = following(&topic).get("/follow").stream().await;
    position(&events.next().await);
    assert_eq!(events.next().await.data, "state");
    assert_eq!(events.next().await.data, "meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_fails_is_an_http_error_and_one_with_an_id_is_refused() {
    let hub = Hub::in_memory().build();
    let failing: Topic = hub.topic("t").snapshot(|| async { Err::<[&str; 0], _>("no database".into()) });
    assert_eq!(following(&failing).get("/follow").response().await.status, 500);
    let with_id: Topic = hub.topic("t").snapshot(|| async { Ok([Event::new("x").id("7").data("")]) });
    assert_eq!(following(&with_id).get("/follow").response().await.status, 500);
    let empty: Topic = hub.topic("t").snapshot(|| async { Ok(Vec::<String>::new()) });
    let mut events = following(&empty).get("/follow").stream().await;
    let open = events.next().await;
    assert_eq!(id(&open), position(&open), "there is nothing that could bring the id later");
}
